namespace AsrPlatform.Abstractions.Decoding;

/// <summary>What to do with speech.</summary>
public enum TranscriptionTask
{
    /// <summary>Write it in its own language.</summary>
    Transcribe,

    /// <summary>Write it in English.</summary>
    Translate,
}

/// <summary>How to transcribe. Names and defaults are those of OpenAI's <c>transcribe()</c>; null switches a threshold off.</summary>
public sealed record TranscriptionOptions
{
    /// <summary>The decoding algorithm: <c>openai</c> (default), <c>hf</c> or <c>chunked</c>.</summary>
    public string Algorithm { get; init; } = "openai";

    /// <summary>Language code such as <c>en</c>, or null to detect it.</summary>
    public string? Language { get; init; }

    /// <summary>Transcribe (default) or translate.</summary>
    public TranscriptionTask Task { get; init; }

    /// <summary>
    /// One of <see cref="RecognizerInfo.Adapters"/>; null or <c>active</c>: the recogniser's choice; <c>none</c>: the base model.
    /// </summary>
    public string? Adapter { get; init; }

    /// <summary>Ask the model for no timestamps.</summary>
    public bool WithoutTimestamps { get; init; }

    /// <summary>Give each word its time and probability.</summary>
    public bool WordTimestamps { get; init; }

    /// <summary>Sampling temperature, 0…1; 0 (default) is greedy or beam search.</summary>
    public double Temperature { get; init; }

    /// <summary>Step by which the temperature rises to 1.0 when a result fails a threshold; null never retries.</summary>
    public double? TemperatureIncrementOnFallback { get; init; } = 0.2;

    /// <summary>Candidates when sampling; null is one.</summary>
    public int? BestOf { get; init; }

    /// <summary>Beams at temperature 0; null is greedy.</summary>
    public int? BeamSize { get; init; }

    /// <summary>Beam search patience (arXiv 2204.05424); null is 1.</summary>
    public double? Patience { get; init; }

    /// <summary>Exponent of the length normalisation (0…1); null divides by the length.</summary>
    public double? LengthPenalty { get; init; }

    /// <summary>Text that the model is told precedes the audio; null for none.</summary>
    public string? InitialPrompt { get; init; }

    /// <summary>Words and names that may be said; null for none.</summary>
    public PhraseBias? Bias { get; init; }

    /// <summary>Gives each window the text of the one before, where the checkpoint learnt that.</summary>
    public bool ConditionOnPreviousText { get; init; } = true;

    /// <summary>Above this zlib ratio a result counts as a repetition.</summary>
    public double? CompressionRatioThreshold { get; init; } = 2.4;

    /// <summary>Below this mean log probability a result counts as failed.</summary>
    public double? LogProbabilityThreshold { get; init; } = -1.0;

    /// <summary>Above this no-speech probability, with a low log probability, a window counts as silence.</summary>
    public double? NoSpeechThreshold { get; init; } = 0.6;

    /// <summary>Token ids never to produce; null takes the checkpoint's list. −1 in the list stands for the non-speech symbols.</summary>
    public IReadOnlyList<int>? SuppressTokens { get; init; }

    /// <summary>Most new tokens per window; null takes the algorithm's default.</summary>
    public int? MaxNewTokens { get; init; }

    /// <summary>Window length in seconds for <c>chunked</c>; null takes the model's.</summary>
    public double? ChunkLengthSeconds { get; init; }

    /// <summary>
    /// What a window of <c>chunked</c> has in common with the one before and the one after it, on each side, in seconds; less than half of
    /// the window. Null takes a sixth of it.
    /// </summary>
    public double? StrideLengthSeconds { get; init; }

    /// <summary>
    /// Start and end of each part to transcribe, in seconds, ascending; an end that is left out is the end of the audio. Empty
    /// transcribes all of it.
    /// </summary>
    public IReadOnlyList<double> ClipTimestamps { get; init; } = [];

    /// <summary>Windows decoded together where the algorithm allows it.</summary>
    public int BatchSize { get; init; } = 1;

    /// <summary>Seed of sampling; the same seed gives the same text.</summary>
    public int Seed { get; init; }
}
