using System.Text;

namespace AsrPlatform.Host.Learning.Data;

/// <summary>A record of a delimited file.</summary>
/// <param name="Row">The line that it starts on, from 1.</param>
/// <param name="Fields">Its fields, unquoted.</param>
/// <param name="Error">What is wrong with its quoting; null when nothing is.</param>
internal sealed record DelimitedRecord(int Row, IReadOnlyList<string> Fields, string? Error);

/// <summary>Reads CSV (RFC 4180) and TSV. Blank lines are passed over.</summary>
internal static class DelimitedText
{
    /// <summary>
    /// Quoted fields may hold delimiters, doubled quotation marks and line breaks; a mark inside of an unquoted field is text. A quoted field
    /// that never ends costs its own line alone, not the rest of the file.
    /// </summary>
    public static IEnumerable<DelimitedRecord> ReadCsv(string text, char delimiter)
    {
        var row = 1;
        for (var at = 0; at < text.Length;)
        {
            var start = at;
            var record = ReadRecord(text, delimiter, row, ref at);
            if (record.Error is not null)
            {
                at = LineEnd(text, start);
                SkipLineBreak(text, ref at);
            }

            row += CountLineBreaks(text.AsSpan(start, at - start));
            if (record.Fields is not [""])
            {
                yield return record;
            }
        }
    }

    /// <summary>
    /// A line is a record. Common Voice writes its files without quoting, so that a mark is text; a field that is quoted by the rules from end
    /// to end is unquoted all the same, as other programs write those.
    /// </summary>
    public static IEnumerable<DelimitedRecord> ReadTabs(string text)
    {
        var row = 0;
        foreach (var line in text.Split('\n'))
        {
            row++;
            var content = line.TrimEnd('\r');
            if (content.Length > 0)
            {
                yield return new DelimitedRecord(row, [.. content.Split('\t').Select(Unquote)], null);
            }
        }
    }

    private static DelimitedRecord ReadRecord(string text, char delimiter, int row, ref int at)
    {
        var fields = new List<string>();
        while (true)
        {
            if (at < text.Length && text[at] == '"')
            {
                if (ReadQuoted(text, ref at) is not { } field)
                {
                    return new DelimitedRecord(row, fields, "a quotation mark is never closed");
                }

                fields.Add(field);
                if (at < text.Length && text[at] != delimiter && text[at] is not ('\r' or '\n'))
                {
                    return new DelimitedRecord(row, fields, "text follows a closing quotation mark (double the marks inside of a quoted field)");
                }
            }
            else
            {
                var start = at;
                while (at < text.Length && text[at] != delimiter && text[at] is not ('\r' or '\n'))
                {
                    at++;
                }

                fields.Add(text[start..at]);
            }

            if (at < text.Length && text[at] == delimiter)
            {
                at++;
                continue;
            }

            SkipLineBreak(text, ref at);
            return new DelimitedRecord(row, fields, null);
        }
    }

    private static string? ReadQuoted(string text, ref int at)
    {
        var field = new StringBuilder();
        for (at++; at < text.Length; at++)
        {
            if (text[at] != '"')
            {
                field.Append(text[at]);
            }
            else if (at + 1 < text.Length && text[at + 1] == '"')
            {
                field.Append('"');
                at++;
            }
            else
            {
                at++;
                return field.ToString();
            }
        }

        return null;
    }

    private static string Unquote(string field) =>
        field.Length >= 2 && field[0] == '"' && field[^1] == '"' && !field[1..^1].Replace("\"\"", "", StringComparison.Ordinal).Contains('"', StringComparison.Ordinal)
            ? field[1..^1].Replace("\"\"", "\"", StringComparison.Ordinal)
            : field;

    private static int LineEnd(string text, int from) => text.AsSpan(from).IndexOfAny('\r', '\n') is var length and >= 0 ? from + length : text.Length;

    private static void SkipLineBreak(string text, ref int at)
    {
        if (at < text.Length && text[at] == '\r')
        {
            at++;
        }

        if (at < text.Length && text[at] == '\n')
        {
            at++;
        }
    }

    /// <summary>Line feeds, and carriage returns that stand alone.</summary>
    private static int CountLineBreaks(ReadOnlySpan<char> text)
    {
        var count = text.Count('\n');
        for (var index = 0; index < text.Length; index++)
        {
            count += text[index] == '\r' && (index + 1 == text.Length || text[index + 1] != '\n') ? 1 : 0;
        }

        return count;
    }
}
