using System.Globalization;

namespace AsrPlatform.Host.Learning.Corrections;

/// <summary>A correction as <c>/api/corrections</c> and <c>asr corrections --json</c> show it; members as of <see cref="StoredCorrection"/>.</summary>
internal sealed record CorrectionItem
{
    public required long Number { get; init; }

    public required string Id { get; init; }

    public required string? SessionId { get; init; }

    public required long? SegmentId { get; init; }

    public required string Hypothesis { get; init; }

    public required string Text { get; init; }

    public required string? Author { get; init; }

    public required string? Speaker { get; init; }

    public required string? Domain { get; init; }

    public required string? Language { get; init; }

    public required string AdapterVersion { get; init; }

    /// <summary><c>stored</c>, <c>ready</c>, <c>held</c>, <c>refused</c> or <c>superseded</c>.</summary>
    public required string State { get; init; }

    public required string? Reason { get; init; }

    public required IReadOnlyList<WordChange> Diff { get; init; }

    public required ScreeningScores? Scores { get; init; }

    public required string? Split { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required bool InTraining { get; init; }

    public required string? LearnedBy { get; init; }

    /// <summary>Address of its audio; null when there is none.</summary>
    public required string? Clip { get; init; }

    /// <summary>The item of a correction.</summary>
    /// <param name="correction">The correction.</param>
    /// <param name="inTraining">Numbers of those that are being trained on: <see cref="CorrectionStore.InTraining"/>.</param>
    public static CorrectionItem Of(StoredCorrection correction, IReadOnlySet<long> inTraining) => new()
    {
        Number = correction.Number,
        Id = correction.Id,
        SessionId = correction.SessionId,
        SegmentId = correction.SegmentId,
        Hypothesis = correction.Hypothesis,
        Text = correction.Text,
        Author = correction.Author,
        Speaker = correction.Speaker,
        Domain = correction.Domain,
        Language = correction.Language,
        AdapterVersion = correction.AdapterVersion,
        State = CorrectionRows.NameOf(correction.State),
        Reason = correction.Reason,
        Diff = correction.Diff,
        Scores = correction.Scores,
        Split = correction.Split,
        CreatedAt = correction.CreatedAt,
        InTraining = inTraining.Contains(correction.Number),
        LearnedBy = correction.LearnedBy,
        Clip = correction.Clip is null ? null : string.Create(CultureInfo.InvariantCulture, $"/api/corrections/{correction.Number}/audio"),
    };
}
