using AsrPlatform.Abstractions.Models;

namespace AsrPlatform.OnnxBackend.Tests;

/// <summary>One checkpoint in both layouts: every call goes to both, which must answer alike.</summary>
internal sealed class BothLayouts(ISeq2SeqModel optimum, ISeq2SeqModel fast) : ISeq2SeqModel
{
    private const double Tolerance = 2e-4;

    public Seq2SeqModelInfo Info { get; } = fast.Info with { SupportsShortContext = optimum.Info.SupportsShortContext };

    public IEncoderStates Encode(ReadOnlySpan<float> features, int batch, int frames)
    {
        var states = new States(optimum.Encode(features, batch, frames), fast.Encode(features, batch, frames));
        AssertClose(Copy(states.Optimum, optimum), Copy(states.Fast, fast), Tolerance);
        return states;
    }

    public IDecoderCache CreateCache(IEncoderStates states, ReadOnlySpan<int> sourceRows, DecoderCacheOptions options)
    {
        var both = (States)states;
        return new Cache(optimum.CreateCache(both.Optimum, sourceRows, options), fast.CreateCache(both.Fast, sourceRows, options), options.AlignmentHeads.Count, both.Positions);
    }

    public void Decode(IDecoderCache cache, ReadOnlySpan<int> tokens, ReadOnlySpan<int> counts, LogitPositions positions, Span<float> logits, Span<float> alignment)
    {
        var both = (Cache)cache;
        var (expectedLogits, expectedAlignment) = (new float[logits.Length], new float[alignment.Length]);
        optimum.Decode(both.Optimum, tokens, counts, positions, expectedLogits, expectedAlignment);
        fast.Decode(both.Fast, tokens, counts, positions, logits, alignment);
        var (width, vocabulary) = (tokens.Length / both.Rows, Info.VocabularySize);
        for (var row = 0; row < both.Rows; row++)
        {
            Assert.Equal(both.Optimum.Length(row), both.Fast.Length(row));
            var count = counts.IsEmpty ? width : counts[row];
            var (first, length) = positions switch
            {
                LogitPositions.Last => (row * vocabulary, vocabulary),
                LogitPositions.All => (row * width * vocabulary, count * vocabulary),
                _ => (0, 0),
            };
            AssertClose(expectedLogits.AsSpan(first, length), logits.Slice(first, length), Tolerance);
            for (var head = row * both.Heads; head < (row + 1) * both.Heads && !alignment.IsEmpty; head++)
            {
                (first, length) = (head * width * both.Positions, count * both.Positions);
                AssertClose(expectedAlignment.AsSpan(first, length), alignment.Slice(first, length), Tolerance);
            }
        }
    }

    public void Dispose()
    {
        optimum.Dispose();
        fast.Dispose();
    }

    private sealed record States(IEncoderStates Optimum, IEncoderStates Fast) : IEncoderStates
    {
        public int Batch => Fast.Batch;

        public int Positions => Fast.Positions;

        public void CopyTo(Span<float> destination) => Fast.CopyTo(destination);

        public void Dispose()
        {
            Optimum.Dispose();
            Fast.Dispose();
        }
    }

    private sealed record Cache(IDecoderCache Optimum, IDecoderCache Fast, int Heads, int Positions) : IDecoderCache
    {
        public int Rows => Fast.Rows;

        public int Capacity => Fast.Capacity;

        public int Length(int row) => Fast.Length(row);

        public void Reorder(ReadOnlySpan<int> rows)
        {
            Optimum.Reorder(rows);
            Fast.Reorder(rows);
        }

        public void Truncate(int length)
        {
            Optimum.Truncate(length);
            Fast.Truncate(length);
        }

        public void Dispose()
        {
            Optimum.Dispose();
            Fast.Dispose();
        }
    }
}
