using AsrPlatform.Abstractions.Captions;

namespace AsrPlatform.Host.Learning.Corrections;

/// <summary>What is to become of a correction.</summary>
internal enum CorrectionState
{
    /// <summary>Kept, not judged yet.</summary>
    Stored,

    /// <summary>May be trained on.</summary>
    Ready,

    /// <summary>Looks wrong: a person decides.</summary>
    Held,

    /// <summary>A person decided that it is not trained on.</summary>
    Refused,

    /// <summary>A later correction of the same utterance is trained on instead.</summary>
    Superseded,
}

/// <summary>A correction as the database has it: a whole utterance, with what the model heard and what a person says was said.</summary>
/// <remarks>
/// A person corrects a segment, a few words. What is kept to learn from is the utterance that the segment is of: its audio, and the newest
/// text of each of its segments. Immutable.
/// </remarks>
internal sealed record StoredCorrection
{
    /// <summary>Never given twice.</summary>
    public required long Number { get; init; }

    /// <summary>The sender's id; of an imported one the hash of its content.</summary>
    public required string Id { get; init; }

    /// <summary>The session's number; null when imported, as are the next five.</summary>
    public long? SessionNumber { get; init; }

    public string? SessionId { get; init; }

    /// <summary>The segment that was corrected.</summary>
    public long? SegmentId { get; init; }

    /// <summary>Of the update that shows it.</summary>
    public long? Sequence { get; init; }

    /// <summary>First sample of the utterance, in the session's audio.</summary>
    public long? StartSample { get; init; }

    /// <summary>Sample after its last one.</summary>
    public long? EndSample { get; init; }

    /// <summary>What the model heard; empty when unknown or when it heard nothing.</summary>
    public required string Hypothesis { get; init; }

    /// <summary>What was said.</summary>
    public required string Text { get; init; }

    public string? Author { get; init; }

    /// <summary>Whose voice; null when unknown.</summary>
    public string? Speaker { get; init; }

    /// <summary>What it is about; null when unknown.</summary>
    public string? Domain { get; init; }

    /// <summary>Language code; null when unknown.</summary>
    public string? Language { get; init; }

    /// <summary>What made the hypothesis; <c>base</c> without an adapter.</summary>
    public required string AdapterVersion { get; init; }

    /// <summary>The hypothesis' words, in seconds from the clip's start; empty when unknown.</summary>
    public IReadOnlyList<CaptionWord> Words { get; init; } = [];

    /// <summary>What was changed, word by word.</summary>
    public required IReadOnlyList<WordChange> Diff { get; init; }

    /// <summary>Its clip's name in <see cref="ClipStore"/>; null until it is cut, and of one that is superseded.</summary>
    public string? Clip { get; init; }

    public required CorrectionState State { get; init; }

    /// <summary>Why it is in its state, for people; null where that goes without saying.</summary>
    public string? Reason { get; init; }

    /// <summary>What the screening measured; null before.</summary>
    public ScreeningScores? Scores { get; init; }

    /// <summary><c>train</c> or <c>held-out</c>; null until it is given, and then never changed.</summary>
    public string? Split { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The first adapter that was trained on it and put to work; null when there is none.</summary>
    public string? LearnedBy { get; init; }

    /// <summary>Whether its session translates: then its text is no transcript.</summary>
    public bool IsTranslation { get; init; }
}

/// <summary>A correction that may be trained on.</summary>
/// <param name="Correction">The correction: its text is what is said in the clip.</param>
/// <param name="ClipFile">Its clip: WAV, PCM16, 16 kHz, mono, at most <see cref="CaptionedUtterance.MaximumSeconds"/> (imported ones: <see cref="ClipStore.MaximumSeconds"/>).</param>
internal sealed record ReadyCorrection(StoredCorrection Correction, string ClipFile);

/// <summary>A word of the hypothesis beside the word that stands there now.</summary>
/// <param name="Op"><c>equal</c>, <c>replace</c>, <c>insert</c> (only the text has it) or <c>delete</c> (only the hypothesis has it).</param>
/// <param name="Hypothesis">Empty for <c>insert</c>.</param>
/// <param name="Text">Empty for <c>delete</c>.</param>
internal sealed record WordChange(string Op, string Hypothesis, string Text);

/// <summary>What the screening measured of a correction: natural logarithms of probabilities, given its audio.</summary>
internal sealed record ScreeningScores
{
    /// <summary>Of the corrected text, per token.</summary>
    public required double Text { get; init; }

    /// <summary>Of what the model heard, per token; null when it is not known.</summary>
    public double? Hypothesis { get; init; }

    /// <summary>Of no speech at all.</summary>
    public required double Silence { get; init; }

    /// <summary>Of the corrected text's words in another order, per token: what such words have where they were not said. Null for a single word.</summary>
    public double? Shuffled { get; init; }

    /// <summary>
    /// By how much less likely the corrected text is than what the model heard, per token of what was changed (of the longer side, at least
    /// <see cref="CorrectionScreen.LeastChanged"/>). Null when what was heard is not known.
    /// </summary>
    public double? Gap { get; init; }

    /// <summary>Tokens of the corrected text, the end included.</summary>
    public required int Tokens { get; init; }
}
