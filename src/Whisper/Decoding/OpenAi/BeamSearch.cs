using AsrPlatform.Whisper.Decoding.Biasing;
using AsrPlatform.Whisper.Decoding.Rules;

namespace AsrPlatform.Whisper.Decoding.OpenAi;

/// <summary>The bookkeeping of a beam search over one window, by the rules of OpenAI's <c>BeamSearchDecoder</c>.</summary>
/// <remarks>
/// A hypothesis that ends leaves the beam, and the search goes on with as many others until enough have ended; it does not stop because
/// none can still win. With preferred phrases hypotheses rank by their score and what the phrases in them are worth (shallow fusion). The
/// buffers are made once, for all windows.
/// </remarks>
internal sealed class BeamSearch
{
    private readonly int _beams;
    private readonly int _endOfText;
    private readonly int _wanted;
    private readonly int[] _top;
    private readonly Extension[] _extensions;
    private readonly int[] _sources;
    private readonly int[] _newest;
    private readonly List<Candidate> _ended = [];
    private readonly float[] _adjusted;
    private PhraseTrie? _phrases;
    private double _phraseNats;
    private int[][] _tokens;
    private int[][] _nextTokens;
    private double[] _scores;
    private double[] _nextScores;
    private double[] _gains;
    private double[] _nextGains;
    private int[] _states; // in the trie of phrases
    private int[] _nextStates;
    private int _extensionCount;

    /// <summary>Creates a search that serves one window after the other.</summary>
    /// <param name="beams">Hypotheses kept at each step.</param>
    /// <param name="patience">Ended hypotheses that stop the search, as a multiple of the beams.</param>
    /// <param name="endOfText">Id of the end token.</param>
    /// <param name="maxTokens">Most tokens of a hypothesis.</param>
    /// <param name="vocabulary">Number of token ids.</param>
    public BeamSearch(int beams, double patience, int endOfText, int maxTokens, int vocabulary)
    {
        _beams = beams;
        _endOfText = endOfText;
        _wanted = Math.Max(1, (int)Math.Round(beams * patience));

        // One more than the beams: one of them may be the end.
        _top = new int[Math.Min(beams + 1, vocabulary)];
        _extensions = new Extension[beams * _top.Length];
        _sources = new int[beams];
        _newest = new int[beams];
        _scores = new double[beams];
        _nextScores = new double[beams];
        _gains = new double[beams];
        _nextGains = new double[beams];
        _states = new int[beams];
        _nextStates = new int[beams];
        _adjusted = new float[vocabulary];
        _tokens = [.. Enumerable.Range(0, beams).Select(_ => new int[maxTokens])];
        _nextTokens = [.. Enumerable.Range(0, beams).Select(_ => new int[maxTokens])];
    }

    /// <summary>Hypotheses in the beam; one, the empty one, at first.</summary>
    public int Rows { get; private set; }

    /// <summary>Tokens of each hypothesis in the beam.</summary>
    public int Length { get; private set; }

    /// <summary>Whether the search is over: enough hypotheses have ended, or none is left.</summary>
    public bool Completed => _ended.Count >= _wanted || Rows == 0;

    /// <summary>For each hypothesis in the beam, the row that it continues.</summary>
    public ReadOnlySpan<int> Sources => _sources.AsSpan(0, Rows);

    /// <summary>For each hypothesis in the beam, its newest token.</summary>
    public ReadOnlySpan<int> Newest => _newest.AsSpan(0, Rows);

    /// <summary>Starts anew.</summary>
    /// <param name="phrases">Phrases that are preferred; null for none.</param>
    /// <param name="phraseNats">Their acoustic gate: <see cref="BiasSettings.TokenNats"/>.</param>
    public void Begin(PhraseTrie? phrases = null, double phraseNats = 0)
    {
        (_phrases, _phraseNats) = (phrases, phraseNats);
        _ended.Clear();
        (_scores[0], _gains[0], _states[0]) = (0, 0, PhraseTrie.Start);
        (Rows, Length, _extensionCount) = (1, 0, 0);
    }

    /// <summary>The tokens of a hypothesis in the beam.</summary>
    public ReadOnlySpan<int> Tokens(int row) => _tokens[row].AsSpan(0, Length);

    /// <summary>Considers the best continuations of a hypothesis.</summary>
    /// <param name="row">The hypothesis.</param>
    /// <param name="logits"><c>[vocabulary]</c>, tokens that may not follow masked.</param>
    public void Extend(int row, ReadOnlySpan<float> logits)
    {
        var normaliser = LogProbabilities.LogSumExp(logits);
        var ranked = logits;
        if (_phrases is not null)
        {
            logits.CopyTo(_adjusted);
            _phrases.Adjust(_states[row], _adjusted, _phraseNats);
            ranked = _adjusted;
        }

        TopTokens.Find(ranked, _top);
        foreach (var token in _top)
        {
            if (!float.IsNegativeInfinity(ranked[token]))
            {
                var score = _scores[row] + (logits[token] - normaliser);
                var (gain, state) = (0.0, PhraseTrie.Start);
                if (_phrases is not null)
                {
                    state = _phrases.Next(_states[row], token, out gain);
                    gain += _gains[row];
                }

                _extensions[_extensionCount] = new Extension(score, row, token, _extensionCount, gain, state);
                _extensionCount++;
            }
        }
    }

    /// <summary>Makes the best continuations the new beam, once every hypothesis was extended.</summary>
    public void Advance()
    {
        var ranked = _extensions.AsSpan(0, _extensionCount);
        ranked.Sort(static (left, right) =>
            left.Rank != right.Rank ? right.Rank.CompareTo(left.Rank) : left.Order.CompareTo(right.Order));
        var rows = 0;
        foreach (var extension in ranked)
        {
            if (rows == _beams)
            {
                break;
            }

            if (extension.Token == _endOfText)
            {
                if (_ended.Count < _wanted)
                {
                    _ended.Add(new Candidate(Tokens(extension.Row).ToArray(), extension.Score, extension.Gain));
                }

                continue;
            }

            Tokens(extension.Row).CopyTo(_nextTokens[rows]);
            _nextTokens[rows][Length] = extension.Token;
            (_nextScores[rows], _sources[rows], _newest[rows]) = (extension.Score, extension.Row, extension.Token);
            (_nextGains[rows], _nextStates[rows]) = (extension.Gain, extension.State);
            rows++;
        }

        (_tokens, _nextTokens) = (_nextTokens, _tokens);
        (_scores, _nextScores) = (_nextScores, _scores);
        (_gains, _nextGains) = (_nextGains, _gains);
        (_states, _nextStates) = (_nextStates, _states);
        (Rows, Length, _extensionCount) = (rows, Length + 1, 0);
    }

    /// <summary>The hypotheses to choose from: those that ended, filled up to the number of beams with the best of those that did not.</summary>
    public IReadOnlyList<Candidate> Finish()
    {
        var open = Enumerable.Range(0, Rows).Select(row => new Candidate(Tokens(row).ToArray(), _scores[row], _gains[row] + (_phrases?.End(_states[row]) ?? 0)));
        return [.. _ended, .. open.OrderByDescending(candidate => candidate.Score + candidate.Gain).Take(Math.Max(0, _beams - _ended.Count))];
    }

    private readonly record struct Extension(double Score, int Row, int Token, int Order, double Gain, int State)
    {
        public double Rank => Score + Gain;
    }
}
