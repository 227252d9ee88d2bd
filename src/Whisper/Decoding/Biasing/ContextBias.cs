using System.Text;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Decoding.Biasing;

/// <summary>A hypothesis without the weights of phrases.</summary>
/// <param name="Tokens">Its tokens, special ones included, the end not.</param>
/// <param name="LogProbability">Sum of the model's log-probabilities of its tokens and the end.</param>
internal readonly record struct BiasHypothesis(int[] Tokens, double LogProbability);

/// <summary>Phrases as a model writes them: contextual biasing while decoding.</summary>
/// <remarks>
/// A text is decoded without bias first. Where it sounds like a phrase (<see cref="PhraseSpotter"/>), and only then, it is decoded once more
/// with shallow fusion (<see cref="PhraseTrie"/>) of the phrases that it sounds like, and the better of the two stays: by the model's own
/// log-probability and what the phrases in it are worth. So audio that sounds like no phrase costs nothing, and a phrase that the model
/// holds for far less likely than what it heard is not written. Immutable and safe for concurrent calls.
/// </remarks>
internal sealed class ContextBias
{
    /// <summary>How often a text is looked at again after a phrase was found in it.</summary>
    public const int MostRounds = 4;

    private readonly PhraseForm[] _forms;
    private readonly WhisperTokenizer _tokenizer;
    private readonly BiasSettings _settings;
    private readonly double _tokenWeight;
    private readonly PhraseSpotter _spotter;
    private readonly PhraseTrie _all;

    private ContextBias(string[] phrases, PhraseForm[] forms, WhisperTokenizer tokenizer, BiasSettings settings, double tokenWeight)
    {
        Phrases = phrases;
        _forms = forms;
        _tokenizer = tokenizer;
        _settings = settings;
        _tokenWeight = tokenWeight;
        _spotter = new PhraseSpotter(phrases, settings.SoundDistance, tokenizer);
        _all = new PhraseTrie(forms, tokenWeight, pushed: false, tokenizer);
    }

    /// <summary>The phrases, each once, without space around.</summary>
    public IReadOnlyList<string> Phrases { get; }

    /// <summary>See <see cref="BiasSettings.TokenNats"/>.</summary>
    public double TokenNats => _settings.TokenNats;

    /// <summary>Prepares phrases for a vocabulary.</summary>
    /// <param name="phrases">The phrases; null for none.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="settings">How; null for the defaults.</param>
    /// <returns>Null where there is nothing to prefer.</returns>
    public static ContextBias? Of(PhraseBias? phrases, WhisperTokenizer tokenizer, BiasSettings? settings = null)
    {
        if (phrases is not { Weight: > 0, Phrases.Count: > 0 })
        {
            return null;
        }

        settings ??= new BiasSettings();
        var texts = phrases.Phrases
            .Select(phrase => string.Join(' ', phrase.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)))
            .Where(phrase => phrase.Any(char.IsLetterOrDigit))
            .Distinct(StringComparer.Ordinal)
            .ToArray();
        var forms = new List<PhraseForm>();
        var writesCapitals = WritesCapitals(tokenizer);
        for (var i = 0; i < texts.Length; i++)
        {
            forms.AddRange(FormsOf(i, texts[i], writesCapitals, tokenizer).Where(form => form.Tokens.Length > 0 && form.Tokens.Length <= settings.MaximumTokens));
        }

        return forms.Count == 0 ? null : new ContextBias(texts, [.. forms], tokenizer, settings, settings.NatsPerToken * phrases.Weight);
    }

    /// <summary>What to try on a text that sounds like phrases: each a set of places where phrases may begin.</summary>
    /// <param name="tokens">A hypothesis, special tokens included.</param>
    /// <param name="separately">
    /// Besides all phrases together, the nearest ones alone: for a search that keeps one hypothesis, and may begin the wrong one.
    /// </param>
    /// <returns>Empty where it sounds like none. Phrases that the text has are in every set.</returns>
    public IReadOnlyList<IReadOnlyList<PhraseSpot>> Candidates(IReadOnlyList<int> tokens, bool separately)
    {
        var spots = _spotter.Find(tokens);
        PhraseSpot[] fresh = [.. spots.Where(spot => !spot.IsWritten).OrderBy(spot => spot.Distance)];
        if (fresh.Length == 0)
        {
            return [];
        }

        var candidates = new List<IReadOnlyList<PhraseSpot>> { spots };
        if (separately && fresh.Length > 1)
        {
            candidates.AddRange(fresh.Take(_settings.Alternatives).Select(one => (PhraseSpot[])[.. spots.Where(spot => spot.IsWritten || spot == one)]));
        }

        return candidates;
    }

    /// <summary>See <see cref="PhraseSpotter.FindOpen"/>.</summary>
    public int FindOpen(IReadOnlyList<int> tokens) => _spotter.FindOpen(tokens);

    /// <summary>What the phrases in a text are worth, in nats.</summary>
    public double ScoreOf(ReadOnlySpan<int> tokens) => _all.ScoreOf(tokens);

    /// <summary>Whether a hypothesis that was decoded with bias is the better one.</summary>
    public bool Prefers(BiasHypothesis biased, BiasHypothesis heard) =>
        biased.LogProbability + ScoreOf(biased.Tokens) > heard.LogProbability + ScoreOf(heard.Tokens);

    /// <summary>The trie of the phrases at spots, for a search that keeps several hypotheses.</summary>
    public PhraseTrie TrieOf(IReadOnlyList<PhraseSpot> spots)
    {
        var wanted = spots.Select(spot => spot.Phrase).ToHashSet();
        return new PhraseTrie(_forms.Where(form => wanted.Contains(form.Phrase)), _tokenWeight, pushed: false, _tokenizer);
    }

    /// <summary>The trie of phrases that may begin at a place, and nowhere after it, for a search that keeps one hypothesis.</summary>
    /// <param name="spots">What is spotted there.</param>
    /// <param name="isStart">Whether a text begins there.</param>
    public PhraseTrie TrieAt(IEnumerable<PhraseSpot> spots, bool isStart)
    {
        var wanted = spots.Select(spot => spot.Phrase).ToHashSet();
        return new PhraseTrie(
            _forms.Where(form => wanted.Contains(form.Phrase) && (isStart || !form.OnlyAtStart)).Select(form => form with { OnlyAtStart = true }),
            _tokenWeight,
            pushed: true,
            _tokenizer);
    }

    /// <summary>Decodes with bias what sounds like phrases, and chooses; phrases in several places are found one after the other.</summary>
    /// <param name="heard">What was decoded without.</param>
    /// <param name="separately">As for <see cref="Candidates"/>.</param>
    /// <param name="search">Decodes with the phrases at spots.</param>
    /// <returns>The better one.</returns>
    public BiasHypothesis Choose(BiasHypothesis heard, bool separately, Func<IReadOnlyList<PhraseSpot>, BiasHypothesis> search)
    {
        for (var round = 0; round < MostRounds; round++)
        {
            var best = heard;
            foreach (var spots in Candidates(heard.Tokens, separately))
            {
                var biased = search(spots);
                best = Prefers(biased, best) ? biased : best;
            }

            if (best == heard)
            {
                break;
            }

            heard = best;
        }

        return heard;
    }

    /// <summary>How a phrase may be written: as it is, with a capital at the beginning of a text; in lower case where the model knows no other.</summary>
    private static IEnumerable<PhraseForm> FormsOf(int index, string phrase, bool writesCapitals, WhisperTokenizer tokenizer)
    {
        var text = writesCapitals ? phrase : phrase.ToLowerInvariant();
        var first = Rune.GetRuneAt(text, 0);
        if (!WritesSpaces(first))
        {
            return [new PhraseForm(index, tokenizer.EncodePlain(text), OnlyAtStart: false)];
        }

        var capital = writesCapitals ? Rune.ToUpperInvariant(first) + text[first.Utf16SequenceLength..] : text;
        return
        [
            new PhraseForm(index, tokenizer.EncodePlain(" " + text), OnlyAtStart: false),
            new PhraseForm(index, tokenizer.EncodePlain(text), OnlyAtStart: true),
            .. capital == text ? (PhraseForm[])[] :
            [
                new PhraseForm(index, tokenizer.EncodePlain(" " + capital), OnlyAtStart: true),
                new PhraseForm(index, tokenizer.EncodePlain(capital), OnlyAtStart: true),
            ],
        ];
    }

    /// <summary>Whether a vocabulary was made of texts with capitals: else it has them as single letters alone.</summary>
    private static bool WritesCapitals(WhisperTokenizer tokenizer) =>
        Enumerable.Range(0, tokenizer.EndOfText).Any(token => tokenizer.BytesOf(token) is { Length: > 1 } bytes && bytes.ContainsAnyInRange((byte)'A', (byte)'Z'));

    /// <summary>Whether words of a letter's script stand between spaces: not in Thai, Lao, Burmese, Khmer, Chinese and Japanese.</summary>
    private static bool WritesSpaces(Rune letter) => letter.Value is not (
        (>= 0x0E00 and <= 0x0EFF) or (>= 0x1000 and <= 0x109F) or (>= 0x1780 and <= 0x17FF)
        or (>= 0x3040 and <= 0x30FF) or (>= 0x3400 and <= 0x9FFF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x20000 and <= 0x3FFFF));
}
