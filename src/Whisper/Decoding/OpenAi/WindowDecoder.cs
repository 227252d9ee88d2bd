using System.Numerics.Tensors;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Whisper.Decoding.Biasing;
using AsrPlatform.Whisper.Decoding.Rules;
using AsrPlatform.Whisper.Text;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Decoding.OpenAi;

/// <summary>Decodes one window of audio after the other, as OpenAI's <c>DecodingTask</c> does.</summary>
/// <remarks>
/// The prompt is fed once per window: retries at another temperature, and the second decoding where a preferred phrase may have been said,
/// take the cache back to its end. Buffers are made once; a decoding step without preferred phrases allocates nothing here.
/// </remarks>
internal sealed class WindowDecoder : IDisposable
{
    private readonly ISeq2SeqModel _model;
    private readonly WhisperTokenizer _tokenizer;
    private readonly WindowDecoderOptions _options;
    private readonly int _vocabulary;
    private readonly float[] _logits; // [row, vocabulary]
    private readonly float[] _firstLogits; // [vocabulary], after the prompt
    private readonly BeamSearch? _beamSearch;
    private readonly int[][] _sampled; // [candidate][token]
    private readonly int[] _lengths;
    private readonly double[] _scores;
    private readonly int[] _live; // candidate of each row
    private readonly int[] _kept;
    private readonly int[] _feed;
    private IDecoderCache? _cache;
    private int _promptLength;
    private double _noSpeechProbability;

    public WindowDecoder(ISeq2SeqModel model, WhisperTokenizer tokenizer, WindowDecoderOptions options)
    {
        _model = model;
        _tokenizer = tokenizer;
        _options = options;
        _vocabulary = model.Info.VocabularySize;
        _logits = new float[options.MaxRows * _vocabulary];
        _firstLogits = new float[_vocabulary];
        _beamSearch = options.BeamSize is { } beams
            ? new BeamSearch(beams, options.Patience, tokenizer.EndOfText, options.MaxNewTokens, _vocabulary)
            : null;
        _sampled = [.. Enumerable.Range(0, options.BestOf).Select(_ => new int[options.MaxNewTokens])];
        _lengths = new int[options.BestOf];
        _scores = new double[options.BestOf];
        _live = new int[options.BestOf];
        _kept = new int[options.MaxRows];
        _feed = new int[options.MaxRows];
    }

    /// <summary>Starts a window.</summary>
    /// <param name="states">Its encoder states, one row; must live until the next window starts.</param>
    /// <param name="previous">Tokens of the text before; their end is used, as far as half of the decoder's positions allows.</param>
    public void Begin(IEncoderStates states, ReadOnlySpan<int> previous)
    {
        End();
        var positions = _model.Info.MaxTargetPositions;
        var kept = previous[^Math.Min(previous.Length, positions / 2 - 1)..];
        int[] prompt = kept.IsEmpty ? _options.StartSequence : [_tokenizer.StartOfPrevious, .. kept, .. _options.StartSequence];
        _promptLength = prompt.Length;
        _cache = _model.CreateCache(states, [0], new DecoderCacheOptions
        {
            Capacity = Math.Min(positions, prompt.Length + _options.MaxNewTokens),
            MaxRows = _options.MaxRows,
        });

        // Up to the start of the transcript first: the no-speech token is expected there.
        var start = prompt.Length - _options.StartSequence.Length + 1;
        _model.Decode(_cache, prompt.AsSpan(0, start), [], LogitPositions.Last, _firstLogits, []);
        _noSpeechProbability = Math.Exp(LogProbabilities.OfToken(_firstLogits, _tokenizer.NoSpeech));
        if (start < prompt.Length)
        {
            _model.Decode(_cache, prompt.AsSpan(start), [], LogitPositions.Last, _firstLogits, []);
        }
    }

    /// <summary>Decodes the window.</summary>
    /// <param name="temperature">0 for greedy or beam search, above for sampling.</param>
    /// <param name="random">Source of sampling.</param>
    /// <param name="cancellationToken">Stops between two steps.</param>
    public WindowResult Decode(double temperature, Random random, CancellationToken cancellationToken)
    {
        var heard = Search(temperature, random, [], cancellationToken);
        var best = temperature == 0 && _options.Bias is { } bias
            ? bias.Choose(heard, separately: _beamSearch is null, spots => Search(temperature, random, spots, cancellationToken))
            : heard;
        return new WindowResult(
            best.Tokens,
            best.LogProbability / (best.Tokens.Length + 1),
            _noSpeechProbability,
            CompressionRatio.OfText(_tokenizer.Decode(best.Tokens).Trim()),
            temperature)
        {
            HeardLogProbability = heard.LogProbability / (heard.Tokens.Length + 1),
        };
    }

    /// <summary>Ends the window and frees its cache.</summary>
    public void End()
    {
        _cache?.Dispose();
        _cache = null;
    }

    /// <inheritdoc />
    public void Dispose() => End();

    /// <summary>The best hypothesis, with the phrases at spots preferred.</summary>
    private BiasHypothesis Search(double temperature, Random random, IReadOnlyList<PhraseSpot> spots, CancellationToken cancellationToken)
    {
        var candidates = temperature == 0 && _beamSearch is not null
            ? SearchBeams(_beamSearch, spots, cancellationToken)
            : SampleRows(temperature, random, spots, cancellationToken);
        var best = Candidate.Best(candidates, _options.LengthPenalty);
        return new BiasHypothesis(best.Tokens, best.Score);
    }

    private IReadOnlyList<Candidate> SearchBeams(BeamSearch search, IReadOnlyList<PhraseSpot> spots, CancellationToken cancellationToken)
    {
        search.Begin(spots.Count > 0 ? _options.Bias!.TrieOf(spots) : null, _options.Bias?.TokenNats ?? 0);
        Rewind(1);
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            for (var row = 0; row < search.Rows; row++)
            {
                var logits = Row(row);
                Filter(logits, search.Tokens(row));
                search.Extend(row, logits);
            }

            search.Advance();
            if (search.Completed || IsFull(search.Length))
            {
                return search.Finish();
            }

            _cache!.Reorder(search.Sources);
            Step(search.Newest);
        }
    }

    private Candidate[] SampleRows(double temperature, Random random, IReadOnlyList<PhraseSpot> spots, CancellationToken cancellationToken)
    {
        var biased = spots.Count > 0 ? new BiasedRow(_options.Bias!, spots) : null;
        var candidates = temperature == 0 ? 1 : _options.BestOf;
        for (var candidate = 0; candidate < candidates; candidate++)
        {
            (_lengths[candidate], _scores[candidate], _live[candidate]) = (0, 0, candidate);
        }

        Rewind(candidates);
        var rows = candidates;
        for (var length = 0; rows > 0;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var kept = 0;
            for (var row = 0; row < rows; row++)
            {
                var candidate = _live[row];
                var logits = Row(row);
                Filter(logits, _sampled[candidate].AsSpan(0, length));
                var token = biased is not null ? biased.Choose(logits, isStart: length == 0 || _sampled[candidate][length - 1] >= _tokenizer.TimestampBegin)
                    : temperature == 0 ? TensorPrimitives.IndexOfMax<float>(logits)
                    : LogProbabilities.Sample(logits, temperature, random.NextDouble());
                _scores[candidate] += LogProbabilities.OfToken(logits, token);
                if (token != _tokenizer.EndOfText)
                {
                    _sampled[candidate][length] = token;
                    _lengths[candidate] = length + 1;
                    (_live[kept], _kept[kept], _feed[kept]) = (candidate, row, token);
                    kept++;
                }
            }

            length++;
            if (kept == 0 || IsFull(length))
            {
                break;
            }

            // Candidates that have ended need no more computing.
            if (kept < rows)
            {
                _cache!.Reorder(_kept.AsSpan(0, kept));
                rows = kept;
            }

            Step(_feed.AsSpan(0, rows));
        }

        return [.. Enumerable.Range(0, candidates).Select(candidate =>
            new Candidate(_sampled[candidate].AsSpan(0, _lengths[candidate]).ToArray(), _scores[candidate]))];
    }

    // Takes the cache back to the end of the prompt, with the given number of equal rows.
    private void Rewind(int rows)
    {
        var cache = _cache ?? throw new InvalidOperationException("No window was begun.");
        cache.Truncate(_promptLength);
        var sources = _kept.AsSpan(0, rows);
        sources.Clear();
        cache.Reorder(sources);
        for (var row = 0; row < rows; row++)
        {
            _firstLogits.CopyTo(Row(row));
        }
    }

    private void Step(ReadOnlySpan<int> tokens) => _model.Decode(_cache!, tokens, [], LogitPositions.Last, _logits, []);

    private Span<float> Row(int row) => _logits.AsSpan(row * _vocabulary, _vocabulary);

    // Whether no more tokens may be sampled, or the decoder has no position left to read the newest one.
    private bool IsFull(int sampled) => sampled >= _options.MaxNewTokens || _promptLength + sampled > _model.Info.MaxTargetPositions;

    private void Filter(Span<float> logits, ReadOnlySpan<int> sampled)
    {
        if (sampled.IsEmpty)
        {
            TokenSuppression.Apply(logits, _options.SuppressedFirst);
        }

        TokenSuppression.Apply(logits, _options.Suppressed);
        _options.Timestamps?.Apply(logits, sampled);
    }
}
