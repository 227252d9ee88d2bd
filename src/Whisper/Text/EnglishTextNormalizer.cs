using System.Collections.Frozen;
using System.Text;
using System.Text.Json;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Whisper.Text;

/// <summary>
/// Whisper's normaliser for English: fillers dropped, contractions and titles spelt out, numbers in digits, American spelling.
/// </summary>
/// <remarks>
/// Equal to <c>EnglishTextNormalizer</c> of transformers and openai/whisper, character for character, with its oddities (<c>it's</c> always
/// becomes <c>it is</c>). The rules are applied one after the other over the whole text, in their order there.
/// </remarks>
public sealed class EnglishTextNormalizer : ITextNormalizer
{
    private const string SpellingFile = "normalizer.json";

    private static readonly string[] Fillers = ["hmm", "mm", "mhm", "mmm", "uh", "um"];

    /// <summary>Whole words and their replacements, in the order of application.</summary>
    private static readonly (string Word, string Replacement)[] Words =
    [
        ("won't", "will not"), ("can't", "can not"), ("let's", "let us"), ("ain't", "aint"), ("y'all", "you all"),
        ("wanna", "want to"), ("gotta", "got to"), ("gonna", "going to"), ("i'ma", "i am going to"), ("imma", "i am going to"),
        ("woulda", "would have"), ("coulda", "could have"), ("shoulda", "should have"), ("ma'am", "madam"),
        ("mr", "mister "), ("mrs", "missus "), ("st", "saint "), ("dr", "doctor "), ("prof", "professor "), ("capt", "captain "),
        ("gov", "governor "), ("ald", "alderman "), ("gen", "general "), ("sen", "senator "), ("rep", "representative "),
        ("pres", "president "), ("rev", "reverend "), ("hon", "honorable "), ("asst", "assistant "), ("assoc", "associate "),
        ("lt", "lieutenant "), ("col", "colonel "), ("jr", "junior "), ("sr", "senior "), ("esq", "esquire "),
    ];

    /// <summary>Ends of words and their replacements, applied after the whole words.</summary>
    private static readonly (string Ending, string Replacement)[] Endings =
    [
        ("'d been", " had been"), ("'s been", " has been"), ("'d gone", " had gone"), ("'s gone", " has gone"),
        ("'d done", " had done"), ("'s got", " has got"),
        ("n't", " not"), ("'re", " are"), ("'s", " is"), ("'d", " would"), ("'ll", " will"), ("'t", " not"), ("'ve", " have"), ("'m", " am"),
    ];

    private readonly FrozenDictionary<string, string> _spellings;

    /// <summary>Creates a normaliser.</summary>
    /// <param name="spellings">Spelling → the spelling to use; null or empty changes none.</param>
    public EnglishTextNormalizer(IReadOnlyDictionary<string, string>? spellings = null) =>
        _spellings = (spellings ?? new Dictionary<string, string>()).ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>Creates a normaliser with the spellings of a checkpoint folder's <c>normalizer.json</c>; without that file it has none.</summary>
    /// <exception cref="AsrException">The file cannot be read or is no JSON object of strings.</exception>
    public static EnglishTextNormalizer Load(string modelDirectory)
    {
        ArgumentNullException.ThrowIfNull(modelDirectory);
        if (!Directory.Exists(modelDirectory))
        {
            throw new AsrException($"There is no model folder {modelDirectory}.");
        }

        var path = Path.Combine(modelDirectory, SpellingFile);
        if (!File.Exists(path))
        {
            return new EnglishTextNormalizer();
        }

        try
        {
            using var stream = File.OpenRead(path);
            return new EnglishTextNormalizer(JsonSerializer.Deserialize<Dictionary<string, string>>(stream));
        }
        catch (Exception error) when (error is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"{path} is not a readable table of spellings (a JSON object of strings): copy it from the checkpoint again.", error);
        }
    }

    /// <inheritdoc />
    public string Normalize(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        text = BasicTextNormalizer.RemoveBracketed(CodePoints.Lower(text));
        text = RemoveFillers(text);
        text = JoinApostrophes(text);
        foreach (var (word, replacement) in Words)
        {
            text = Replace(text, word, replacement, wholeWord: true);
        }

        foreach (var (ending, replacement) in Endings)
        {
            text = Replace(text, ending, replacement, wholeWord: false);
        }

        text = RemoveCommasInNumbers(text);
        text = SpaceBeforeNonDigit(text, ".", atEnd: true);
        text = BasicTextNormalizer.RemoveSymbolsAndDiacritics(text, keep: ".%$¢€£");
        text = EnglishNumbers.Normalize(text);
        text = string.Join(' ', CodePoints.SplitWords(text).Select(word => _spellings.GetValueOrDefault(word, word)));
        text = SpaceBeforeNonDigit(text, ".$¢€£", atEnd: false);
        text = RemoveLonePercent(text);
        return CodePoints.CollapseSpaces(text);
    }

    private static string RemoveFillers(string text)
    {
        // All fillers are words of two or three of these letters; most texts have none.
        if (text.AsSpan().IndexOf('m') < 0 && text.AsSpan().IndexOf('h') < 0)
        {
            return text;
        }

        var result = new StringBuilder(text.Length);
        for (var index = 0; index < text.Length;)
        {
            if (CodePoints.IsWordBoundary(text, index))
            {
                var filler = Array.Find(Fillers, word =>
                    string.CompareOrdinal(text, index, word, 0, word.Length) == 0 && CodePoints.IsWordBoundary(text, index + word.Length));
                if (filler is not null)
                {
                    index += filler.Length;
                    continue;
                }
            }

            result.Append(text[index++]);
        }

        return result.ToString();
    }

    /// <summary>Removes white space before an apostrophe.</summary>
    private static string JoinApostrophes(string text)
    {
        if (!text.Contains('\'', StringComparison.Ordinal))
        {
            return text;
        }

        var result = new StringBuilder(text.Length);
        foreach (var character in text)
        {
            if (character == '\'')
            {
                var length = result.Length;
                while (length > 0 && CodePoints.IsSpace(result[length - 1]))
                {
                    length--;
                }

                result.Length = length;
            }

            result.Append(character);
        }

        return result.ToString();
    }

    private static string Replace(string text, string literal, string replacement, bool wholeWord)
    {
        var hit = text.IndexOf(literal, StringComparison.Ordinal);
        if (hit < 0)
        {
            return text;
        }

        var result = new StringBuilder(text.Length + 16);
        var copied = 0;
        while (hit >= 0)
        {
            var end = hit + literal.Length;
            if (CodePoints.IsWordBoundary(text, end) && (!wholeWord || CodePoints.IsWordBoundary(text, hit)))
            {
                result.Append(text, copied, hit - copied).Append(replacement);
                copied = end;
            }
            else
            {
                end = hit + 1;
            }

            hit = text.IndexOf(literal, end, StringComparison.Ordinal);
        }

        return result.Append(text, copied, text.Length - copied).ToString();
    }

    /// <summary>1,000 → 1000. The digit after a comma cannot be the digit before the next: 1,2,3 → 12,3, as upstream.</summary>
    private static string RemoveCommasInNumbers(string text)
    {
        if (!text.Contains(',', StringComparison.Ordinal))
        {
            return text;
        }

        var result = new StringBuilder(text.Length);
        for (var index = 0; index < text.Length;)
        {
            var codePoint = CodePoints.At(text, index);
            CodePoints.Append(result, codePoint);
            index += CodePoints.Width(codePoint);
            if (index + 1 < text.Length && text[index] == ',' && CodePoints.IsDigit(codePoint))
            {
                var next = CodePoints.At(text, index + 1);
                if (CodePoints.IsDigit(next))
                {
                    CodePoints.Append(result, next);
                    index += 1 + CodePoints.Width(next);
                }
            }
        }

        return result.ToString();
    }

    /// <summary>Turns each of some signs into a space unless a digit follows; what follows is kept and is not looked at again.</summary>
    private static string SpaceBeforeNonDigit(string text, string signs, bool atEnd)
    {
        var result = new StringBuilder(text.Length);
        for (var index = 0; index < text.Length; index++)
        {
            var last = index + 1 == text.Length;
            if (!signs.Contains(text[index], StringComparison.Ordinal) || (last ? !atEnd : char.IsAsciiDigit(text[index + 1])))
            {
                result.Append(text[index]);
                continue;
            }

            result.Append(' ');
            if (!last)
            {
                result.Append(text[++index]);
            }
        }

        return result.ToString();
    }

    private static string RemoveLonePercent(string text)
    {
        var result = new StringBuilder(text.Length);
        for (var index = 0; index < text.Length; index++)
        {
            result.Append(text[index]);
            if (index + 1 < text.Length && text[index + 1] == '%' && !char.IsAsciiDigit(text[index]))
            {
                result.Append(' ');
                index++;
            }
        }

        return result.ToString();
    }
}
