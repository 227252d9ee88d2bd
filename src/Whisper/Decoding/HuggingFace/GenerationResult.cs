namespace AsrPlatform.Whisper.Decoding.HuggingFace;

/// <summary>What was generated for one row of features.</summary>
/// <param name="LanguageToken">Token of the language, given or detected; null where the prefix has none.</param>
/// <param name="Windows">The windows in order; skipped ones are among them, without segments.</param>
public sealed record GenerationResult(int? LanguageToken, IReadOnlyList<GeneratedWindow> Windows)
{
    /// <summary>The segments of all windows.</summary>
    public IEnumerable<GeneratedSegment> Segments => Windows.SelectMany(window => window.Segments);

    /// <summary>The tokens of all segments: no prefix and no end token.</summary>
    public IEnumerable<int> Tokens => Segments.SelectMany(segment => segment.Tokens);
}

/// <summary>What was generated for one window.</summary>
public sealed record GeneratedWindow
{
    /// <summary>First frame of the window in the row's features.</summary>
    public required int Seek { get; init; }

    /// <summary>Frames of the window that the features reach, at most the model's.</summary>
    public required int Frames { get; init; }

    /// <summary>Tokens that the decoder was given: prompt or previous text, start of transcript, language, task.</summary>
    public required IReadOnlyList<int> Prefix { get; init; }

    /// <summary>Tokens that it generated; the end token is among them if it was reached.</summary>
    public required IReadOnlyList<int> Tokens { get; init; }

    /// <summary>Probability of each token among those allowed at its step, 0…1.</summary>
    public required IReadOnlyList<double> Probabilities { get; init; }

    /// <summary>All sequences that beam search was asked for, best first, with their scores; empty for greedy search and sampling.</summary>
    public IReadOnlyList<(IReadOnlyList<int> Tokens, float Score)> Beams { get; init; } = [];

    /// <summary>The temperature that gave the tokens.</summary>
    public required double Temperature { get; init; }

    /// <summary>Mean log-probability of the tokens, the end token counted.</summary>
    public required double AverageLogProbability { get; init; }

    /// <summary>As <see cref="AverageLogProbability"/>, of what was heard without preferred phrases: what the thresholds judge.</summary>
    internal double HeardLogProbability { get; init; }

    /// <summary>zlib ratio of the token bytes; null when there was no threshold to compare it with.</summary>
    public double? CompressionRatio { get; init; }

    /// <summary>Probability that the window holds no speech; null when there was no threshold to compare it with.</summary>
    public double? NoSpeechProbability { get; init; }

    /// <summary>Seconds from the start of the window, in steps of 20 ms, for each of <see cref="Tokens"/>; null unless asked for.</summary>
    public IReadOnlyList<double>? TokenTimes { get; init; }

    /// <summary>Whether thresholds say that the window is silent; it then has no segments.</summary>
    public bool Skipped { get; init; }

    /// <summary>The segments that its timestamps make.</summary>
    public IReadOnlyList<GeneratedSegment> Segments { get; init; } = [];
}

/// <summary>A segment; times in seconds from the start of the features.</summary>
/// <param name="Start">Start.</param>
/// <param name="End">End.</param>
/// <param name="Tokens">
/// Its tokens, timestamps included. The last segment of a window keeps the timestamp at which the next would have begun.
/// </param>
/// <param name="Offset">Place of its first token among its window's tokens.</param>
public sealed record GeneratedSegment(double Start, double End, IReadOnlyList<int> Tokens, int Offset);
