using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace AsrPlatform.OnnxBackend.Memory;

/// <summary>Values of tensors in the types that graphs use.</summary>
internal static class Elements
{
    /// <summary>Bytes of a value.</summary>
    /// <exception cref="NotSupportedException">Another type than float, half, int64, int32, int8 or bool.</exception>
    public static int Size(TensorElementType type) => type switch
    {
        TensorElementType.Float or TensorElementType.Int32 => 4,
        TensorElementType.Float16 => 2,
        TensorElementType.Int64 => 8,
        TensorElementType.Bool or TensorElementType.Int8 => 1,
        _ => throw new NotSupportedException($"Tensors of {type}."),
    };

    /// <summary>Whether it is one of the floating types that graphs may compute with.</summary>
    public static bool IsFloating(TensorElementType type) => type is TensorElementType.Float or TensorElementType.Float16;

    /// <summary>Whether it is one of the integer types that token ids may have.</summary>
    public static bool IsInteger(TensorElementType type) => type is TensorElementType.Int64 or TensorElementType.Int32;

    /// <summary>Reads floating values.</summary>
    public static void Read(ReadOnlySpan<byte> source, TensorElementType type, Span<float> destination)
    {
        if (type == TensorElementType.Float)
        {
            MemoryMarshal.Cast<byte, float>(source).CopyTo(destination);
        }
        else
        {
            TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(source), destination);
        }
    }

    /// <summary>Writes floating values.</summary>
    public static void Write(ReadOnlySpan<float> source, TensorElementType type, Span<byte> destination)
    {
        if (type == TensorElementType.Float)
        {
            source.CopyTo(MemoryMarshal.Cast<byte, float>(destination));
        }
        else
        {
            TensorPrimitives.ConvertToHalf(source, MemoryMarshal.Cast<byte, Half>(destination));
        }
    }

    /// <summary>Writes an integer at an index.</summary>
    public static void Write(long value, TensorElementType type, Span<byte> destination, int index)
    {
        if (type == TensorElementType.Int64)
        {
            MemoryMarshal.Cast<byte, long>(destination)[index] = value;
        }
        else
        {
            MemoryMarshal.Cast<byte, int>(destination)[index] = (int)value;
        }
    }
}
