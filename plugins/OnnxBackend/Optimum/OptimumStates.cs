using AsrPlatform.OnnxBackend.Memory;
using AsrPlatform.OnnxBackend.Model;

namespace AsrPlatform.OnnxBackend.Optimum;

/// <summary>Encoder output, with the keys and values that the decoder made of it.</summary>
internal sealed class OptimumStates : OnnxStates
{
    private readonly OptimumLayout _layout;
    private readonly TensorElementType _type;

    /// <param name="layout">The layout that makes it.</param>
    /// <param name="batch">Rows.</param>
    /// <param name="positions">Positions of a row.</param>
    /// <param name="type">Type of the values.</param>
    public OptimumStates(OptimumLayout layout, int batch, int positions, TensorElementType type)
        : base(batch, positions, layout.Info.Width)
    {
        _layout = layout;
        _type = type;
        Buffer = layout.Pool.Rent(TensorMemory.Bytes(type, batch, positions, Width));
        Tensor = TensorMemory.Tensor(Buffer, 0, type, batch, positions, Width);
    }

    /// <inheritdoc />
    public override IGraphLayout Layout => _layout;

    /// <summary>The values, <c>[batch, position, width]</c>.</summary>
    public OrtValue Tensor { get; }

    /// <summary>The memory of <see cref="Tensor"/>.</summary>
    public NativeBuffer Buffer { get; }

    private Span<byte> Bytes => Buffer.Span(0, checked((int)TensorMemory.Bytes(_type, Batch, Positions, Width)));

    /// <summary>Keys and values of all rows for cross-attention; null until a decoder made them.</summary>
    public SourceMemory? Memory { get; set; }

    /// <summary>Sets all values.</summary>
    public void Write(ReadOnlySpan<float> values) => Elements.Write(values, _type, Bytes);

    /// <inheritdoc />
    protected override void Read(Span<float> destination) =>
        Elements.Read(Bytes, _type, destination);

    /// <inheritdoc />
    protected override void Free()
    {
        Tensor.Dispose();
        _layout.Pool.Return(Buffer);
        Memory?.Dispose();
    }
}
