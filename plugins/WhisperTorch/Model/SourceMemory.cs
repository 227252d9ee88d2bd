namespace AsrPlatform.WhisperTorch.Model;

/// <summary>Keys and values that cross-attention reads, of all layers, for every row of one encoder output.</summary>
/// <remarks>Computed once and shared by all decoder rows and caches of that output.</remarks>
internal sealed class SourceMemory : IDisposable
{
    private SourceMemory(int version, int layers)
    {
        Version = version;
        Keys = new Tensor[layers];
        Values = new Tensor[layers];
    }

    /// <summary>The deltas that it was computed with.</summary>
    public int Version { get; }

    /// <summary>By layer: <c>[batch, head, head width, position]</c>; so transposed, one query's scores take a third of the time.</summary>
    public Tensor[] Keys { get; }

    /// <summary>By layer: <c>[batch, head, position, head width]</c>.</summary>
    public Tensor[] Values { get; }

    /// <param name="layers">The decoder's layers.</param>
    /// <param name="states">Encoder states, <c>[batch, position, width]</c>.</param>
    /// <param name="heads">Heads of the decoder.</param>
    /// <param name="version">The deltas that are set.</param>
    public static SourceMemory Compute(IReadOnlyList<DecoderLayer> layers, Tensor states, int heads, int version)
    {
        var memory = new SourceMemory(version, layers.Count);
        var size = states.shape;
        var (batch, positions, width) = ((int)size[0], size[1], size[2]);
        for (var i = 0; i < layers.Count; i++)
        {
            using var scope = NewDisposeScope();
            var both = layers[i].SourceMemory.Forward(states.view(-1, width), batch, ForwardMode.Inference)
                .view(batch, positions, 2, heads, width / heads);
            memory.Keys[i] = both.select(2, 0).permute(0, 2, 3, 1).contiguous().DetachFromDisposeScope();
            memory.Values[i] = both.select(2, 1).permute(0, 2, 1, 3).contiguous().DetachFromDisposeScope();
        }

        return memory;
    }

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var tensor in Keys.Concat(Values))
        {
            tensor.Dispose();
        }
    }
}

/// <summary>Decoder rows that follow each other and read encoder rows that follow each other, equally many each.</summary>
/// <param name="FirstRow">The first decoder row.</param>
/// <param name="FirstSource">The encoder row that it reads.</param>
/// <param name="Sources">Encoder rows.</param>
/// <param name="RowsPerSource">Decoder rows that read each.</param>
internal readonly record struct SourceRun(int FirstRow, int FirstSource, int Sources, int RowsPerSource)
{
    public int Rows => Sources * RowsPerSource;

    /// <summary>Splits the rows into as few runs as their order allows.</summary>
    /// <param name="sources">The encoder row of each decoder row.</param>
    public static List<SourceRun> Of(ReadOnlySpan<int> sources)
    {
        var runs = new List<SourceRun>();
        for (var row = 0; row < sources.Length;)
        {
            var rows = Same(sources[row..]);
            var count = 1;
            while (row + (count * rows) is var next
                && next < sources.Length
                && sources[next] == sources[row] + count
                && Same(sources[next..]) == rows)
            {
                count++;
            }

            runs.Add(new SourceRun(row, sources[row], count, rows));
            row += count * rows;
        }

        return runs;
    }

    private static int Same(ReadOnlySpan<int> sources)
    {
        var different = sources.IndexOfAnyExcept(sources[0]);
        return different < 0 ? sources.Length : different;
    }
}
