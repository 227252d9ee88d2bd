using System.Globalization;
using System.Text;

namespace AsrPlatform.Whisper.Decoding.Biasing;

/// <summary>Roughly how a text sounds, letter by letter, and how far two sounds are apart.</summary>
/// <remarks>
/// Latin script is read much as English and its neighbours read it: letters that are often the same sound become the same letter, double
/// ones one, vowels one a syllable, silent ones none. Letters of other scripts stand for themselves, without case and marks. It is there to
/// find what may have been misheard, not to pronounce.
/// </remarks>
internal static class SoundKey
{
    private const string Vowels = "aeiou";

    /// <summary>Consonants that are easily taken for each other.</summary>
    private static readonly string[] Alike = ["bpvf", "dtT", "gkj", "szSj", "mn", "lr", "vw"];

    /// <summary>The longest first; ^ is the beginning of a word, $ its end.</summary>
    private static readonly (string Written, string Sound)[] Rules =
    [
        ("^kn", "n"), ("^gn", "n"), ("^wr", "r"), ("^ps", "s"), ("^pn", "n"), ("^x", "s"),
        ("tion", "Sn"), ("sion", "Sn"), ("cian", "Sn"), ("ough", "o"), ("augh", "o"), ("igh", "i"), ("tsch", "S"), ("tch", "S"), ("sch", "S"),
        ("dge", "j"), ("mb$", "m"), ("que$", "k"), ("e$", ""), ("es$", "s"),
        ("sh", "S"), ("ch", "S"), ("cz", "S"), ("sz", "S"), ("ph", "f"), ("th", "T"), ("gh", "g"), ("ck", "k"), ("qu", "kw"), ("wh", "w"),
        ("ce", "se"), ("ci", "si"), ("cy", "si"), ("ge", "je"), ("gi", "ji"),
        ("ee", "i"), ("ea", "i"), ("ie", "i"), ("ei", "e"), ("ai", "e"), ("ay", "e"), ("ey", "e"), ("oo", "u"), ("ou", "u"), ("ow$", "o"),
        ("oa", "o"), ("au", "o"), ("aw", "o"), ("eu", "u"), ("ew", "u"), ("ue", "u"), ("ae", "e"), ("oe", "e"),
        ("^y", "j"), ("y", "i"), ("c", "k"), ("q", "k"), ("x", "ks"), ("w", "w"), ("z", "z"), ("h", ""),
    ];

    private static readonly Dictionary<char, string> Letters = new()
    {
        ['ß'] = "ss",
        ['æ'] = "e",
        ['œ'] = "e",
        ['ø'] = "o",
        ['ł'] = "l",
        ['đ'] = "d",
        ['ð'] = "th",
        ['þ'] = "th",
        ['ı'] = "i",
    };

    /// <summary>The key of a text: of one word after the other, without spaces and punctuation.</summary>
    public static string Of(string text)
    {
        var key = new StringBuilder(text.Length);
        var word = new StringBuilder();
        foreach (var letter in text.Normalize(NormalizationForm.FormKD).ToLowerInvariant())
        {
            if (CharUnicodeInfo.GetUnicodeCategory(letter) is UnicodeCategory.NonSpacingMark || letter is '\'' or '’')
            {
                continue;
            }

            if (char.IsLetterOrDigit(letter) || char.IsSurrogate(letter))
            {
                word.Append(Letters.TryGetValue(letter, out var plain) ? plain : letter);
            }
            else
            {
                Append(key, word);
            }
        }

        Append(key, word);
        return key.ToString();
    }

    /// <summary>What it costs to hear one sound for another: 0 to 1.</summary>
    public static double Substitution(char left, char right)
    {
        const double Near = 0.5;
        return left == right ? 0
            : IsVowel(left) && IsVowel(right) ? Near
            : Array.Exists(Alike, group => group.Contains(left) && group.Contains(right)) ? Near
            : 1;
    }

    /// <summary>What it costs to hear a sound that was not there, or not to hear it: vowels come and go more easily.</summary>
    public static double Gap(char sound) => IsVowel(sound) ? 0.5 : 1;

    private static bool IsVowel(char sound) => Vowels.Contains(sound);

    private static void Append(StringBuilder key, StringBuilder word)
    {
        var text = word.ToString();
        word.Clear();
        var first = key.Length;
        for (var at = 0; at < text.Length;)
        {
            var (length, sound) = Read(text, at);
            foreach (var one in sound)
            {
                // Double letters, and vowels that follow each other, are one sound.
                if (key.Length == first || (key[^1] != one && !(IsVowel(key[^1]) && IsVowel(one))))
                {
                    key.Append(one);
                }
            }

            at += length;
        }

        // A word of silent letters alone still is one.
        if (key.Length == first)
        {
            key.Append(text);
        }
    }

    private static (int Length, string Sound) Read(string text, int at)
    {
        foreach (var (written, sound) in Rules)
        {
            var start = written[0] == '^' ? 1 : 0;
            var end = written[^1] == '$' ? written.Length - 1 : written.Length;
            var length = end - start;
            if ((start == 0 || at == 0)
                && at + length <= text.Length
                && (end == written.Length || (at + length == text.Length && at > 0))
                && text.AsSpan(at, length).SequenceEqual(written.AsSpan(start, length)))
            {
                return (length, sound);
            }
        }

        return (1, text.Substring(at, 1));
    }
}
