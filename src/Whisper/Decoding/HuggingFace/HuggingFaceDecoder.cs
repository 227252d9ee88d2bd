using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Decoding.Biasing;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Decoding.HuggingFace;

/// <summary>
/// transformers' <c>generate</c> as a decoder: audio up to one window (30 s) is padded with silence and decoded at once, longer audio
/// window by window with the features of the whole.
/// </summary>
/// <remarks>
/// Options mean what they mean there: thresholds and the previous text are off in <see cref="Defaults"/>, the compression ratio is that
/// of token bytes, the length penalty 1 unless given. Decodes <see cref="WhisperDecoderInput"/> only.
/// </remarks>
public sealed class HuggingFaceDecoder : ISpeechDecoder
{
    /// <summary>transformers' defaults: no fallback, no thresholds, no previous text.</summary>
    public static TranscriptionOptions Defaults { get; } = new()
    {
        Algorithm = AlgorithmName,
        TemperatureIncrementOnFallback = null,
        ConditionOnPreviousText = false,
        CompressionRatioThreshold = null,
        LogProbabilityThreshold = null,
        NoSpeechThreshold = null,
    };

    private const string AlgorithmName = "hf";

    /// <inheritdoc />
    public string Name => AlgorithmName;

    /// <inheritdoc />
    public TranscriptionResult Decode(
        SpeechDecoderInput input,
        IAudioSource audio,
        TranscriptionOptions options,
        Action<TranscriptionProgress>? progress,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(audio);
        ArgumentNullException.ThrowIfNull(options);
        var parts = WhisperDecoderInput.Require(input, Name);
        var generation = Complete(parts.Generation, parts.Tokenizer);
        var generationOptions = Translate(options, parts, Name);
        var (windows, seconds, owner) = AudioWindows.Open(audio, parts.Features, parts.Config.MaxFrames, cancellationToken);
        using (owner)
        using (var generator = new HuggingFaceGenerator(parts.Model, parts.Config, generation))
        {
            if (options.WithoutTimestamps && windows.Frames > parts.Config.MaxFrames)
            {
                throw new AsrException(
                    $"The audio is longer than {parts.Config.MaxFrames / 100} s, and --algorithm {Name} divides such audio by the model's timestamps: leave --without-timestamps out, or use --algorithm openai.");
            }

            var segments = new List<TranscriptSegment>();
            string? language = null;
            var result = generator.Generate(
                [windows],
                generationOptions,
                (_, window) =>
                {
                    // The prefix holds the language from the first window on.
                    language ??= window.Prefix.Select(parts.Tokenizer.LanguageCode).LastOrDefault(code => code is not null);
                    var first = segments.Count;
                    Add(segments, parts.Tokenizer, window, seconds, options);
                    progress?.Invoke(new TranscriptionProgress(
                        Math.Min((window.Seek + window.Frames) / 100.0, seconds), seconds, segments.GetRange(first, segments.Count - first)));
                },
                cancellationToken)[0];
            return new TranscriptionResult
            {
                Text = parts.Tokenizer.Decode([.. result.Tokens]),
                Language = language,
                DurationSeconds = seconds,
                Segments = segments,
            };
        }
    }

    /// <summary>What <c>generation_config.json</c> leaves out, from the tokenizer.</summary>
    internal static GenerationConfig Complete(GenerationConfig generation, WhisperTokenizer tokenizer) => generation with
    {
        PrevSotTokenId = generation.PrevSotTokenId ?? tokenizer.StartOfPrevious,
        NoTimestampsTokenId = generation.NoTimestampsTokenId ?? tokenizer.NoTimestamps,
        LangToId = generation.LangToId.Count > 0 || !tokenizer.IsMultilingual
            ? generation.LangToId
            : tokenizer.Languages.ToDictionary(language => $"<|{language.Code}|>", language => language.Id),
        TaskToId = generation.TaskToId.Count > 0 || !tokenizer.IsMultilingual
            ? generation.TaskToId
            : new Dictionary<string, int> { ["transcribe"] = tokenizer.Transcribe, ["translate"] = tokenizer.Translate },
    };

    /// <summary>The options of a transcription as those of <c>generate</c>.</summary>
    /// <exception cref="AsrException">There is an option that transformers does not have.</exception>
    internal static GenerationOptions Translate(TranscriptionOptions options, WhisperDecoderInput parts, string algorithm)
    {
        if (options.BestOf is not (null or 1) || options.Patience is not (null or 1))
        {
            throw new AsrException($"--algorithm {algorithm} knows neither --best-of nor --patience: leave them out, or use --algorithm openai.");
        }

        if (options.ClipTimestamps.Count > 0)
        {
            throw new AsrException($"--algorithm {algorithm} transcribes audio as a whole: leave the clip timestamps out, or use --algorithm openai.");
        }

        var tokenizer = parts.Tokenizer;
        return new GenerationOptions
        {
            Languages = tokenizer.IsMultilingual && options.Language is { } language ? [tokenizer.LanguageCode(tokenizer.LanguageId(language))!] : [],
            Task = tokenizer.IsMultilingual ? options.Task : null,
            ReturnTimestamps = !options.WithoutTimestamps,
            ReturnTokenTimestamps = options.WordTimestamps,
            Beams = options.BeamSize ?? 1,
            LengthPenalty = options.LengthPenalty ?? 1,
            MaxNewTokens = options.MaxNewTokens,
            Temperatures = FallbackTemperatures.Of(options),
            Seed = options.Seed,
            Biases = ContextBias.Of(options.Bias, tokenizer) is { } bias ? [bias] : [],
            PromptIds = options.InitialPrompt is { } prompt ? tokenizer.EncodePrompt(prompt) : [],
            ConditionOnPreviousTokens = options.ConditionOnPreviousText && parts.Generation.ConditionsOnPreviousText,
            CompressionRatioThreshold = options.CompressionRatioThreshold,
            LogProbabilityThreshold = options.LogProbabilityThreshold,
            NoSpeechThreshold = options.NoSpeechThreshold,
            SuppressTokens = options.SuppressTokens?.SelectMany(token => token == -1 ? tokenizer.NonSpeechTokens : [token]).Distinct().ToArray(),
        };
    }

    private static void Add(
        List<TranscriptSegment> segments, WhisperTokenizer tokenizer, GeneratedWindow window, double seconds, TranscriptionOptions options)
    {
        foreach (var segment in window.Segments)
        {
            segments.Add(new TranscriptSegment
            {
                Id = segments.Count,
                Seek = window.Seek,
                Start = segment.Start,

                // Without timestamps transformers says the end of the padded window.
                End = options.WithoutTimestamps ? Math.Min(segment.End, seconds) : segment.End,
                Text = tokenizer.Decode([.. segment.Tokens]),
                Tokens = segment.Tokens,
                Temperature = window.Temperature,
                AverageLogProbability = window.AverageLogProbability,
                CompressionRatio = window.CompressionRatio,
                NoSpeechProbability = window.NoSpeechProbability,
                Words = options.WordTimestamps
                    ? WordTimes.Collect(tokenizer, window, segment, window.Seek / 100.0)
                    : null,
            });
        }
    }
}
