namespace AsrPlatform.Onnx.Format;

/// <summary>Element types, with the numbers of <c>TensorProto.DataType</c>.</summary>
public enum OnnxElementType
{
    /// <summary>None.</summary>
    Undefined = 0,

    /// <summary>float32.</summary>
    Float32 = 1,

    /// <summary>Unsigned 8 bits.</summary>
    UInt8 = 2,

    /// <summary>Signed 8 bits.</summary>
    Int8 = 3,

    /// <summary>Unsigned 16 bits.</summary>
    UInt16 = 4,

    /// <summary>Signed 16 bits.</summary>
    Int16 = 5,

    /// <summary>Signed 32 bits.</summary>
    Int32 = 6,

    /// <summary>Signed 64 bits.</summary>
    Int64 = 7,

    /// <summary>Texts.</summary>
    Text = 8,

    /// <summary>A byte, 0 or 1.</summary>
    Boolean = 9,

    /// <summary>IEEE half precision.</summary>
    Float16 = 10,

    /// <summary>float64.</summary>
    Float64 = 11,

    /// <summary>Unsigned 32 bits.</summary>
    UInt32 = 12,

    /// <summary>Unsigned 64 bits.</summary>
    UInt64 = 13,

    /// <summary>The upper half of a float32.</summary>
    BFloat16 = 16,
}

/// <summary>Sizes of element types.</summary>
public static class OnnxElementTypes
{
    /// <summary>Bytes of one element; 0 for texts and types that are not listed.</summary>
    public static int SizeBytes(this OnnxElementType type) => type switch
    {
        OnnxElementType.UInt8 or OnnxElementType.Int8 or OnnxElementType.Boolean => 1,
        OnnxElementType.UInt16 or OnnxElementType.Int16 or OnnxElementType.Float16 or OnnxElementType.BFloat16 => 2,
        OnnxElementType.Float32 or OnnxElementType.Int32 or OnnxElementType.UInt32 => 4,
        OnnxElementType.Float64 or OnnxElementType.Int64 or OnnxElementType.UInt64 => 8,
        _ => 0,
    };
}
