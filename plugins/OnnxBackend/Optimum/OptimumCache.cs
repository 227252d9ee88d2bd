using AsrPlatform.Abstractions.Models;
using AsrPlatform.OnnxBackend.Memory;
using AsrPlatform.OnnxBackend.Model;

namespace AsrPlatform.OnnxBackend.Optimum;

/// <summary>The past of a decoder whose graph tells positions by the length of the past alone: rows of equal length make a batch.</summary>
internal sealed class OptimumCache : OnnxCache
{
    private readonly StoreShape _shape;
    private readonly BufferPool _pool;
    private readonly int _maxRows;
    private readonly int[] _sources;
    private List<RowBlock> _blocks;

    public OptimumCache(OptimumStates states, StoreShape shape, BufferPool pool, ReadOnlySpan<int> sourceRows, int capacity, int maxRows, AttentionHead[] alignmentHeads)
        : base(states, sourceRows.Length, capacity, maxRows, alignmentHeads)
    {
        _shape = shape;
        _pool = pool;
        _maxRows = maxRows;
        _sources = new int[maxRows];
        sourceRows.CopyTo(_sources);
        _blocks = [new RowBlock(shape, pool, [.. Enumerable.Range(0, sourceRows.Length)], 0, maxRows, capacity)];
    }

    /// <summary>The encoder row of every row of a block.</summary>
    public int[] SourcesOf(RowBlock block) => Array.ConvertAll(block.Rows, row => _sources[row]);

    /// <summary>Counts a block's new tokens.</summary>
    public void Append(RowBlock block, int count)
    {
        foreach (var row in block.Rows)
        {
            Lengths[row] += count;
        }
    }

    /// <summary>The rows in blocks of which each holds rows of one length that get one number of tokens.</summary>
    public IReadOnlyList<RowBlock> Arrange(ReadOnlySpan<int> counts)
    {
        // The usual case: one block, and all of its rows go on alike.
        if (_blocks.Count == 1 && counts.IndexOfAnyExcept(counts[0]) < 0)
        {
            return _blocks;
        }

        var groups = new Dictionary<(int Length, int Count), List<int>>();
        for (var row = 0; row < Rows; row++)
        {
            var key = (Lengths[row], counts[row]);
            if (!groups.TryGetValue(key, out var group))
            {
                groups.Add(key, group = []);
            }

            group.Add(row);
        }

        Rebuild([.. groups.Select(group => (group.Key.Length, group.Value.ToArray(), group.Value.ToArray()))]);
        return _blocks;
    }

    /// <inheritdoc />
    protected override void Move(ReadOnlySpan<int> rows)
    {
        var moved = rows.ToArray();
        var sources = Array.ConvertAll(moved, row => _sources[row]);
        if (_blocks.Count == 1 && _blocks[0].HasRoomFor(moved.Length))
        {
            // The only block holds all rows in their order: a row is its place.
            _blocks[0].Rearrange(moved, [.. Enumerable.Range(0, moved.Length)]);
        }
        else
        {
            Rebuild(
            [
                .. moved.Select((from, to) => (From: from, To: to))
                    .GroupBy(move => Lengths[move.From])
                    .Select(group => (group.Key, group.Select(move => move.From).ToArray(), group.Select(move => move.To).ToArray())),
            ]);
        }

        sources.CopyTo(_sources, 0);
    }

    /// <inheritdoc />
    protected override void Cut(int length)
    {
        foreach (var block in _blocks)
        {
            block.Cut(length);
        }
    }

    /// <inheritdoc />
    protected override void Free() => _blocks.ForEach(block => block.Dispose());

    /// <summary>Makes blocks of rows; those that are already a block stay as they are.</summary>
    /// <param name="groups">Of each block: the length of its rows, the rows that they are now and those that they become.</param>
    private void Rebuild(List<(int Length, int[] From, int[] To)> groups)
    {
        var places = new (RowBlock Block, int Place)[_maxRows];
        foreach (var block in _blocks)
        {
            for (var place = 0; place < block.Rows.Length; place++)
            {
                places[block.Rows[place]] = (block, place);
            }
        }

        var blocks = new List<RowBlock>();
        foreach (var (length, from, to) in groups)
        {
            if (from.AsSpan().SequenceEqual(to) && _blocks.Find(block => block.Rows.AsSpan().SequenceEqual(from)) is { } same)
            {
                blocks.Add(same);
                continue;
            }

            // A block of all rows has room for as many as there may be.
            var block = new RowBlock(_shape, _pool, to, length, groups.Count == 1 ? _maxRows : to.Length, Capacity);
            for (var row = 0; row < from.Length; row++)
            {
                var (source, place) = places[from[row]];
                block.Copy(source, place, row);
            }

            blocks.Add(block);
        }

        foreach (var block in _blocks.Except(blocks))
        {
            block.Dispose();
        }

        _blocks = blocks;
    }
}
