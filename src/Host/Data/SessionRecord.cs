using AsrPlatform.Host.Live;

namespace AsrPlatform.Host.Data;

/// <summary>A session as the database has it.</summary>
internal sealed record SessionRecord
{
    /// <summary>Its number; names its audio file. Rises from session to session.</summary>
    public required long Number { get; init; }

    public required string Id { get; init; }

    public required StoredState State { get; init; }

    /// <summary>Why it failed.</summary>
    public string? Error { get; init; }

    public required SessionSettings Settings { get; init; }

    public required DateTimeOffset StartedAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Samples kept; 0 while it is active, for then its file tells.</summary>
    public required long Samples { get; init; }

    /// <summary>Sequence of its newest update; while it is active, the highest that may have been given.</summary>
    public required long LastSequence { get; init; }

    /// <summary>Segments that are committed.</summary>
    public required int Segments { get; init; }
}

/// <summary>Life of a session in the database.</summary>
internal enum StoredState
{
    /// <summary>Takes audio, or did when its host stopped: it can go on.</summary>
    Active,

    /// <summary>Over.</summary>
    Ended,

    /// <summary>Stopped by an error.</summary>
    Failed,
}
