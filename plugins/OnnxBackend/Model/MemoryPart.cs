using AsrPlatform.OnnxBackend.Memory;

namespace AsrPlatform.OnnxBackend.Model;

/// <summary>A tensor of what an encoder row keeps for cross-attention: <c>[row, head, outer, inner]</c>.</summary>
/// <param name="Type">Type of the values.</param>
/// <param name="Heads">Heads.</param>
/// <param name="Outer">Size of the third dimension; null: the row's positions.</param>
/// <param name="Inner">Size of the last dimension; null: the row's positions.</param>
internal sealed record MemoryPart(TensorElementType Type, int Heads, int? Outer, int? Inner)
{
    /// <summary>The shape as graphs declare it: −1 is any size.</summary>
    public int[] Declared => [-1, Heads, Outer ?? -1, Inner ?? -1];

    /// <summary>The shape of some rows.</summary>
    public long[] Shape(int rows, int positions) => [rows, Heads, Outer ?? positions, Inner ?? positions];

    /// <summary>Bytes of a row.</summary>
    public long RowBytes(int positions) => TensorMemory.Bytes(Type, Shape(1, positions));
}
