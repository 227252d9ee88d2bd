using System.Numerics.Tensors;
using AsrPlatform.Whisper.Decoding.Biasing;
using AsrPlatform.Whisper.Decoding.Rules;

namespace AsrPlatform.Whisper.Decoding.HuggingFace;

/// <summary>Greedy search and sampling: one hypothesis per sequence. A finished sequence leaves the batch.</summary>
internal static class RowSearch
{
    /// <summary>Runs the search.</summary>
    /// <param name="scorer">The model or table.</param>
    /// <param name="sequences">Sequences that <see cref="ITokenScorer.Start"/> scores.</param>
    /// <param name="settings">How.</param>
    /// <param name="rule">Masks tokens.</param>
    /// <param name="random">Draws samples; not used at temperature 0.</param>
    /// <param name="cancellationToken">Stops between two steps.</param>
    /// <param name="biased">At temperature 0, for each sequence what prefers phrases in it, and the id from which on tokens are timestamps; null for none.</param>
    /// <returns>One hypothesis per sequence.</returns>
    public static Hypothesis[] Run(
        ITokenScorer scorer,
        int sequences,
        SearchSettings settings,
        TokenRule rule,
        Random random,
        CancellationToken cancellationToken,
        (IReadOnlyList<BiasedRow> Rows, int TimestampBegin)? biased = null)
    {
        var results = new Hypothesis[sequences];
        var tokens = new int[sequences][];
        var logProbabilities = new float[sequences][];
        var active = new int[sequences]; // the sequence of each row
        var parents = new int[sequences];
        var next = new int[sequences];
        var best = new int[Math.Min(settings.TopK, scorer.VocabularySize)];
        for (var i = 0; i < sequences; i++)
        {
            active[i] = i;
            tokens[i] = new int[settings.MaxNewTokens];
            logProbabilities[i] = new float[settings.MaxNewTokens];
        }

        var rows = sequences;
        var scores = scorer.Start();
        for (var length = 0; ; length++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var kept = 0;
            for (var row = 0; row < rows; row++)
            {
                var sequence = active[row];
                var rowScores = scores.Slice(row * scorer.VocabularySize, scorer.VocabularySize);
                rule(rowScores, tokens[sequence].AsSpan(0, length));
                var token = biased is var (biasedRows, timestampBegin)
                    ? biasedRows[sequence].Choose(rowScores, isStart: length == 0 || tokens[sequence][length - 1] >= timestampBegin)
                    : Choose(rowScores, settings.Temperature, best, random);
                tokens[sequence][length] = token;
                logProbabilities[sequence][length] = (float)LogProbabilities.OfToken(rowScores, token);
                if (token == settings.EndToken || length + 1 == settings.MaxNewTokens)
                {
                    results[sequence] = new Hypothesis(tokens[sequence][..(length + 1)], logProbabilities[sequence][..(length + 1)], null);
                    continue;
                }

                active[kept] = sequence;
                parents[kept] = row;
                next[kept] = token;
                kept++;
            }

            rows = kept;
            if (rows == 0)
            {
                return results;
            }

            scores = scorer.Next(parents.AsSpan(0, rows), next.AsSpan(0, rows));
        }
    }

    private static int Choose(Span<float> scores, double temperature, int[] best, Random random)
    {
        if (temperature <= 0)
        {
            return TensorPrimitives.IndexOfMax<float>(scores);
        }

        // Everything but the best ones is masked, as transformers' top-k warper does; they keep the order of ids for the draw.
        TopTokens.Find(scores, best);
        Array.Sort(best);
        TokenSuppression.KeepOnly(scores, best);
        return LogProbabilities.Sample(scores, temperature, random.NextDouble());
    }
}
