using AsrPlatform.Abstractions;

namespace AsrPlatform.Host.Learning.Bench;

/// <summary>A text of a domain.</summary>
/// <param name="Text">Lower case, without punctuation.</param>
/// <param name="Word">The new word in it; null where the words are known and the voice is new.</param>
internal sealed record DomainText(string Text, string? Word);

/// <summary>The texts of a domain: those to correct and those to evaluate on share new words and nothing else, not even a sentence's frame.</summary>
/// <param name="Domain">Whose.</param>
/// <param name="Corrections">In the order in which a person gets to them.</param>
/// <param name="Evaluation">To evaluate on.</param>
internal sealed record DomainTexts(LearningDomain Domain, IReadOnlyList<DomainText> Corrections, IReadOnlyList<DomainText> Evaluation);

/// <summary>Something that a model does not know yet: names that exist nowhere, or a voice that it never heard. Immutable.</summary>
internal sealed class LearningDomain
{
    /// <summary>New words of a domain.</summary>
    public const int Words = 10;

    /// <summary>Utterances that may be corrected: more than are, because some are heard right.</summary>
    public const int Correctable = 30;

    /// <summary>Utterances to evaluate on.</summary>
    public const int Evaluated = 40;

    private const string Gap = "{}";

    /// <summary>Voices that the demo model was trained with; new words are said by all of them.</summary>
    private const string KnownVoices = "espeak-ng:en-us,espeak-ng:en-gb,flite:slt,flite:rms";

    private readonly string[] _frames;
    private readonly string[][] _syllables;

    private LearningDomain(string name, string title, string voices, string[] frames, params string[][] syllables)
    {
        (Name, Title, Voices, _frames, _syllables) = (name, title, voices, frames, syllables);
    }

    /// <summary>The domains, in the order in which they come.</summary>
    public static IReadOnlyList<LearningDomain> Sequence { get; } =
    [
        new(
            "medicines",
            "names of medicines",
            KnownVoices,
            [
                "take two tablets of {} after dinner", "the doctor gave her {} for the pain", "is {} safe for children", "we have no {} left",
                "{} is taken once a day", "he stopped taking {} last week", "keep the {} away from the light", "she asked for a box of {}",
                "my father needs {} every morning", "do not drink wine with {}", "the price of {} went up again", "they sent {} to the hospital",
            ],
            ["dor", "mex", "tal", "ven", "cor", "zol", "bri", "pan", "lis", "fen", "rab", "oxi"],
            ["va", "to", "li", "ra", "mi", "ne", "do", "xa"],
            ["lin", "prine", "zole", "mycin", "statin", "dipine", "cillin", "tadine", "profen", "sone"]),
        new(
            "products",
            "names of products",
            KnownVoices,
            [
                "where can i buy the new {}", "the {} is on sale today", "my {} does not start", "we sold ninety of the {} last month",
                "please compare the {} with the old one", "the battery of the {} is empty", "i would like to return this {}", "the {} comes in three colors",
                "nobody knows how to open the {}", "he dropped his {} in the water", "the manual of the {} is missing", "can you repair a {}",
            ],
            ["zen", "lumo", "quick", "aero", "terra", "vib", "nova", "swift", "omni", "pixel", "clar", "hydro"],
            ["ta", "dex", "mo", "ri", "fo", "la", "net", "bo"],
            ["ra", "phone", "pad", "max", "flow", "cast", "craft", "wave", "pod", "gear"]),
        new(
            "voice",
            "a voice that it never heard",
            "espeak-ng:en-gb-scotland",
            [
                "the {} is on the {}", "i forgot my {} in the {}", "there is a {} behind the {}", "please bring the {} to the {}",
                "we saw a {} near the {}", "she painted the {} and the {}", "who put the {} under the {}", "a {} and a {} are enough",
                "he sold the {} with the {}", "the {} was older than the {}", "they found a {} inside the {}", "look at the {} by the {}",
            ],
            [
                "book", "letter", "table", "window", "garden", "kitchen", "river", "bridge", "paper", "bottle", "market", "hammer", "basket", "picture", "button", "engine",
                "ladder", "mirror", "pencil", "station", "candle", "carpet", "doctor", "farmer", "island", "jacket", "lemon", "mountain", "orange", "pocket", "rabbit", "saddle",
            ]),
    ];

    /// <summary>Kept apart until everything is settled.</summary>
    public static LearningDomain Final { get; } = new(
        "places",
        "names of places, not used for any decision",
        KnownVoices,
        [
            "the train to {} leaves at noon", "she was born in {}", "how far is it to {}", "it rained in {} all summer",
            "we spent a week in {}", "{} has a famous old bridge", "his brother moved to {}", "the road from {} is closed",
            "they built a school in {}", "the bus stops in {} twice", "send this letter to {}", "{} lies beside a lake",
        ],
        ["kar", "bel", "os", "wit", "lan", "gro", "tor", "sel", "mar", "hul", "dun", "vel"],
        ["ten", "lo", "mi", "ser", "ga", "ru", "de", "ker"],
        ["stad", "burg", "field", "mouth", "dale", "haven", "wick", "ford", "ville", "by"]);

    /// <summary>Its name, for options and files.</summary>
    public string Name { get; }

    /// <summary>What is new in it, for people.</summary>
    public string Title { get; }

    /// <summary>Who speaks, as <c>asr synthesize --voices</c> takes it.</summary>
    public string Voices { get; }

    /// <summary>Whether its words are new.</summary>
    public bool HasNewWords => _syllables.Length > 1;

    /// <summary>The domain of a name.</summary>
    /// <exception cref="AsrException">There is none.</exception>
    public static LearningDomain Find(string name) =>
        Sequence.Append(Final).FirstOrDefault(domain => domain.Name == name)
        ?? throw new AsrException($"--domain {name}: give one of {string.Join(", ", Sequence.Append(Final).Select(domain => domain.Name))}");

    /// <summary>Its texts; the same seed gives the same ones. Half of the frames are for corrections, the other half for evaluation.</summary>
    public DomainTexts Make(int seed)
    {
        var random = new Random(HashCode(Name, seed));
        var frames = _frames.ToArray();
        random.Shuffle(frames);
        var (learned, tested) = (frames[..(frames.Length / 2)], frames[(frames.Length / 2)..]);
        if (!HasNewWords)
        {
            var nouns = _syllables[0].ToArray();
            random.Shuffle(nouns);
            return new DomainTexts(this, Sentences(learned, nouns, Correctable, random), Sentences(tested, nouns, Evaluated, random));
        }

        var words = NewWords(random);
        return new DomainTexts(this, InFrames(learned, words, Correctable), InFrames(tested, words, Evaluated));
    }

    /// <summary>Every word in turn, each time in another frame.</summary>
    private static DomainText[] InFrames(string[] frames, List<string> words, int count) =>
    [
        .. Enumerable.Range(0, count).Select(index =>
        {
            var (round, word) = Math.DivRem(index, words.Count);
            return new DomainText(frames[(word + round) % frames.Length].Replace(Gap, words[word], StringComparison.Ordinal), words[word]);
        }),
    ];

    private static List<DomainText> Sentences(string[] frames, string[] nouns, int count, Random random)
    {
        var texts = new List<DomainText>(count);
        var taken = new HashSet<string>(StringComparer.Ordinal);
        while (texts.Count < count)
        {
            var pieces = frames[texts.Count % frames.Length].Split(Gap);
            var first = nouns[random.Next(nouns.Length)];
            var second = nouns[random.Next(nouns.Length)];
            var text = pieces[0] + first + pieces[1] + second + pieces[2];
            if (first != second && taken.Add(text))
            {
                texts.Add(new DomainText(text, null));
            }
        }

        return texts;
    }

    /// <summary>Words that begin differently: not two that a listener would take for one.</summary>
    private List<string> NewWords(Random random)
    {
        var starts = _syllables[0].ToArray();
        random.Shuffle(starts);
        return [.. starts.Take(Words).Select(start => start + string.Concat(_syllables.Skip(1).Select(choices => choices[random.Next(choices.Length)])))];
    }

    /// <summary>The runtime's own hash of a text differs from run to run.</summary>
    private static int HashCode(string name, int seed) => name.Aggregate(seed, (hash, character) => unchecked((hash * 31) + character)) & int.MaxValue;
}
