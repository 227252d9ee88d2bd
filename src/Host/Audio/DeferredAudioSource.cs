using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;

namespace AsrPlatform.Host.Audio;

/// <summary>Audio that is opened when it is read and closed with its reader, so that any number of files can be named at once.</summary>
/// <param name="sampleRateHz">The rate of its readers.</param>
/// <param name="open">Opens it, of any rate; gives what to dispose with the reader besides, if anything.</param>
internal sealed class DeferredAudioSource(int sampleRateHz, Func<(IAudioSource Source, IDisposable? Owned)> open) : IAudioSource
{
    /// <inheritdoc />
    public int SampleRateHz => sampleRateHz;

    /// <inheritdoc />
    /// <remarks>Null: it is not open.</remarks>
    public long? LengthSamples => null;

    /// <inheritdoc />
    /// <exception cref="AsrException">It cannot be opened.</exception>
    public IAudioReader OpenReader()
    {
        var (source, owned) = open();
        try
        {
            return new Reader(ResampledAudioSource.At(source, sampleRateHz).OpenReader(), owned);
        }
        catch
        {
            owned?.Dispose();
            throw;
        }
    }

    private sealed class Reader(IAudioReader inner, IDisposable? owned) : IAudioReader
    {
        public int Read(Span<float> destination) => inner.Read(destination);

        public void Dispose()
        {
            inner.Dispose();
            owned?.Dispose();
        }
    }
}
