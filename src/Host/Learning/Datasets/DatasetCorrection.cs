using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Host.Learning.Corrections;
using Microsoft.Data.Sqlite;

namespace AsrPlatform.Host.Learning.Datasets;

/// <summary>The side of the split that an utterance is on for good.</summary>
internal enum SplitSide
{
    /// <summary>It is trained on.</summary>
    Train,

    /// <summary>It is never trained on: candidates are judged by it.</summary>
    HeldOut,
}

/// <summary>A correction as a data set sees it.</summary>
internal sealed record DatasetCorrection
{
    /// <summary>Its number in the database.</summary>
    public required long Number { get; init; }

    public required string Hypothesis { get; init; }

    public required string Text { get; init; }

    /// <summary>Whose voice; the session where nobody said.</summary>
    public required string Speaker { get; init; }

    public string? Domain { get; init; }

    public string? Language { get; init; }

    /// <summary>Its clip's name; null of one that is not ready any more.</summary>
    public required string? Clip { get; init; }

    /// <summary>The same for all corrections of one utterance of a session; null when imported.</summary>
    public string? Utterance { get; init; }

    /// <summary>Whether it may be learned from now. One that may not keeps its side, which those like it follow.</summary>
    public required bool IsReady { get; init; }

    /// <summary>What made the hypothesis.</summary>
    public string AdapterVersion { get; init; } = "";

    /// <summary>The hypothesis' words with their confidences; empty when they are not known.</summary>
    public IReadOnlyList<CaptionWord> Words { get; init; } = [];

    /// <summary>The side that it was given; null when it has none yet.</summary>
    public SplitSide? Side { get; init; }

    /// <summary>Reads every correction that is ready or has a side, in the order of numbers.</summary>
    public static List<DatasetCorrection> Read(SqliteConnection connection) => CorrectionRows
        .Select(connection, "(c.state = 'ready' AND c.clip IS NOT NULL) OR c.split IS NOT NULL ORDER BY c.number")
        .ConvertAll(stored => new DatasetCorrection
        {
            Number = stored.Number,
            Hypothesis = stored.Hypothesis,
            Text = stored.Text,
            Speaker = stored.Speaker ?? (stored.SessionId is { } session ? $"session {session}" : "unknown"),
            Domain = stored.Domain,
            Language = stored.Language,
            Clip = stored.Clip,
            Utterance = stored.SessionNumber is { } number ? FormattableString.Invariant($"{number} {stored.StartSample}") : null,
            AdapterVersion = stored.AdapterVersion,
            Words = stored.Words,
            IsReady = stored is { State: CorrectionState.Ready, Clip: not null },
            Side = stored.Split switch { "train" => SplitSide.Train, "held-out" => SplitSide.HeldOut, _ => null },
        });
}
