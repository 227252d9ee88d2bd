using AsrPlatform.Abstractions.Audio;

namespace AsrPlatform.Host.Live;

/// <summary>Voice activity by a network's probabilities: speech begins at the threshold, and ends <see cref="EndBelow"/> below it for good.</summary>
/// <param name="network">The network; borrowed.</param>
/// <param name="threshold">Probability of speech, 0…1, that begins it.</param>
internal sealed class NetworkVoiceActivityDetector(IVoiceActivityNetwork network, double threshold) : IVoiceActivityDetector
{
    /// <summary>As Silero's own iterator has it: 0.5 and 0.35.</summary>
    private const double EndBelow = 0.15;

    /// <summary>The end of a word is less sure than its middle. As faster-whisper and whisper_streaming, which add 100 ms and more around speech.</summary>
    private const double HoldSeconds = 0.1;

    private readonly IVoiceActivityStream _stream = network.CreateStream();
    private SpeechHangover _hangover = new(burst: 2, frames: (int)Math.Ceiling(HoldSeconds * network.SampleRateHz / network.FrameSamples));
    private bool _isCertain;

    public int FrameSamples { get; } = network.FrameSamples;

    public bool IsSpeech(ReadOnlySpan<float> frame)
    {
        var probability = _stream.Next(frame);
        _isCertain = probability >= (_isCertain ? Math.Max(threshold - EndBelow, 0.01) : threshold);
        return _hangover.Extend(_isCertain);
    }

    public void Dispose() => _stream.Dispose();
}
