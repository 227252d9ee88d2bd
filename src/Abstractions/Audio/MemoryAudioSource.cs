namespace AsrPlatform.Abstractions.Audio;

/// <summary>Audio that is already in memory.</summary>
/// <remarks>Keeps a reference to the samples and never copies them: the owner must not change them while a reader is open.</remarks>
public sealed class MemoryAudioSource : IAudioSource
{
    private readonly ReadOnlyMemory<float> _samples;

    /// <summary>Wraps mono samples in −1…1.</summary>
    /// <param name="samples">The samples; not copied.</param>
    /// <param name="sampleRateHz">Samples per second.</param>
    public MemoryAudioSource(ReadOnlyMemory<float> samples, int sampleRateHz)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(sampleRateHz);
        _samples = samples;
        SampleRateHz = sampleRateHz;
    }

    /// <inheritdoc />
    public int SampleRateHz { get; }

    /// <inheritdoc />
    public long? LengthSamples => _samples.Length;

    /// <inheritdoc />
    public IAudioReader OpenReader() => new Reader(_samples);

    private sealed class Reader(ReadOnlyMemory<float> rest) : IAudioReader
    {
        private ReadOnlyMemory<float> _rest = rest;

        public int Read(Span<float> destination)
        {
            var count = Math.Min(destination.Length, _rest.Length);
            _rest.Span[..count].CopyTo(destination);
            _rest = _rest[count..];
            return count;
        }

        public void Dispose()
        {
        }
    }
}
