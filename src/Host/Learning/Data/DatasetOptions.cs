using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Features;
using AsrPlatform.Whisper.Text;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Host.Learning.Data;

/// <summary>Which labels have timestamps.</summary>
internal enum TimestampLabels
{
    /// <summary>None: what Hugging Face's recipe trains, and the default.</summary>
    Never,

    /// <summary>All: one segment from where the first word starts to where the last ends (the whole utterance when word times are unknown).</summary>
    Always,

    /// <summary>Every second utterance, so that the model keeps both.</summary>
    Mixed,
}

/// <summary>How cached features are kept.</summary>
internal enum FeaturePrecision
{
    /// <summary>float32: exact.</summary>
    Single,

    /// <summary>float16: half the room, within 1e-3.</summary>
    Half,
}

/// <summary>How a manifest becomes a data set.</summary>
internal sealed record DatasetOptions
{
    /// <summary>Shortest utterance by default, in seconds: less holds no word.</summary>
    public const double DefaultMinSeconds = 0.1;

    /// <summary>The model's tokenizer.</summary>
    public required WhisperTokenizer Tokenizer { get; init; }

    /// <summary>The model's features.</summary>
    public required LogMelExtractor Extractor { get; init; }

    /// <summary>What the encoder can hear at once, in samples; also the longest utterance.</summary>
    public required int ContextSamples { get; init; }

    /// <summary>Folder of cached features; made when missing. It may be deleted whenever no run uses it.</summary>
    public required string CacheDirectory { get; init; }

    /// <summary>Most label tokens, the start of transcript not counted: what the decoder has positions for, or fewer.</summary>
    public required int MaxLabelTokens { get; init; }

    /// <summary>Shorter utterances are left out.</summary>
    public double MinSeconds { get; init; } = DefaultMinSeconds;

    /// <summary>Longer utterances are left out; null for the model's context.</summary>
    public double? MaxSeconds { get; init; }

    /// <summary>Language of rows that name none or one that the model does not know; null leaves the language token out there.</summary>
    public string? Language { get; init; }

    /// <summary>The task that labels name.</summary>
    public TranscriptionTask Task { get; init; }

    /// <summary>Which labels have timestamps.</summary>
    public TimestampLabels Timestamps { get; init; }

    /// <summary>Brings texts into another form before they are labels; null leaves them as the manifest has them.</summary>
    public ITextNormalizer? Normalizer { get; init; }

    /// <summary>How features are cached.</summary>
    public FeaturePrecision Precision { get; init; }

    /// <summary>Files that are decoded at the same time.</summary>
    public int Parallelism { get; init; } = Math.Max(1, Environment.ProcessorCount);

    /// <summary>The options for a checkpoint.</summary>
    /// <param name="modelDirectory">Hugging Face layout; its weights are not read.</param>
    /// <param name="cacheDirectory">As <see cref="CacheDirectory"/>.</param>
    /// <exception cref="AsrException">A file of the checkpoint is missing or broken.</exception>
    public static DatasetOptions For(string modelDirectory, string cacheDirectory)
    {
        var config = WhisperConfig.Load(modelDirectory);
        var preprocessor = PreprocessorConfig.Load(modelDirectory, config);
        return new DatasetOptions
        {
            Tokenizer = WhisperTokenizer.Load(modelDirectory, config),
            Extractor = LogMelExtractor.Of(preprocessor),
            ContextSamples = config.MaxFrames * preprocessor.HopLength,
            CacheDirectory = cacheDirectory,
            MaxLabelTokens = config.MaxTargetPositions,
        };
    }

    /// <summary>Checks the options among themselves and against the model.</summary>
    /// <exception cref="AsrException">One cannot be used.</exception>
    internal void Validate()
    {
        var context = ContextSamples / (double)Extractor.SampleRateHz;
        if (MaxSeconds is { } longest && (!(longest > MinSeconds) || longest > context))
        {
            throw new AsrException(FormattableString.Invariant(
                $"the longest utterance cannot be {longest} s: it must be more than {MinSeconds} s, and the model hears {context} s at once"));
        }

        if (!(MinSeconds >= 0))
        {
            throw new AsrException(FormattableString.Invariant($"the shortest utterance cannot be {MinSeconds} s"));
        }

        if (MaxLabelTokens < 1)
        {
            throw new AsrException($"labels cannot have {MaxLabelTokens} tokens");
        }

        // An unknown language or task would fail for every row: it is the run's mistake.
        Tokenizer.Prefix(Language, Task, timestamps: false);
    }
}
