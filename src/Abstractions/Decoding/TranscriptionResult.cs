namespace AsrPlatform.Abstractions.Decoding;

/// <summary>A transcript.</summary>
public sealed record TranscriptionResult
{
    /// <summary>The whole text.</summary>
    public required string Text { get; init; }

    /// <summary>Language code, given or detected; null when the model knows just one.</summary>
    public string? Language { get; init; }

    /// <summary>Length of the audio in seconds.</summary>
    public required double DurationSeconds { get; init; }

    /// <summary>The adapter that it was made with, <c>base</c> without one; null is <see cref="RecognizerInfo.AdapterVersion"/>.</summary>
    public string? AdapterVersion { get; init; }

    /// <summary>Segments in the order of time.</summary>
    public IReadOnlyList<TranscriptSegment> Segments { get; init; } = [];
}

/// <summary>A segment of a transcript; times in seconds from the start of the audio.</summary>
public sealed record TranscriptSegment
{
    /// <summary>Number in the transcript, from 0.</summary>
    public required int Id { get; init; }

    /// <summary>First feature frame (10 ms) of the window it was decoded in.</summary>
    public int Seek { get; init; }

    /// <summary>Start in seconds.</summary>
    public required double Start { get; init; }

    /// <summary>End in seconds.</summary>
    public required double End { get; init; }

    /// <summary>Text, with the leading space that the tokenizer gives.</summary>
    public required string Text { get; init; }

    /// <summary>Token ids, timestamps included where the model gave them.</summary>
    public IReadOnlyList<int> Tokens { get; init; } = [];

    /// <summary>The temperature that gave it.</summary>
    public double Temperature { get; init; }

    /// <summary>Mean log probability of its window's tokens; null where the algorithm does not compute it.</summary>
    public double? AverageLogProbability { get; init; }

    /// <summary>zlib ratio of its window's text; null where the algorithm does not compute it.</summary>
    public double? CompressionRatio { get; init; }

    /// <summary>Probability that its window holds no speech; null where the algorithm does not compute it.</summary>
    public double? NoSpeechProbability { get; init; }

    /// <summary>Words with times, when asked for.</summary>
    public IReadOnlyList<TranscriptWord>? Words { get; init; }
}

/// <summary>A word with its time.</summary>
/// <param name="Word">Text, with its leading space where the language writes one.</param>
/// <param name="Start">Start in seconds.</param>
/// <param name="End">End in seconds.</param>
/// <param name="Probability">Mean probability of its tokens, 0…1.</param>
public sealed record TranscriptWord(string Word, double Start, double End, double Probability);

/// <summary>How far a transcription is.</summary>
/// <param name="DoneSeconds">Audio finished, in seconds.</param>
/// <param name="TotalSeconds">Length of the audio in seconds, or null while it is not known.</param>
/// <param name="Segments">Segments finished since the last call.</param>
public sealed record TranscriptionProgress(double DoneSeconds, double? TotalSeconds, IReadOnlyList<TranscriptSegment> Segments);
