using AsrPlatform.OnnxBackend.Memory;

namespace AsrPlatform.OnnxBackend.Model;

/// <summary>
/// Keys and values of encoder rows, for cross-attention: <c>[row, head, position, head width]</c> for keys and values of each layer in turn,
/// or the keys <c>[row, head, head width, position]</c>.
/// </summary>
internal sealed class SourceMemory : IDisposable
{
    private readonly StoreShape _shape;
    private readonly BufferPool _pool;
    private readonly NativeBuffer _buffer;
    private readonly bool _turnsKeys;

    /// <param name="shape">What a row is made of.</param>
    /// <param name="pool">Where memory comes from.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="positions">Positions of each.</param>
    /// <param name="turnsKeys">Whether a head's keys lie <c>[head width, position]</c>.</param>
    public SourceMemory(StoreShape shape, BufferPool pool, int rows, int positions, bool turnsKeys = false)
    {
        _shape = shape;
        _turnsKeys = turnsKeys;
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
            var (outer, inner) = _turnsKeys && i % 2 == 0 ? (_shape.HeadWidth, Positions) : (Positions, _shape.HeadWidth);
            tensors[i] = TensorMemory.Tensor(_buffer, (i * TensorBytes) + (first * RowBytes), _shape.Type, count, _shape.Heads, outer, inner);
        }

        return tensors;
    }

    /// <summary>A copy of some rows in some order.</summary>
    public SourceMemory Gather(ReadOnlySpan<int> rows)
    {
        var copy = new SourceMemory(_shape, _pool, rows.Length, Positions, _turnsKeys);
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
