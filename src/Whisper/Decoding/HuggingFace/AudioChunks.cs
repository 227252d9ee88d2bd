using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;

namespace AsrPlatform.Whisper.Decoding.HuggingFace;

/// <summary>Audio in windows that overlap, as transformers' pipeline cuts it; one window is held in memory.</summary>
/// <param name="audio">The audio; not disposed.</param>
/// <param name="length">Samples of a window.</param>
/// <param name="stride">Samples at each side of a window that its neighbour has too; less than half of it.</param>
internal sealed class AudioChunks(IAudioSource audio, int length, int stride) : IDisposable
{
    private readonly IAudioReader _reader = audio.OpenReader();

    // A sample more than the window tells whether it is the last one.
    private readonly float[] _samples = new float[length + 1];
    private int _count;
    private int _strideLeft;
    private bool _isOver;

    /// <summary>Samples read so far: the length of the audio, once <see cref="Next"/> gave null.</summary>
    public long SampleCount { get; private set; }

    /// <summary>Reads on.</summary>
    /// <param name="cancellationToken">Stops between two reads.</param>
    /// <returns>The next window; its samples hold until the next call. Null at the end.</returns>
    /// <exception cref="AsrException">The audio cannot be read or holds no samples.</exception>
    public AudioChunk? Next(CancellationToken cancellationToken)
    {
        if (_isOver)
        {
            return null;
        }

        if (SampleCount > 0)
        {
            var step = length - (2 * stride);
            _samples.AsSpan(step, _count - step).CopyTo(_samples);
            _count -= step;
            _strideLeft = stride;
        }

        while (_count < _samples.Length)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var read = _reader.Read(_samples.AsSpan(_count));
            _count += read;
            SampleCount += read;
            if (read == 0)
            {
                _isOver = true;
                break;
            }
        }

        return SampleCount > 0
            ? new AudioChunk(_samples.AsMemory(0, Math.Min(_count, length)), _strideLeft, _isOver ? 0 : stride)
            : throw new AsrException("The audio holds no samples.");
    }

    /// <inheritdoc />
    public void Dispose() => _reader.Dispose();
}

/// <summary>A window of audio.</summary>
/// <param name="Samples">Its samples, those that it shares counted.</param>
/// <param name="StrideLeft">Samples that the window before has too.</param>
/// <param name="StrideRight">Samples that the window after it has too; 0 in the last.</param>
internal readonly record struct AudioChunk(ReadOnlyMemory<float> Samples, int StrideLeft, int StrideRight);
