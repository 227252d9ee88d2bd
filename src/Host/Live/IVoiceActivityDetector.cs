namespace AsrPlatform.Host.Live;

/// <summary>Tells speech from silence, frame after frame of one stream.</summary>
/// <remarks>Keeps state; one instance a stream, not safe for concurrent calls. Allocates nothing per frame.</remarks>
internal interface IVoiceActivityDetector
{
    /// <summary>Samples of each frame.</summary>
    int FrameSamples { get; }

    /// <summary>Classifies the next frame of the stream.</summary>
    /// <param name="frame"><see cref="FrameSamples"/> samples in −1…1.</param>
    bool IsSpeech(ReadOnlySpan<float> frame);
}

/// <summary>Makes a detector for a new stream.</summary>
/// <param name="sampleRateHz">Samples per second of the stream.</param>
internal delegate IVoiceActivityDetector VoiceActivityDetectorFactory(int sampleRateHz);
