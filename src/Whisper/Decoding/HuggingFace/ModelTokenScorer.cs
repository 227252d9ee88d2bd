using AsrPlatform.Abstractions.Models;
using AsrPlatform.Whisper.Decoding.Rules;

namespace AsrPlatform.Whisper.Decoding.HuggingFace;

/// <summary>Scores tokens with a model: each sequence has its prefix and its row of encoder states.</summary>
/// <remarks>Keeps its buffers from window to window. Belongs to the model's thread.</remarks>
internal sealed class ModelTokenScorer(ISeq2SeqModel model) : ITokenScorer, IDisposable
{
    private readonly List<int[]> _prefixes = [];
    private IDecoderCache? _cache;
    private float[] _logits = []; // [row, vocabulary]
    private int[] _tokens = [];
    private int[] _counts = [];
    private int? _noSpeechToken;
    private int _startLength;

    public int VocabularySize => model.Info.VocabularySize;

    /// <summary>
    /// Probability of the no-speech token after the start of each transcript, filled by <see cref="Start"/> when it was asked for.
    /// </summary>
    public double[] NoSpeechProbabilities { get; private set; } = [];

    /// <summary>Prepares a search.</summary>
    /// <param name="states">Encoder states; must live until the search ends.</param>
    /// <param name="sources">The encoder row of each sequence.</param>
    /// <param name="prefixes">The tokens that each sequence begins with; they may differ in length.</param>
    /// <param name="startLength">Tokens at the end of each prefix from the start of the transcript on.</param>
    /// <param name="maxNewTokens">Most tokens that the search generates.</param>
    /// <param name="beams">Rows per sequence.</param>
    /// <param name="noSpeechToken">The token whose probability at the start is wanted, or null.</param>
    public void Begin(
        IEncoderStates states,
        ReadOnlySpan<int> sources,
        IEnumerable<int[]> prefixes,
        int startLength,
        int maxNewTokens,
        int beams,
        int? noSpeechToken)
    {
        End();
        _prefixes.Clear();
        _prefixes.AddRange(prefixes);
        _startLength = startLength;
        _noSpeechToken = noSpeechToken;
        var rows = sources.Length * beams;
        Grow(ref _logits, rows * VocabularySize);
        _cache = model.CreateCache(states, sources, new DecoderCacheOptions
        {
            // The last generated token is never fed.
            Capacity = Math.Min(model.Info.MaxTargetPositions, _prefixes.Max(prefix => prefix.Length) + maxNewTokens - 1),
            MaxRows = rows,
        });
    }

    /// <inheritdoc />
    public Span<float> Start()
    {
        if (_noSpeechToken is not { } token)
        {
            return Feed(_ => 0, prefix => prefix);
        }

        // Up to the start of the transcript first: the no-speech token is expected there.
        var logits = Feed(_ => 0, prefix => prefix - _startLength + 1);
        NoSpeechProbabilities = new double[_prefixes.Count];
        for (var row = 0; row < _prefixes.Count; row++)
        {
            NoSpeechProbabilities[row] = Math.Exp(LogProbabilities.OfToken(logits.Slice(row * VocabularySize, VocabularySize), token));
        }

        return _startLength == 1 ? logits : Feed(prefix => prefix - _startLength + 1, prefix => prefix);
    }

    /// <inheritdoc />
    public Span<float> Next(ReadOnlySpan<int> parents, ReadOnlySpan<int> tokens)
    {
        var cache = _cache ?? throw new InvalidOperationException("No search was begun.");
        if (!IsIdentity(parents, cache.Rows))
        {
            cache.Reorder(parents);
        }

        var logits = _logits.AsSpan(0, parents.Length * VocabularySize);
        model.Decode(cache, tokens, [], LogitPositions.Last, logits, []);
        return logits;
    }

    /// <summary>Ends the search and frees its cache.</summary>
    public void End()
    {
        _cache?.Dispose();
        _cache = null;
    }

    /// <inheritdoc />
    public void Dispose() => End();

    private static bool IsIdentity(ReadOnlySpan<int> parents, int rows)
    {
        if (parents.Length != rows)
        {
            return false;
        }

        for (var i = 0; i < rows; i++)
        {
            if (parents[i] != i)
            {
                return false;
            }
        }

        return true;
    }

    private static void Grow<T>(ref T[] buffer, int length)
    {
        if (buffer.Length < length)
        {
            buffer = new T[length];
        }
    }

    // Feeds a part of every prefix, said by its length.
    private Span<float> Feed(Func<int, int> from, Func<int, int> to)
    {
        var cache = _cache ?? throw new InvalidOperationException("No search was begun.");
        var rows = _prefixes.Count;
        var width = _prefixes.Max(prefix => to(prefix.Length) - from(prefix.Length));
        Grow(ref _tokens, rows * width);
        Grow(ref _counts, rows);
        var ragged = false;
        for (var row = 0; row < rows; row++)
        {
            var prefix = _prefixes[row];
            var part = prefix.AsSpan(from(prefix.Length)..to(prefix.Length));
            part.CopyTo(_tokens.AsSpan(row * width));
            _tokens.AsSpan((row * width) + part.Length, width - part.Length).Fill(prefix[^1]);
            _counts[row] = part.Length;
            ragged |= part.Length < width;
        }

        var logits = _logits.AsSpan(0, rows * VocabularySize);
        model.Decode(cache, _tokens.AsSpan(0, rows * width), ragged ? _counts.AsSpan(0, rows) : [], LogitPositions.Last, logits, []);
        return logits;
    }
}
