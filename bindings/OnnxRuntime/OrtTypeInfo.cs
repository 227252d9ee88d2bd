using AsrPlatform.OnnxRuntime.Interop;
using AsrPlatform.OnnxRuntime.Tensors;

namespace AsrPlatform.OnnxRuntime;

/// <summary>The element type and shape of a tensor.</summary>
public readonly struct OrtTensorTypeAndShapeInfo
{
    internal OrtTensorTypeAndShapeInfo(nint native)
    {
        ElementDataType = (TensorElementType)Ort.GetInt(60, native);
        ElementCount = Ort.Get(64, native);
        Shape = Ort.GetDimensions(native);
    }

    internal OrtTensorTypeAndShapeInfo(TensorElementType type, long[] shape)
    {
        ElementDataType = type;
        Shape = shape;
        ElementCount = ElementTypes.CountOf(shape);
    }

    public TensorElementType ElementDataType { get; }

    public bool IsString => ElementDataType == TensorElementType.String;

    /// <summary>The product of the dimensions.</summary>
    public long ElementCount { get; }

    public int DimensionsCount => Shape.Length;

    /// <summary>The dimensions; not to be written to.</summary>
    public long[] Shape { get; }
}
