using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace AsrPlatform.Whisper.Checkpoints;

/// <summary>Conversion of stored elements to float32.</summary>
internal static class ElementConversion
{
    /// <summary>Converts little-endian elements of the given type; integers and doubles are rounded to the nearest float32.</summary>
    /// <param name="source"><paramref name="destination"/>.Length elements; need not be aligned.</param>
    public static void ToSingle(TensorElementType type, ReadOnlySpan<byte> source, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(source.Length, checked(destination.Length * type.SizeBytes()), nameof(source));
        switch (type)
        {
            case TensorElementType.F32:
                source.CopyTo(MemoryMarshal.AsBytes(destination));
                break;
            case TensorElementType.F16:
                TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(source), destination);
                break;
            case TensorElementType.BF16:
                FromBrain(MemoryMarshal.Cast<byte, ushort>(source), destination);
                break;
            case TensorElementType.F64:
                Convert(MemoryMarshal.Cast<byte, double>(source), destination);
                break;
            case TensorElementType.I64:
                Convert(MemoryMarshal.Cast<byte, long>(source), destination);
                break;
            case TensorElementType.I32:
                Convert(MemoryMarshal.Cast<byte, int>(source), destination);
                break;
            case TensorElementType.I16:
                Convert(MemoryMarshal.Cast<byte, short>(source), destination);
                break;
            case TensorElementType.I8:
                Convert(MemoryMarshal.Cast<byte, sbyte>(source), destination);
                break;
            case TensorElementType.U8:
            case TensorElementType.Bool:
                Convert(source, destination);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(type), type, null);
        }
    }

    private static void Convert<T>(ReadOnlySpan<T> source, Span<float> destination)
        where T : INumberBase<T> => TensorPrimitives.ConvertTruncating(source, destination);

    /// <summary>A bfloat16 is the upper 16 bits of the float32 of the same value.</summary>
    private static void FromBrain(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        var width = Vector<ushort>.Count;
        var i = 0;
        for (; i <= source.Length - width; i += width)
        {
            Vector.Widen(new Vector<ushort>(source[i..]), out var low, out var high);
            Vector.AsVectorSingle(low << 16).CopyTo(destination[i..]);
            Vector.AsVectorSingle(high << 16).CopyTo(destination[(i + (width / 2))..]);
        }

        for (; i < source.Length; i++)
        {
            destination[i] = BitConverter.UInt32BitsToSingle((uint)source[i] << 16);
        }
    }
}
