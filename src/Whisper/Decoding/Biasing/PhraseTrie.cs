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
/// phrase (the failure links of Aho and Corasick); of phrases that begin alike the longest that is there counts, and none overlap. States
/// are numbers; the trie is immutable and safe for concurrent calls.
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
            var parent = _nodes[node.Parent];
            parent.Longest = Math.Max(parent.Longest, node.Longest);
        }

        for (var state = Start + 1; state < _nodes.Count; state++)
        {
            var node = _nodes[state];
            var parent = _nodes[node.Parent];
            node.Banked = parent.IsTerminal && !Continues(node.Token) ? parent.Depth : parent.Banked;
            node.Value = tokenWeight * (pushed ? node.Longest : node.Depth);
            node.BankedValue = tokenWeight * node.Banked;
            node.CompleteValue = tokenWeight * node.Depth;
            node.Failure = FindFailure(state);
        }
    }

    /// <summary>Whether a state is the end of a phrase.</summary>
    public bool IsComplete(int state) => _nodes[state].IsTerminal;

    /// <summary>Tokens of the phrase up to a state; 0 outside of phrases.</summary>
    public int DepthOf(int state) => _nodes[state].Depth;

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
            var node = _nodes[state];
            if (_children.TryGetValue((state, token), out var child))
            {
                change += _nodes[child].Value - node.Value;
                return child;
            }

            if (state <= Start)
            {
                return Root;
            }

            var isBanked = node.IsTerminal && !Continues(token);
            state = isBanked ? Root : node.Failure;
            change += (isBanked ? node.CompleteValue : node.BankedValue) + _nodes[state].Value - node.Value;
        }
    }

    /// <summary>What a text gains when it ends in a state: nothing, or less than nothing where a phrase is not complete.</summary>
    public double End(int state)
    {
        var change = 0.0;
        while (state > Start)
        {
            var node = _nodes[state];
            if (node.IsTerminal)
            {
                return change + node.CompleteValue - node.Value;
            }

            state = node.Failure;
            change += node.BankedValue + _nodes[state].Value - node.Value;
        }

        return change;
    }

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
        for (var from = state; ; from = _nodes[from].Failure)
        {
            Collect(from, scores);
            if (from <= Start)
            {
                break;
            }
        }

        if (state > Start)
        {
            Collect(Root, scores);
            var text = scores[..Math.Min(scores.Length, _tokenizer.EndOfText)];
            var node = _nodes[state];
            var (ended, goesOn) = (Leave(state, continues: false), Leave(state, continues: true));
            var atEnd = (float)End(state);
            if (ended != goesOn)
            {
                foreach (var token in _continuations)
                {
                    scores[token] += (float)(goesOn - ended);
                }
            }

            TensorPrimitives.Add(text, (float)ended, text);
            TensorPrimitives.Add(scores[text.Length..], atEnd, scores[text.Length..]);
        }

        foreach (var (token, score) in special)
        {
            scores[token] = score;
        }

        void Collect(int from, Span<float> scores)
        {
            foreach (var token in _nodes[from].Tokens)
            {
                var next = Next(state, token, out var change);
                special.Add((token, next > Start && scores[token] < floor ? float.NegativeInfinity : scores[token] + (float)change));
            }
        }
    }

    /// <summary>What leaving a state costs with a token that begins no phrase.</summary>
    private double Leave(int state, bool continues)
    {
        var change = 0.0;
        while (state > Start)
        {
            var node = _nodes[state];
            var isBanked = node.IsTerminal && !continues;
            state = isBanked ? Root : node.Failure;
            change += (isBanked ? node.CompleteValue : node.BankedValue) + _nodes[state].Value - node.Value;
        }

        return change;
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

    /// <summary>The longest end of a state's tokens, behind what is complete among them, that begins a phrase.</summary>
    private int FindFailure(int state)
    {
        var node = _nodes[state];
        var path = new int[node.Depth];
        for (var at = node; at.Depth > 0; at = _nodes[at.Parent])
        {
            path[at.Depth - 1] = at.Token;
        }

        for (var from = Math.Max(1, node.Banked); from < path.Length; from++)
        {
            var found = Root;
            for (var i = from; i < path.Length && found >= 0; i++)
            {
                found = _children.TryGetValue((found, path[i]), out var child) ? child : -1;
            }

            if (found > Start)
            {
                return found;
            }
        }

        return Root;
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

        /// <summary>Tokens at its beginning that are a complete phrase, whatever follows.</summary>
        public int Banked { get; set; }

        public int Failure { get; set; }

        /// <summary>What is lent and kept up to it.</summary>
        public double Value { get; set; }

        public double BankedValue { get; set; }

        /// <summary>What is kept when it is the end of a phrase.</summary>
        public double CompleteValue { get; set; }
    }
}
