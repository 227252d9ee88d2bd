using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Whisper.Decoding.Biasing;

namespace AsrPlatform.Whisper.Decoding.HuggingFace;

/// <summary>How to generate, with the names and defaults of transformers' <c>generate</c> for Whisper; null switches a threshold off.</summary>
public sealed record GenerationOptions
{
    /// <summary>
    /// Language codes such as <c>en</c>: none to detect each row's (where the checkpoint knows languages), one for all rows, or one
    /// per row.
    /// </summary>
    public IReadOnlyList<string> Languages { get; init; } = [];

    /// <summary>Transcribe or translate; null puts no task into the prefix unless a language is given (then it transcribes).</summary>
    public TranscriptionTask? Task { get; init; }

    /// <summary>Ask for timestamps; features longer than one window need them.</summary>
    public bool ReturnTimestamps { get; init; }

    /// <summary>Find the time of every token by cross-attention.</summary>
    public bool ReturnTokenTimestamps { get; init; }

    /// <summary>Beams at temperature 0; 1 is greedy search.</summary>
    public int Beams { get; init; } = 1;

    /// <summary>Sequences to keep of each beam search, best first, at most <see cref="Beams"/>; the first goes on.</summary>
    public int ReturnedSequences { get; init; } = 1;

    /// <summary>Exponent of the length that a beam's score is divided by.</summary>
    public double LengthPenalty { get; init; } = 1.0;

    /// <summary>When beam search stops.</summary>
    public EarlyStopping EarlyStopping { get; init; }

    /// <summary>Most tokens of a window, the end token counted and the prefix not; null takes <see cref="MaxLength"/>.</summary>
    public int? MaxNewTokens { get; init; }

    /// <summary>Most tokens of a window, prefix and end token counted; null takes the checkpoint's.</summary>
    public int? MaxLength { get; init; }

    /// <summary>Temperatures, 0 or above, to try in turn while a window fails a threshold; above 0 samples are drawn.</summary>
    public IReadOnlyList<double> Temperatures { get; init; } = [0.0];

    /// <summary>Sampling draws from this many best tokens.</summary>
    public int TopK { get; init; } = 50;

    /// <summary>Seed of sampling.</summary>
    public int Seed { get; init; }

    /// <summary>
    /// A prompt of token ids, with or without the start-of-previous token before it. Every window gets it, unless
    /// <see cref="ConditionOnPreviousTokens"/>: then the first one does, and later ones as far as it fits before their previous text.
    /// </summary>
    public IReadOnlyList<int> PromptIds { get; init; } = [];

    /// <summary>Gives each window the tokens of those before.</summary>
    public bool ConditionOnPreviousTokens { get; init; }

    /// <summary>Above this zlib ratio of its token bytes a window is tried at the next temperature.</summary>
    public double? CompressionRatioThreshold { get; init; }

    /// <summary>Below this mean log-probability a window is tried at the next temperature.</summary>
    public double? LogProbabilityThreshold { get; init; }

    /// <summary>
    /// Above this no-speech probability a window whose log-probability fails its threshold is skipped; without that threshold (where
    /// transformers fails) the no-speech probability alone decides.
    /// </summary>
    public double? NoSpeechThreshold { get; init; }

    /// <summary>Phrases that are preferred at temperature 0: none, one for all rows, or one per row (null: none in that row).</summary>
    internal IReadOnlyList<ContextBias?> Biases { get; init; } = [];

    /// <summary>Tokens never to generate; null takes the checkpoint's.</summary>
    public IReadOnlyList<int>? SuppressTokens { get; init; }
}
