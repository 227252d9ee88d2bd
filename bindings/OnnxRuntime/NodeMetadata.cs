using AsrPlatform.OnnxRuntime.Interop;
using AsrPlatform.OnnxRuntime.Tensors;

namespace AsrPlatform.OnnxRuntime;

/// <summary>What a graph says of one of its inputs or outputs.</summary>
public sealed class NodeMetadata
{
    private readonly TensorElementType _elementType;
    private readonly int[] _dimensions = [];
    private readonly string[] _symbols = [];

    internal NodeMetadata(nint typeInfo)
    {
        OnnxValueType = (OnnxValueType)Ort.GetInt(56, typeInfo);
        // Null where it is no tensor; else a part of the type information.
        var tensor = IsTensor ? Ort.Get(55, typeInfo) : 0;
        if (tensor != 0)
        {
            _elementType = (TensorElementType)Ort.GetInt(60, tensor);
            _dimensions = Array.ConvertAll(Ort.GetDimensions(tensor), size => checked((int)size));
            _symbols = Ort.GetSymbolicDimensions(tensor);
        }
    }

    public OnnxValueType OnnxValueType { get; }

    public bool IsTensor => OnnxValueType == OnnxValueType.ONNX_TYPE_TENSOR;

    public bool IsString => ElementDataType == TensorElementType.String;

    /// <summary>The dimensions; -1 stands for one that the graph leaves open.</summary>
    /// <exception cref="InvalidOperationException">It is no tensor.</exception>
    public int[] Dimensions => Tensor(_dimensions);

    /// <summary>The names of open dimensions, the empty text where there is none.</summary>
    /// <exception cref="InvalidOperationException">It is no tensor.</exception>
    public string[] SymbolicDimensions => Tensor(_symbols);

    /// <summary>The type of the elements.</summary>
    /// <exception cref="InvalidOperationException">It is no tensor.</exception>
    public TensorElementType ElementDataType => Tensor(_elementType);

    /// <summary>The .NET type of the elements.</summary>
    /// <exception cref="InvalidOperationException">It is no tensor.</exception>
    public Type ElementType => ElementTypes.TypeOf(ElementDataType)
        ?? throw new InvalidOperationException($"Elements of type {ElementDataType} have no counterpart in .NET here.");

    private T Tensor<T>(T value) => IsTensor ? value : throw new InvalidOperationException($"This is {OnnxValueType}, no tensor.");
}
