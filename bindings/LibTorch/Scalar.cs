using AsrPlatform.LibTorch.Interop;

namespace AsrPlatform.LibTorch;

/// <summary>A number of any type, as an operand beside tensors.</summary>
/// <remarks>Immutable and free of native memory; <see cref="Dispose"/> exists for code that also compiles against TorchSharp.</remarks>
public sealed class Scalar : IDisposable
{
    internal readonly Number Value;

    internal Scalar(Number value) => Value = value;

    /// <summary>What LibTorch makes of the number: Int64, Float64 or Bool.</summary>
    public torch.ScalarType Type => Value.Kind switch
    {
        Number.RealKind => torch.ScalarType.Float64,
        Number.BoolKind => torch.ScalarType.Bool,
        _ => torch.ScalarType.Int64,
    };

    public static implicit operator Scalar(byte value) => new(Number.Of((long)value));

    public static implicit operator Scalar(sbyte value) => new(Number.Of((long)value));

    public static implicit operator Scalar(short value) => new(Number.Of((long)value));

    public static implicit operator Scalar(int value) => new(Number.Of((long)value));

    public static implicit operator Scalar(long value) => new(Number.Of(value));

    public static implicit operator Scalar(Half value) => new(Number.Of((double)value));

    public static implicit operator Scalar(float value) => new(Number.Of((double)value));

    public static implicit operator Scalar(double value) => new(Number.Of(value));

    public static implicit operator Scalar(bool value) => new(Number.Of(value));

    public override string ToString() => Value.Kind == Number.RealKind
        ? Value.Real.ToString(System.Globalization.CultureInfo.InvariantCulture)
        : Value.Integer.ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Does nothing.</summary>
    public void Dispose()
    {
    }
}

/// <summary>Conversions between numbers and <see cref="Scalar"/>.</summary>
public static class ScalarExtensionMethods
{
    public static Scalar ToScalar(this int value) => value;

    public static Scalar ToScalar(this long value) => value;

    public static Scalar ToScalar(this float value) => value;

    public static Scalar ToScalar(this double value) => value;

    public static Scalar ToScalar(this bool value) => value;

    public static float ToSingle(this Scalar value) => (float)value.Value.Real;

    public static double ToDouble(this Scalar value) => value.Value.Real;

    public static long ToInt64(this Scalar value) => value.Value.Integer;

    public static int ToInt32(this Scalar value) => checked((int)value.Value.Integer);

    public static bool ToBoolean(this Scalar value) => value.Value.Bool;
}
