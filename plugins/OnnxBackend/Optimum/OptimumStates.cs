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

/// <summary>Keys and values of encoder rows, for cross-attention: <c>[row, head, position, head width]</c> for keys and values of each layer in turn.</summary>
internal sealed class SourceMemory : IDisposable
{
    private readonly StoreShape _shape;
    private readonly BufferPool _pool;
    private readonly NativeBuffer _buffer;

    public SourceMemory(StoreShape shape, BufferPool pool, int rows, int positions)
    {
        _shape = shape;
        _pool = pool;
        Rows = rows;
        Positions = positions;
        _buffer = pool.Rent(shape.Tensors * TensorBytes);
        Tensors = View(0, rows);
    }

    public int Rows { get; }

    public int Positions { get; }

    /// <summary>All rows; owned by this object.</summary>
    public OrtValue[] Tensors { get; }

    private long RowBytes => _shape.TokenBytes * Positions;

    private long TensorBytes => RowBytes * Rows;

    /// <summary>Some rows that follow each other, without a copy. The caller disposes the tensors.</summary>
    public OrtValue[] View(int first, int count)
    {
        var tensors = new OrtValue[_shape.Tensors];
        for (var i = 0; i < tensors.Length; i++)
        {
            tensors[i] = TensorMemory.Tensor(_buffer, (i * TensorBytes) + (first * RowBytes), _shape.Type, count, _shape.Heads, Positions, _shape.HeadWidth);
        }

        return tensors;
    }

    /// <summary>A copy of some rows in some order.</summary>
    public SourceMemory Gather(ReadOnlySpan<int> rows)
    {
        var copy = new SourceMemory(_shape, _pool, rows.Length, Positions);
        for (var i = 0; i < _shape.Tensors; i++)
        {
            for (var row = 0; row < rows.Length; row++)
            {
                NativeBuffer.Copy(_buffer, (i * TensorBytes) + (rows[row] * RowBytes), copy._buffer, (i * copy.TensorBytes) + (row * RowBytes), RowBytes);
            }
        }

        return copy;
    }

    /// <inheritdoc />
    public void Dispose()
    {
        Tensors.DisposeAll();
        _pool.Return(_buffer);
    }
}

/// <summary>What keys and values look like.</summary>
/// <param name="Layers">Layers of the decoder.</param>
/// <param name="Heads">Heads of a layer.</param>
/// <param name="HeadWidth">Width of a head.</param>
/// <param name="Type">Type of the values.</param>
internal sealed record StoreShape(int Layers, int Heads, int HeadWidth, TensorElementType Type)
{
    /// <summary>Tensors: keys and values of every layer.</summary>
    public int Tensors => 2 * Layers;

    /// <summary>Bytes of a token of one row in one tensor.</summary>
    public long TokenBytes => HeadBytes * Heads;

    /// <summary>Bytes of a token of one head.</summary>
    public long HeadBytes => (long)HeadWidth * Elements.Size(Type);
}
