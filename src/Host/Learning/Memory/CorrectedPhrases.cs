using System.Text;
using AsrPlatform.Host.Learning.Evaluation;

namespace AsrPlatform.Host.Learning.Memory;

/// <summary>What a correction teaches: words that the corrected text has and the hypothesis lacked.</summary>
internal static class CorrectedPhrases
{
    /// <summary>Shorter words are heard in too many others; those with a digit, or in capitals, are not.</summary>
    private const int LeastLetters = 5;

    /// <summary>Words of the longest phrase: longer stretches are other sentences, not names.</summary>
    private const int LongestRun = 3;

    /// <summary>The new words of a correction, and short stretches of them that stand together ("Van der Berg") as phrases.</summary>
    /// <param name="hypothesis">What was heard.</param>
    /// <param name="text">What it should have been.</param>
    /// <returns>Each once, as the correction writes it, without punctuation around.</returns>
    public static IReadOnlyList<string> Of(string hypothesis, string text)
    {
        var heard = hypothesis.Split(' ').Select(Plain).ToHashSet(StringComparer.Ordinal);
        var phrases = new List<string>();
        var run = new List<string>();
        foreach (var column in WordDiff.Columns(text, hypothesis))
        {
            if (column.Kind == DiffKind.Inserted)
            {
                continue;
            }

            var word = Trimmed(column.Reference);
            var isNew = column.Kind != DiffKind.Equal && word.Length > 0 && !heard.Contains(Plain(word));
            if (isNew)
            {
                run.Add(word);
            }

            if (!isNew || EndsSentence(column.Reference))
            {
                End(run, phrases);
            }
        }

        End(run, phrases);
        return [.. phrases.Distinct(StringComparer.Ordinal)];
    }

    /// <summary>A word for comparing: letters and digits in lower case.</summary>
    public static string Plain(string word)
    {
        var plain = new StringBuilder(word.Length);
        foreach (var letter in word)
        {
            if (char.IsLetterOrDigit(letter) || char.IsSurrogate(letter))
            {
                plain.Append(char.ToLowerInvariant(letter));
            }
        }

        return plain.ToString();
    }

    private static void End(List<string> run, List<string> phrases)
    {
        phrases.AddRange(run.Where(word => Plain(word).Length >= LeastLetters || word.Any(char.IsDigit) || word.Skip(1).Any(char.IsUpper)));
        if (run.Count is > 1 and <= LongestRun)
        {
            phrases.Add(string.Join(' ', run));
        }

        run.Clear();
    }

    private static string Trimmed(string word)
    {
        var (start, end) = (0, word.Length);
        while (start < end && !IsPart(word[start]))
        {
            start++;
        }

        while (end > start && !IsPart(word[end - 1]))
        {
            end--;
        }

        return word[start..end];

        static bool IsPart(char letter) => char.IsLetterOrDigit(letter) || char.IsSurrogate(letter) || char.GetUnicodeCategory(letter) == System.Globalization.UnicodeCategory.NonSpacingMark;
    }

    private static bool EndsSentence(string word) => word.Length > 0 && word[^1] is '.' or '!' or '?' or ',' or ';' or ':';
}
