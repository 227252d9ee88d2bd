using System.Globalization;
using System.Text;

namespace AsrPlatform.Whisper.Text;

/// <summary>
/// Unicode as Python sees it, which the reference tools run on: strings of code points, <c>str.lower()</c>, <c>str.isspace()</c>,
/// and the regular expressions' <c>\w</c>, <c>\d</c>, <c>\b</c>.
/// </summary>
/// <remarks>.NET differs in small ways (U+001C…U+001F are no white space, <c>\w</c> takes marks, <c>ToLower</c> knows no final sigma).</remarks>
internal static class CodePoints
{
    /// <summary>The code point that starts at <paramref name="index"/>; a lone surrogate stands for itself.</summary>
    public static int At(ReadOnlySpan<char> text, int index) =>
        char.IsHighSurrogate(text[index]) && index + 1 < text.Length && char.IsLowSurrogate(text[index + 1])
            ? char.ConvertToUtf32(text[index], text[index + 1])
            : text[index];

    /// <summary>The code point that ends before <paramref name="index"/>.</summary>
    public static int Before(ReadOnlySpan<char> text, int index) =>
        index > 1 && char.IsLowSurrogate(text[index - 1]) && char.IsHighSurrogate(text[index - 2])
            ? char.ConvertToUtf32(text[index - 2], text[index - 1])
            : text[index - 1];

    /// <summary>Number of chars of a code point.</summary>
    public static int Width(int codePoint) => codePoint > 0xFFFF ? 2 : 1;

    /// <summary>Appends a code point, lone surrogates included.</summary>
    public static void Append(StringBuilder builder, int codePoint)
    {
        if (codePoint <= 0xFFFF)
        {
            builder.Append((char)codePoint);
        }
        else
        {
            codePoint -= 0x10000;
            builder.Append((char)(0xD800 + (codePoint >> 10))).Append((char)(0xDC00 + (codePoint & 0x3FF)));
        }
    }

    /// <summary>The code points of a string.</summary>
    public static int[] Of(ReadOnlySpan<char> text)
    {
        var result = new int[text.Length];
        var count = 0;
        for (var index = 0; index < text.Length; count++)
        {
            result[count] = At(text, index);
            index += Width(result[count]);
        }

        return count == result.Length ? result : result[..count];
    }

    /// <summary>Python's <c>str.isspace()</c> for one character.</summary>
    public static bool IsSpace(char character) => char.IsWhiteSpace(character) || character is >= '\u001C' and <= '\u001F';

    /// <summary>Python's <c>\w</c>: letters, numbers and the underscore.</summary>
    public static bool IsWord(int codePoint) => codePoint == '_' || IsLetter(codePoint) || IsNumber(codePoint);

    /// <summary>Category L.</summary>
    public static bool IsLetter(int codePoint) =>
        CharUnicodeInfo.GetUnicodeCategory(codePoint) <= UnicodeCategory.OtherLetter;

    /// <summary>Category N.</summary>
    public static bool IsNumber(int codePoint) =>
        CharUnicodeInfo.GetUnicodeCategory(codePoint)
            is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;

    /// <summary>Python's <c>\d</c>: decimal digits of any script.</summary>
    public static bool IsDigit(int codePoint) =>
        CharUnicodeInfo.GetUnicodeCategory(codePoint) == UnicodeCategory.DecimalDigitNumber;

    /// <summary>The value of a decimal digit of any script.</summary>
    public static int DigitValue(int codePoint) => CharUnicodeInfo.GetDecimalDigitValue(char.ConvertFromUtf32(codePoint), 0);

    /// <summary>True when a word starts or ends at this place (<c>\b</c>).</summary>
    public static bool IsWordBoundary(ReadOnlySpan<char> text, int index)
    {
        var before = index > 0 && IsWord(Before(text, index));
        var after = index < text.Length && IsWord(At(text, index));
        return before != after;
    }

    /// <summary>Python's <c>str.strip()</c>.</summary>
    public static ReadOnlySpan<char> Strip(ReadOnlySpan<char> text)
    {
        var start = 0;
        while (start < text.Length && IsSpace(text[start]))
        {
            start++;
        }

        var end = text.Length;
        while (end > start && IsSpace(text[end - 1]))
        {
            end--;
        }

        return text[start..end];
    }

    /// <summary>Python's <c>str.split()</c>: words between runs of white space.</summary>
    public static List<string> SplitWords(ReadOnlySpan<char> text)
    {
        var words = new List<string>();
        for (var index = 0; index < text.Length;)
        {
            if (IsSpace(text[index]))
            {
                index++;
                continue;
            }

            var start = index;
            while (index < text.Length && !IsSpace(text[index]))
            {
                index++;
            }

            words.Add(text[start..index].ToString());
        }

        return words;
    }

    /// <summary>Replaces each run of white space by one space.</summary>
    public static string CollapseSpaces(string text)
    {
        var result = new StringBuilder(text.Length);
        for (var index = 0; index < text.Length; index++)
        {
            if (!IsSpace(text[index]))
            {
                result.Append(text[index]);
            }
            else if (index == 0 || !IsSpace(text[index - 1]))
            {
                result.Append(' ');
            }
        }

        return result.ToString();
    }

    /// <summary>Python's <c>str.lower()</c>: full lower-casing of the Unicode standard, without a language.</summary>
    public static string Lower(string text)
    {
        if (System.Text.Ascii.IsValid(text))
        {
            return text.ToLowerInvariant();
        }

        var result = new StringBuilder(text.Length + 4);
        for (var index = 0; index < text.Length;)
        {
            var codePoint = At(text, index);
            switch (codePoint)
            {
                // The only lower case of more than one code point.
                case 0x0130:
                    result.Append("i\u0307");
                    break;
                case 0x03A3:
                    result.Append(IsFinalSigma(text, index) ? 'ς' : 'σ');
                    break;
                case >= 0xD800 and <= 0xDFFF:
                    result.Append((char)codePoint);
                    break;
                default:
                    Append(result, Rune.ToLowerInvariant(new Rune(codePoint)).Value);
                    break;
            }

            index += Width(codePoint);
        }

        return result.ToString();
    }

    /// <summary>The standard's Final_Sigma: a cased letter before, none after, marks and the like passed over.</summary>
    private static bool IsFinalSigma(string text, int index)
    {
        var before = index;
        while (before > 0 && IsCaseIgnorable(Before(text, before)))
        {
            before -= Width(Before(text, before));
        }

        if (before == 0 || !IsCased(Before(text, before)))
        {
            return false;
        }

        var after = index + 1;
        while (after < text.Length && IsCaseIgnorable(At(text, after)))
        {
            after += Width(At(text, after));
        }

        return after == text.Length || !IsCased(At(text, after));
    }

    private static bool IsCased(int codePoint) =>
        CharUnicodeInfo.GetUnicodeCategory(codePoint)
            is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
        || codePoint is 0xAA or 0xBA or (>= 0x2160 and <= 0x217F) or (>= 0x24B6 and <= 0x24E9)
            or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189);

    private static bool IsCaseIgnorable(int codePoint) =>
        CharUnicodeInfo.GetUnicodeCategory(codePoint)
            is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format
            or UnicodeCategory.ModifierLetter or UnicodeCategory.ModifierSymbol
        || codePoint is '\'' or '.' or ':' or 0xB7 or 0x387 or 0x55F or 0x5F4 or 0x2018 or 0x2019 or 0x2024 or 0x2027
            or 0xFE13 or 0xFE52 or 0xFE55 or 0xFF07 or 0xFF0E or 0xFF1A;
}
