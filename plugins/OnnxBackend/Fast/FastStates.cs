using System.Runtime.InteropServices;
using AsrPlatform.OnnxBackend.Memory;
using AsrPlatform.OnnxBackend.Model;

namespace AsrPlatform.OnnxBackend.Fast;

/// <summary>Encoder output: the states, and the keys and values that the encoder's graph made of them.</summary>
internal sealed class FastStates : OnnxStates
{
    private readonly FastGraphLayout _layout;
    private readonly NativeBuffer _buffer;

    /// <param name="layout">The layout that makes it.</param>
    /// <param name="batch">Rows.</param>
    /// <param name="positions">Positions of a row.</param>
    /// <param name="adapters">The adapter of each row, or null; held until this is disposed.</param>
    public FastStates(FastGraphLayout layout, int batch, int positions, AdapterFactors?[] adapters)
        : base(batch, positions, layout.Info.Width)
    {
        _layout = layout;
        Adapters = adapters;
        Array.ForEach(adapters, adapter => adapter?.Hold());
        _buffer = layout.Pool.Rent(TensorMemory.Bytes(TensorElementType.Float, batch, positions, Width));
        Tensor = TensorMemory.Tensor(_buffer, 0, TensorElementType.Float, batch, positions, Width);
        Memory = new SourceMemory(layout.Memory, layout.Pool, batch, positions);
    }

    /// <inheritdoc />
    public override IGraphLayout Layout => _layout;

    /// <summary>The states, <c>[batch, position, width]</c>.</summary>
    public OrtValue Tensor { get; }

    /// <summary>The adapter that made each row, and that decodes what attends to it; null for none.</summary>
    public AdapterFactors?[] Adapters { get; }

    /// <summary>Keys and values of all rows for cross-attention.</summary>
    public SourceMemory Memory { get; }

    /// <inheritdoc />
    protected override void Read(Span<float> destination) =>
        MemoryMarshal.Cast<byte, float>(_buffer.Span(0, destination.Length * sizeof(float))).CopyTo(destination);

    /// <inheritdoc />
    protected override void Free()
    {
        Tensor.Dispose();
        _layout.Pool.Return(_buffer);
        Memory.Dispose();
        Array.ForEach(Adapters, adapter => adapter?.Release());
    }
}
