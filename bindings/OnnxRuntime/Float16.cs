using System.Runtime.InteropServices;

namespace AsrPlatform.OnnxRuntime;

/// <summary>A half-precision number as tensors hold it: the same bits as <see cref="Half"/>, to which spans can be cast.</summary>
/// <param name="v">The bits.</param>
[StructLayout(LayoutKind.Sequential)]
public readonly struct Float16(ushort v) : IEquatable<Float16>
{
    /// <summary>The bits.</summary>
    public readonly ushort value = v;

    /// <summary>The nearest half-precision number.</summary>
    public static explicit operator Float16(float value) => new(BitConverter.HalfToUInt16Bits((Half)value));

    public static explicit operator float(Float16 value) => value.ToFloat();

    public static bool operator ==(Float16 left, Float16 right) => left.Equals(right);

    public static bool operator !=(Float16 left, Float16 right) => !left.Equals(right);

    public float ToFloat() => (float)BitConverter.UInt16BitsToHalf(value);

    /// <summary>Equality of numbers: zeros of either sign are equal, NaN equals NaN.</summary>
    public bool Equals(Float16 other) => ToFloat().Equals(other.ToFloat());

    public override bool Equals(object? obj) => obj is Float16 other && Equals(other);

    public override int GetHashCode() => ToFloat().GetHashCode();
}

/// <summary>A number with the range of <see cref="float"/> and 8 bits of precision, as tensors hold it.</summary>
/// <param name="v">The upper 16 bits of the <see cref="float"/>.</param>
[StructLayout(LayoutKind.Sequential)]
public readonly struct BFloat16(ushort v) : IEquatable<BFloat16>
{
    /// <summary>The bits.</summary>
    public readonly ushort value = v;

    /// <summary>The nearest number, to even where two are as near.</summary>
    public static explicit operator BFloat16(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        return new BFloat16((ushort)(float.IsNaN(value) ? (bits >> 16) | 0x40 : (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16));
    }

    public static explicit operator float(BFloat16 value) => value.ToFloat();

    public static bool operator ==(BFloat16 left, BFloat16 right) => left.Equals(right);

    public static bool operator !=(BFloat16 left, BFloat16 right) => !left.Equals(right);

    public float ToFloat() => BitConverter.UInt32BitsToSingle((uint)value << 16);

    /// <inheritdoc cref="Float16.Equals(Float16)" />
    public bool Equals(BFloat16 other) => ToFloat().Equals(other.ToFloat());

    public override bool Equals(object? obj) => obj is BFloat16 other && Equals(other);

    public override int GetHashCode() => ToFloat().GetHashCode();
}
