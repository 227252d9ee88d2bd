using System.Globalization;
using System.Text;
using AsrPlatform.Whisper.Text;

namespace AsrPlatform.Whisper.Tokens;

/// <summary>The texts of timestamp tokens: <c>&lt;|0.00|&gt;</c>, <c>&lt;|0.02|&gt;</c> … <c>&lt;|30.00|&gt;</c>.</summary>
internal static class TimestampTokens
{
    /// <summary>30 s in steps of 20 ms, both ends.</summary>
    public const int Count = 1501;

    public static string Text(double seconds) => string.Create(CultureInfo.InvariantCulture, $"<|{seconds:F2}|>");

    /// <summary>Reads a timestamp's text.</summary>
    public static bool TryParse(string text, out double seconds)
    {
        seconds = 0;
        return Length(text) == text.Length
            && double.TryParse(text.AsSpan(2, text.Length - 4), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out seconds);
    }

    /// <summary>Removes what looks like a timestamp, as transformers does with decoded text.</summary>
    public static string Remove(string text)
    {
        if (!text.Contains("<|", StringComparison.Ordinal))
        {
            return text;
        }

        var result = new StringBuilder(text.Length);
        for (var index = 0; index < text.Length;)
        {
            var length = Length(text.AsSpan(index));
            if (length == 0)
            {
                result.Append(text[index++]);
            }

            index += length;
        }

        return result.ToString();
    }

    /// <summary>The length of a timestamp's text at the start of this one, 0 when there is none.</summary>
    private static int Length(ReadOnlySpan<char> text)
    {
        if (!text.StartsWith("<|", StringComparison.Ordinal))
        {
            return 0;
        }

        var point = EndOfDigits(text, 2);
        if (point == 2 || point == text.Length || text[point] != '.')
        {
            return 0;
        }

        var end = EndOfDigits(text, point + 1);
        return end > point + 1 && text[end..].StartsWith("|>", StringComparison.Ordinal) ? end + 2 : 0;
    }

    private static int EndOfDigits(ReadOnlySpan<char> text, int index)
    {
        while (index < text.Length)
        {
            var codePoint = CodePoints.At(text, index);
            if (!CodePoints.IsDigit(codePoint))
            {
                break;
            }

            index += CodePoints.Width(codePoint);
        }

        return index;
    }
}
