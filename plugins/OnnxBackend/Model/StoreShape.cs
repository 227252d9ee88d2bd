using AsrPlatform.OnnxBackend.Memory;

namespace AsrPlatform.OnnxBackend.Model;

/// <summary>What keys and values look like.</summary>
/// <param name="Layers">Layers of the decoder.</param>
/// <param name="Heads">Heads of a layer.</param>
/// <param name="HeadWidth">Width of a head.</param>
/// <param name="Type">Type of the values.</param>
internal sealed record StoreShape(int Layers, int Heads, int HeadWidth, TensorElementType Type)
{
    /// <summary>Tensors: keys and values of every layer.</summary>
    public int Tensors => 2 * Layers;

    /// <summary>Keys and values of an encoder row as they are: <c>[row, head, position, head width]</c> for both of each layer in turn.</summary>
    public IReadOnlyList<MemoryPart> Memory => [.. Enumerable.Repeat(new MemoryPart(Type, Heads, null, HeadWidth), Tensors)];

    /// <summary>Bytes of a token of one row in one tensor.</summary>
    public long TokenBytes => HeadBytes * Heads;

    /// <summary>Bytes of a token of one head.</summary>
    public long HeadBytes => (long)HeadWidth * Elements.Size(Type);
}
