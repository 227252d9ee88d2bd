using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Text;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Whisper.Alignment;
using AsrPlatform.Whisper.Decoding;
using AsrPlatform.Whisper.Decoding.Biasing;
using AsrPlatform.Whisper.Decoding.OpenAi;
using AsrPlatform.Whisper.Decoding.Rules;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Streaming;

/// <summary>Decodes windows of several streams in one batch: encoder, prompt and every decoder step of all of them together.</summary>
/// <remarks>
/// Greedy, without timestamps; the times of words come from cross-attention, which every step gives anyway. The end of the text is
/// allowed from the first step on, so that silence gives no words. Windows that sound like a phrase that is preferred in them are decoded
/// a second time, from the same encoder states; others are not. Belongs to the model's thread; its buffers grow to what was needed most.
/// </remarks>
public sealed class StreamingDecoder
{
    /// <summary>Heads followed where those that follow the audio are not known.</summary>
    private const int MostUnknownHeads = 8;

    /// <summary>Room that the text after the forced tokens has at least.</summary>
    private const int LeastNewTokens = 16;

    private readonly WhisperDecoderInput _input;
    private readonly StreamingOptions _options;
    private readonly Func<string?, (string Name, int Number)>? _adapters;
    private readonly WhisperTokenizer _tokenizer;
    private readonly AttentionHead[] _heads;
    private readonly int _vocabulary;
    private readonly bool _shortContext;
    private readonly int[] _continuations;
    private readonly ConditionalWeakTable<PhraseBias, StrongBox<ContextBias?>> _biases = [];
    private float[] _features = [];
    private float[] _logits = [];
    private float[] _attention = [];

    /// <summary>Makes a decoder.</summary>
    /// <param name="input">The checkpoint's parts; stay the caller's.</param>
    /// <param name="options">How.</param>
    /// <param name="adapters">The version and number of the adapter that a pass names; null: the model's active one for all.</param>
    public StreamingDecoder(WhisperDecoderInput input, StreamingOptions options, Func<string?, (string Name, int Number)>? adapters = null)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(options);
        _input = input;
        _options = options;
        _adapters = adapters;
        _tokenizer = input.Tokenizer;
        _vocabulary = input.Model.Info.VocabularySize;
        _shortContext = options.ShortContext ?? input.Generation.HasDynamicContext;
        UsesPreviousText = options.ConditionOnPreviousText ?? input.Generation.ConditionsOnPreviousText;
        HasAlignmentHeads = input.Generation.AlignmentHeads.Count > 0 && input.Model.Info.SupportsAlignment;
        _heads = HasAlignmentHeads ? [.. input.Generation.AlignmentHeads]
            : input.Model.Info.SupportsAlignment ? Some(WordAligner.UpperHalf(input.Model.Info))
            : [];
        _continuations = [.. _tokenizer.WordContinuations];
    }

    /// <summary>Whether the heads that follow the audio are known: without them times are rough, and AlignAtt has nothing to go by.</summary>
    public bool HasAlignmentHeads { get; }

    /// <summary>Whether <see cref="StreamPass.Previous"/> is used.</summary>
    public bool UsesPreviousText { get; }

    /// <summary>Longest window.</summary>
    public double MaximumSeconds => _input.Model.Info.MaxSourcePositions / _input.PositionsPerSecond;

    /// <summary>Most tokens of <see cref="StreamPass.Forced"/> that leave room for more; further ones give no words.</summary>
    public int MaximumForced => Math.Max(1, (_input.Model.Info.MaxTargetPositions / 2) - LeastNewTokens);

    /// <summary>Frames that a window of so many samples is encoded with: those of equal ones share a batch.</summary>
    public int FramesOf(int samples) => _input.ContextFrames(samples, _options.ContextStepSeconds, _shortContext);

    /// <summary>Decodes windows; those of the same <see cref="FramesOf"/> together.</summary>
    /// <param name="passes">The windows.</param>
    /// <param name="cancellationToken">Stops between two decoder steps.</param>
    /// <returns>What each pass heard, in their order. It does not depend on what else is in the batch.</returns>
    /// <exception cref="AsrException">An adapter does not exist.</exception>
    public IReadOnlyList<StreamHypothesis> Decode(IReadOnlyList<StreamPass> passes, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(passes);
        var rows = passes.Select(NewRow).ToArray();

        // Equal adapters side by side are fastest.
        foreach (var group in rows.GroupBy(row => FramesOf(row.Pass.Samples.Length)))
        {
            DecodeTogether([.. group.OrderBy(row => row.Adapter)], group.Key, cancellationToken);
        }

        return [.. rows.Select(Hypothesis)];
    }

    private Row NewRow(StreamPass pass)
    {
        var most = (int)(MaximumSeconds * _input.Features.SampleRateHz);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(pass.Samples.Length, most, nameof(pass));
        var (name, number) = _adapters?.Invoke(pass.Adapter) ?? ("base", IMultiAdapterModel.NoAdapter);
        var positions = _input.Model.Info.MaxTargetPositions;
        var prompt = pass.Prompt is { Length: > 0 } text ? _tokenizer.EncodePrompt(text)[1..] : [];
        var said = UsesPreviousText ? pass.Previous : [];

        // The prompt stays as it is; of what was said before, the newest fits beside it.
        prompt = [.. prompt.TakeLast(positions / 4)];
        int[] previous = [.. prompt, .. said.TakeLast((positions / 4) - prompt.Length)];
        return new Row
        {
            Pass = pass,
            Bias = pass.Bias is { } phrases ? _biases.GetValue(phrases, key => new StrongBox<ContextBias?>(ContextBias.Of(key, _tokenizer, _options.Bias))).Value : null,
            AdapterName = name,
            Adapter = number,
            Language = pass.Language,
            Columns = Math.Clamp((int)Math.Round(pass.Samples.Length / (double)_input.Features.SampleRateHz * _input.PositionsPerSecond), 1, _input.Model.Info.MaxSourcePositions),
            Opening = previous.Length > 0 ? [_tokenizer.StartOfPrevious, .. previous, _tokenizer.StartOfTranscript] : [_tokenizer.StartOfTranscript],
            MostTokens = HallucinationGuards.MostTokens(pass.Samples.Length / (double)_input.Features.SampleRateHz),
        };
    }

    private void DecodeTogether(Row[] rows, int frames, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using var states = Encode(rows, frames);
        Search(states, rows, [.. Enumerable.Range(0, rows.Length)], cancellationToken);
        Prefer(states, rows, cancellationToken);
    }

    /// <summary>Decodes once more what sounds like phrases that are preferred in it, and keeps the better hypothesis.</summary>
    private void Prefer(IEncoderStates states, Row[] rows, CancellationToken cancellationToken)
    {
        // What has run away, or is silence, is no text to look for words in.
        int[] open = [.. Enumerable.Range(0, rows.Length).Where(i => rows[i] is { Bias: not null, End: StreamEnd.EndOfText } row && !IsSilent(row))];
        for (var round = 0; round < ContextBias.MostRounds && open.Length > 0; round++)
        {
            var tries = open
                .SelectMany(source => rows[source].Bias!.Candidates(rows[source].Tokens, separately: true)
                    .Select(spots => (Source: source, Row: rows[source].Again(new BiasedRow(rows[source].Bias!, spots)))))
                .ToArray();
            if (tries.Length == 0)
            {
                return;
            }

            Search(states, Array.ConvertAll(tries, one => one.Row), Array.ConvertAll(tries, one => one.Source), cancellationToken);
            var better = new HashSet<int>();
            foreach (var (source, row) in tries)
            {
                if (row.End == StreamEnd.EndOfText && row.Bias!.Prefers(row.Heard, rows[source].Heard))
                {
                    rows[source].Take(row);
                    better.Add(source);
                }
            }

            // There may be another phrase in another place.
            open = [.. better.Order()];
        }
    }

    /// <summary>Decodes rows of encoder states greedily.</summary>
    private void Search(IEncoderStates states, Row[] rows, int[] sources, CancellationToken cancellationToken)
    {
        var positions = _input.Model.Info.MaxTargetPositions;
        using var cache = _input.Model.CreateCache(states, sources, new DecoderCacheOptions
        {
            Capacity = Math.Min(positions, rows.Max(row => row.Opening.Length + 4 + row.Pass.Forced.Count + row.MostTokens)),
            MaxRows = rows.Length,
            AlignmentHeads = _heads,
        });

        // Up to the start of the transcript first: there the model expects the language, and whether anybody speaks.
        Feed(cache, rows, row => row.Opening, states.Positions, attentionFrom: row => row.Opening.Length - 1);
        for (var i = 0; i < rows.Length; i++)
        {
            var logits = Logits(i);
            rows[i].NoSpeechProbability = Math.Exp(LogProbabilities.OfToken(logits, _tokenizer.NoSpeech));
            rows[i].Language ??= LanguageOf(logits);
            var options = WindowDecoderOptions.Create(
                _input, new TranscriptionOptions { WithoutTimestamps = true, Task = rows[i].Pass.Task }, rows[i].Language);
            rows[i].Start = options.StartSequence;
            rows[i].Suppressed = options.Suppressed;
            rows[i].SuppressedFirst = [.. options.SuppressedFirst.Where(token => token != _tokenizer.EndOfText)];
        }

        // What is committed already is as long as the decoder can hold: the caller has to move the window on.
        var live = rows.Where(row => row.Opening.Length + row.Start.Length - 1 + row.Pass.Forced.Count + LeastNewTokens <= cache.Capacity).ToArray();
        foreach (var row in rows.Except(live))
        {
            row.End = StreamEnd.TooLong;
        }

        if (live.Length == 0)
        {
            return;
        }

        if (live.Length < rows.Length)
        {
            cache.Reorder([.. live.Select(row => Array.IndexOf(rows, row))]);
        }

        Feed(cache, live, row => [.. row.Start.AsSpan(1), .. row.Pass.Forced], states.Positions, attentionFrom: _ => 0);
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            List<int> kept = [];
            for (var i = 0; i < live.Length; i++)
            {
                if (Choose(live[i], Logits(i), cache.Capacity - cache.Length(i)))
                {
                    kept.Add(i);
                }
            }

            if (kept.Count == 0)
            {
                return;
            }

            if (kept.Count < live.Length)
            {
                cache.Reorder([.. kept]);
                live = [.. kept.Select(i => live[i])];
            }

            Feed(cache, live, row => [row.Tokens[^1]], states.Positions, attentionFrom: _ => 0);
        }
    }

    private IEncoderStates Encode(Row[] rows, int frames)
    {
        var size = _input.Features.FeatureSize * frames;
        var features = Buffer(ref _features, rows.Length * size);
        for (var i = 0; i < rows.Length; i++)
        {
            _input.Features.Extract(rows[i].Pass.Samples.Span, frames * _input.Features.HopLength).Values.CopyTo(features[(i * size)..]);
        }

        return _adapters is not null && _input.Model is IMultiAdapterModel model
            ? model.Encode(features, rows.Length, frames, Array.ConvertAll(rows, row => row.Adapter))
            : _input.Model.Encode(features, rows.Length, frames);
    }

    /// <summary>Feeds each row its tokens, leaves the logits of their last, and keeps the attention of those from an index on.</summary>
    private void Feed(IDecoderCache cache, Row[] rows, Func<Row, int[]> tokensOf, int positions, Func<Row, int> attentionFrom)
    {
        var fed = Array.ConvertAll(rows, row => tokensOf(row));
        var width = fed.Max(tokens => tokens.Length);
        var tokens = new int[rows.Length * width];
        var counts = new int[rows.Length];
        for (var i = 0; i < rows.Length; i++)
        {
            fed[i].CopyTo(tokens, i * width);
            counts[i] = fed[i].Length;
        }

        var logits = Buffer(ref _logits, rows.Length * _vocabulary);
        var attention = Buffer(ref _attention, rows.Length * _heads.Length * width * positions);
        _input.Model.Decode(cache, tokens, Array.TrueForAll(counts, count => count == width) ? [] : counts, LogitPositions.Last, logits, attention);
        for (var i = 0; i < rows.Length && _heads.Length > 0; i++)
        {
            var columns = rows[i].Columns;
            for (var token = attentionFrom(rows[i]); token < counts[i]; token++)
            {
                var weights = new float[_heads.Length * columns];
                for (var head = 0; head < _heads.Length; head++)
                {
                    attention.Slice(((((i * _heads.Length) + head) * width) + token) * positions, Math.Min(columns, positions))
                        .CopyTo(weights.AsSpan(head * columns));
                }

                rows[i].Attention.Add(weights);
            }
        }
    }

    /// <summary>Chooses a row's next token; false when its text has ended.</summary>
    private bool Choose(Row row, Span<float> logits, int room)
    {
        var isFirst = row.Tokens.Count == 0;
        if (isFirst && row.Pass.Forced.Count == 0 && TensorPrimitives.IndexOfMax<float>(logits) == _tokenizer.NoSpeech)
        {
            row.End = StreamEnd.NoSpeech;
            return false;
        }

        // Text and the end alone: everything else of the vocabulary lies behind the end.
        var text = logits[..(_tokenizer.EndOfText + 1)];
        var normalizer = LogProbabilities.LogSumExp(text);
        TokenSuppression.Apply(logits, row.Suppressed);
        if (isFirst)
        {
            TokenSuppression.Apply(logits, row.Pass.Forced.Count == 0 ? row.SuppressedFirst : _continuations);
        }

        var token = row.Biased?.Choose(text, isStart: isFirst && row.Pass.Forced.Count == 0) ?? TensorPrimitives.IndexOfMax<float>(text);
        var logProbability = text[token] - normalizer;
        row.LogProbability += logProbability;
        if (token == _tokenizer.EndOfText)
        {
            row.End = StreamEnd.EndOfText;
            return false;
        }

        row.Tokens.Add(token);
        row.Probabilities.Add(Math.Exp(logProbability));
        if (HallucinationGuards.FindRepetition([.. row.Tokens]) is var (keep, period))
        {
            row.Cut(keep);
            row.RepeatedTokens = period;
            row.End = StreamEnd.Repetition;
            return false;
        }

        if (row.Tokens.Count >= row.MostTokens || room < 1)
        {
            row.End = StreamEnd.TooLong;
            row.Cut(row.Tokens.Count - 1);
            return false;
        }

        return true;
    }

    /// <summary>Whether a row's first decoding holds no speech.</summary>
    private bool IsSilent(Row row) =>
        row.Pass.Forced.Count == 0 && row.NoSpeechProbability > _options.NoSpeechThreshold && row.AverageLogProbability < _options.LogProbabilityThreshold;

    private StreamHypothesis Hypothesis(Row row)
    {
        var seconds = row.Pass.Samples.Length / (double)_input.Features.SampleRateHz;
        var silent = !row.IsBiased && IsSilent(row);
        var words = silent ? [] : Words(row, seconds);
        return new StreamHypothesis
        {
            Words = words,
            Seconds = seconds,
            Language = row.Language,
            End = silent ? StreamEnd.NoSpeech : row.End,
            NoSpeechProbability = row.NoSpeechProbability,
            AverageLogProbability = row.AverageLogProbability,
            AdapterVersion = row.AdapterName,
        };
    }

    private List<StreamWord> Words(Row row, double seconds)
    {
        DropIncompleteCharacter(row);
        if (row.Tokens.Count == 0)
        {
            return [];
        }

        var forced = row.Pass.Forced.Count;
        int[] text = [.. row.Pass.Forced, .. row.Tokens];
        double[] probabilities = [.. Enumerable.Repeat(1.0, forced), .. row.Probabilities];
        var (timings, attended) = Align(row, text, probabilities);

        var words = new List<StreamWord>();
        var open = row.Pass.IsFinal || row.Bias is null ? text.Length : forced + row.Bias.FindOpen(row.Tokens);
        var at = 0;
        var spaced = WhisperTokenizer.WritesSpaces(row.Language ?? "en");
        foreach (var timing in timings)
        {
            var end = at + timing.TokenCount;
            if (end > forced)
            {
                // The first new token begins a word, so that none should reach into the forced ones; where one does, the new part counts.
                var from = Math.Max(at, forced);
                var word = new StreamWord(at < forced ? _tokenizer.Decode(text.AsSpan(from, end - from)) : timing.Word, timing.Start, Math.Min(timing.End, seconds), timing.Probability)
                {
                    Tokens = text[from..end],
                    AttendedTo = attended[from..end].Max() / _input.PositionsPerSecond,
                    Repeats = row.RepeatedTokens > 0 && end > text.Length - row.RepeatedTokens,
                    MayGrow = end > open,
                    IsTimed = _heads.Length > 0,
                };
                if (spaced && words.Count > 0 && !word.Text.StartsWith(' '))
                {
                    // "7", ":45" and "." are one word to a reader, and become final together.
                    words[^1] = Join(words[^1], word);
                }
                else
                {
                    words.Add(word);
                }
            }

            at = end;
        }

        var free = seconds - (words.Count > 0 && forced > 0 ? words[0].Start : 0);
        var plausible = HallucinationGuards.Plausible(words, free);
        words.RemoveRange(plausible, words.Count - plausible);
        return words;
    }

    private static StreamWord Join(StreamWord first, StreamWord second)
    {
        var tokens = first.Tokens.Count + second.Tokens.Count;
        return new StreamWord(
            first.Text + second.Text, first.Start, second.End, ((first.Confidence * first.Tokens.Count) + (second.Confidence * second.Tokens.Count)) / tokens)
        {
            Tokens = [.. first.Tokens, .. second.Tokens],
            AttendedTo = Math.Max(first.AttendedTo, second.AttendedTo),
            Repeats = first.Repeats || second.Repeats,
            MayGrow = first.MayGrow || second.MayGrow,
            IsTimed = first.IsTimed && second.IsTimed,
        };
    }

    /// <summary>Words with times, and the column that each token attended to most.</summary>
    private (List<WordTiming> Words, int[] Attended) Align(Row row, int[] text, double[] probabilities)
    {
        var columns = row.Columns;
        if (_heads.Length == 0)
        {
            // Nothing tells when a token was said: all share the audio evenly.
            int[] rows = [.. Enumerable.Range(0, text.Length + 1)];
            var shares = Array.ConvertAll(rows, token => token * columns / rows.Length);
            return (AttentionPath.Words(_tokenizer, text, row.Language, (rows, shares), probabilities, _input.PositionsPerSecond), shares[1..]);
        }

        var first = row.Start.Length - 1;

        // A token that was not fed has no attention of what follows it: then the last token's own stands for that.
        while (row.Attention.Count < first + text.Length + 1)
        {
            row.Attention.Add(row.Attention.Count > 0 ? row.Attention[^1] : new float[_heads.Length * columns]);
        }

        var tokens = first + text.Length + 1;
        var cost = new double[(text.Length + 1) * columns];
        var weights = new float[tokens * columns];
        for (var head = 0; head < _heads.Length; head++)
        {
            for (var token = 0; token < tokens; token++)
            {
                row.Attention[token].AsSpan(head * columns, columns).CopyTo(weights.AsSpan(token * columns));
            }

            AttentionPath.AddToCost(weights, columns, first, _input.Config.MedianFilterWidth, cost);
        }

        var attended = new int[text.Length];
        for (var token = 0; token < text.Length; token++)
        {
            attended[token] = TensorPrimitives.IndexOfMax<double>(cost.AsSpan(token * columns, columns));
        }

        // Strong attention is cheap.
        TensorPrimitives.Multiply(cost, -1.0 / _heads.Length, cost);
        var path = DynamicTimeWarping.FindPath(cost, text.Length + 1, columns);
        return (AttentionPath.Words(_tokenizer, text, row.Language, path, probabilities, _input.PositionsPerSecond), attended);
    }

    /// <summary>A character whose last bytes are still to come waits for the next pass.</summary>
    private void DropIncompleteCharacter(Row row)
    {
        while (row.Tokens.Count > 0)
        {
            var bytes = new List<byte>();
            foreach (var token in row.Tokens)
            {
                bytes.AddRange(_tokenizer.BytesOf(token));
            }

            if (Rune.DecodeLastFromUtf8([.. bytes], out _, out _) != System.Buffers.OperationStatus.NeedMoreData || bytes.Count == 0)
            {
                return;
            }

            row.Cut(row.Tokens.Count - 1);
        }
    }

    private string? LanguageOf(ReadOnlySpan<float> logits)
    {
        if (!_tokenizer.IsMultilingual || _tokenizer.Languages.Count == 0)
        {
            return null;
        }

        var best = _tokenizer.Languages[0];
        foreach (var language in _tokenizer.Languages)
        {
            if (logits[language.Id] > logits[best.Id])
            {
                best = language;
            }
        }

        return best.Code;
    }

    private static AttentionHead[] Some(AttentionHead[] heads) =>
        heads.Length <= MostUnknownHeads ? heads : [.. Enumerable.Range(0, MostUnknownHeads).Select(i => heads[i * heads.Length / MostUnknownHeads])];

    private Span<float> Logits(int row) => _logits.AsSpan(row * _vocabulary, _vocabulary);

    private static Span<float> Buffer(ref float[] buffer, int length)
    {
        if (buffer.Length < length)
        {
            buffer = new float[length];
        }

        return buffer.AsSpan(0, length);
    }

    /// <summary>A pass under way.</summary>
    private sealed class Row
    {
        public required StreamPass Pass { get; init; }

        public required string AdapterName { get; init; }

        public required int Adapter { get; init; }

        /// <summary>Encoder positions that hold audio.</summary>
        public required int Columns { get; init; }

        /// <summary>Tokens up to the start of the transcript.</summary>
        public required int[] Opening { get; init; }

        public required int MostTokens { get; init; }

        public string? Language { get; set; }

        /// <summary>Start of transcript, language, task and "no timestamps".</summary>
        public int[] Start { get; set; } = [];

        public int[] Suppressed { get; set; } = [];

        public int[] SuppressedFirst { get; set; } = [];

        /// <summary>Phrases that are preferred; null for none.</summary>
        public ContextBias? Bias { get; init; }

        /// <summary>In the second decoding: what prefers them.</summary>
        public BiasedRow? Biased { get; private init; }

        /// <summary>Whether its text is that of the second decoding.</summary>
        public bool IsBiased { get; private set; }

        /// <summary>Attention of every token fed from the start of the transcript on: <c>[head, column]</c> each.</summary>
        public List<float[]> Attention { get; private set; } = [];

        /// <summary>New text tokens.</summary>
        public List<int> Tokens { get; private set; } = [];

        public List<double> Probabilities { get; private set; } = [];

        public double LogProbability { get; set; }

        /// <summary>Mean log probability of the new tokens and the end.</summary>
        public double AverageLogProbability => LogProbability / (Tokens.Count + 1);

        public BiasHypothesis Heard => new([.. Tokens], LogProbability);

        public double NoSpeechProbability { get; set; }

        public StreamEnd End { get; set; }

        /// <summary>Tokens at the end that the model began to repeat.</summary>
        public int RepeatedTokens { get; set; }

        /// <summary>The same pass, to be decoded with phrases preferred.</summary>
        public Row Again(BiasedRow biased) => new()
        {
            Pass = Pass,
            AdapterName = AdapterName,
            Adapter = Adapter,
            Columns = Columns,
            Opening = Opening,
            MostTokens = MostTokens,
            Language = Language,
            Bias = Bias,
            Biased = biased,
        };

        /// <summary>Takes the text of the second decoding over.</summary>
        public void Take(Row biased)
        {
            (Attention, Tokens, Probabilities, LogProbability) = (biased.Attention, biased.Tokens, biased.Probabilities, biased.LogProbability);
            IsBiased = true;
        }

        public void Cut(int count)
        {
            Tokens.RemoveRange(count, Tokens.Count - count);
            Probabilities.RemoveRange(count, Probabilities.Count - count);
        }
    }
}
