using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Whisper.Decoding.Biasing;
using AsrPlatform.Whisper.Decoding.Rules;

namespace AsrPlatform.Whisper.Decoding.OpenAi;

/// <summary>What stays the same over the windows of a transcription.</summary>
internal sealed record WindowDecoderOptions
{
    // The first timestamp lies in the first second of the window (OpenAI's max_initial_timestamp).
    private const double MaxInitialTimestampSeconds = 1.0;

    /// <summary>Start of transcript, language, task and, without timestamps, the token that says so.</summary>
    public required int[] StartSequence { get; init; }

    /// <summary>Tokens that are never produced.</summary>
    public required int[] Suppressed { get; init; }

    /// <summary>Tokens that a window cannot begin with.</summary>
    public required int[] SuppressedFirst { get; init; }

    /// <summary>The grammar of timestamps; null without timestamps.</summary>
    public required TimestampRules? Timestamps { get; init; }

    /// <summary>Most tokens sampled for one window.</summary>
    public required int MaxNewTokens { get; init; }

    /// <summary>Beams at temperature 0; null is greedy.</summary>
    public int? BeamSize { get; init; }

    /// <summary>Finished hypotheses that end a beam search, as a multiple of the beams.</summary>
    public double Patience { get; init; } = 1;

    /// <summary>Exponent of the length normalisation; null divides by the length.</summary>
    public double? LengthPenalty { get; init; }

    /// <summary>Candidates above temperature 0.</summary>
    public int BestOf { get; init; } = 1;

    /// <summary>Phrases that are preferred at temperature 0; null for none.</summary>
    public ContextBias? Bias { get; init; }

    /// <summary>Most rows that decode together.</summary>
    public int MaxRows => Math.Max(BeamSize ?? 1, BestOf);

    /// <summary>Derives them from the options of a transcription.</summary>
    /// <param name="input">The checkpoint's parts.</param>
    /// <param name="options">Checked options.</param>
    /// <param name="language">Code of the language; null where the model knows just one.</param>
    public static WindowDecoderOptions Create(WhisperDecoderInput input, TranscriptionOptions options, string? language)
    {
        var (tokenizer, generation) = (input.Tokenizer, input.Generation);
        var positions = input.Model.Info.MaxTargetPositions;
        var start = tokenizer.Prefix(language, options.Task, timestamps: !options.WithoutTimestamps);

        // Aligning the words takes the whole text again, with the start sequence, "no timestamps" and the end around it.
        var mostTokens = Math.Max(1, positions - start.Length - 2);
        return new WindowDecoderOptions
        {
            StartSequence = start,
            Suppressed = Suppress(input, options.SuppressTokens ?? generation.SuppressTokens),
            SuppressedFirst = generation.BeginSuppressTokens.Count > 0
                ? [.. generation.BeginSuppressTokens]
                : [.. tokenizer.Encode(" "), tokenizer.EndOfText],
            Timestamps = options.WithoutTimestamps ? null : new TimestampRules(
                tokenizer.EndOfText, tokenizer.NoTimestamps, tokenizer.TimestampBegin,
                generation.MaxInitialTimestampIndex ?? (int)Math.Round(MaxInitialTimestampSeconds * input.PositionsPerSecond)),
            MaxNewTokens = Math.Min(options.MaxNewTokens ?? positions / 2, mostTokens),
            BeamSize = options.BeamSize,
            Patience = options.Patience ?? 1,
            LengthPenalty = options.LengthPenalty,
            BestOf = options.BestOf ?? 1,
            Bias = ContextBias.Of(options.Bias, tokenizer),
        };
    }

    // Whatever is asked for, tokens that only ever stand in a prompt, and rows that pad the vocabulary, are no transcript.
    private static int[] Suppress(WhisperDecoderInput input, IReadOnlyList<int> tokens)
    {
        var tokenizer = input.Tokenizer;
        var suppressed = new SortedSet<int>(tokens);
        if (suppressed.Remove(-1))
        {
            suppressed.UnionWith(tokenizer.NonSpeechTokens);
        }

        suppressed.UnionWith(
            [tokenizer.StartOfTranscript, tokenizer.Translate, tokenizer.Transcribe, tokenizer.StartOfPrevious, tokenizer.NoSpeech]);
        if (tokenizer.StartOfLm is { } startOfLm)
        {
            suppressed.Add(startOfLm);
        }

        suppressed.UnionWith(Enumerable.Range(0, input.Model.Info.VocabularySize).Skip(tokenizer.VocabularySize));
        return [.. suppressed];
    }
}
