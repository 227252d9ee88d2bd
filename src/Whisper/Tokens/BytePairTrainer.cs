using System.Runtime.InteropServices;
using System.Text;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Whisper.Tokens;

/// <summary>A learnt byte-level vocabulary.</summary>
/// <param name="Tokens">The text of each id in the byte alphabet; the 256 bytes come first, then a token for each merge.</param>
/// <param name="Merges">The pairs in the order of their ranks.</param>
internal sealed record BytePairVocabulary(IReadOnlyList<string> Tokens, IReadOnlyList<(string Left, string Right)> Merges);

/// <summary>Learns byte-pair merges from text (Sennrich, Haddow and Birch 2016, over bytes as GPT-2 does).</summary>
internal static class BytePairTrainer
{
    /// <summary>Bytes, which every vocabulary begins with.</summary>
    public const int ByteTokens = 256;

    /// <summary>
    /// Learns a vocabulary: again and again the most frequent pair of neighbours becomes a token; of equally frequent pairs the one whose left
    /// token has the smaller id, then the one whose right token has. The result depends on the texts alone, not on their order.
    /// </summary>
    /// <param name="texts">What to learn from. Pieces of GPT-2's split are never joined.</param>
    /// <param name="vocabularySize">Tokens to end with, at least <see cref="ByteTokens"/>.</param>
    /// <param name="addPrefixSpace">Whether a text that begins with no space gets one, as the tokenizer will do.</param>
    /// <exception cref="AsrException">The texts have too few pairs that occur twice.</exception>
    public static BytePairVocabulary Train(IEnumerable<string> texts, int vocabularySize, bool addPrefixSpace)
    {
        ArgumentNullException.ThrowIfNull(texts);
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabularySize, ByteTokens);

        // The bytes in the order of their characters, as in GPT-2's vocabulary.
        var tokens = Enumerable.Range(0, ByteTokens).Select(value => ByteAlphabet.ToCharacter((byte)value)).Order().Select(character => character.ToString()).ToList();
        var known = new HashSet<string>(tokens, StringComparer.Ordinal);
        var pairs = new Pairs(Pieces(texts, addPrefixSpace, tokens));
        var merges = new List<(string, string)>();
        while (tokens.Count < vocabularySize)
        {
            if (pairs.MostFrequent() is not { } best)
            {
                throw new AsrException(
                    $"The texts give a vocabulary of {tokens.Count} tokens at the most, not {vocabularySize}: give more text or ask for a smaller one.");
            }

            var merged = tokens[best.Left] + tokens[best.Right];

            // Two ways to one text: the later one would need an id of its own for the same text.
            if (!known.Add(merged))
            {
                pairs.Forbid(best);
                continue;
            }

            merges.Add((tokens[best.Left], tokens[best.Right]));
            pairs.Merge(best, tokens.Count);
            tokens.Add(merged);
        }

        return new BytePairVocabulary(tokens, merges);
    }

    private static List<Piece> Pieces(IEnumerable<string> texts, bool addPrefixSpace, List<string> tokens)
    {
        var idOfByte = new int[ByteTokens];
        var ids = tokens.Select((text, id) => (text, id)).ToDictionary(pair => pair.text[0], pair => pair.id);
        for (var value = 0; value < ByteTokens; value++)
        {
            idOfByte[value] = ids[ByteAlphabet.ToCharacter((byte)value)];
        }

        var counts = new Dictionary<string, long>(StringComparer.Ordinal);
        var lookup = counts.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (var text in texts)
        {
            var rest = (addPrefixSpace && text.Length > 0 && text[0] != ' ' ? " " + text : text).AsSpan();
            while (!rest.IsEmpty)
            {
                var length = PreTokenizer.NextLength(rest);
                CollectionsMarshal.GetValueRefOrAddDefault(lookup, rest[..length], out _)++;
                rest = rest[length..];
            }
        }

        return [.. counts
            .OrderBy(pair => pair.Key, StringComparer.Ordinal)
            .Select(pair => new Piece([.. Encoding.UTF8.GetBytes(pair.Key).Select(value => idOfByte[value])], pair.Value))];
    }

    /// <summary>A piece of text that occurs so many times.</summary>
    private sealed record Piece(List<int> Tokens, long Count);

    /// <summary>How often each pair of neighbours occurs, and in which pieces.</summary>
    private sealed class Pairs
    {
        private readonly List<Piece> _pieces;
        private readonly Dictionary<(int Left, int Right), long> _counts = [];
        private readonly Dictionary<(int Left, int Right), HashSet<int>> _places = [];
        private readonly HashSet<(int Left, int Right)> _forbidden = [];

        public Pairs(List<Piece> pieces)
        {
            _pieces = pieces;
            for (var place = 0; place < pieces.Count; place++)
            {
                Count(place, 1);
            }
        }

        /// <summary>The most frequent pair that occurs twice or more; null when there is none.</summary>
        public (int Left, int Right)? MostFrequent()
        {
            (int Left, int Right)? best = null;
            var most = 1L;
            foreach (var (pair, count) in _counts)
            {
                if ((count > most || (count == most && best is { } other && pair.CompareTo(other) < 0)) && !_forbidden.Contains(pair))
                {
                    (best, most) = (pair, count);
                }
            }

            return best;
        }

        public void Forbid((int Left, int Right) pair) => _forbidden.Add(pair);

        public void Merge((int Left, int Right) pair, int token)
        {
            foreach (var place in _places[pair].ToArray())
            {
                Count(place, -1);
                var tokens = _pieces[place].Tokens;
                var kept = 0;
                for (var index = 0; index < tokens.Count; index++)
                {
                    var joins = index + 1 < tokens.Count && tokens[index] == pair.Left && tokens[index + 1] == pair.Right;
                    tokens[kept++] = joins ? token : tokens[index];
                    index += joins ? 1 : 0;
                }

                tokens.RemoveRange(kept, tokens.Count - kept);
                Count(place, 1);
            }
        }

        /// <summary>Adds a piece's pairs, or takes them away.</summary>
        private void Count(int place, int sign)
        {
            var (tokens, count) = _pieces[place];
            for (var index = 0; index + 1 < tokens.Count; index++)
            {
                var pair = (tokens[index], tokens[index + 1]);
                ref var sum = ref CollectionsMarshal.GetValueRefOrAddDefault(_counts, pair, out _);
                sum += sign * count;
                if (sign > 0)
                {
                    ref var places = ref CollectionsMarshal.GetValueRefOrAddDefault(_places, pair, out _);
                    (places ??= []).Add(place);
                }
                else if (_places.TryGetValue(pair, out var places))
                {
                    places.Remove(place);
                }
            }
        }
    }
}
