using AsrPlatform.Abstractions.Models;

namespace AsrPlatform.Whisper.Tests.Decoding.OpenAi;

/// <summary>
/// A model whose logits a test writes: from the tokens of a row, prompt included, and the number of the window. Logits that the script
/// leaves out are −20.
/// </summary>
internal sealed class ScriptedModel(Seq2SeqModelInfo like, Func<int, IReadOnlyList<int>, IEnumerable<(int Token, float Logit)>> script)
    : ISeq2SeqModel
{
    public Seq2SeqModelInfo Info { get; } = like with { Backend = "scripted" };

    /// <summary>Windows encoded so far.</summary>
    public int Windows { get; private set; }

    /// <summary>Frames of each.</summary>
    public List<int> FramesOfWindows { get; } = [];

    /// <summary>Rows of every call of <see cref="Decode"/>.</summary>
    public List<int> RowsOfCalls { get; } = [];

    /// <summary>Caches and encoder states that are not yet disposed.</summary>
    public int Open { get; private set; }

    /// <summary>The encoder position that a token attends to, from the tokens up to it; null: all alike.</summary>
    public Func<IReadOnlyList<int>, int>? Attend { get; set; }

    /// <summary>Called at every decoder step.</summary>
    public Action? OnDecode { get; set; }

    public IEncoderStates Encode(ReadOnlySpan<float> features, int batch, int frames)
    {
        Open++;
        FramesOfWindows.Add(frames);
        return new States(this, Windows++, batch, frames / 2);
    }

    public IDecoderCache CreateCache(IEncoderStates states, ReadOnlySpan<int> sourceRows, DecoderCacheOptions options)
    {
        Open++;
        return new Cache(this, (States)states, sourceRows.Length, options);
    }

    public void Decode(
        IDecoderCache cache, ReadOnlySpan<int> tokens, ReadOnlySpan<int> counts, LogitPositions positions, Span<float> logits, Span<float> alignment)
    {
        OnDecode?.Invoke();
        var rows = ((Cache)cache).TokensOfRows;
        RowsOfCalls.Add(rows.Count);
        var width = tokens.Length / rows.Count;
        for (var row = 0; row < rows.Count; row++)
        {
            for (var i = 0; i < width; i++)
            {
                rows[row].Add(tokens[(row * width) + i]);
                Assert.True(rows[row].Count <= cache.Capacity, "The cache is full.");
                if (positions == LogitPositions.All || (positions == LogitPositions.Last && i == width - 1))
                {
                    var place = positions == LogitPositions.All ? (row * width) + i : row;
                    var values = logits.Slice(place * Info.VocabularySize, Info.VocabularySize);
                    values.Fill(-20);
                    foreach (var (token, logit) in script(((Cache)cache).Window, rows[row]))
                    {
                        values[token] = logit;
                    }
                }
            }
        }

        if (!alignment.IsEmpty)
        {
            alignment.Fill(1f / (Info.MaxSourcePositions));
            if (Attend is not null)
            {
                var (heads, sourcePositions) = (((Cache)cache).Heads, ((Cache)cache).Positions);
                for (var row = 0; row < rows.Count; row++)
                {
                    for (var i = 0; i < width; i++)
                    {
                        var position = Attend(rows[row][..^(width - 1 - i)]);
                        for (var head = 0; head < heads; head++)
                        {
                            var weights = alignment.Slice(((((row * heads) + head) * width) + i) * sourcePositions, sourcePositions);
                            weights.Fill(0.001f);
                            weights[Math.Max(0, position - 4)..Math.Min(sourcePositions, position + 5)].Fill(0.1f);
                            weights[position] = 0.2f;
                        }
                    }
                }
            }
        }
    }

    public void Dispose()
    {
    }

    private sealed class States(ScriptedModel model, int window, int batch, int positions) : IEncoderStates
    {
        public int Window => window;

        public int Batch => batch;

        public int Positions => positions;

        public void CopyTo(Span<float> destination) => throw new NotSupportedException();

        public void Dispose() => model.Open--;
    }

    private sealed class Cache(ScriptedModel model, States states, int rows, DecoderCacheOptions options) : IDecoderCache
    {
        public int Window => states.Window;

        public int Positions => states.Positions;

        public int Heads => options.AlignmentHeads.Count;

        public List<List<int>> TokensOfRows { get; private set; } = [.. Enumerable.Range(0, rows).Select(_ => new List<int>())];

        public int Rows => TokensOfRows.Count;

        public int Capacity { get; } = options.Capacity == 0 ? model.Info.MaxTargetPositions : options.Capacity;

        public int Length(int row) => TokensOfRows[row].Count;

        public void Reorder(ReadOnlySpan<int> rows)
        {
            Assert.True(rows.Length >= 1 && rows.Length <= Math.Max(options.MaxRows, 1), "More rows than the cache was made for.");
            var reordered = new List<List<int>>();
            foreach (var row in rows)
            {
                reordered.Add([.. TokensOfRows[row]]);
            }

            TokensOfRows = reordered;
        }

        public void Truncate(int length)
        {
            foreach (var tokens in TokensOfRows.Where(tokens => tokens.Count > length))
            {
                tokens.RemoveRange(length, tokens.Count - length);
            }
        }

        public void Dispose() => model.Open--;
    }
}
