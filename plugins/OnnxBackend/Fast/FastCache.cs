using AsrPlatform.Abstractions.Models;
using AsrPlatform.OnnxBackend.Memory;
using AsrPlatform.OnnxBackend.Model;

namespace AsrPlatform.OnnxBackend.Fast;

/// <summary>
/// The past of a decoder that writes it in place: for keys and values of each layer in turn <c>[row, head, place, head width]</c>, the rows
/// as long as they may become.
/// </summary>
internal sealed class FastCache : OnnxCache
{
    private readonly FastGraphLayout _layout;
    private readonly NativeBuffer _buffer;
    private readonly int _allocated;
    private readonly int[] _sources;
    private FastRun? _all;

    /// <param name="layout">The layout that makes it.</param>
    /// <param name="states">What its rows attend to.</param>
    /// <param name="sourceRows">The encoder row of each row.</param>
    /// <param name="capacity">Most tokens of a row.</param>
    /// <param name="maxRows">Most rows.</param>
    /// <param name="alignmentHeads">Heads whose cross-attention is returned.</param>
    public FastCache(FastGraphLayout layout, FastStates states, ReadOnlySpan<int> sourceRows, int capacity, int maxRows, AttentionHead[] alignmentHeads)
        : base(states, sourceRows.Length, capacity, maxRows, alignmentHeads)
    {
        _layout = layout;
        _allocated = maxRows + 1;
        _sources = new int[maxRows];
        sourceRows.CopyTo(_sources);
        _buffer = layout.Pool.Rent(checked(layout.Store.Tensors * PartBytes));
    }

    /// <summary>Places of a row: one more than it may hold, where a row that has nothing to write beside rows that have can write.</summary>
    public int Places => Capacity + 1;

    /// <summary>Whether no row holds a token.</summary>
    public bool IsEmpty => !Lengths.AsSpan(0, Rows).ContainsAnyExcept(0);

    /// <summary>The encoder row of each row.</summary>
    public ReadOnlySpan<int> Sources => _sources.AsSpan(0, Rows);

    // One row more than there may be: where a row lies while rows change places in a circle.
    private long PartBytes => RowBytes * _allocated;

    private long RowBytes => _layout.Store.TokenBytes * Places;

    /// <summary>The decoder bound to all its rows; owned by this object and the same until rows, sources or outputs change.</summary>
    /// <param name="givesAttention">Whether cross-attention is wanted.</param>
    public FastRun All(bool givesAttention)
    {
        if (_all is { } all && all.GivesAttention != givesAttention)
        {
            DropRun();
        }

        return _all ??= new FastRun(_layout, this, 0, Rows, givesAttention);
    }

    /// <summary>Counts new tokens.</summary>
    public void Append(ReadOnlySpan<int> counts)
    {
        for (var row = 0; row < Rows; row++)
        {
            Lengths[row] += counts[row];
        }
    }

    /// <summary>The keys (even) or values (odd) of a layer, of some rows that follow each other. The caller disposes the tensor.</summary>
    public OrtValue View(int tensor, int first, int count)
    {
        var store = _layout.Store;
        return TensorMemory.Tensor(_buffer, (tensor * PartBytes) + (first * RowBytes), store.Type, count, store.Heads, Places, store.HeadWidth);
    }

    /// <inheritdoc />
    protected override void Move(ReadOnlySpan<int> rows)
    {
        CopyRows(rows);
        var sources = new int[rows.Length];
        for (var i = 0; i < rows.Length; i++)
        {
            sources[i] = _sources[rows[i]];
        }

        if (!Sources.SequenceEqual(sources))
        {
            DropRun();
        }

        sources.CopyTo(_sources, 0);
    }

    /// <inheritdoc />
    protected override void Cut(int length)
    {
        // What lies behind a row's end is never looked at.
    }

    /// <inheritdoc />
    protected override void Free()
    {
        DropRun();
        _layout.Pool.Return(_buffer);
    }

    /// <summary>Copies rows in place: each as soon as nobody needs what it writes over.</summary>
    private void CopyRows(ReadOnlySpan<int> rows)
    {
        var aside = _allocated - 1;
        var from = rows.ToArray();
        var readers = new int[_allocated];
        var pending = new List<int>(from.Length);
        for (var row = 0; row < from.Length; row++)
        {
            if (from[row] != row)
            {
                pending.Add(row);
                readers[from[row]]++;
            }
        }

        while (pending.Count > 0)
        {
            var next = pending.FindIndex(row => readers[row] == 0);
            if (next < 0)
            {
                // Circles alone are left: one row steps aside, where the one that continues it finds it.
                next = 0;
                var stuck = pending[0];
                CopyRow(stuck, aside, Lengths[stuck]);
                from[pending.Find(row => from[row] == stuck)] = aside;
            }

            var to = pending[next];
            CopyRow(from[to], to, Lengths[rows[to]]);
            readers[from[to]]--;
            pending.RemoveAt(next);
        }
    }

    private void CopyRow(int from, int to, int length)
    {
        var (heads, bytes) = (_layout.Store.Heads, _layout.Store.HeadBytes);
        for (var tensor = 0; tensor < _layout.Store.Tensors && length > 0; tensor++)
        {
            for (var head = 0; head < heads; head++)
            {
                var place = (tensor * PartBytes) + (head * Places * bytes);
                NativeBuffer.Copy(_buffer, place + (from * RowBytes), _buffer, place + (to * RowBytes), length * bytes);
            }
        }
    }

    private void DropRun()
    {
        _all?.Dispose();
        _all = null;
    }
}
