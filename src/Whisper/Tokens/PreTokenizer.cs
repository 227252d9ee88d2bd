using AsrPlatform.Whisper.Text;

namespace AsrPlatform.Whisper.Tokens;

/// <summary>
/// GPT-2's split of text into pieces that the byte-pair merges never cross, written out by hand:
/// <c>'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+</c>.
/// </summary>
internal static class PreTokenizer
{
    private enum Kind
    {
        Letter,
        Number,
        Space,
        Other,
    }

    /// <summary>The length of the piece at the start of a text that is not empty.</summary>
    public static int NextLength(ReadOnlySpan<char> text)
    {
        if (text[0] == '\'')
        {
            foreach (var contraction in (ReadOnlySpan<string>)["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"])
            {
                if (text.StartsWith(contraction, StringComparison.Ordinal))
                {
                    return contraction.Length;
                }
            }
        }

        // One space belongs to the word, number or punctuation after it.
        var start = text[0] == ' ' && text.Length > 1 ? 1 : 0;
        var kind = KindAt(text, start, out var width);
        if (kind != Kind.Space)
        {
            var end = start + width;
            while (end < text.Length && KindAt(text, end, out width) == kind)
            {
                end += width;
            }

            return end;
        }

        // White space up to the end, or all but its last character, which goes with what follows if it is a space.
        var length = 1;
        while (length < text.Length && char.IsWhiteSpace(text[length]))
        {
            length++;
        }

        return length == text.Length || length == 1 ? length : length - 1;
    }

    private static Kind KindAt(ReadOnlySpan<char> text, int index, out int width)
    {
        width = 1;
        var character = text[index];
        if (char.IsAscii(character))
        {
            return char.IsAsciiLetter(character) ? Kind.Letter
                : char.IsAsciiDigit(character) ? Kind.Number
                : char.IsWhiteSpace(character) ? Kind.Space
                : Kind.Other;
        }

        var codePoint = CodePoints.At(text, index);
        width = CodePoints.Width(codePoint);
        return CodePoints.IsLetter(codePoint) ? Kind.Letter
            : CodePoints.IsNumber(codePoint) ? Kind.Number
            : char.IsWhiteSpace(character) ? Kind.Space
            : Kind.Other;
    }
}
