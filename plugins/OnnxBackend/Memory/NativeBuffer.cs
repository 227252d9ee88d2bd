using System.Runtime.InteropServices;

namespace AsrPlatform.OnnxBackend.Memory;

/// <summary>Native memory of a fixed size, for tensors that graphs read and write in place.</summary>
/// <remarks>What was never written is neither zero nor resident.</remarks>
internal sealed unsafe class NativeBuffer : IDisposable
{
    private const int Alignment = 64;

    private static long _live;

    private byte* _pointer;

    /// <param name="bytes">Its size; at least 1 is taken.</param>
    public NativeBuffer(long bytes)
    {
        Length = Math.Max(1, bytes);
        _pointer = (byte*)NativeMemory.AlignedAlloc(checked((nuint)Length), Alignment);
        Interlocked.Increment(ref _live);
    }

    /// <summary>Frees what nobody disposed.</summary>
    ~NativeBuffer() => Free();

    /// <summary>Buffers of this process that are not freed.</summary>
    public static long Live => Interlocked.Read(ref _live);

    /// <summary>Size in bytes.</summary>
    public long Length { get; }

    /// <summary>Address of a byte.</summary>
    public nint At(long offset)
    {
        ObjectDisposedException.ThrowIf(_pointer is null, this);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((ulong)offset, (ulong)Length);
        return (nint)(_pointer + offset);
    }

    /// <summary>A part of it.</summary>
    public Span<byte> Span(long offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((ulong)offset + (ulong)length, (ulong)Length);
        return new Span<byte>((byte*)At(offset), length);
    }

    /// <summary>Copies between two buffers, or within one where the parts do not overlap.</summary>
    public static void Copy(NativeBuffer source, long from, NativeBuffer destination, long to, long length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(from + length, source.Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(to + length, destination.Length);
        NativeMemory.Copy((void*)source.At(from), (void*)destination.At(to), checked((nuint)length));
    }

    /// <inheritdoc />
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        if (_pointer is not null)
        {
            NativeMemory.AlignedFree(_pointer);
            _pointer = null;
            Interlocked.Decrement(ref _live);
        }
    }
}
