namespace AsrPlatform.Host.Learning.Data;

/// <summary>One utterance of a manifest.</summary>
internal sealed record ManifestEntry
{
    /// <summary>The largest weight: one row must not be all that a run learns.</summary>
    public const double MaxWeight = 100;

    /// <summary>The manifest's row: its line in a text file, header included, from 1.</summary>
    public required int Row { get; init; }

    /// <summary>Full path of the audio file; it existed when the manifest was read.</summary>
    public required string AudioPath { get; init; }

    /// <summary>The audio as the manifest names it, for reports.</summary>
    public required string AudioName { get; init; }

    /// <summary>What is said, cleaned by <see cref="TextCleanup"/>; empty only where <see cref="IsSilence"/>.</summary>
    public required string Text { get; init; }

    /// <summary>What was heard before somebody corrected it, cleaned as <see cref="Text"/>; null when unknown.</summary>
    public string? Hypothesis { get; init; }

    /// <summary>Language code as the manifest has it; null for the run's.</summary>
    public string? Language { get; init; }

    /// <summary>Who speaks; null when unknown.</summary>
    public string? Speaker { get; init; }

    /// <summary>What it is about or where it is from; null when unknown.</summary>
    public string? Domain { get; init; }

    /// <summary>Where the utterance begins in the file, in seconds.</summary>
    public double StartSeconds { get; init; }

    /// <summary>Where it ends, in seconds; null for the file's end.</summary>
    public double? EndSeconds { get; init; }

    /// <summary>The row says that nobody speaks: its empty text is meant.</summary>
    public bool IsSilence { get; init; }

    /// <summary>The row is there to keep what the model knows: its <c>kind</c> is <c>replay</c> or <c>anchor</c>.</summary>
    public bool IsReplay { get; init; }

    /// <summary>How much the row counts in training beside others, above 0, at most <see cref="MaxWeight"/>.</summary>
    public double Weight { get; init; } = 1;

    /// <summary>
    /// The text in parts with their times from the utterance's start, in order; empty when the manifest has none. Together they are
    /// <see cref="Text"/>.
    /// </summary>
    public IReadOnlyList<TimedText> Segments { get; init; } = [];

    /// <summary>Words with times from the utterance's start; empty when the manifest has none.</summary>
    public IReadOnlyList<TimedWord> Words { get; init; } = [];
}

/// <summary>A part of a text with its time.</summary>
/// <param name="Text">The part, cleaned by <see cref="TextCleanup"/>.</param>
/// <param name="Start">Seconds from the utterance's start.</param>
/// <param name="End">Seconds from the utterance's start.</param>
internal sealed record TimedText(string Text, double Start, double End);

/// <summary>A word with its time.</summary>
/// <param name="Word">The word, without spaces around it.</param>
/// <param name="Start">Seconds from the utterance's start.</param>
/// <param name="End">Seconds from the utterance's start.</param>
internal sealed record TimedWord(string Word, double Start, double End);

/// <summary>Why a row cannot be used.</summary>
internal enum DropReason
{
    /// <summary>The row does not hold what a manifest's row must.</summary>
    Malformed,

    /// <summary>The row's bytes are no text in the manifest's encoding.</summary>
    WrongEncoding,

    /// <summary>The audio file does not exist.</summary>
    MissingFile,

    /// <summary>There is no text, and the row is not marked as silence.</summary>
    EmptyText,

    /// <summary>The file is no audio, or broken.</summary>
    UnreadableAudio,

    /// <summary>Shorter than the limit.</summary>
    TooShort,

    /// <summary>Longer than the limit.</summary>
    TooLong,

    /// <summary>The text has more tokens than the limit.</summary>
    TooManyTokens,

    /// <summary>The model does not know the row's language, and the run has none.</summary>
    UnknownLanguage,
}

/// <summary>A row that is left out.</summary>
/// <param name="Row">As <see cref="ManifestEntry.Row"/>.</param>
/// <param name="Audio">The audio as the manifest names it; null when the row has none.</param>
/// <param name="Reason">Why.</param>
/// <param name="Detail">Why, for people.</param>
internal sealed record DroppedRow(int Row, string? Audio, DropReason Reason, string Detail);
