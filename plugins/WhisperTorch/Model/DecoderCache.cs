using AsrPlatform.Abstractions.Models;
using AsrPlatform.Whisper.Models;

namespace AsrPlatform.WhisperTorch.Model;

/// <summary>Keys and values of the tokens so far, in memory that is allocated once.</summary>
internal sealed class DecoderCache : IDecoderCache
{
    private readonly Tensor _all; // [layer, key or value, row, head, token, head width]
    private readonly Tensor _byHead; // the same, [layer, key or value, row·head, token, head width]
    private readonly int[] _lengths;
    private readonly int[] _sources;
    private readonly int[] _written; // tokens of each row whose memory holds numbers; what lies behind was never touched
    private readonly int _maxRows;
    private readonly int _heads;
    private readonly SourceMemory _memory;
    private List<SourceRun> _runs = [];
    private Tensor[][] _runKeys = []; // by run and layer: [source·head, head width, position]
    private Tensor[][] _runValues = []; // by run and layer: [source·head, position, head width]

    public DecoderCache(WhisperModel model, EncoderStates states, ReadOnlySpan<int> sourceRows, int capacity, int maxRows, IReadOnlyList<AttentionHead> alignmentHeads)
    {
        States = states;
        Capacity = capacity;
        AlignmentHeads = [.. alignmentHeads];
        _maxRows = maxRows;
        _memory = states.Memory();
        _sources = new int[maxRows];
        Rows = sourceRows.Length;
        sourceRows.CopyTo(_sources);

        // One row more than rows can be used, where a cycle of a reordering waits.
        var rows = maxRows > 1 ? maxRows + 1 : 1;
        _lengths = new int[rows];
        _written = new int[rows];
        _heads = model.Info.DecoderHeads;
        var headWidth = model.Info.Width / _heads;
        using var scope = NewDisposeScope();
        _all = empty([model.Info.DecoderLayers, 2, rows, _heads, capacity, headWidth], model.Type, model.TorchDevice).DetachFromDisposeScope();
        _byHead = _all.flatten(2, 3).DetachFromDisposeScope();
        ReadSources();
    }

    public EncoderStates States { get; }

    public AttentionHead[] AlignmentHeads { get; }

    /// <summary>The rows by adapter: each has that of the encoder row that it reads.</summary>
    public AdapterRun[] Adapters { get; private set; } = [];

    public bool IsDisposed { get; private set; }

    public IReadOnlyList<SourceRun> Runs => _runs;

    /// <inheritdoc />
    public int Rows { get; private set; }

    /// <inheritdoc />
    public int Capacity { get; }

    /// <inheritdoc />
    public int Length(int row)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(row);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, Rows);
        return _lengths[row];
    }

    /// <summary>Keys of a run for cross-attention, <c>[source·head, head width, position]</c>.</summary>
    public Tensor SourceKeys(int run, int layer) => _runKeys[run][layer];

    /// <summary>Values of a run for cross-attention, <c>[source·head, position, head width]</c>.</summary>
    public Tensor SourceValues(int run, int layer) => _runValues[run][layer];

    /// <summary>Where tokens of all rows go, in every layer: <c>[layer, key or value, row, head, token, head width]</c>.</summary>
    public Tensor Slots(int start, int count) => _all.narrow(2, 0, Rows).narrow(4, start, count);

    /// <summary>Where tokens of one row go, in every layer: <c>[layer, key or value, head, token, head width]</c>.</summary>
    public Tensor Slots(int row, int start, int count) => _all.select(2, row).narrow(3, start, count);

    /// <summary>The first tokens of all rows: keys <c>[row·head, head width, token]</c> and values <c>[row·head, token, head width]</c> by layer.</summary>
    public (Tensor[] Keys, Tensor[] Values) Seen(int length)
    {
        var seen = _byHead.narrow(2, 0, Rows * _heads).narrow(3, 0, length);
        return (seen.select(1, 0).transpose(2, 3).unbind(0), seen.select(1, 1).unbind(0));
    }

    /// <summary>Makes the memory of a row readable up to a length: what nobody wrote could be no number.</summary>
    public void Touch(int row, int written, int readable)
    {
        var from = Math.Max(written, _written[row]);
        if (from < readable)
        {
            Slots(row, from, readable - from).zero_();
        }

        _written[row] = Math.Max(from, readable);
    }

    /// <summary>Counts tokens as held.</summary>
    public void Append(int row, int count) => _lengths[row] += count;

    /// <inheritdoc />
    public void Reorder(ReadOnlySpan<int> rows)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        Seq2SeqArguments.CheckReorder(rows, Rows, _maxRows);
        var sources = new int[_maxRows];
        var lengths = (int[])_lengths.Clone();
        var moves = new List<(int To, int From)>();
        for (var i = 0; i < rows.Length; i++)
        {
            sources[i] = _sources[rows[i]];
            _lengths[i] = lengths[rows[i]];
            if (rows[i] != i)
            {
                moves.Add((i, rows[i]));
            }
        }

        Move(moves, lengths);
        Rows = rows.Length;
        sources.CopyTo(_sources);
        ReadSources();
    }

    /// <inheritdoc />
    public void Truncate(int length)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        for (var row = 0; row < Rows; row++)
        {
            _lengths[row] = Math.Min(_lengths[row], length);
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        if (!IsDisposed)
        {
            IsDisposed = true;
            _byHead.Dispose();
            _all.Dispose();
            DropSources();
        }
    }

    /// <summary>
    /// Copies rows onto each other within the one buffer, each as if all were copied at the same moment. Rows that stay cost nothing.
    /// </summary>
    private void Move(List<(int To, int From)> moves, int[] lengths)
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode();
        while (moves.Count > 0)
        {
            var free = moves.FindIndex(move => !moves.Exists(other => other.From == move.To));
            if (free >= 0)
            {
                Copy(moves[free].From, moves[free].To);
                moves.RemoveAt(free);
                continue;
            }

            // Only cycles are left: one row of one waits in the spare row.
            var waiting = moves[0].To;
            Copy(waiting, _maxRows);
            for (var i = 0; i < moves.Count; i++)
            {
                if (moves[i].From == waiting)
                {
                    moves[i] = (moves[i].To, _maxRows);
                }
            }
        }

        void Copy(int from, int to)
        {
            var length = lengths[from];
            if (to == _maxRows)
            {
                lengths[to] = length;
            }

            if (length > 0)
            {
                Slots(to, 0, length).copy_(Slots(from, 0, length));
                _written[to] = Math.Max(_written[to], length);
            }
        }
    }

    /// <summary>Finds the runs of the rows and the memory that each reads.</summary>
    private void ReadSources()
    {
        var runs = SourceRun.Of(_sources.AsSpan(0, Rows));
        if (runs.SequenceEqual(_runs))
        {
            return;
        }

        DropSources();
        _runs = runs;
        Adapters = AdapterRun.Of(Array.ConvertAll(_sources[..Rows], source => States.Adapters[source]));
        _runKeys = [.. runs.Select(run => Views(_memory.Keys, run))];
        _runValues = [.. runs.Select(run => Views(_memory.Values, run))];
    }

    private static Tensor[] Views(Tensor[] layers, SourceRun run)
    {
        using var scope = NewDisposeScope();
        return [.. layers.Select(layer => layer.narrow(0, run.FirstSource, run.Sources).flatten(0, 1).DetachFromDisposeScope())];
    }

    private void DropSources()
    {
        foreach (var view in _runKeys.Concat(_runValues).SelectMany(views => views))
        {
            view.Dispose();
        }
    }
}
