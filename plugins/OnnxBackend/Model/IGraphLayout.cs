using AsrPlatform.Abstractions.Models;
using AsrPlatform.Whisper.Models;

namespace AsrPlatform.OnnxBackend.Model;

/// <summary>A way in which a Whisper model is cut into graphs: what computes behind <see cref="OnnxModel"/>.</summary>
/// <remarks>
/// Belongs to the model's thread. Arguments are checked by the model: shapes fit, ids are in the vocabulary, rows and heads exist,
/// states and caches come from this layout.
/// </remarks>
internal interface IGraphLayout : IDisposable
{
    /// <summary>Dimensions and abilities.</summary>
    Seq2SeqModelInfo Info { get; }

    /// <summary>As <see cref="ISeq2SeqModel.Encode"/>.</summary>
    OnnxStates Encode(ReadOnlySpan<float> features, int batch, int frames);

    /// <summary>As <see cref="ISeq2SeqModel.CreateCache"/>, with every number given.</summary>
    OnnxCache CreateCache(OnnxStates states, ReadOnlySpan<int> sourceRows, int capacity, int maxRows, AttentionHead[] alignmentHeads);

    /// <summary>As <see cref="ISeq2SeqModel.Decode"/>, with a count for every row. Adds to the cache's lengths.</summary>
    void Decode(OnnxCache cache, ReadOnlySpan<int> tokens, ReadOnlySpan<int> counts, LogitPositions positions, Span<float> logits, Span<float> alignment);
}

/// <summary>Encoder output of a layout.</summary>
internal abstract class OnnxStates(int batch, int positions, int width) : IEncoderStates
{
    /// <inheritdoc />
    public int Batch => batch;

    /// <inheritdoc />
    public int Positions => positions;

    /// <summary>Width of a position.</summary>
    public int Width => width;

    /// <summary>The layout that made it.</summary>
    public abstract IGraphLayout Layout { get; }

    public bool IsDisposed { get; private set; }

    /// <inheritdoc />
    public void CopyTo(Span<float> destination)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        var count = checked(batch * positions * width);
        if (destination.Length < count)
        {
            throw new ArgumentException($"{destination.Length} values cannot hold [{batch}, {positions}, {width}].", nameof(destination));
        }

        Read(destination[..count]);
    }

    /// <inheritdoc />
    public void Dispose()
    {
        if (!IsDisposed)
        {
            IsDisposed = true;
            Free();
        }
    }

    /// <summary>Copies all values.</summary>
    protected abstract void Read(Span<float> destination);

    /// <summary>Gives back what it holds; called once.</summary>
    protected abstract void Free();
}

/// <summary>What a layout's decoder has seen.</summary>
internal abstract class OnnxCache : IDecoderCache
{
    private readonly int _maxRows;

    /// <param name="states">What its rows attend to.</param>
    /// <param name="rows">Rows to begin with.</param>
    /// <param name="capacity">Most tokens of a row.</param>
    /// <param name="maxRows">Most rows.</param>
    /// <param name="alignmentHeads">Heads whose cross-attention is returned.</param>
    protected OnnxCache(OnnxStates states, int rows, int capacity, int maxRows, AttentionHead[] alignmentHeads)
    {
        States = states;
        Rows = rows;
        Capacity = capacity;
        AlignmentHeads = alignmentHeads;
        _maxRows = maxRows;
        Lengths = new int[maxRows];
    }

    public OnnxStates States { get; }

    public AttentionHead[] AlignmentHeads { get; }

    public bool IsDisposed { get; private set; }

    /// <inheritdoc />
    public int Rows { get; private set; }

    /// <inheritdoc />
    public int Capacity { get; }

    /// <summary>Tokens of each row; those behind <see cref="Rows"/> mean nothing.</summary>
    protected int[] Lengths { get; }

    /// <inheritdoc />
    public int Length(int row)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(row);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, Rows);
        return Lengths[row];
    }

    /// <inheritdoc />
    public void Reorder(ReadOnlySpan<int> rows)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        Seq2SeqArguments.CheckReorder(rows, Rows, _maxRows);
        Move(rows);
        var lengths = (int[])Lengths.Clone();
        for (var i = 0; i < rows.Length; i++)
        {
            Lengths[i] = lengths[rows[i]];
        }

        Rows = rows.Length;
    }

    /// <inheritdoc />
    public void Truncate(int length)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        Cut(length);
        for (var row = 0; row < Rows; row++)
        {
            Lengths[row] = Math.Min(Lengths[row], length);
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        if (!IsDisposed)
        {
            IsDisposed = true;
            Free();
        }
    }

    /// <summary>Rearranges the rows' memory: new row i is old row rows[i]; lengths are still the old ones.</summary>
    protected abstract void Move(ReadOnlySpan<int> rows);

    /// <summary>Drops the memory of tokens from an index on; lengths are still the old ones.</summary>
    protected abstract void Cut(int length);

    /// <summary>Gives back what it holds; called once.</summary>
    protected abstract void Free();
}
