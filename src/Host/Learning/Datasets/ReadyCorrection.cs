using AsrPlatform.Host.Data;
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
internal sealed record ReadyCorrection
{
    /// <summary>Its number in the database.</summary>
    public required long Number { get; init; }

    /// <summary>The session that it is from; null when imported.</summary>
    public long? Session { get; init; }

    /// <summary>The session's segment; null when imported.</summary>
    public long? Segment { get; init; }

    public required string Hypothesis { get; init; }

    public required string Text { get; init; }

    /// <summary>Whose voice; the session where nobody said.</summary>
    public required string Speaker { get; init; }

    public string? Domain { get; init; }

    public string? Language { get; init; }

    /// <summary>SHA-256 of its clip, in hexadecimal.</summary>
    public required string Clip { get; init; }

    /// <summary>Whether it may be learned from now. One that may not keeps its side, which those like it follow.</summary>
    public required bool IsReady { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The side that it was given; null when it has none yet.</summary>
    public SplitSide? Side { get; init; }

    /// <summary>Reads every correction that is ready or has a side, in the order of numbers.</summary>
    public static List<ReadyCorrection> Read(SqliteConnection connection) => connection.Query(
        """
        SELECT number, session, segment, hypothesis, text, speaker, domain, language, clip, state, split, created_at
        FROM correction WHERE clip IS NOT NULL AND (state = 'ready' OR split IS NOT NULL) ORDER BY number
        """,
        reader => new ReadyCorrection
        {
            Number = reader.GetInt64(0),
            Session = reader.IsDBNull(1) ? null : reader.GetInt64(1),
            Segment = reader.IsDBNull(2) ? null : reader.GetInt64(2),
            Hypothesis = reader.GetString(3),
            Text = reader.GetString(4),
            Speaker = reader.Text(5) ?? (reader.IsDBNull(1) ? "unknown" : FormattableString.Invariant($"session {reader.GetInt64(1)}")),
            Domain = reader.Text(6),
            Language = reader.Text(7),
            Clip = reader.GetString(8),
            IsReady = reader.GetString(9) == "ready",
            CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(reader.GetInt64(11)),
            Side = reader.Text(10) switch { "train" => SplitSide.Train, "held-out" => SplitSide.HeldOut, _ => null },
        });

    /// <summary>
    /// Those that may be learned from. A person who corrects the same clip or segment again means the last text: the earlier ones are left out.
    /// </summary>
    public static List<ReadyCorrection> Newest(IEnumerable<ReadyCorrection> all)
    {
        var clips = new HashSet<string>(StringComparer.Ordinal);
        var segments = new HashSet<(long, long)>();
        List<ReadyCorrection> newest = [];
        foreach (var correction in all.Where(one => one.IsReady).OrderByDescending(one => one.Number))
        {
            var isFirst = clips.Add(correction.Clip);
            if (correction is { Session: { } session, Segment: { } segment })
            {
                isFirst &= segments.Add((session, segment));
            }

            if (isFirst)
            {
                newest.Add(correction);
            }
        }

        newest.Reverse();
        return newest;
    }
}
