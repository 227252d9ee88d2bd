using System.Numerics.Tensors;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Whisper.Alignment;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Decoding.Biasing;
using AsrPlatform.Whisper.Decoding.Rules;
using AsrPlatform.Whisper.Text;

namespace AsrPlatform.Whisper.Decoding.HuggingFace;

/// <summary>
/// transformers' <c>generate</c> for Whisper on any model: features in, tokens out, for several rows at once; one window of up to 30 s,
/// or windows one after the other for longer features.
/// </summary>
/// <remarks>
/// Rows are independent: a row gives the same tokens in every batch (in transformers some rows of a batch take the thresholds or the
/// previous text of others). Sampling draws from one seeded stream for all rows. Keeps its buffers; belongs to the model's thread.
/// </remarks>
public sealed class HuggingFaceGenerator : IDisposable
{
    // Text of a window that needed a higher temperature than this does not prompt the next one.
    private const double MaxTemperatureForPrevious = 0.5;

    private readonly ISeq2SeqModel _model;
    private readonly WhisperConfig _config;
    private readonly GenerationConfig _generation;
    private readonly ModelTokenScorer _scorer;
    private readonly int _windowFrames;
    private float[] _features = []; // [row, feature, frame]

    /// <summary>Creates a generator.</summary>
    /// <param name="model">The model; owned by the caller.</param>
    /// <param name="config">Its architecture.</param>
    /// <param name="generation">How its checkpoint wants to be decoded.</param>
    public HuggingFaceGenerator(ISeq2SeqModel model, WhisperConfig config, GenerationConfig generation)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(generation);
        _model = model;
        _config = config;
        _generation = generation;
        _scorer = new ModelTokenScorer(model);
        _windowFrames = config.MaxFrames;
    }

    /// <summary>Generates.</summary>
    /// <param name="rows">Features of each row: padded to one window, or longer.</param>
    /// <param name="options">How.</param>
    /// <param name="finished">Told the row and each window that is done, on the calling thread. May be null.</param>
    /// <param name="cancellationToken">Stops between two decoding steps.</param>
    /// <returns>One result per row.</returns>
    /// <exception cref="AsrException">An option does not fit the checkpoint or another one.</exception>
    public IReadOnlyList<GenerationResult> Generate(
        IReadOnlyList<IFeatureWindows> rows,
        GenerationOptions options,
        Action<int, GeneratedWindow>? finished = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(options);
        if (rows.Count == 0)
        {
            return [];
        }

        var run = new Run(this, options, rows.Count, rows.Any(row => row.Frames > _windowFrames), cancellationToken);
        Row[] all = [.. rows.Select((features, index) => new Row(features, index))];
        for (var first = true; ; first = false)
        {
            Row[] active = [.. all.Where(row => row.Seek < row.Features.Frames)];
            if (active.Length == 0)
            {
                return [.. all.Select(row => new GenerationResult(row.LanguageToken, row.Windows))];
            }

            cancellationToken.ThrowIfCancellationRequested();
            using var states = Encode(active);
            if (first)
            {
                run.SetStartTokens(active, states);
            }

            run.DecodeWindows(active, states);
            foreach (var row in active)
            {
                finished?.Invoke(Array.IndexOf(all, row), row.Windows[^1]);
            }
        }
    }

    /// <summary>Frees what a search left open; the model stays the caller's.</summary>
    public void Dispose() => _scorer.Dispose();

    private IEncoderStates Encode(Row[] rows)
    {
        var size = _config.NumMelBins * _windowFrames;
        if (_features.Length < rows.Length * size)
        {
            _features = new float[rows.Length * size];
        }

        var features = _features.AsSpan(0, rows.Length * size);
        features.Clear(); // A short last window is padded with zeros.
        for (var i = 0; i < rows.Length; i++)
        {
            rows[i].Features.Read(rows[i].Seek, FramesOf(rows[i]), features.Slice(i * size, size), _windowFrames);
        }

        return _model.Encode(features, rows.Length, _windowFrames);
    }

    private int FramesOf(Row row) => Math.Min(row.Features.Frames - row.Seek, _windowFrames);

    private sealed class Row(IFeatureWindows features, int index)
    {
        /// <summary>Its place among all rows.</summary>
        public int Index => index;

        public IFeatureWindows Features => features;

        public int Seek { get; set; }

        public int[] Start { get; set; } = [];

        public int? LanguageToken { get; set; }

        /// <summary>Whether the next window is given the tokens before it.</summary>
        public bool Conditions { get; set; }

        /// <summary>What <see cref="Conditions"/> gives: prompt and generated tokens.</summary>
        public List<int> Previous { get; } = [];

        public List<GeneratedWindow> Windows { get; } = [];
    }

    // One call of Generate: its options, resolved against the checkpoint.
    private sealed class Run
    {
        private readonly HuggingFaceGenerator _owner;
        private readonly GenerationConfig _generation;
        private readonly GenerationOptions _options;
        private readonly CancellationToken _cancellationToken;
        private readonly Random _random;
        private readonly bool _timestamps;
        private readonly int _timestampBegin;
        private readonly int[] _suppressed;
        private readonly int[] _suppressedFirst;
        private readonly TimestampRules? _rules;
        private readonly int? _noSpeechToken;
        private readonly int? _startOfPrevious;
        private readonly int[] _prompt;
        private readonly TokenTimes? _times;

        public Run(HuggingFaceGenerator owner, GenerationOptions options, int rows, bool isLong, CancellationToken cancellationToken)
        {
            _owner = owner;
            _generation = owner._generation;
            _options = options;
            if (options.Biases.Count > 1 && options.Biases.Count != rows)
            {
                throw new AsrException($"{options.Biases.Count} lists of phrases were given for {rows} rows: give none, one, or one per row.");
            }

            _cancellationToken = cancellationToken;
            _random = new Random(options.Seed);
            if (isLong && !options.ReturnTimestamps)
            {
                throw new AsrException(
                    "Audio longer than one window of 30 s needs timestamps to be divided: ask for them, or use the algorithm openai or chunked.");
            }

            _timestamps = options.ReturnTimestamps;
            if (_generation.NoTimestampsTokenId is { } noTimestamps)
            {
                _timestampBegin = noTimestamps + 1;
                _rules = _timestamps
                    ? new TimestampRules(_generation.EosTokenId, noTimestamps, _timestampBegin, _generation.MaxInitialTimestampIndex)
                    : null;
            }
            else
            {
                _timestampBegin = owner._config.VocabSize;
                if (_timestamps)
                {
                    throw new AsrException("The checkpoint says no no_timestamps_token_id in generation_config.json: decode it without timestamps.");
                }
            }

            if (options.NoSpeechThreshold is not null)
            {
                _noSpeechToken = _generation.NoTimestampsTokenId - 1
                    ?? throw new AsrException("The checkpoint says no no_timestamps_token_id in generation_config.json: switch the no-speech threshold off.");
            }

            _suppressed = [.. options.SuppressTokens ?? _generation.SuppressTokens];
            _suppressedFirst = [.. _generation.BeginSuppressTokens];
            foreach (var token in _suppressed)
            {
                CheckToken(token, "suppressed");
            }

            _startOfPrevious = _generation.PrevSotTokenId;
            _prompt = [.. options.PromptIds];
            if (_prompt.Length > 0 && _prompt[0] != _startOfPrevious && _startOfPrevious is { } previous)
            {
                _prompt = [previous, .. _prompt];
            }

            foreach (var token in _prompt)
            {
                CheckToken(token, "prompt");
            }

            if (options.ConditionOnPreviousTokens && _startOfPrevious is null)
            {
                throw new AsrException("The checkpoint says no prev_sot_token_id in generation_config.json: decode it without previous text.");
            }

            if (options.Temperatures.Count == 0 || options.Temperatures.Any(temperature => !(temperature >= 0)))
            {
                throw new AsrException("Temperatures must be 0 or more, and at least one.");
            }

            if (options.Beams < 1 || options.ReturnedSequences < 1 || options.ReturnedSequences > options.Beams || options.TopK < 1)
            {
                throw new AsrException("Beams and top-k must be at least 1, and no more sequences can be returned than there are beams.");
            }

            if (options.ReturnTokenTimestamps)
            {
                var heads = _generation.AlignmentHeads.Count > 0 ? _generation.AlignmentHeads : WordAligner.UpperHalf(owner._model.Info);
                _times = new TokenTimes(owner._model, heads, owner._config.MedianFilterWidth);
            }
        }

        /// <summary>Sets the start of transcript, language, task and no-timestamps tokens of every row.</summary>
        public void SetStartTokens(Row[] rows, IEncoderStates states)
        {
            var forced = _options.Languages.Count > 0 || _options.Task is not null ? [] : Forced();
            var known = Languages(rows.Length);
            var detected = known.Length == 0 && _generation.LangToId.Count > 0 && (forced.Count == 0 || forced[0] is null)
                ? DetectLanguages(states)
                : [];
            var languages = known.Length > 0 ? known : detected;
            for (var i = 0; i < rows.Length; i++)
            {
                List<int?> tokens = [_generation.DecoderStartTokenId, .. forced];
                if (languages.Length > 0)
                {
                    if (tokens.Count == 1)
                    {
                        tokens.Add(null);
                    }

                    tokens[1] = languages[i];
                }

                if (_options.Task is { } task)
                {
                    tokens.Add(TaskToken(task));
                }
                else if (known.Length > 0 && _generation.TaskToId.Count > 0)
                {
                    tokens.Add(TaskToken(TranscriptionTask.Transcribe));
                }

                if (_generation.NoTimestampsTokenId is { } noTimestamps)
                {
                    if (!_timestamps && tokens[^1] != noTimestamps)
                    {
                        tokens.Add(noTimestamps);
                    }
                    else if (_timestamps && tokens[^1] == noTimestamps)
                    {
                        tokens.RemoveAt(tokens.Count - 1);
                    }
                }

                rows[i].Start = [.. tokens.OfType<int>()];
                rows[i].LanguageToken = rows[i].Start.Length > 1 && _generation.LangToId.Values.Contains(rows[i].Start[1]) ? rows[i].Start[1] : null;
                rows[i].Conditions = _options.ConditionOnPreviousTokens;
                rows[i].Previous.AddRange(_prompt.Skip(1));
            }
        }

        /// <summary>Decodes one window of every row and moves the rows on.</summary>
        public void DecodeWindows(Row[] rows, IEncoderStates states)
        {
            int[][] prefixes = [.. rows.Select(Prefix)];
            var maxNewTokens = MaxNewTokens(prefixes.Max(prefix => prefix.Length));
            var windows = new GeneratedWindow[rows.Length];
            int[] pending = [.. Enumerable.Range(0, rows.Length)];
            foreach (var temperature in _options.Temperatures)
            {
                Search(pending, rows, states, prefixes, maxNewTokens, temperature, windows);
                pending = [.. pending.Where(i => NeedsFallback(windows[i]))];
                if (pending.Length == 0)
                {
                    break;
                }
            }

            for (var i = 0; i < rows.Length; i++)
            {
                Finish(rows[i], windows[i], states, i);
            }
        }

        private void Search(
            int[] pending, Row[] rows, IEncoderStates states, int[][] prefixes, int maxNewTokens, double temperature, GeneratedWindow[] windows)
        {
            var beams = temperature > 0 ? 1 : _options.Beams;
            var settings = new SearchSettings
            {
                MaxNewTokens = maxNewTokens,
                EndToken = _generation.EosTokenId,
                Beams = beams,
                ReturnedSequences = Math.Min(beams, _options.ReturnedSequences),
                LengthPenalty = _options.LengthPenalty,
                EarlyStopping = _options.EarlyStopping,
                Temperature = temperature,
                TopK = _options.TopK,
            };
            var scorer = _owner._scorer;
            try
            {
                Begin(pending);
                var found = beams > 1
                    ? BeamSearch.Run(scorer, pending.Length, settings, Mask, _cancellationToken)
                    : Array.ConvertAll(
                        RowSearch.Run(scorer, pending.Length, settings, Mask, _random, _cancellationToken), hypothesis => new[] { hypothesis });
                double?[] noSpeech = [.. pending.Select((_, i) => _noSpeechToken is null ? null : (double?)scorer.NoSpeechProbabilities[i])];
                double[] heard = [.. found.Select(hypotheses => hypotheses[0].AverageLogProbability)];
                if (temperature == 0 && _options.Biases.Count > 0)
                {
                    Prefer(found);
                }

                for (var i = 0; i < pending.Length; i++)
                {
                    var best = found[i][0];
                    windows[pending[i]] = new GeneratedWindow
                    {
                        Seek = rows[pending[i]].Seek,
                        Frames = _owner.FramesOf(rows[pending[i]]),
                        Prefix = prefixes[pending[i]],
                        Tokens = best.Tokens,
                        Probabilities = Array.ConvertAll(best.LogProbabilities, value => Math.Exp(value)),
                        Beams = beams > 1 ? [.. found[i].Select(beam => ((IReadOnlyList<int>)beam.Tokens, beam.Score!.Value))] : [],
                        Temperature = temperature,
                        AverageLogProbability = best.AverageLogProbability,
                        HeardLogProbability = heard[i],
                        CompressionRatio = _options.CompressionRatioThreshold is null ? null : CompressionRatio.OfTokens(best.Tokens, _owner._config.VocabSize),
                        NoSpeechProbability = noSpeech[i],
                    };
                }
            }
            finally
            {
                scorer.End();
            }

            void Begin(int[] sources) =>
                scorer.Begin(states, sources, sources.Select(i => prefixes[i]), rows[0].Start.Length, maxNewTokens, beams, _noSpeechToken);

            // Searches once more where rows sound like phrases that are preferred in them.
            void Prefer(Hypothesis[][] found)
            {
                int[] open = [.. Enumerable.Range(0, pending.Length).Where(i => BiasOf(rows[pending[i]]) is not null)];
                for (var round = 0; round < ContextBias.MostRounds && open.Length > 0; round++)
                {
                    var tries = open
                        .SelectMany(index => BiasOf(rows[pending[index]])!.Candidates(found[index][0].Tokens, separately: beams == 1)
                            .Select(spots => (Index: index, Bias: BiasOf(rows[pending[index]])!, Spots: spots)))
                        .ToArray();
                    if (tries.Length == 0)
                    {
                        return;
                    }

                    Begin(Array.ConvertAll(tries, one => pending[one.Index]));
                    var biased = beams > 1
                        ? BeamSearch.Run(
                            scorer, tries.Length, settings, Mask, _cancellationToken, (Array.ConvertAll(tries, one => one.Bias.TrieOf(one.Spots)), tries[0].Bias.TokenNats))
                        : Array.ConvertAll(
                            RowSearch.Run(
                                scorer, tries.Length, settings, Mask, _random, _cancellationToken, (Array.ConvertAll(tries, one => new BiasedRow(one.Bias, one.Spots)), _timestampBegin)),
                            hypothesis => new[] { hypothesis });
                    var better = new HashSet<int>();
                    foreach (var (one, hypotheses) in tries.Zip(biased))
                    {
                        if (one.Bias.Prefers(Plain(hypotheses[0]), Plain(found[one.Index][0])))
                        {
                            found[one.Index] = hypotheses;
                            better.Add(one.Index);
                        }
                    }

                    // There may be another phrase in another place.
                    open = [.. better.Order()];
                }

                static BiasHypothesis Plain(Hypothesis hypothesis) => new(hypothesis.Tokens, hypothesis.LogProbability);
            }
        }

        private ContextBias? BiasOf(Row row) => _options.Biases.Count == 1 ? _options.Biases[0] : _options.Biases[row.Index];

        private void Finish(Row row, GeneratedWindow window, IEncoderStates states, int source)
        {
            row.Conditions = _options.ConditionOnPreviousTokens && window.Temperature < MaxTemperatureForPrevious;
            if (IsSilent(window))
            {
                row.Windows.Add(window with { Skipped = true });
                row.Seek += window.Frames;
                return;
            }

            var tokens = (int[])window.Tokens;
            var text = tokens.AsSpan();
            if (!text.IsEmpty && text[^1] == _generation.EosTokenId)
            {
                text = text[..^1];
            }

            var (segments, used) = WindowSegmenter.Split(text, _timestampBegin, row.Seek, window.Frames);
            row.Windows.Add(window with
            {
                Segments = segments,
                TokenTimes = _times?.Find(
                    states, source, (int[])window.Prefix, tokens, Math.Min(row.Features.ValidFrames - row.Seek, window.Frames), _cancellationToken),
            });
            foreach (var segment in segments)
            {
                row.Previous.AddRange(WithoutNextStart(segment.Tokens));
            }

            // A model that ignores the rules (without timestamps none apply) must not hold the row at its place.
            row.Seek += used > 0 ? used : window.Frames;
        }

        // As a prompt, the last segment of a window ends with its own timestamp.
        private IEnumerable<int> WithoutNextStart(IReadOnlyList<int> tokens) =>
            tokens.Count > 2 && tokens[^2] >= _timestampBegin ? tokens.SkipLast(1) : tokens;

        // In the order of transformers: at the beginning, always, then the grammar of timestamps.
        private void Mask(Span<float> scores, ReadOnlySpan<int> generated)
        {
            if (generated.IsEmpty)
            {
                TokenSuppression.Apply(scores, _suppressedFirst);
            }

            TokenSuppression.Apply(scores, _suppressed);
            _rules?.Apply(scores, generated);
        }

        private int[] Prefix(Row row)
        {
            if (row.Conditions && row.Previous.Count > 0)
            {
                var kept = (_owner._config.MaxTargetPositions / 2) - 1;
                return [_startOfPrevious!.Value, .. row.Previous.Skip(row.Previous.Count - kept), .. row.Start];
            }

            return [.. _prompt, .. row.Start];
        }

        private int MaxNewTokens(int prefixLength)
        {
            var positions = _owner._config.MaxTargetPositions;
            if (_options.MaxNewTokens is { } wanted)
            {
                return wanted >= 1 && prefixLength + wanted <= positions
                    ? wanted
                    : throw new AsrException(
                        $"{wanted} new tokens after a prefix of {prefixLength} do not fit the model's {positions} positions: ask for 1 to {positions - prefixLength}, or shorten the prompt.");
            }

            var room = Math.Min(_options.MaxLength ?? _generation.MaxLength, positions) - prefixLength;
            return room >= 1
                ? room
                : throw new AsrException($"A prefix of {prefixLength} tokens leaves no room for new ones within {prefixLength + room}: shorten the prompt, or allow a greater length.");
        }

        private bool NeedsFallback(GeneratedWindow window) => !IsSilent(window)
            && (window.CompressionRatio > _options.CompressionRatioThreshold || window.HeardLogProbability < _options.LogProbabilityThreshold);

        private bool IsSilent(GeneratedWindow window) => window.NoSpeechProbability > _options.NoSpeechThreshold
            && !(window.HeardLogProbability >= _options.LogProbabilityThreshold);

        private List<int?> Forced()
        {
            var tokens = new List<int?>();
            foreach (var (position, token) in _generation.ForcedDecoderIds)
            {
                if (position != tokens.Count + 1)
                {
                    throw new AsrException($"generation_config.json: \"forced_decoder_ids\" names the position {position} after {tokens.Count}; expected all positions from 1 on.");
                }

                tokens.Add(token);
            }

            return tokens;
        }

        private int[] Languages(int rows)
        {
            if (_options.Languages.Count is not 0 and not 1 && _options.Languages.Count != rows)
            {
                throw new AsrException($"{_options.Languages.Count} languages were given for {rows} rows: give none, one, or one per row.");
            }

            int[] tokens = [.. _options.Languages.Select(code => _generation.LangToId.TryGetValue($"<|{code}|>", out var token)
                ? token
                : throw new AsrException(_generation.LangToId.Count == 0
                    ? "The checkpoint names no languages in generation_config.json: leave the language out."
                    : $"The model does not know the language \"{code}\"."))];
            return tokens.Length == 1 ? [.. Enumerable.Repeat(tokens[0], rows)] : tokens;
        }

        private int TaskToken(TranscriptionTask task)
        {
            var name = task == TranscriptionTask.Translate ? "translate" : "transcribe";
            return _generation.TaskToId.TryGetValue(name, out var token)
                ? token
                : throw new AsrException($"The checkpoint does not name the task {name} in generation_config.json: leave the task out.");
        }

        private int[] DetectLanguages(IEncoderStates states)
        {
            var model = _owner._model;
            var vocabulary = model.Info.VocabularySize;
            int[] candidates = [.. _generation.LangToId.Values.Order()];
            var logits = new float[states.Batch * vocabulary];
            int[] starts = [.. Enumerable.Repeat(_generation.DecoderStartTokenId, states.Batch)];
            using (var cache = model.CreateCache(states, [.. Enumerable.Range(0, states.Batch)], new DecoderCacheOptions { Capacity = 1 }))
            {
                model.Decode(cache, starts, [], LogitPositions.Last, logits, []);
            }

            var languages = new int[states.Batch];
            for (var row = 0; row < languages.Length; row++)
            {
                var scores = logits.AsSpan(row * vocabulary, vocabulary);
                TokenSuppression.KeepOnly(scores, candidates);
                languages[row] = TensorPrimitives.IndexOfMax<float>(scores);
            }

            return languages;
        }

        private void CheckToken(int token, string what)
        {
            if ((uint)token >= (uint)_owner._config.VocabSize)
            {
                throw new AsrException($"The {what} token {token} is outside the vocabulary of {_owner._config.VocabSize}.");
            }
        }
    }
}
