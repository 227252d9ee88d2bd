using AsrPlatform.OnnxBackend.Memory;

namespace AsrPlatform.OnnxBackend.Model;

/// <summary>Keys and values of encoder rows, for cross-attention: the parts of each layer in turn.</summary>
internal sealed class SourceMemory : IDisposable
{
    /// <summary>Parts begin at multiples of this many bytes, where vector loads are aligned.</summary>
    private const long Alignment = 64;

    private readonly IReadOnlyList<MemoryPart> _parts;
    private readonly BufferPool _pool;
    private readonly NativeBuffer _buffer;
    private readonly long[] _starts;

    /// <param name="parts">What a row is made of.</param>
    /// <param name="pool">Where memory comes from.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="positions">Positions of each.</param>
    public SourceMemory(IReadOnlyList<MemoryPart> parts, BufferPool pool, int rows, int positions)
    {
        _parts = parts;
        _pool = pool;
        Rows = rows;
        Positions = positions;
        _starts = new long[parts.Count];
        var end = 0L;
        for (var i = 0; i < parts.Count; i++)
        {
            _starts[i] = end;
            end += ((parts[i].RowBytes(positions) * rows) + Alignment - 1) / Alignment * Alignment;
        }

        _buffer = pool.Rent(end);
        Tensors = View(0, rows);
    }

    public int Rows { get; }

    public int Positions { get; }

    /// <summary>All rows; owned by this object.</summary>
    public OrtValue[] Tensors { get; }

    /// <summary>Some rows that follow each other, without a copy. The caller disposes the tensors.</summary>
    public OrtValue[] View(int first, int count)
    {
        var tensors = new OrtValue[_parts.Count];
        for (var i = 0; i < tensors.Length; i++)
        {
            tensors[i] = TensorMemory.Tensor(_buffer, _starts[i] + (first * _parts[i].RowBytes(Positions)), _parts[i].Type, _parts[i].Shape(count, Positions));
        }

        return tensors;
    }

    /// <summary>A copy of some rows in some order.</summary>
    public SourceMemory Gather(ReadOnlySpan<int> rows)
    {
        var copy = new SourceMemory(_parts, _pool, rows.Length, Positions);
        for (var i = 0; i < _parts.Count; i++)
        {
            var bytes = _parts[i].RowBytes(Positions);
            for (var row = 0; row < rows.Length; row++)
            {
                NativeBuffer.Copy(_buffer, _starts[i] + (rows[row] * bytes), copy._buffer, copy._starts[i] + (row * bytes), bytes);
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
