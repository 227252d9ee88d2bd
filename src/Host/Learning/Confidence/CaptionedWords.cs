using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Whisper.Text;

namespace AsrPlatform.Host.Learning.Confidence;

/// <summary>Which words of a caption were right, and what that is worth to learning.</summary>
internal static class CaptionedWords
{
    /// <summary>A training weight where all came as the model expected.</summary>
    public const double LeastWeight = 0.5;

    /// <summary>A training weight where nothing did.</summary>
    public const double MostWeight = 2;

    /// <summary>Whether each word stood when the caption was corrected. Case and punctuation do not count: they were not misheard.</summary>
    /// <param name="words">The caption's words.</param>
    /// <param name="text">The corrected text.</param>
    public static bool[] AreRight(IReadOnlyList<CaptionWord> words, string text)
    {
        var right = new bool[words.Count];
        string[] heard = [.. words.Select((word, index) => Plain(word.Text) is { Length: > 0 } plain ? plain : $"\u0001{index}")];
        var alignment = WordErrorRate.Align(string.Join(' ', text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Plain).Where(word => word.Length > 0)), string.Join(' ', heard));
        foreach (var span in alignment.Spans.Where(span => span.Kind == EditKind.Equal))
        {
            right.AsSpan(span.HypothesisStart, span.HypothesisEnd - span.HypothesisStart).Fill(true);
        }

        return right;
    }

    /// <summary>How much a correction should weigh in training: the more its words' confidences were off, the more it tells.</summary>
    /// <param name="words">The caption's words with calibrated confidences.</param>
    /// <param name="text">The corrected text.</param>
    /// <returns><see cref="LeastWeight"/>…<see cref="MostWeight"/>; 1 where the words are not known.</returns>
    public static double Weight(IReadOnlyList<CaptionWord> words, string text)
    {
        if (words.Count == 0)
        {
            return 1;
        }

        var right = AreRight(words, text);
        var surprise = words.Select((word, index) => Math.Abs((right[index] ? 1 : 0) - Math.Clamp(word.Confidence, 0, 1))).Average();
        return LeastWeight + ((MostWeight - LeastWeight) * surprise);
    }

    /// <summary>Letters and digits in lower case, without spaces.</summary>
    private static string Plain(string word) => new([.. word.ToLowerInvariant().Where(char.IsLetterOrDigit)]);
}
