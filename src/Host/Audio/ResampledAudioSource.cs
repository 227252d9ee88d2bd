using AsrPlatform.Abstractions.Audio;

namespace AsrPlatform.Host.Audio;

/// <summary>Audio at the rate that a recogniser takes, whatever rate it has. Safe for concurrent calls, as its source is.</summary>
public sealed class ResampledAudioSource : IAudioSource
{
    private readonly IAudioSource _source;

    private ResampledAudioSource(IAudioSource source, int sampleRateHz)
    {
        _source = source;
        SampleRateHz = sampleRateHz;
    }

    /// <inheritdoc />
    public int SampleRateHz { get; }

    /// <inheritdoc />
    public long? LengthSamples => _source.LengthSamples is { } length
        ? Resampler.OutputLength(length, _source.SampleRateHz, SampleRateHz)
        : null;

    /// <summary>The source itself when it has that rate, else a view of it. The source stays the caller's.</summary>
    /// <param name="source">Any audio.</param>
    /// <param name="sampleRateHz">The wanted rate, such as <see cref="Abstractions.Decoding.RecognizerInfo.SampleRateHz"/>.</param>
    public static IAudioSource At(IAudioSource source, int sampleRateHz)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(sampleRateHz);
        return source.SampleRateHz == sampleRateHz ? source : new ResampledAudioSource(source, sampleRateHz);
    }

    /// <inheritdoc />
    public IAudioReader OpenReader() => new ResamplingReader(_source.OpenReader(), _source.SampleRateHz, SampleRateHz);
}
