using System.Numerics.Tensors;

namespace AsrPlatform.Whisper.Decoding.Biasing;

/// <summary>Chooses the tokens of one greedy hypothesis with shallow fusion: phrases may begin where the unbiased text sounded like them.</summary>
/// <remarks>
/// Up to the first such place the text is the unbiased one; behind a phrase the next place is as far away as it was. Not safe for
/// concurrent calls.
/// </remarks>
/// <param name="bias">The phrases.</param>
/// <param name="spots">Where the unbiased text sounds like some, in its order; at least one.</param>
internal sealed class BiasedRow(ContextBias bias, IReadOnlyList<PhraseSpot> spots)
{
    private readonly Dictionary<int, PhraseTrie> _tries = [];
    private float[] _adjusted = [];
    private PhraseTrie? _trie; // of the phrase that the text is in
    private int _state;
    private int _spot; // where it began, in the unbiased text
    private int _length; // tokens so far
    private int _shift; // by which the text has grown against the unbiased one

    /// <summary>Chooses the next token.</summary>
    /// <param name="scores">The model's scores of it, <c>[vocabulary]</c>, what may not follow masked; not changed.</param>
    /// <param name="isStart">Whether a text begins with it.</param>
    public int Choose(ReadOnlySpan<float> scores, bool isStart)
    {
        if (_trie is null)
        {
            Begin(isStart);
        }

        int token;
        if (_trie is null)
        {
            token = TensorPrimitives.IndexOfMax(scores);
        }
        else
        {
            token = Best(_trie, _state, scores, 0, out var gain);

            // The next phrase may follow at once.
            if (_trie.IsComplete(_state) && ShiftAfter() is var shift && TrieAt(_length - shift, isStart: false) is { } next)
            {
                var other = Best(next, PhraseTrie.Start, scores, _trie.End(_state), out var otherGain);
                if (otherGain > gain && next.Next(PhraseTrie.Start, other, out _) > PhraseTrie.Start)
                {
                    (_shift, _spot, _trie, _state, token) = (shift, _length - shift, next, PhraseTrie.Start, other);
                }
            }

            Follow(token);
        }

        _length++;
        return token;
    }

    private void Begin(bool isStart)
    {
        _trie = TrieAt(_length - _shift, isStart);
        (_state, _spot) = (PhraseTrie.Start, _length - _shift);
    }

    private void Follow(int token)
    {
        var next = _trie!.Next(_state, token, out _);
        if (next > PhraseTrie.Start)
        {
            _state = next;
            return;
        }

        // The phrase is over: complete, or broken off.
        if (_trie.IsComplete(_state) && !_trie.Continues(token))
        {
            _shift = ShiftAfter();
        }

        _trie = null;
    }

    /// <summary>By how much the text has grown when the phrase that it is in is complete.</summary>
    private int ShiftAfter() => _length - spots.Where(spot => spot.Start == _spot).MinBy(spot => spot.Distance).End;

    private PhraseTrie? TrieAt(int place, bool isStart)
    {
        if (!spots.Any(spot => spot.Start == place))
        {
            return null;
        }

        if (!_tries.TryGetValue(place, out var trie))
        {
            _tries[place] = trie = bias.TrieAt(spots.Where(spot => spot.Start == place), isStart);
        }

        return trie;
    }

    private int Best(PhraseTrie trie, int state, ReadOnlySpan<float> scores, double gained, out double gain)
    {
        if (_adjusted.Length < scores.Length)
        {
            _adjusted = new float[scores.Length];
        }

        var adjusted = _adjusted.AsSpan(0, scores.Length);
        scores.CopyTo(adjusted);
        trie.Adjust(state, adjusted, bias.TokenNats);
        var token = TensorPrimitives.IndexOfMax<float>(adjusted);
        gain = adjusted[token] + gained;
        return token;
    }
}
