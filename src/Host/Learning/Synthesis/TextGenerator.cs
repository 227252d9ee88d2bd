using System.Text.RegularExpressions;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Host.Learning.Synthesis;

/// <summary>Makes English texts to speak: sentences, random words, numbers, dates, commands. As people say them: numbers are words.</summary>
internal sealed partial class TextGenerator
{
    /// <summary>What can be made.</summary>
    public static readonly string[] Kinds = ["sentences", "words", "numbers", "dates", "commands"];

    private static readonly string[] WordFiles = ["/usr/share/dict/words", "/usr/share/dict/american-english-small", "/usr/share/dict/american-english", "/usr/share/dict/british-english"];

    private static readonly string[] SentenceFolders = ["/usr/share/games/fortunes", "/usr/share/wordnet"];

    private static readonly string[] Ones = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"];

    private static readonly string[] Tens = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

    private static readonly string[] Ordinals = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth", "twentieth"];

    private static readonly string[] Months = ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"];

    private static readonly string[] Days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

    private static readonly string[] Commands =
    [
        "turn {onoff} the {thing}", "please {verb} the {thing}", "set the {thing} to {number}", "call {word} and say {word}", "open the {word} file", "add {word} to my list",
        "remind me about the {word} on {day}", "what is the {word} of the {word}", "play the {word} song again", "show me all {word} from {month}", "move the {word} {number} steps to the {side}",
        "start a timer for {number} minutes", "send the {word} report to the {word} team", "stop the {thing} at {clock}", "book a table for {number} at {clock}", "spell the word {word}",
    ];

    private static readonly string[] Things = ["light", "radio", "heating", "fan", "kitchen lamp", "door", "alarm", "television", "music", "camera", "printer", "window", "engine", "screen"];

    private readonly Random _random;
    private readonly Lazy<string[]> _words;
    private readonly Lazy<string[]> _sentences;

    /// <summary>Makes a generator; the same seed and the same word lists give the same texts.</summary>
    public TextGenerator(int seed)
    {
        _random = new Random(seed);
        _words = new Lazy<string[]>(ReadWords);
        _sentences = new Lazy<string[]>(ReadSentences);
    }

    /// <summary>Makes texts, the kinds in turn.</summary>
    /// <param name="count">How many.</param>
    /// <param name="kinds">Of <see cref="Kinds"/>.</param>
    /// <exception cref="AsrException">A kind is unknown, or what it needs is not installed.</exception>
    public IReadOnlyList<string> Make(int count, IReadOnlyList<string> kinds)
    {
        if (kinds.FirstOrDefault(kind => !Kinds.Contains(kind)) is { } unknown || kinds.Count == 0)
        {
            throw new AsrException($"--kinds: '{kinds.FirstOrDefault(kind => !Kinds.Contains(kind))}' is none; give some of {string.Join(", ", Kinds)}");
        }

        return [.. Enumerable.Range(0, count).Select(index => MakeOne(kinds[index % kinds.Count]))];
    }

    private string MakeOne(string kind) => kind switch
    {
        "sentences" => Pick(_sentences.Value),
        "words" => string.Join(' ', Enumerable.Range(0, _random.Next(2, 8)).Select(_ => Pick(_words.Value))),
        "numbers" => _random.Next(5) switch
        {
            0 => string.Join(' ', Enumerable.Range(0, _random.Next(3, 9)).Select(_ => Ones[_random.Next(10)])),
            1 => $"{Number(_random.Next(100))} point {Ones[_random.Next(10)]}{(_random.Next(2) == 0 ? "" : " " + Ones[_random.Next(10)])}",
            2 => $"{Number(_random.Next(2, 100))} dollars and {Number(_random.Next(1, 100))} cents",
            3 => $"{Number(_random.Next(1, 100))} percent",
            _ => Number((int)Math.Pow(10, _random.NextDouble() * 6)),
        },
        "dates" => _random.Next(3) switch
        {
            0 => $"the {Ordinal(_random.Next(1, 32))} of {Pick(Months)} {Year()}",
            1 => $"{Pick(Days)} {Pick(Months)} {Ordinal(_random.Next(1, 32))} at {Clock()}",
            _ => $"{Clock()} on {Pick(Days)}",
        },
        _ => Slot().Replace(Pick(Commands), match => match.Groups[1].Value switch
        {
            "onoff" => Pick(["on", "off"]),
            "thing" => Pick(Things),
            "verb" => Pick(["open", "close", "start", "stop", "check", "clean", "repair"]),
            "number" => Number(_random.Next(2, 60)),
            "day" => Pick(Days),
            "month" => Pick(Months),
            "side" => Pick(["left", "right"]),
            "clock" => Clock(),
            _ => Pick(_words.Value),
        }),
    };

    /// <summary>A number below a million in words.</summary>
    internal static string Number(int value) => value switch
    {
        < 20 => Ones[value],
        < 100 => Tens[value / 10] + (value % 10 == 0 ? "" : " " + Ones[value % 10]),
        < 1000 => Ones[value / 100] + " hundred" + (value % 100 == 0 ? "" : " and " + Number(value % 100)),
        _ => Number(value / 1000) + " thousand" + (value % 1000 == 0 ? "" : (value % 1000 < 100 ? " and " : " ") + Number(value % 1000)),
    };

    private static string Ordinal(int value) => value <= 20 ? Ordinals[value - 1] : value == 30 ? "thirtieth" : Tens[value / 10] + " " + Ordinals[(value % 10) - 1];

    private string Year() => _random.Next(2) == 0
        ? "two thousand and " + Number(_random.Next(1, 30))
        : $"nineteen {Number(_random.Next(10, 100))}";

    private string Clock() => _random.Next(4) switch
    {
        0 => $"quarter past {Ones[_random.Next(1, 13)]}",
        1 => $"half past {Ones[_random.Next(1, 13)]}",
        2 => $"{Ones[_random.Next(1, 13)]} {Number(_random.Next(10, 60))}",
        _ => $"{Ones[_random.Next(1, 13)]} o'clock",
    };

    private string Pick(string[] items) => items[_random.Next(items.Length)];

    private static string[] ReadWords()
    {
        var path = WordFiles.FirstOrDefault(File.Exists) ?? throw new AsrException("no word list is installed for random words: apt-get install wamerican, or leave 'words' and 'commands' out of --kinds");
        return [.. File.ReadLines(path).Select(word => word.Trim()).Where(word => PlainWord().IsMatch(word)).Distinct()];
    }

    private static string[] ReadSentences()
    {
        var sentences = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var path in SentenceFolders.Where(Directory.Exists).SelectMany(Directory.GetFiles).Order(StringComparer.Ordinal))
        {
            var name = Path.GetFileName(path);
            if (name.StartsWith("data.", StringComparison.Ordinal))
            {
                // WordNet: the gloss and its examples follow the bar.
                foreach (var line in File.ReadLines(path).Where(line => line.Contains('|', StringComparison.Ordinal)))
                {
                    AddSentences(sentences, line[(line.IndexOf('|', StringComparison.Ordinal) + 1)..].Split([';', '"'], StringSplitOptions.TrimEntries));
                }
            }
            else if (!name.Contains('.', StringComparison.Ordinal))
            {
                foreach (var fortune in File.ReadAllText(path).Split("\n%\n"))
                {
                    AddSentences(sentences, SentenceEnd().Split(fortune.Replace('\n', ' ')));
                }
            }
        }

        return sentences.Count > 0 ? [.. sentences] : throw new AsrException("no sentences are installed: apt-get install fortunes wordnet-base, or leave 'sentences' out of --kinds");
    }

    /// <summary>Keeps plain ones of 3 to 14 words: what a synthesiser says as it is written.</summary>
    private static void AddSentences(SortedSet<string> sentences, IEnumerable<string> candidates)
    {
        foreach (var candidate in candidates.Select(text => Data.TextCleanup.Clean(text).ToLowerInvariant().TrimEnd('.', '!', '?', ',', ' ').Replace(",", "", StringComparison.Ordinal)))
        {
            if (PlainSentence().IsMatch(candidate) && candidate.Count(character => character == ' ') is >= 2 and <= 13)
            {
                sentences.Add(candidate);
            }
        }
    }

    [GeneratedRegex("^[a-z]{2,14}$")]
    private static partial Regex PlainWord();

    [GeneratedRegex("^[a-z]+('[a-z]+)?( [a-z]+('[a-z]+)?)*$")]
    private static partial Regex PlainSentence();

    [GeneratedRegex(@"(?<=[.!?:;])\s|--|[""()\t]")]
    private static partial Regex SentenceEnd();

    [GeneratedRegex(@"\{(\w+)\}")]
    private static partial Regex Slot();
}
