using System.Globalization;
using System.Text;

namespace AsrPlatform.Whisper.Text;

/// <summary>
/// Whisper's normaliser for any language: lower case, no bracketed remarks, symbols and punctuation to spaces, form KC.
/// </summary>
/// <remarks>
/// Equal to <c>BasicTextNormalizer</c> of transformers and openai/whisper, character for character; leading and trailing space stays, as there.
/// </remarks>
public sealed class BasicTextNormalizer : ITextNormalizer
{
    private readonly bool _removeDiacritics;
    private readonly bool _splitLetters;

    /// <summary>Creates a normaliser.</summary>
    /// <param name="removeDiacritics">Drops accents (é → e, œ → oe).</param>
    /// <param name="splitLetters">Puts a space between letters, which makes a word error rate one of characters.</param>
    public BasicTextNormalizer(bool removeDiacritics = false, bool splitLetters = false)
    {
        _removeDiacritics = removeDiacritics;
        _splitLetters = splitLetters;
    }

    /// <inheritdoc />
    public string Normalize(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        text = RemoveBracketed(CodePoints.Lower(text));
        text = _removeDiacritics ? RemoveSymbolsAndDiacritics(text, keep: "") : RemoveSymbols(text);
        text = CodePoints.Lower(text);
        if (_splitLetters)
        {
            var letters = new StringBuilder(text.Length * 2);
            for (var elements = StringInfo.GetTextElementEnumerator(text); elements.MoveNext();)
            {
                letters.Append(letters.Length > 0 ? " " : "").Append(elements.GetTextElement());
            }

            text = letters.ToString();
        }

        return CodePoints.CollapseSpaces(text);
    }

    /// <summary>Removes &lt;…&gt;, […] and (…), from the first opening sign to the first closing one.</summary>
    internal static string RemoveBracketed(string text)
    {
        if (text.AsSpan().IndexOfAny("<[(") < 0)
        {
            return text;
        }

        var result = new StringBuilder(text.Length);
        for (var index = 0; index < text.Length;)
        {
            var open = text.AsSpan(index).IndexOfAny('<', '[');
            var length = open < 0 ? -1 : text.AsSpan(index + open).IndexOfAny('>', ']');
            if (length < 0)
            {
                result.Append(text, index, text.Length - index);
                break;
            }

            result.Append(text, index, open);
            index += open + length + 1;
        }

        text = result.ToString();
        result.Clear();
        for (var index = 0; index < text.Length;)
        {
            var open = text.IndexOf('(', index);
            var close = open < 0 ? -1 : text.IndexOf(')', open);
            if (close < 0)
            {
                result.Append(text, index, text.Length - index);
                break;
            }

            // "()" is no remark.
            result.Append(text, index, (close == open + 1 ? close + 1 : open) - index);
            index = close + 1;
        }

        return result.ToString();
    }

    /// <summary>Form KD with marks dropped, other symbols and punctuation to spaces, and letters that no form splits (ø, ß) spelt out.</summary>
    /// <param name="text">Any text.</param>
    /// <param name="keep">Characters that stay.</param>
    internal static string RemoveSymbolsAndDiacritics(string text, string keep)
    {
        text = CompatibilityForm.Decompose(text);
        var result = new StringBuilder(text.Length);
        for (var index = 0; index < text.Length;)
        {
            var codePoint = CodePoints.At(text, index);
            index += CodePoints.Width(codePoint);
            if (codePoint <= 0xFFFF && keep.Contains((char)codePoint, StringComparison.Ordinal))
            {
                result.Append((char)codePoint);
            }
            else if (SpellOut(codePoint) is { } letters)
            {
                result.Append(letters);
            }
            else if (CharUnicodeInfo.GetUnicodeCategory(codePoint) != UnicodeCategory.NonSpacingMark)
            {
                CodePoints.Append(result, IsMarkSymbolOrPunctuation(codePoint) ? ' ' : codePoint);
            }
        }

        return result.ToString();
    }

    private static string RemoveSymbols(string text)
    {
        text = CompatibilityForm.Compose(text);
        var result = new StringBuilder(text.Length);
        for (var index = 0; index < text.Length;)
        {
            var codePoint = CodePoints.At(text, index);
            index += CodePoints.Width(codePoint);
            CodePoints.Append(result, IsMarkSymbolOrPunctuation(codePoint) ? ' ' : codePoint);
        }

        return result.ToString();
    }

    private static bool IsMarkSymbolOrPunctuation(int codePoint) =>
        CharUnicodeInfo.GetUnicodeCategory(codePoint)
            is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark
            or UnicodeCategory.MathSymbol or UnicodeCategory.CurrencySymbol or UnicodeCategory.ModifierSymbol or UnicodeCategory.OtherSymbol
            or UnicodeCategory.ConnectorPunctuation or UnicodeCategory.DashPunctuation or UnicodeCategory.OpenPunctuation
            or UnicodeCategory.ClosePunctuation or UnicodeCategory.InitialQuotePunctuation or UnicodeCategory.FinalQuotePunctuation
            or UnicodeCategory.OtherPunctuation;

    private static string? SpellOut(int codePoint) => codePoint switch
    {
        'œ' => "oe",
        'Œ' => "OE",
        'ø' => "o",
        'Ø' => "O",
        'æ' => "ae",
        'Æ' => "AE",
        'ß' => "ss",
        'ẞ' => "SS",
        'đ' or 'ð' => "d",
        'Đ' or 'Ð' => "D",
        // Both are lower case upstream.
        'þ' or 'Þ' => "th",
        'ł' => "l",
        'Ł' => "L",
        _ => null,
    };
}
