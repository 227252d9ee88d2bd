namespace AsrPlatform.Host.Live;

/// <summary>Tells speech from silence, frame after frame of one stream.</summary>
/// <remarks>
/// Keeps state; one instance a stream, not safe for concurrent calls. Allocates nothing per frame. What several streams can share, such as
/// the weights of a network, belongs to the <see cref="VoiceActivityDetectorFactory"/>; a network's probability becomes a decision by two
/// thresholds and <see cref="SpeechHangover"/>. Audio before an onset (pre-roll) and the pause that ends an utterance are the business of
/// <see cref="SpeechWindow"/>: a detector may take some frames to be sure.
/// </remarks>
internal interface IVoiceActivityDetector : IDisposable
{
    /// <summary>Samples of each frame.</summary>
    int FrameSamples { get; }

    /// <summary>Classifies the next frame of the stream.</summary>
    /// <param name="frame"><see cref="FrameSamples"/> samples in −1…1; what is outside or no number must do no lasting harm.</param>
    bool IsSpeech(ReadOnlySpan<float> frame);
}

/// <summary>Makes a detector for a new stream.</summary>
/// <param name="sampleRateHz">Samples per second of the stream.</param>
/// <param name="threshold">How sure it is to be, 0…1: the higher, the louder and clearer speech has to be. 0.5 is what a detector is tuned for.</param>
internal delegate IVoiceActivityDetector VoiceActivityDetectorFactory(int sampleRateHz, double threshold = 0.5);
