namespace AsrPlatform.Abstractions.Corrections;

/// <summary>What a person says a caption should have been.</summary>
public sealed record Correction
{
    /// <summary>Chosen by the sender; the same id twice is one correction.</summary>
    public required string Id { get; init; }

    /// <summary>The session of the caption.</summary>
    public required string SessionId { get; init; }

    /// <summary>The segment of the caption.</summary>
    public required long SegmentId { get; init; }

    /// <summary>The update that the person saw.</summary>
    public required long Sequence { get; init; }

    /// <summary>The right text.</summary>
    public required string Text { get; init; }

    /// <summary>Who says so; null when unknown.</summary>
    public string? Author { get; init; }

    /// <summary>Whose voice it is; null when unknown.</summary>
    public string? Speaker { get; init; }

    /// <summary>What it is about, such as <c>medicines</c>; null when unknown.</summary>
    public string? Domain { get; init; }
}
