using System.Buffers;
using System.Collections.Frozen;
using System.Globalization;

namespace AsrPlatform.Whisper.Tokens;

/// <summary>A token that stands for its own text, beside the learnt vocabulary.</summary>
/// <param name="Text">Its text.</param>
/// <param name="Id">Its id.</param>
/// <param name="IsSpecial">Left out of decoded text when special tokens are.</param>
/// <param name="SingleWord">Found only where no word character touches it.</param>
/// <param name="StripLeft">Takes the white space before it along.</param>
/// <param name="StripRight">Takes the white space after it along.</param>
/// <param name="Normalized">Looked for after those that are not.</param>
internal sealed record AddedToken(
    string Text, int Id, bool IsSpecial, bool SingleWord = false, bool StripLeft = false, bool StripRight = false, bool Normalized = false);

/// <summary>Finds added tokens in text: leftmost first, the longest of those that start at one place.</summary>
internal sealed class AddedTokens
{
    private readonly FrozenDictionary<string, AddedToken> _byText;
    private readonly FrozenDictionary<string, AddedToken>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private readonly int[] _lengths;
    private readonly SearchValues<char> _firsts;

    public AddedTokens(IEnumerable<AddedToken> tokens)
    {
        _byText = tokens.Where(token => token.Text.Length > 0).ToFrozenDictionary(token => token.Text, StringComparer.Ordinal);
        _lookup = _byText.GetAlternateLookup<ReadOnlySpan<char>>();
        _lengths = [.. _byText.Keys.Select(text => text.Length).Distinct().OrderDescending()];
        _firsts = SearchValues.Create([.. _byText.Keys.Select(text => text[0]).Distinct()]);
    }

    /// <summary>Finds the first added token.</summary>
    /// <returns>The token and the range that it takes up; null when there is none.</returns>
    public (AddedToken Token, int Start, int End)? Find(ReadOnlySpan<char> text)
    {
        for (var start = 0; start < text.Length; start++)
        {
            var skip = text[start..].IndexOfAny(_firsts);
            if (skip < 0)
            {
                return null;
            }

            start += skip;
            foreach (var length in _lengths)
            {
                if (length > text.Length - start || !_lookup.TryGetValue(text.Slice(start, length), out var token))
                {
                    continue;
                }

                if (token.SingleWord && (TouchesWord(text, start - 1) || TouchesWord(text, start + length)))
                {
                    // Upstream looks at the longest one alone and goes on behind it.
                    start += length - 1;
                    break;
                }

                var end = start + length;
                while (token.StripRight && end < text.Length && char.IsWhiteSpace(text[end]))
                {
                    end++;
                }

                while (token.StripLeft && start > 0 && char.IsWhiteSpace(text[start - 1]))
                {
                    start--;
                }

                return (token, start, end);
            }
        }

        return null;
    }

    private static bool TouchesWord(ReadOnlySpan<char> text, int index) =>
        index >= 0 && index < text.Length
        && (char.IsLetterOrDigit(text[index])
            || char.GetUnicodeCategory(text[index])
                is UnicodeCategory.ConnectorPunctuation or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark);
}
