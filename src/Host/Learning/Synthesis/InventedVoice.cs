using System.Globalization;
using System.Text;

namespace AsrPlatform.Host.Learning.Synthesis;

/// <summary>Makes up speakers for espeak-ng: an accent, a vocal tract and a way to speak, drawn by a seed.</summary>
/// <remarks>
/// A recogniser that learned the few accents and voices that espeak-ng has hears little else: here every vowel of English may move to a
/// neighbouring one, as it does from one real accent to the next, and formants, pitch, breath and stress are drawn over what people have.
/// The form is that of espeak-ng's voice files (docs/voices.md there); phonemes are named by its mnemonics.
/// </remarks>
internal static class InventedVoice
{
    /// <summary>espeak-ng's accents to start from. Scotland's is not among them, so that it stays one that nobody heard.</summary>
    private static readonly string[] Accents = ["gmw/en", "gmw/en-US", "gmw/en-US", "gmw/en-GB-x-rp", "gmw/en-GB-x-gbclan", "gmw/en-GB-x-gbcwmd", "gmw/en-029", "gmw/en-US-nyc"];

    /// <summary>A vowel, and what it is in other accents or beside it in the mouth.</summary>
    private static readonly (string Phoneme, string[] Neighbours)[] Vowels =
    [
        ("a", ["E", "aa", "A:", "a#", "V"]),
        ("aa", ["a", "A:", "E", "e@"]),
        ("A:", ["a", "aa", "O:", "0", "A@"]),
        ("E", ["e", "I", "a", "E2"]),
        ("I", ["i", "e", "@", "I2", "E"]),
        ("i:", ["i", "I", "eI", "e:"]),
        ("i", ["I", "i:", "e"]),
        ("0", ["O", "A:", "O:", "a", "V"]),
        ("O:", ["o:", "O", "0", "oU", "o"]),
        ("U", ["u", "u:", "V", "o"]),
        ("u:", ["u", "U", "oU", "i:"]),
        ("V", ["a", "U", "@", "0", "a#", "A:"]),
        ("3:", ["E", "IR", "VR", "e:", "V", "o:"]),
        ("3", ["@", "a#", "V", "E"]),
        ("@", ["a#", "V", "I2", "E"]),
        ("a#", ["@", "a", "V", "E"]),
        ("I2", ["i", "I", "@", "E"]),
        ("eI", ["e:", "E", "e", "aI", "i:"]),
        ("aI", ["OI", "a", "A:", "eI", "aa"]),
        ("OI", ["aI", "O:", "eI"]),
        ("oU", ["o:", "o", "O:", "aU", "u:", "0"]),
        ("aU", ["oU", "a", "u:", "A:", "eI"]),
        ("e@", ["E", "e:", "i@", "e"]),
        ("i@", ["i:", "e@", "I", "i@3"]),
        ("U@", ["u:", "O:", "U", "o@"]),
        ("o@", ["O:", "o:", "O@", "u:"]),
        ("O@", ["O:", "o:", "o@", "0"]),
        ("A@", ["A:", "a", "O:", "aa"]),
        ("aI@", ["aI", "aI3", "A:"]),
        ("aU@", ["aU", "A:", "oU"]),
    ];

    /// <summary>Consonants that accents and second languages change.</summary>
    private static readonly (string Phoneme, string[] Others)[] Consonants =
    [
        ("r", ["R", "R2", "*"]),
        ("T", ["t[", "f", "s", "t"]),
        ("D", ["d", "v", "z", "d["]),
        ("w", ["v", "B"]),
        ("v", ["w", "B", "f"]),
        ("h", ["x", "NULL", "C"]),
        ("N", ["n"]),
        ("t", ["t[", "t."]),
        ("d", ["d[", "d."]),
        ("l", ["L", "l/2", "l^"]),
        ("t2", ["t", "*"]),
        ("z", ["s"]),
        ("dZ", ["J", "Z"]),
        ("tS", ["S", "tS;"]),
        ("S", ["s;", "s."]),
        ("Z", ["z", "S"]),
    ];

    /// <summary>A voice's definition and the accent's file that it starts from, relative to espeak-ng's <c>lang</c>.</summary>
    /// <param name="seed">The same seed makes the same voice.</param>
    public static (string Accent, string Definition) Make(int seed)
    {
        var random = new Random(seed);
        var text = new StringBuilder();
        var accent = Accents[random.Next(Accents.Length)];

        // Some speak as they were taught, others far from it.
        var strangeness = random.NextDouble() * 0.5;
        Replace(Vowels, strangeness);
        Replace(Consonants, strangeness * 0.35);

        // People's vocal tracts differ by some 30 % in length, which moves all formants together; mouths differ besides.
        var low = LogBetween(65, 250);
        Line("pitch", low, low * Between(1.1, 1.9));
        var tract = LogBetween(0.84, 1.3);
        for (var formant = 0; formant <= 8; formant++)
        {
            Line($"formant {formant}", 100 * tract * Between(0.92, 1.09), formant == 0 ? Between(60, 120) : Between(55, 125), Between(70, 170));
        }

        Line("flutter", Between(0, 8));
        if (random.NextDouble() < 0.3)
        {
            Line("roughness", Between(0, 4));
        }

        Line("voicing", Between(60, 120));
        Line("consonants", Between(50, 150), Between(50, 150));
        Line("tone", Between(80, 700), Between(60, 255), Between(800, 1600), Between(40, 255), Between(1700, 3500), Between(30, 255));
        if (random.NextDouble() < 0.25)
        {
            Line("breath", [0, .. Enumerable.Range(0, 7).Select(_ => Between(0, 5))]);
        }

        if (random.NextDouble() < 0.15)
        {
            Line("echo", Between(8, 130), Between(5, 18));
        }

        var unstressed = Between(110, 180);
        var stressed = Between(170, 240);
        Line("stressLength", unstressed, unstressed * Between(0.85, 1), stressed, stressed, 0, 0, stressed * Between(1, 1.4), stressed * Between(1.05, 1.5));
        Line("stressAmp", Between(14, 18), Between(14, 18), Between(17, 21), Between(17, 21), Between(17, 21), Between(17, 22), Between(18, 23), Between(18, 23));
        Line("intonation", Between(1, 4));
        return (accent, text.ToString());

        void Replace((string Phoneme, string[] Others)[] phonemes, double probability)
        {
            foreach (var (phoneme, others) in phonemes)
            {
                if (random.NextDouble() < probability)
                {
                    text.Append("replace 00 ").Append(phoneme).Append(' ').Append(others[random.Next(others.Length)]).Append('\n');
                }
            }
        }

        void Line(string name, params double[] values) =>
            text.Append(name).Append(string.Concat(values.Select(value => " " + Math.Round(value).ToString(CultureInfo.InvariantCulture)))).Append('\n');

        double Between(double from, double to) => from + (random.NextDouble() * (to - from));

        double LogBetween(double from, double to) => from * Math.Pow(to / from, random.NextDouble());
    }
}
