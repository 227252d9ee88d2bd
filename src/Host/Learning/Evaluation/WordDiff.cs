using System.Text;
using AsrPlatform.Whisper.Text;

namespace AsrPlatform.Host.Learning.Evaluation;

/// <summary>What became of a word.</summary>
internal enum DiffKind
{
    Equal,
    Substituted,
    Deleted,
    Inserted,
}

/// <summary>Two words beside each other; one is empty where the other side has none.</summary>
internal readonly record struct DiffColumn(string Reference, string Hypothesis, DiffKind Kind);

/// <summary>Reference and hypothesis word under word.</summary>
internal static class WordDiff
{
    /// <summary>The words in columns.</summary>
    public static IReadOnlyList<DiffColumn> Columns(string reference, string hypothesis)
    {
        var alignment = WordErrorRate.Align(reference, hypothesis);
        var columns = new List<DiffColumn>();
        foreach (var span in alignment.Spans)
        {
            var length = Math.Max(span.ReferenceEnd - span.ReferenceStart, span.HypothesisEnd - span.HypothesisStart);
            for (var index = 0; index < length; index++)
            {
                columns.Add(new DiffColumn(
                    span.Kind == EditKind.Insert ? "" : alignment.Reference[span.ReferenceStart + index],
                    span.Kind == EditKind.Delete ? "" : alignment.Hypothesis[span.HypothesisStart + index],
                    span.Kind switch
                    {
                        EditKind.Equal => DiffKind.Equal,
                        EditKind.Substitute => DiffKind.Substituted,
                        EditKind.Delete => DiffKind.Deleted,
                        _ => DiffKind.Inserted,
                    }));
            }
        }

        return columns;
    }

    /// <summary>Lines of three: reference, hypothesis (stars where a word is missing), and S, D or I under each error.</summary>
    /// <param name="reference">What was said.</param>
    /// <param name="hypothesis">What was heard.</param>
    /// <param name="width">Characters a line, labels included.</param>
    /// <param name="colour">Marks errors by ANSI colours too: yellow, red and cyan for substitutions, deletions and insertions.</param>
    public static string Render(string reference, string hypothesis, int width, bool colour)
    {
        var text = new StringBuilder();
        var (first, second, marks) = (new StringBuilder(), new StringBuilder(), new StringBuilder());
        var used = 0;
        foreach (var column in Columns(reference, hypothesis))
        {
            var size = Math.Max(Width(column.Reference), Width(column.Hypothesis));
            if (used > 0 && used + size + 1 > width - Label.Length)
            {
                Flush(text, first, second, marks);
                used = 0;
            }

            used += size + 1;
            Append(first, column.Reference, size, column.Kind, colour);
            Append(second, column.Hypothesis, size, column.Kind, colour);
            Append(marks, column.Kind switch { DiffKind.Substituted => "S", DiffKind.Deleted => "D", DiffKind.Inserted => "I", _ => " " }, size, column.Kind, colour);
        }

        Flush(text, first, second, marks);
        return text.ToString();
    }

    private const string Label = "  REF: ";

    private static void Append(StringBuilder line, string word, int size, DiffKind kind, bool colour)
    {
        var shown = word.Length == 0 ? new string('*', size) : word + new string(' ', size - Width(word));
        line.Append(' ').Append(colour && kind != DiffKind.Equal ? $"\u001b[{kind switch { DiffKind.Substituted => 33, DiffKind.Deleted => 31, _ => 36 }}m{shown}\u001b[0m" : shown);
    }

    private static void Flush(StringBuilder text, params ReadOnlySpan<StringBuilder> lines)
    {
        var labels = new[] { "  REF:", "  HYP:", "      " };
        for (var index = 0; index < lines.Length; index++)
        {
            text.Append((labels[index] + lines[index]).TrimEnd()).Append('\n');
            lines[index].Clear();
        }
    }

    /// <summary>Columns on a terminal: East Asian wide characters take two, marks that combine none.</summary>
    private static int Width(string word)
    {
        var width = 0;
        foreach (var rune in word.EnumerateRunes())
        {
            width += Rune.GetUnicodeCategory(rune) is System.Globalization.UnicodeCategory.NonSpacingMark or System.Globalization.UnicodeCategory.EnclosingMark or System.Globalization.UnicodeCategory.Format ? 0
                : rune.Value is (>= 0x1100 and <= 0x115F) or (>= 0x2E80 and <= 0xA4CF) or (>= 0xAC00 and <= 0xD7A3) or (>= 0xF900 and <= 0xFAFF) or (>= 0xFE30 and <= 0xFE6F) or (>= 0xFF00 and <= 0xFF60) or (>= 0x1F300 and <= 0x1FAFF) or (>= 0x20000 and <= 0x3FFFD) ? 2
                : 1;
        }

        return width;
    }
}
