using System.Globalization;
using System.Text.Json;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Abstractions.Corrections;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Evaluation;
using Microsoft.Data.Sqlite;

namespace AsrPlatform.Host.Learning.Corrections;

/// <summary>The table <c>correction</c>: what is done to it within a transaction of the caller's.</summary>
internal static class CorrectionRows
{
    /// <summary>Rows of the same utterance as <c>$number</c>'s, itself included: in the same session by segments, imported by the clip.</summary>
    private const string Mates =
        """
        SELECT mate.number FROM correction AS mate, correction AS one WHERE one.number = $number AND (
            (mate.session = one.session AND mate.start_sample < one.end_sample AND mate.end_sample > one.start_sample)
            OR (mate.session IS NULL AND one.session IS NULL AND mate.clip = one.clip))
        """;

    private const string Columns =
        """
        c.number, c.session, s.id, c.id, c.segment, c.sequence, c.start_sample, c.end_sample, c.hypothesis, c.text, c.author, c.speaker, c.domain,
        c.language, c.adapter_version, c.words, c.diff, c.clip, c.state, c.reason, c.scores, c.split, c.created_at,
        (SELECT a.id FROM adapter_correction AS l JOIN adapter AS a ON a.number = l.adapter
            WHERE l.correction = c.number AND a.state IN ('promoted', 'provisional') ORDER BY a.number LIMIT 1),
        coalesce(json_extract(s.settings, '$.task') = 'translate', 0)
        """;

    private const int LongestTaint = 500;

    /// <summary>Rows that fulfil a condition on <c>c</c> (the correction) and <c>s</c> (its session, if any).</summary>
    public static List<StoredCorrection> Select(SqliteConnection connection, string conditionAndOrder, params ReadOnlySpan<(string Name, object? Value)> parameters) =>
        connection.Query($"SELECT {Columns} FROM correction AS c LEFT JOIN session AS s ON s.number = c.session WHERE {conditionAndOrder}", Row, parameters);

    /// <summary>The row of a number; null when there is none.</summary>
    public static StoredCorrection? Find(SqliteConnection connection, long number) => Select(connection, "c.number = $number", ("$number", number)).SingleOrDefault();

    /// <summary>Keeps a correction of a session, with its utterance; its caption is written before.</summary>
    /// <param name="connection">The database, in a transaction.</param>
    /// <param name="session">The session's number.</param>
    /// <param name="correction">The correction.</param>
    /// <param name="update">The update that shows it.</param>
    /// <param name="now">The time.</param>
    public static void Insert(SqliteConnection connection, long session, Correction correction, CaptionUpdate update, DateTimeOffset now)
    {
        connection.Execute(
            """
            INSERT INTO correction (session, id, segment, seen_sequence, sequence, start_sample, end_sample, hypothesis, text, author, speaker, domain, language, adapter_version, created_at)
            VALUES ($session, $id, $segment, $seen, $sequence, $start, $end, '', $text, $author, $speaker, $domain, $language, $adapter, $created)
            """,
            ("$session", session),
            ("$id", correction.Id),
            ("$segment", update.SegmentId),
            ("$seen", correction.Sequence),
            ("$sequence", update.Sequence),
            ("$start", update.StartSample),
            ("$end", update.EndSample),
            ("$text", update.Text),
            ("$author", NullIfBlank(correction.Author)),
            ("$speaker", NullIfBlank(correction.Speaker)),
            ("$domain", NullIfBlank(correction.Domain)),
            ("$language", update.Language),
            ("$adapter", update.AdapterVersion),
            ("$created", now.ToUnixTimeMilliseconds()));
        Join(connection, session, update.SegmentId);
    }

    /// <summary>
    /// Makes the newest correction of a segment's utterance the one that counts, with what was heard and what the segments say now; the others
    /// are superseded. What has changed is to be screened again.
    /// </summary>
    /// <returns>The one that counts; null when the utterance has none.</returns>
    public static StoredCorrection? Join(SqliteConnection connection, long session, long segment)
    {
        var utterance = CaptionedUtterance.Of(connection, session, SampleRate(connection, session), segment);
        var mates = Select(
            connection,
            "c.session = $session AND c.segment BETWEEN $first AND $last ORDER BY c.number",
            ("$session", session),
            ("$first", utterance.FirstSegment),
            ("$last", utterance.LastSegment));
        if (mates.Count == 0)
        {
            return null;
        }

        var newest = mates[^1];
        foreach (var older in mates.SkipLast(1))
        {
            Supersede(connection, older.Number, newest.Number, keepsClip: false);
        }

        var isMoved = newest.StartSample != utterance.StartSample || newest.EndSample != utterance.EndSample;
        var split = newest.Split ?? mates.LastOrDefault(mate => mate.Split is not null)?.Split;
        if (isMoved || newest.Text != utterance.Text || newest.Hypothesis != utterance.Hypothesis || newest.State == CorrectionState.Superseded || newest.Split != split || (newest.Diff.Count == 0 && newest.Text.Length > 0))
        {
            connection.Execute(
                """
                UPDATE correction SET start_sample = $start, end_sample = $end, hypothesis = $hypothesis, text = $text, words = $words, diff = $diff,
                    language = coalesce($language, language), split = $split, state = 'stored', reason = NULL, scores = NULL, clip = CASE WHEN $moved THEN NULL ELSE clip END
                WHERE number = $number
                """,
                ("$number", newest.Number),
                ("$start", utterance.StartSample),
                ("$end", utterance.EndSample),
                ("$hypothesis", utterance.Hypothesis),
                ("$text", utterance.Text),
                ("$words", ToJson(utterance.Words)),
                ("$diff", ToJson(Diff(utterance.Hypothesis, utterance.Text))),
                ("$language", utterance.Language),
                ("$split", split),
                ("$moved", isMoved));
        }

        return Find(connection, newest.Number);
    }

    /// <summary>Keeps an imported correction, whose clip is there; earlier ones of the same clip are superseded.</summary>
    /// <returns>Its number; null when it was there already.</returns>
    public static long? Insert(SqliteConnection connection, StoredCorrection imported)
    {
        if (connection.Scalar("SELECT 1 FROM correction WHERE session IS NULL AND id = $id", ("$id", imported.Id)) is not null)
        {
            return null;
        }

        var split = connection.Scalar("SELECT split FROM correction WHERE session IS NULL AND clip = $clip AND split IS NOT NULL ORDER BY number DESC LIMIT 1", ("$clip", imported.Clip));
        var number = (long)connection.Scalar(
            """
            INSERT INTO correction (id, hypothesis, text, author, speaker, domain, language, adapter_version, diff, clip, state, split, created_at)
            VALUES ($id, $hypothesis, $text, $author, $speaker, $domain, $language, $adapter, $diff, $clip, 'stored', $split, $created) RETURNING number
            """,
            ("$id", imported.Id),
            ("$hypothesis", imported.Hypothesis),
            ("$text", imported.Text),
            ("$author", imported.Author),
            ("$speaker", imported.Speaker),
            ("$domain", imported.Domain),
            ("$language", imported.Language),
            ("$adapter", imported.AdapterVersion),
            ("$diff", ToJson(imported.Diff)),
            ("$clip", imported.Clip),
            ("$split", split),
            ("$created", imported.CreatedAt.ToUnixTimeMilliseconds()))!;
        foreach (var older in connection.Query("SELECT number FROM correction WHERE session IS NULL AND clip = $clip AND number < $number", reader => reader.GetInt64(0), ("$clip", imported.Clip), ("$number", number)))
        {
            // Its audio is nowhere else.
            Supersede(connection, older, number, keepsClip: true);
        }

        return number;
    }

    /// <summary>Forgets a correction: its row, the text that it put into captions, and marks the adapters that were trained on it.</summary>
    /// <param name="connection">The database, in a transaction.</param>
    /// <param name="correction">The correction.</param>
    /// <param name="reason">Why, for people, such as <c>it was deleted</c>.</param>
    /// <param name="withSession">Whether its session goes, too: then captions and other corrections of the utterance are not seen to.</param>
    /// <returns>What happened to its caption; null when it is not of a session, or that goes, too.</returns>
    public static CaptionWithdrawal? Delete(SqliteConnection connection, StoredCorrection correction, string reason, bool withSession)
    {
        var taint = string.Create(CultureInfo.InvariantCulture, $"it was trained on correction {correction.Number}: {reason}");
        if (withSession)
        {
            Taint(connection, [correction.Number], taint);
            connection.Execute("DELETE FROM correction WHERE number = $number", ("$number", correction.Number));
            return null;
        }

        // A later correction of the utterance has the earlier one's text in its own.
        var mates = connection.Query($"{Mates} ORDER BY mate.number DESC", reader => reader.GetInt64(0), ("$number", correction.Number));
        Taint(connection, mates.Where(mate => mate >= correction.Number), taint);
        var withdrawal = Withdraw(connection, correction);
        connection.Execute("DELETE FROM correction WHERE number = $number", ("$number", correction.Number));
        if (correction.SessionNumber is { } session)
        {
            Join(connection, session, correction.SegmentId!.Value);
        }
        else if (mates.Count > 1 && mates[0] == correction.Number)
        {
            connection.Execute("UPDATE correction SET state = 'stored', reason = NULL, scores = NULL WHERE number = $number", ("$number", mates[1]));
        }

        return withdrawal;
    }

    /// <summary>Marks the adapters that were trained on any of some corrections.</summary>
    public static void Taint(SqliteConnection connection, IEnumerable<long> corrections, string reason)
    {
        foreach (var number in corrections)
        {
            connection.Execute(
                """
                UPDATE adapter SET tainted = CASE WHEN tainted IS NULL THEN $reason WHEN instr(tainted, $reason) > 0 OR length(tainted) > $longest THEN tainted ELSE tainted || '; ' || $reason END
                WHERE number IN (SELECT adapter FROM adapter_correction WHERE correction = $correction)
                """,
                ("$correction", number),
                ("$reason", reason),
                ("$longest", LongestTaint));
        }
    }

    /// <summary>Samples a second of a session's audio.</summary>
    public static int SampleRate(SqliteConnection connection, long session) =>
        (int)(long)connection.Scalar("SELECT json_extract(settings, '$.sampleRateHz') FROM session WHERE number = $number", ("$number", session))!;

    /// <summary>What was changed, word by word.</summary>
    public static IReadOnlyList<WordChange> Diff(string hypothesis, string text) =>
    [
        .. WordDiff.Columns(text, hypothesis).Select(column => new WordChange(
            column.Kind switch { DiffKind.Equal => "equal", DiffKind.Substituted => "replace", DiffKind.Deleted => "insert", _ => "delete" },
            column.Hypothesis,
            column.Reference)),
    ];

    public static string ToJson<T>(T value) => JsonSerializer.Serialize(value, JsonSerializerOptions.Web);

    public static string NameOf(CorrectionState state) => state switch
    {
        CorrectionState.Stored => "stored",
        CorrectionState.Ready => "ready",
        CorrectionState.Held => "held",
        CorrectionState.Refused => "refused",
        _ => "superseded",
    };

    /// <summary>The state of a name; null when there is none.</summary>
    public static CorrectionState? StateOf(string name)
    {
        foreach (var state in Enum.GetValues<CorrectionState>())
        {
            if (NameOf(state) == name)
            {
                return state;
            }
        }

        return null;
    }

    public static string? NullIfBlank(string? text) => string.IsNullOrWhiteSpace(text) ? null : text.Trim();

    private static void Supersede(SqliteConnection connection, long number, long by, bool keepsClip) => connection.Execute(
        """
        UPDATE correction SET state = 'superseded', reason = $reason, scores = NULL, clip = CASE WHEN $keeps THEN clip ELSE NULL END
        WHERE number = $number AND (state <> 'superseded' OR reason <> $reason)
        """,
        ("$number", number),
        ("$keeps", keepsClip),
        ("$reason", string.Create(CultureInfo.InvariantCulture, $"correction {by} of the same utterance is newer")));

    /// <summary>
    /// Takes the correction's text out of the captions' revisions: each that has it gets the text before it. Revisions stay, so that nobody
    /// who resumes finds a gap.
    /// </summary>
    private static CaptionWithdrawal? Withdraw(SqliteConnection connection, StoredCorrection correction)
    {
        if (correction is not { SessionNumber: { } session, SegmentId: { } segment, Sequence: { } sequence })
        {
            return null;
        }

        var revisions = connection.Query(
            "SELECT sequence, text, words, EXISTS (SELECT 1 FROM correction AS c WHERE c.session = caption.session AND c.sequence = caption.sequence) FROM caption WHERE session = $session AND segment = $segment ORDER BY revision",
            reader => (Sequence: reader.GetInt64(0), Text: reader.GetString(1), Words: reader.GetString(2), IsCorrection: reader.GetBoolean(3)),
            ("$session", session),
            ("$segment", segment));
        var at = revisions.FindIndex(revision => revision.Sequence == sequence);
        if (at < 1)
        {
            return null;
        }

        // What an earlier withdrawal showed again has this text, too.
        var (wrong, before) = (revisions[at].Text, revisions[at - 1]);
        var redacted = revisions.Skip(at).Where(revision => revision.Sequence == sequence || (!revision.IsCorrection && revision.Text == wrong)).Select(revision => revision.Sequence).ToList();
        foreach (var one in redacted)
        {
            connection.Execute(
                "UPDATE caption SET text = $text, words = $words WHERE session = $session AND sequence = $sequence",
                ("$session", session),
                ("$sequence", one),
                ("$text", before.Text),
                ("$words", before.Words));
        }

        return new CaptionWithdrawal(segment, redacted, before.Text, JsonSerializer.Deserialize<List<CaptionWord>>(before.Words, JsonSerializerOptions.Web)!, redacted.Contains(revisions[^1].Sequence) && before.Text != wrong);
    }

    private static StoredCorrection Row(SqliteDataReader reader) => new()
    {
        Number = reader.GetInt64(0),
        SessionNumber = Number(reader, 1),
        SessionId = reader.Text(2),
        Id = reader.GetString(3),
        SegmentId = Number(reader, 4),
        Sequence = Number(reader, 5),
        StartSample = Number(reader, 6),
        EndSample = Number(reader, 7),
        Hypothesis = reader.GetString(8),
        Text = reader.GetString(9),
        Author = reader.Text(10),
        Speaker = reader.Text(11),
        Domain = reader.Text(12),
        Language = reader.Text(13),
        AdapterVersion = reader.GetString(14),
        Words = FromJson<List<CaptionWord>>(reader.Text(15)) ?? [],
        Diff = FromJson<List<WordChange>>(reader.Text(16)) ?? [],
        Clip = reader.Text(17),
        State = StateOf(reader.GetString(18))!.Value,
        Reason = reader.Text(19),
        Scores = FromJson<ScreeningScores>(reader.Text(20)),
        Split = reader.Text(21),
        CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(reader.GetInt64(22)),
        LearnedBy = reader.Text(23),
        IsTranslation = reader.GetBoolean(24),
    };

    private static long? Number(SqliteDataReader reader, int column) => reader.IsDBNull(column) ? null : reader.GetInt64(column);

    private static T? FromJson<T>(string? json)
        where T : class => json is null ? null : JsonSerializer.Deserialize<T>(json, JsonSerializerOptions.Web);
}

/// <summary>What became of a caption whose correction was deleted.</summary>
/// <param name="SegmentId">Its segment.</param>
/// <param name="Redacted">Sequences of the updates that had the correction's text, and have the text before it now.</param>
/// <param name="Text">The text before it.</param>
/// <param name="Words">That text's words; empty when a person wrote it.</param>
/// <param name="IsShown">Whether the segment showed the correction's text: then viewers are to be shown the one before it.</param>
internal sealed record CaptionWithdrawal(long SegmentId, IReadOnlyList<long> Redacted, string Text, IReadOnlyList<CaptionWord> Words, bool IsShown);
