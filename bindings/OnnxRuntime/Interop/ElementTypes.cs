using AsrPlatform.OnnxRuntime.Tensors;

namespace AsrPlatform.OnnxRuntime.Interop;

/// <summary>Which .NET type holds which of ONNX's element types, as the package has it.</summary>
internal static class ElementTypes
{
    private static readonly Dictionary<TensorElementType, (Type Type, int Bytes)> Known = new()
    {
        [TensorElementType.Float] = (typeof(float), 4),
        [TensorElementType.UInt8] = (typeof(byte), 1),
        [TensorElementType.Int8] = (typeof(sbyte), 1),
        [TensorElementType.UInt16] = (typeof(ushort), 2),
        [TensorElementType.Int16] = (typeof(short), 2),
        [TensorElementType.Int32] = (typeof(int), 4),
        [TensorElementType.Int64] = (typeof(long), 8),
        [TensorElementType.Bool] = (typeof(bool), 1),
        [TensorElementType.Float16] = (typeof(Float16), 2),
        [TensorElementType.Double] = (typeof(double), 8),
        [TensorElementType.UInt32] = (typeof(uint), 4),
        [TensorElementType.UInt64] = (typeof(ulong), 8),
        [TensorElementType.BFloat16] = (typeof(BFloat16), 2),
    };

    private static readonly Dictionary<Type, TensorElementType> ByType = Known.ToDictionary(k => k.Value.Type, k => k.Key);

    public static (Type Type, int Bytes) Of(TensorElementType element) =>
        Known.TryGetValue(element, out var known)
            ? known
            : throw new OnnxRuntimeException(ErrorCode.InvalidArgument, $"Tensors of the element type {element} have no counterpart in .NET here.");

    public static Type? TypeOf(TensorElementType element) =>
        Known.TryGetValue(element, out var known) ? known.Type : element == TensorElementType.String ? typeof(string) : null;

    public static TensorElementType Of<T>() =>
        ByType.TryGetValue(typeof(T), out var element)
            ? element
            : throw new OnnxRuntimeException(ErrorCode.InvalidArgument,
                $"No tensor has elements of type {typeof(T)}.{(typeof(T) == typeof(Half) ? " Use Float16, which has the same bits." : "")}");

    /// <exception cref="OnnxRuntimeException">A dimension is negative, or the product is no 64-bit number.</exception>
    public static long CountOf(ReadOnlySpan<long> shape)
    {
        var count = 1L;
        foreach (var dimension in shape)
        {
            if (dimension < 0 || (dimension > 0 && count > long.MaxValue / dimension))
            {
                throw new OnnxRuntimeException(ErrorCode.InvalidArgument, $"A tensor cannot have the shape [{string.Join(", ", shape.ToArray())}].");
            }
            count *= dimension;
        }
        return count;
    }
}
