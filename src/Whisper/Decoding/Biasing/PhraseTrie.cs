using System.Numerics.Tensors;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Decoding.Biasing;

/// <summary>A way to write a phrase.</summary>
/// <param name="Phrase">Index of the phrase.</param>
/// <param name="Tokens">Its tokens; at least one.</param>
/// <param name="OnlyAtStart">It is written so only at the beginning of a text: there no space precedes a word.</param>
internal readonly record struct PhraseForm(int Phrase, int[] Tokens, bool OnlyAtStart);

/// <summary>
/// A prefix trie over the tokens of phrases that says, token by token, what a text gains by the phrases in it: shallow fusion with
/// back-off.
/// </summary>
/// <remarks>
/// Every token of a phrase is worth the same. It is lent while a text is inside a phrase, taken back when the phrase breaks off, and kept
/// once the phrase is complete and its last word has ended, so that "art" gains nothing in "artist". What breaks off may go on as another
/// phrase, as with the failure links of Aho and Corasick. In sum a text gains by its phrases from left to right, the longest at each place,
/// none overlapping. States are numbers; the trie is immutable and safe for concurrent calls.
/// </remarks>
internal sealed class PhraseTrie
{
    /// <summary>State within a text, inside no phrase.</summary>
    public const int Root = 0;

    /// <summary>State at the beginning of a text.</summary>
    public const int Start = 1;

    private readonly List<Node> _nodes = [new Node(-1, -1, 0), new Node(-1, -1, 0)];
    private readonly Dictionary<(int State, int Token), int> _children = [];
    private readonly WhisperTokenizer _tokenizer;
    private readonly bool[] _continues;
    private readonly int[] _continuations;

    /// <summary>Makes a trie.</summary>
    /// <param name="forms">What is looked for.</param>
    /// <param name="tokenWeight">What a token of a phrase is worth, in nats.</param>
    /// <param name="pushed">
    /// Whether the whole of what a phrase is worth is lent with its first token, which is right for a search that keeps one hypothesis and
    /// only begins a phrase where there is reason to; else token by token.
    /// </param>
    /// <param name="tokenizer">Knows which tokens go on with a word.</param>
    public PhraseTrie(IEnumerable<PhraseForm> forms, double tokenWeight, bool pushed, WhisperTokenizer tokenizer)
    {
        _tokenizer = tokenizer;
        _continuations = [.. tokenizer.WordContinuations];
        _continues = new bool[tokenizer.EndOfText];
        foreach (var token in _continuations)
        {
            _continues[token] = true;
        }

        foreach (var form in forms)
        {
            Add(Start, form.Tokens);
            if (!form.OnlyAtStart)
            {
                Add(Root, form.Tokens);
            }
        }

        // Parents come before their children.
        for (var state = _nodes.Count - 1; state > Start; state--)
        {
            var node = _nodes[state];
            node.Longest = Math.Max(node.Longest, node.IsTerminal ? node.Depth : 0);
            _nodes[node.Parent].Longest = Math.Max(_nodes[node.Parent].Longest, node.Longest);
            node.Value = tokenWeight * (pushed ? node.Longest : node.Depth);
        }

        for (var state = Start + 1; state < _nodes.Count; state++)
        {
            _nodes[state].WhenEnded = FindBreak(state, tokenWeight, wordGoesOn: false);
            _nodes[state].WhenGoingOn = FindBreak(state, tokenWeight, wordGoesOn: true);
        }
    }

    /// <summary>Whether a state is the end of a phrase.</summary>
    public bool IsComplete(int state) => _nodes[state].IsTerminal;

    /// <summary>Whether a token goes on with a word, so that a phrase before it has not ended.</summary>
    public bool Continues(int token) => token < _continues.Length && _continues[token];

    /// <summary>Follows a token.</summary>
    /// <param name="state">Where the text stands.</param>
    /// <param name="token">Its next token; the end, a timestamp and every other special token end what went before.</param>
    /// <param name="change">What the text gains by it, in nats; negative where something that was lent is taken back.</param>
    /// <returns>Where the text stands then.</returns>
    public int Next(int state, int token, out double change)
    {
        change = 0;
        if (token >= _tokenizer.EndOfText)
        {
            change = End(state);
            return Start;
        }

        while (true)
        {
            if (_children.TryGetValue((state, token), out var child))
            {
                change += _nodes[child].Value - _nodes[state].Value;
                return child;
            }

            if (state <= Start)
            {
                return Root;
            }

            state = Break(state, Continues(token), ref change);
        }
    }

    /// <summary>What a text gains when it ends in a state: nothing, or less than nothing where a phrase is not complete.</summary>
    public double End(int state) => Leave(state, wordGoesOn: false);

    /// <summary>What a whole text gains.</summary>
    /// <param name="tokens">Its tokens, special ones included.</param>
    public double ScoreOf(ReadOnlySpan<int> tokens)
    {
        var (state, score) = (Start, 0.0);
        foreach (var token in tokens)
        {
            state = Next(state, token, out var change);
            score += change;
        }

        return score + End(state);
    }

    /// <summary>Adds to the scores of the next token what each would gain.</summary>
    /// <param name="state">Where the text stands.</param>
    /// <param name="scores"><c>[vocabulary]</c>, logits or log-probabilities; changed in place.</param>
    /// <param name="tokenNats">Tokens of a phrase that are less likely than the best by more than this are masked.</param>
    public void Adjust(int state, Span<float> scores, double tokenNats)
    {
        var floor = TensorPrimitives.Max<float>(scores) - tokenNats;

        // What goes on with a phrase, this one or one that its end would begin, is looked up token by token; the rest changes alike.
        var special = new List<(int Token, float Score)>();
        var reached = new List<int> { state };
        for (var i = 0; i < reached.Count; i++)
        {
            foreach (var token in _nodes[reached[i]].Tokens)
            {
                var next = Next(state, token, out var change);
                special.Add((token, next > Start && scores[token] < floor ? float.NegativeInfinity : scores[token] + (float)change));
            }

            if (reached[i] > Start)
            {
                reached.Add(_nodes[reached[i]].WhenEnded.Next);
                reached.Add(_nodes[reached[i]].WhenGoingOn.Next);
            }
        }

        if (state > Start)
        {
            var (ended, goesOn) = (Leave(state, wordGoesOn: false), Leave(state, wordGoesOn: true));
            if (ended != goesOn)
            {
                foreach (var token in _continuations)
                {
                    if (token >= scores.Length)
                    {
                        break;
                    }

                    scores[token] += (float)(goesOn - ended);
                }
            }

            TensorPrimitives.Add(scores, (float)ended, scores);
        }

        foreach (var (token, score) in special)
        {
            scores[token] = score;
        }
    }

    /// <summary>What leaving all phrases changes.</summary>
    private double Leave(int state, bool wordGoesOn)
    {
        var change = 0.0;
        while (state > Start)
        {
            state = Break(state, wordGoesOn, ref change);
        }

        return change;
    }

    /// <summary>Breaks a phrase off and goes on with what is left of it.</summary>
    private int Break(int state, bool wordGoesOn, ref double change)
    {
        var node = _nodes[state];
        var (kept, next) = wordGoesOn ? node.WhenGoingOn : node.WhenEnded;
        change += kept + _nodes[next].Value - node.Value;
        return next;
    }

    private void Add(int root, int[] tokens)
    {
        var state = root;
        foreach (var token in tokens)
        {
            if (!_children.TryGetValue((state, token), out var child))
            {
                child = _nodes.Count;
                _nodes.Add(new Node(state, token, _nodes[state].Depth + 1));
                _nodes[state].Tokens.Add(token);
                _children.Add((state, token), child);
            }

            state = child;
        }

        _nodes[state].IsTerminal = true;
    }

    /// <summary>What of a state's tokens is kept when they do not go on as its phrase, and where the text stands then.</summary>
    private (double Kept, int Next) FindBreak(int state, double tokenWeight, bool wordGoesOn)
    {
        var origin = state;
        var path = new int[_nodes[state].Depth];
        while (_nodes[origin].Depth > 0)
        {
            path[_nodes[origin].Depth - 1] = _nodes[origin].Token;
            origin = _nodes[origin].Parent;
        }

        var kept = 0;
        for (var from = 0; from < path.Length;)
        {
            var (at, complete) = (from == 0 ? origin : Root, 0);
            var to = from;
            while (to < path.Length && _children.TryGetValue((at, path[to]), out var child))
            {
                at = child;
                to++;
                if (_nodes[at].IsTerminal && !(to < path.Length ? Continues(path[to]) : wordGoesOn))
                {
                    complete = to - from;
                }
            }

            // A phrase that reaches up to here may still become a longer one.
            if (from > 0 && to == path.Length)
            {
                return (tokenWeight * kept, at);
            }

            kept += complete;
            from += Math.Max(1, complete);
        }

        return (tokenWeight * kept, Root);
    }

    private sealed class Node(int parent, int token, int depth)
    {
        public int Parent => parent;

        public int Token => token;

        public int Depth => depth;

        public List<int> Tokens { get; } = [];

        public bool IsTerminal { get; set; }

        /// <summary>Tokens of the longest phrase that goes through it.</summary>
        public int Longest { get; set; }

        /// <summary>What is lent up to it.</summary>
        public double Value { get; set; }

        /// <summary>What is kept, and the state, when its last word ends and no token of it follows.</summary>
        public (double Kept, int Next) WhenEnded { get; set; }

        /// <summary>As <see cref="WhenEnded"/>, when its last word goes on.</summary>
        public (double Kept, int Next) WhenGoingOn { get; set; }
    }
}
