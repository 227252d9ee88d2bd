using AsrPlatform.Abstractions;

namespace AsrPlatform.Whisper.Checkpoints;

/// <summary>A tensor in an open <see cref="SafetensorsFile"/>: a view of mapped memory.</summary>
/// <remarks>
/// Safe for concurrent reads. It must not be read after its file was disposed; every access checks that, but a span or an address
/// taken before is then invalid. Nothing is copied until asked for.
/// </remarks>
public sealed class SafetensorsTensor
{
    private readonly long[] _shape;
    private readonly long _start;

    internal SafetensorsTensor(SafetensorsFile file, string name, TensorElementType type, long[] shape, long elements, long start)
    {
        File = file;
        Name = name;
        ElementType = type;
        _shape = shape;
        ElementCount = elements;
        _start = start;
    }

    /// <summary>The file that owns the memory.</summary>
    public SafetensorsFile File { get; }

    /// <summary>Its name in the file.</summary>
    public string Name { get; }

    /// <summary>Type of the stored elements.</summary>
    public TensorElementType ElementType { get; }

    /// <summary>Dimensions, outermost first; empty for a scalar.</summary>
    public ReadOnlySpan<long> Shape => _shape;

    /// <summary>Number of elements.</summary>
    public long ElementCount { get; }

    /// <summary>Size in bytes.</summary>
    public long ByteLength => ElementCount * ElementType.SizeBytes();

    /// <summary>
    /// Address of the first byte, for handing to native code; valid until <see cref="File"/> is disposed, which the caller prevents
    /// while it is in use. Read-only memory: writing to it ends the process. Aligned as the file is, usually to 8 bytes.
    /// </summary>
    public nint Address => File.AddressOf(_start);

    /// <summary>The stored bytes (little-endian, C order); valid until <see cref="File"/> is disposed.</summary>
    /// <exception cref="AsrException">It is larger than a span can be (2 GiB): use <see cref="CopyTo(Span{float}, long)"/>.</exception>
    public ReadOnlySpan<byte> Bytes
    {
        get
        {
            if (ByteLength > int.MaxValue)
            {
                throw new AsrException($"{File.Path}: tensor {SafetensorsFile.Quote(Name)} has {ByteLength} bytes, more than 2 GiB in one piece.");
            }

            return File.Slice(_start, (int)ByteLength);
        }
    }

    /// <summary>Converts elements to float32.</summary>
    /// <param name="destination">Receives as many elements as it is long.</param>
    /// <param name="firstElement">Where to begin, in elements.</param>
    public void CopyTo(Span<float> destination, long firstElement = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(firstElement);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(firstElement, ElementCount - destination.Length);

        // In pieces, because a double of every float of a long span may be more than a span of bytes can hold.
        const int Piece = 1 << 24;
        var size = ElementType.SizeBytes();
        for (var done = 0; done < destination.Length; done += Piece)
        {
            var count = Math.Min(Piece, destination.Length - done);
            var bytes = File.Slice(_start + ((firstElement + done) * size), count * size);
            ElementConversion.ToSingle(ElementType, bytes, destination.Slice(done, count));
        }
    }

    /// <summary>All elements as float32, in a new array.</summary>
    /// <exception cref="AsrException">There are more than an array can hold.</exception>
    public float[] ToSingle()
    {
        if (ElementCount > Array.MaxLength)
        {
            throw new AsrException($"{File.Path}: tensor {SafetensorsFile.Quote(Name)} has {ElementCount} elements, more than an array can hold.");
        }

        var values = GC.AllocateUninitializedArray<float>((int)ElementCount);
        CopyTo(values);
        return values;
    }

    /// <summary>The shape as <c>[51865, 384]</c>.</summary>
    public string ShapeText => $"[{string.Join(", ", _shape)}]";
}
