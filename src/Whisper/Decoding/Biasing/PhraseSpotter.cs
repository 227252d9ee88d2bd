using System.Text;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Decoding.Biasing;

/// <summary>Where a text sounds like a phrase, or has it.</summary>
/// <param name="Phrase">Index of the phrase.</param>
/// <param name="Start">Index of the first token of the words that sound like it.</param>
/// <param name="End">Index after their last token.</param>
/// <param name="Distance">0: they sound the same; the share of sounds that differ.</param>
/// <param name="IsWritten">The text has the phrase there.</param>
internal readonly record struct PhraseSpot(int Phrase, int Start, int End, double Distance, bool IsWritten = false);

/// <summary>The phonetic gate: finds where what was heard without bias sounds like a phrase. Immutable and safe for concurrent calls.</summary>
internal sealed class PhraseSpotter
{
    /// <summary>Shorter phrases sound like too much: they must sound the same.</summary>
    private const int LeastSounds = 3;

    /// <summary>Sounds at the end of a text that may be the beginning of a phrase, at least.</summary>
    private const int LeastOpenSounds = 3;

    /// <summary>What may differ of these, as a share of the gate's own.</summary>
    private const double OpenShare = 0.7;

    private readonly WhisperTokenizer _tokenizer;
    private readonly bool[] _continues; // whether a token goes on with a word
    private readonly string[] _keys;
    private readonly Dictionary<string, int> _written = new(StringComparer.Ordinal);
    private readonly int _longestPhrase; // in words
    private readonly double _most;

    /// <param name="phrases">The phrases.</param>
    /// <param name="most">Share of the sounds that may differ.</param>
    /// <param name="tokenizer">Of the texts that are looked at.</param>
    public PhraseSpotter(IReadOnlyList<string> phrases, double most, WhisperTokenizer tokenizer)
    {
        _tokenizer = tokenizer;
        _most = most;
        _continues = new bool[tokenizer.EndOfText];
        foreach (var token in tokenizer.WordContinuations)
        {
            _continues[token] = true;
        }

        _keys = [.. phrases.Select(SoundKey.Of)];
        for (var i = 0; i < phrases.Count; i++)
        {
            _written.TryAdd(Plain(phrases[i]), i);
        }

        _longestPhrase = phrases.Max(phrase => phrase.Split(' ').Length);
    }

    /// <summary>Finds where a text has phrases or sounds like some; where it has one, it sounds like no other.</summary>
    /// <param name="tokens">The text, special tokens included.</param>
    /// <returns>In the order of the text; spots of different phrases may overlap, those of one do not.</returns>
    public IReadOnlyList<PhraseSpot> Find(IReadOnlyList<int> tokens)
    {
        var spots = new List<PhraseSpot>();
        foreach (var stretch in Stretches(tokens, spots))
        {
            for (var phrase = 0; phrase < _keys.Length; phrase++)
            {
                Find(stretch, phrase, spots);
            }
        }

        return [.. spots.OrderBy(spot => spot.Start).ThenBy(spot => spot.Distance)];
    }

    /// <summary>The first token of the words at the end of a text that may be the beginning of a phrase; the number of tokens for none.</summary>
    public int FindOpen(IReadOnlyList<int> tokens)
    {
        if (Stretches(tokens, []) is not { Count: > 0 } stretches || stretches[^1].Words[^1].End < tokens.Count)
        {
            return tokens.Count;
        }

        var stretch = stretches[^1];
        var open = tokens.Count;
        foreach (var key in _keys)
        {
            var costs = new Costs(stretch, key);
            for (var sounds = Math.Min(LeastOpenSounds, key.Length); sounds < key.Length; sounds++)
            {
                var (cost, start) = costs.At(sounds, stretch.Sounds.Length);
                if (cost <= OpenShare * _most * sounds)
                {
                    open = Math.Min(open, stretch.Words[start].Start);
                }
            }
        }

        return open;
    }

    private void Find(Stretch stretch, int phrase, List<PhraseSpot> spots)
    {
        var key = _keys[phrase];
        if (key.Length == 0)
        {
            return;
        }

        var costs = new Costs(stretch, key);
        var found = new List<(double Distance, int First, int Last)>();
        for (var last = 0; last < stretch.Words.Count; last++)
        {
            var (cost, first) = costs.At(key.Length, stretch.Words[last].SoundEnd);
            if (first < 0 || first > last)
            {
                continue;
            }

            var sounds = stretch.Words[last].SoundEnd - stretch.Words[first].SoundStart;
            var distance = cost / Math.Max(key.Length, sounds);
            if (distance <= (key.Length < LeastSounds ? 0 : _most))
            {
                found.Add((distance, first, last));
            }
        }

        var taken = new List<(int First, int Last)>();
        foreach (var (distance, first, last) in found.OrderBy(one => one.Distance).ThenBy(one => one.Last - one.First))
        {
            if (!taken.Exists(other => first <= other.Last && other.First <= last))
            {
                taken.Add((first, last));
                spots.Add(new PhraseSpot(phrase, stretch.Words[first].Start, stretch.Words[last].End, distance));
            }
        }
    }

    /// <summary>The words of a text, divided by special tokens and by phrases that it has.</summary>
    private List<Stretch> Stretches(IReadOnlyList<int> tokens, List<PhraseSpot> written)
    {
        var stretches = new List<Stretch>();
        var words = new List<(int Start, int End, string Text)>();
        for (var i = 0; i <= tokens.Count; i++)
        {
            if (i < tokens.Count && tokens[i] < _tokenizer.EndOfText)
            {
                if (words.Count == 0 || words[^1].End < i || StartsWord(tokens[i]))
                {
                    words.Add((i, i, ""));
                }

                words[^1] = (words[^1].Start, i + 1, "");
                continue;
            }

            for (var word = 0; word < words.Count; word++)
            {
                var (start, end, _) = words[word];
                words[word] = (start, end, _tokenizer.Decode([.. tokens.Skip(start).Take(end - start)]));
            }

            Divide(words, stretches, written);
            words.Clear();
        }

        return stretches;
    }

    private bool StartsWord(int token) => !_continues[token];

    private void Divide(List<(int Start, int End, string Text)> words, List<Stretch> stretches, List<PhraseSpot> written)
    {
        var from = 0;
        for (var i = 0; i < words.Count;)
        {
            var (phrase, length) = Written(words, i);
            if (length == 0)
            {
                i++;
                continue;
            }

            written.Add(new PhraseSpot(phrase, words[i].Start, words[i + length - 1].End, 0, IsWritten: true));
            Add(from, i);
            i += length;
            from = i;
        }

        Add(from, words.Count);

        void Add(int first, int end)
        {
            if (end > first)
            {
                stretches.Add(new Stretch(words.GetRange(first, end - first)));
            }
        }
    }

    /// <summary>The longest phrase from a word on, and its words; 0 words for none.</summary>
    private (int Phrase, int Words) Written(List<(int Start, int End, string Text)> words, int first)
    {
        var text = new StringBuilder();
        var longest = (Phrase: -1, Words: 0);
        for (var count = 1; count <= _longestPhrase && first + count <= words.Count; count++)
        {
            text.Append(words[first + count - 1].Text);
            longest = _written.TryGetValue(Plain(text.ToString()), out var phrase) ? (phrase, count) : longest;
        }

        return longest;
    }

    private static string Plain(string text)
    {
        var plain = new StringBuilder(text.Length);
        foreach (var letter in text)
        {
            if (char.IsLetterOrDigit(letter) || char.IsSurrogate(letter))
            {
                plain.Append(char.ToLowerInvariant(letter));
            }
        }

        return plain.ToString();
    }

    /// <summary>Words beside each other and their sounds.</summary>
    private sealed class Stretch
    {
        public Stretch(List<(int Start, int End, string Text)> words)
        {
            var sounds = new StringBuilder();
            foreach (var (start, end, text) in words)
            {
                var at = sounds.Length;
                sounds.Append(SoundKey.Of(text));
                Words.Add((start, end, at, sounds.Length));
            }

            Sounds = sounds.ToString();
        }

        public string Sounds { get; }

        public List<(int Start, int End, int SoundStart, int SoundEnd)> Words { get; } = [];
    }

    /// <summary>Costs of hearing the beginning of a key as words of a stretch that end somewhere (Sellers' table).</summary>
    private sealed class Costs
    {
        private readonly double[] _costs; // [sounds of the key, sounds of the stretch]
        private readonly int[] _first; // the word that the match begins with
        private readonly int _columns;

        public Costs(Stretch stretch, string key)
        {
            _columns = stretch.Sounds.Length + 1;
            _costs = new double[(key.Length + 1) * _columns];
            _first = new int[_costs.Length];
            Array.Fill(_costs, double.PositiveInfinity);
            Array.Fill(_first, -1);
            for (var word = stretch.Words.Count - 1; word >= 0; word--)
            {
                var at = stretch.Words[word].SoundStart;
                (_costs[at], _first[at]) = (0, word);
            }

            for (var i = 0; i <= key.Length; i++)
            {
                for (var j = 0; j < _columns; j++)
                {
                    var place = (i * _columns) + j;
                    if (i > 0)
                    {
                        Take(place, place - _columns, SoundKey.Gap(key[i - 1]));
                    }

                    if (j > 0)
                    {
                        Take(place, place - 1, SoundKey.Gap(stretch.Sounds[j - 1]));
                    }

                    if (i > 0 && j > 0)
                    {
                        Take(place, place - _columns - 1, SoundKey.Substitution(key[i - 1], stretch.Sounds[j - 1]));
                    }
                }
            }
        }

        public (double Cost, int First) At(int key, int sounds) => (_costs[(key * _columns) + sounds], _first[(key * _columns) + sounds]);

        private void Take(int place, int from, double cost)
        {
            if (_costs[from] + cost < _costs[place])
            {
                (_costs[place], _first[place]) = (_costs[from] + cost, _first[from]);
            }
        }
    }
}
