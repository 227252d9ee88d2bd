using System.Numerics.Tensors;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Alignment;

/// <summary>From the decoder's cross-attention to the times of words.</summary>
internal static class AttentionPath
{
    /// <summary>Adds one head's weights to the cost, normalised as Whisper does: over the audio, then over the tokens, then smoothed.</summary>
    /// <param name="weights"><c>[token, column]</c>; changed in place.</param>
    /// <param name="columns">Encoder positions that hold audio.</param>
    /// <param name="first">The token whose row is the first of the cost; the others follow it.</param>
    /// <param name="medianFilterWidth">Odd.</param>
    /// <param name="cost"><c>[row, column]</c>.</param>
    public static void AddToCost(Span<float> weights, int columns, int first, int medianFilterWidth, Span<double> cost)
    {
        var tokens = weights.Length / columns;
        var mean = new float[columns];
        for (var token = 0; token < tokens; token++)
        {
            // The model's softmax ran over the padding too: this makes it one over the audio alone.
            var row = weights.Slice(token * columns, columns);
            var sum = TensorPrimitives.Sum<float>(row);
            if (sum > 0)
            {
                TensorPrimitives.Divide(row, sum, row);
            }

            TensorPrimitives.Add(mean, row, mean);
        }

        TensorPrimitives.Divide(mean, tokens, mean);
        var deviation = new float[columns];
        for (var token = 0; token < tokens; token++)
        {
            var row = weights.Slice(token * columns, columns);
            TensorPrimitives.Subtract(row, mean, row);
            TensorPrimitives.MultiplyAdd(row, row, deviation, deviation);
        }

        // A position that every token attends to alike says nothing: its weights stay 0.
        for (var column = 0; column < columns; column++)
        {
            deviation[column] = deviation[column] > 0 ? MathF.Sqrt(deviation[column] / tokens) : 1;
        }

        var smooth = mean;
        for (var i = 0; i < cost.Length / columns; i++)
        {
            var row = weights.Slice((first + i) * columns, columns);
            TensorPrimitives.Divide(row, deviation, row);
            MedianFilter.Apply(row, medianFilterWidth, smooth);
            var sums = cost.Slice(i * columns, columns);
            for (var column = 0; column < columns; column++)
            {
                sums[column] += smooth[column];
            }
        }
    }

    /// <summary>The words of a text, each from where the path enters its first token to where it enters the next word's.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="text">Text tokens.</param>
    /// <param name="language">Code of the language, which says how words are divided.</param>
    /// <param name="path">A path through a cost of a row for every text token and one for what follows them.</param>
    /// <param name="probabilities">Of the text tokens.</param>
    /// <param name="positionsPerSecond">Columns of the path per second.</param>
    public static List<WordTiming> Words(
        WhisperTokenizer tokenizer,
        ReadOnlySpan<int> text,
        string? language,
        (int[] Rows, int[] Columns) path,
        ReadOnlySpan<double> probabilities,
        double positionsPerSecond)
    {
        // With the end token, so that the last word has a boundary behind it.
        var (words, wordTokens) = tokenizer.SplitToWords([.. text, tokenizer.EndOfText], language ?? "en");

        // Where the path enters each row, in seconds.
        var entered = new double[text.Length + 1];
        for (var i = path.Rows.Length - 1; i >= 0; i--)
        {
            entered[path.Rows[i]] = path.Columns[i] / positionsPerSecond;
        }

        var timings = new List<WordTiming>(words.Length);
        var first = 0;
        for (var word = 0; word < words.Length - 1; word++)
        {
            var last = first + wordTokens[word].Length;
            timings.Add(new WordTiming
            {
                Word = words[word],
                TokenCount = last - first,
                Start = entered[first],
                End = entered[last],
                Probability = TensorPrimitives.Average(probabilities[first..last]),
            });
            first = last;
        }

        return timings;
    }
}
