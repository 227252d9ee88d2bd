using System.Buffers;

namespace AsrPlatform.Host.Live;

/// <summary>A sliding stretch of a stream of samples, addressed by position in the stream.</summary>
/// <remarks>Not safe for concurrent calls. Its memory is pooled: it grows with need up to the capacity and goes back on <see cref="Dispose"/>.</remarks>
internal sealed class SampleBuffer(int capacity) : IDisposable
{
    private float[] _samples = [];
    private int _offset;

    /// <summary>Most samples that it can hold.</summary>
    public int Capacity => capacity;

    /// <summary>Position of the first sample held.</summary>
    public long Start { get; private set; }

    /// <summary>Position after the last sample held.</summary>
    public long End => Start + Count;

    /// <summary>Samples held.</summary>
    public int Count { get; private set; }

    /// <summary>Samples that can be appended now.</summary>
    public int Free => capacity - Count;

    /// <summary>Appends samples; at most <see cref="Free"/>.</summary>
    public void Append(ReadOnlySpan<float> samples)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(samples.Length, Free, nameof(samples));
        if (_offset + Count + samples.Length > _samples.Length)
        {
            MakeRoom(samples.Length);
        }

        samples.CopyTo(_samples.AsSpan(_offset + Count));
        Count += samples.Length;
    }

    /// <summary>Forgets the samples before <paramref name="position"/>.</summary>
    public void DiscardTo(long position)
    {
        if (position <= Start)
        {
            return;
        }

        ArgumentOutOfRangeException.ThrowIfGreaterThan(position, End);
        var gone = (int)(position - Start);
        _offset += gone;
        Count -= gone;
        Start = position;
    }

    /// <summary>The samples from <paramref name="start"/> up to <paramref name="end"/>; valid until the next append or dispose.</summary>
    public ReadOnlySpan<float> Slice(long start, long end)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(start, Start);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(end, End);
        return _samples.AsSpan(_offset + (int)(start - Start), (int)(end - start));
    }

    public void Dispose()
    {
        if (_samples.Length > 0)
        {
            ArrayPool<float>.Shared.Return(_samples);
            _samples = [];
        }

        Start = End;
        Count = 0;
        _offset = 0;
    }

    private void MakeRoom(int more)
    {
        // Twice what is needed, so that moving costs O(1) a sample; a little over the capacity saves a move at every append when it is full.
        var wanted = Math.Min(2L * (Count + more), capacity + (capacity / 4) + more);
        if (wanted > _samples.Length)
        {
            var larger = ArrayPool<float>.Shared.Rent((int)wanted);
            _samples.AsSpan(_offset, Count).CopyTo(larger);
            if (_samples.Length > 0)
            {
                ArrayPool<float>.Shared.Return(_samples);
            }

            _samples = larger;
        }
        else
        {
            _samples.AsSpan(_offset, Count).CopyTo(_samples);
        }

        _offset = 0;
    }
}
