using System.Text;

namespace AsrPlatform.Whisper.Text;

/// <summary>Word and character errors of one pair or, added up, of a corpus.</summary>
public sealed record ErrorCounts
{
    /// <summary>No errors in nothing.</summary>
    public static readonly ErrorCounts None = new();

    /// <summary>Words that are right.</summary>
    public long Hits { get; init; }

    /// <summary>Words that are others.</summary>
    public long Substitutions { get; init; }

    /// <summary>Words that are missing.</summary>
    public long Deletions { get; init; }

    /// <summary>Words too many.</summary>
    public long Insertions { get; init; }

    /// <summary>Characters to substitute, delete or insert, white space within the text included.</summary>
    public long CharacterErrors { get; init; }

    /// <summary>Characters of the reference.</summary>
    public long ReferenceCharacters { get; init; }

    /// <summary>Words to substitute, delete or insert.</summary>
    public long WordErrors => Substitutions + Deletions + Insertions;

    /// <summary>Words of the reference.</summary>
    public long ReferenceWords => Hits + Substitutions + Deletions;

    /// <summary>Word errors per word of the reference, a fraction (can exceed 1); the number of insertions when the reference has no words.</summary>
    public double WordErrorRate => WordErrors / (double)Math.Max(ReferenceWords, 1);

    /// <summary>Character errors per character of the reference, a fraction; their number when the reference has none.</summary>
    public double CharacterErrorRate => CharacterErrors / (double)Math.Max(ReferenceCharacters, 1);

    /// <summary>The errors of both.</summary>
    public static ErrorCounts operator +(ErrorCounts first, ErrorCounts second)
    {
        ArgumentNullException.ThrowIfNull(first);
        return first.Add(second);
    }

    /// <summary>The errors of both.</summary>
    public ErrorCounts Add(ErrorCounts other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return new ErrorCounts
        {
            Hits = Hits + other.Hits,
            Substitutions = Substitutions + other.Substitutions,
            Deletions = Deletions + other.Deletions,
            Insertions = Insertions + other.Insertions,
            CharacterErrors = CharacterErrors + other.CharacterErrors,
            ReferenceCharacters = ReferenceCharacters + other.ReferenceCharacters,
        };
    }
}

/// <summary>The words of a pair and how they match.</summary>
/// <param name="Reference">Words of the reference.</param>
/// <param name="Hypothesis">Words of the hypothesis.</param>
/// <param name="Spans">Stretches that cover both in order.</param>
public sealed record WordAlignment(IReadOnlyList<string> Reference, IReadOnlyList<string> Hypothesis, IReadOnlyList<EditSpan> Spans);

/// <summary>Word error rate (WER) and character error rate (CER) as jiwer 4 measures them.</summary>
/// <remarks>
/// Case and punctuation count. For words, runs of two or more white-space characters become a space and the text is split at spaces (a lone
/// tab stays part of a word, as there); for characters only the ends are stripped. A corpus's rate is the sum of errors over the sum of
/// lengths: add the counts with <c>+</c>. Safe for concurrent calls; time grows with the product of the lengths, memory with their sum.
/// </remarks>
public static class WordErrorRate
{
    /// <summary>The errors of a hypothesis.</summary>
    public static ErrorCounts Measure(string reference, string hypothesis)
    {
        var counts = new ErrorCounts();
        foreach (var span in Align(reference, hypothesis).Spans)
        {
            var inReference = span.ReferenceEnd - span.ReferenceStart;
            counts = span.Kind switch
            {
                EditKind.Equal => counts with { Hits = counts.Hits + inReference },
                EditKind.Substitute => counts with { Substitutions = counts.Substitutions + inReference },
                EditKind.Delete => counts with { Deletions = counts.Deletions + inReference },
                _ => counts with { Insertions = counts.Insertions + span.HypothesisEnd - span.HypothesisStart },
            };
        }

        var referenceCharacters = CodePoints.Of(CodePoints.Strip(reference));
        return counts with
        {
            CharacterErrors = EditAlignment.Distance(referenceCharacters, CodePoints.Of(CodePoints.Strip(hypothesis))),
            ReferenceCharacters = referenceCharacters.Length,
        };
    }

    /// <summary>The errors of a corpus.</summary>
    public static ErrorCounts Measure(IEnumerable<(string Reference, string Hypothesis)> pairs)
    {
        ArgumentNullException.ThrowIfNull(pairs);
        return pairs.Aggregate(ErrorCounts.None, (sum, pair) => sum + Measure(pair.Reference, pair.Hypothesis));
    }

    /// <summary>Aligns the words of a pair.</summary>
    public static WordAlignment Align(string reference, string hypothesis)
    {
        ArgumentNullException.ThrowIfNull(reference);
        ArgumentNullException.ThrowIfNull(hypothesis);
        var referenceWords = SplitWords(reference);
        var hypothesisWords = SplitWords(hypothesis);
        var symbols = new Dictionary<string, int>(StringComparer.Ordinal);
        return new WordAlignment(
            referenceWords, hypothesisWords, EditAlignment.Align(Symbols(referenceWords, symbols), Symbols(hypothesisWords, symbols)));
    }

    private static int[] Symbols(string[] words, Dictionary<string, int> symbols)
    {
        var result = new int[words.Length];
        for (var index = 0; index < words.Length; index++)
        {
            if (!symbols.TryGetValue(words[index], out result[index]))
            {
                symbols.Add(words[index], result[index] = symbols.Count);
            }
        }

        return result;
    }

    private static string[] SplitWords(string text)
    {
        var spaced = new StringBuilder(text.Length);
        for (var index = 0; index < text.Length;)
        {
            var end = index;
            while (end < text.Length && CodePoints.IsSpace(text[end]))
            {
                end++;
            }

            spaced.Append(end - index > 1 ? ' ' : text[index]);
            index = Math.Max(end, index + 1);
        }

        return CodePoints.Strip(spaced.ToString()).ToString().Split(' ', StringSplitOptions.RemoveEmptyEntries);
    }
}
