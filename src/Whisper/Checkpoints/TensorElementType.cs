namespace AsrPlatform.Whisper.Checkpoints;

/// <summary>Element types of a safetensors file that this reader knows. All are little-endian.</summary>
public enum TensorElementType
{
    /// <summary>A byte, 0 or 1.</summary>
    Bool,

    /// <summary>Unsigned 8-bit integer.</summary>
    U8,

    /// <summary>Signed 8-bit integer.</summary>
    I8,

    /// <summary>Signed 16-bit integer.</summary>
    I16,

    /// <summary>Signed 32-bit integer.</summary>
    I32,

    /// <summary>Signed 64-bit integer.</summary>
    I64,

    /// <summary>IEEE half precision.</summary>
    F16,

    /// <summary>bfloat16: the upper half of a float32.</summary>
    BF16,

    /// <summary>IEEE single precision.</summary>
    F32,

    /// <summary>IEEE double precision.</summary>
    F64,
}

/// <summary>Sizes and names of element types.</summary>
public static class TensorElementTypes
{
    /// <summary>Bytes of one element.</summary>
    public static int SizeBytes(this TensorElementType type) => type switch
    {
        TensorElementType.Bool or TensorElementType.U8 or TensorElementType.I8 => 1,
        TensorElementType.I16 or TensorElementType.F16 or TensorElementType.BF16 => 2,
        TensorElementType.I32 or TensorElementType.F32 => 4,
        TensorElementType.I64 or TensorElementType.F64 => 8,
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, null),
    };

    /// <summary>Whether elements are real numbers.</summary>
    public static bool IsFloatingPoint(this TensorElementType type) =>
        type is TensorElementType.F16 or TensorElementType.BF16 or TensorElementType.F32 or TensorElementType.F64;

    /// <summary>The name in a safetensors header, such as <c>BF16</c>.</summary>
    public static string SafetensorsName(this TensorElementType type) => type == TensorElementType.Bool ? "BOOL" : type.ToString();

    internal static bool TryParse(string? name, out TensorElementType type)
    {
        TensorElementType? found = name switch
        {
            "BOOL" => TensorElementType.Bool,
            "U8" => TensorElementType.U8,
            "I8" => TensorElementType.I8,
            "I16" => TensorElementType.I16,
            "I32" => TensorElementType.I32,
            "I64" => TensorElementType.I64,
            "F16" => TensorElementType.F16,
            "BF16" => TensorElementType.BF16,
            "F32" => TensorElementType.F32,
            "F64" => TensorElementType.F64,
            _ => null,
        };
        type = found.GetValueOrDefault();
        return found is not null;
    }
}
