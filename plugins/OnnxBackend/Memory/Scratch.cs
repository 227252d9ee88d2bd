namespace AsrPlatform.OnnxBackend.Memory;

/// <summary>A buffer that grows to what was needed most, and shrinks when that was far more than usual.</summary>
/// <remarks>Its contents last until the next <see cref="Need"/>.</remarks>
internal sealed class Scratch : IDisposable
{
    /// <summary>What is kept in any case.</summary>
    private const long AlwaysKept = 64 << 20;

    private NativeBuffer? _buffer;

    /// <summary>What the last <see cref="Need"/> returned.</summary>
    public NativeBuffer Buffer => _buffer ?? throw new InvalidOperationException("Nothing was needed yet.");

    /// <summary>At least so many bytes; owned by this object.</summary>
    public NativeBuffer Need(long bytes)
    {
        if (_buffer is null || _buffer.Length < bytes || (_buffer.Length > AlwaysKept && bytes < AlwaysKept))
        {
            _buffer?.Dispose();
            _buffer = new NativeBuffer(bytes);
        }

        return _buffer;
    }

    /// <inheritdoc />
    public void Dispose() => _buffer?.Dispose();
}
