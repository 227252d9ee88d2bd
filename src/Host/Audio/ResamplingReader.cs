using AsrPlatform.Abstractions.Audio;

namespace AsrPlatform.Host.Audio;

/// <summary>A reader at another rate. Owns and disposes the reader that it takes from.</summary>
internal sealed class ResamplingReader(IAudioReader source, int inputRateHz, int outputRateHz) : IAudioReader
{
    private readonly Resampler _resampler = new(inputRateHz, outputRateHz);
    private readonly float[] _buffer = new float[8192];
    private bool _ended;

    /// <inheritdoc />
    public int Read(Span<float> destination)
    {
        if (destination.IsEmpty)
        {
            return 0;
        }

        while (true)
        {
            var count = _resampler.Read(destination);
            if (count > 0 || _ended)
            {
                return count;
            }

            var read = source.Read(_buffer);
            if (read == 0)
            {
                _ended = true;
                _resampler.Complete();
            }
            else
            {
                _resampler.Write(_buffer.AsSpan(0, read));
            }
        }
    }

    /// <inheritdoc />
    public void Dispose() => source.Dispose();
}
