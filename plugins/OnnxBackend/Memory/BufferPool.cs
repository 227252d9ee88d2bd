namespace AsrPlatform.OnnxBackend.Memory;

/// <summary>Buffers that are used again, so that no step and hardly a window asks the system for memory.</summary>
/// <remarks>Belongs to the model's thread.</remarks>
internal sealed class BufferPool : IDisposable
{
    /// <summary>Free buffers kept: the two of a cache and the two of the one that it becomes, twice.</summary>
    private const int MostFree = 8;

    /// <summary>A buffer larger than this many times what is asked for is left for those who need it.</summary>
    private const int MostWaste = 4;

    private readonly List<NativeBuffer> _free = [];
    private bool _disposed;

    /// <summary>A buffer of at least this size; <see cref="Return"/> takes it back.</summary>
    public NativeBuffer Rent(long bytes)
    {
        var best = -1;
        for (var i = 0; i < _free.Count; i++)
        {
            var length = _free[i].Length;
            if (length >= bytes && length / MostWaste <= bytes && (best < 0 || length < _free[best].Length))
            {
                best = i;
            }
        }

        if (best < 0)
        {
            return new NativeBuffer(bytes);
        }

        var found = _free[best];
        _free.RemoveAt(best);
        return found;
    }

    /// <summary>Takes a buffer back; the smallest go where there are too many.</summary>
    public void Return(NativeBuffer buffer)
    {
        if (_disposed)
        {
            buffer.Dispose();
            return;
        }

        _free.Add(buffer);
        if (_free.Count > MostFree)
        {
            var smallest = _free.MinBy(free => free.Length)!;
            _free.Remove(smallest);
            smallest.Dispose();
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _disposed = true;
        _free.ForEach(buffer => buffer.Dispose());
        _free.Clear();
    }
}
