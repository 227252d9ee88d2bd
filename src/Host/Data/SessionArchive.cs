using System.Text.Json;
using System.Text.Json.Serialization;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Abstractions.Corrections;
using AsrPlatform.Host.Learning.Corrections;
using AsrPlatform.Host.Live;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Data;

/// <summary>Every session of the data folder, running ones included.</summary>
/// <remarks>Safe for concurrent calls. What is asked for is read from the database each time: nothing is held in memory.</remarks>
internal sealed class SessionArchive(DataFolder folder, IOptions<DataOptions> options, TimeProvider time, ILogger<SessionArchive> logger)
{
    /// <summary>Most captions that are read at once.</summary>
    public const int PageOfCaptions = 256;

    private const string SessionColumns =
        "number, id, state, error, settings, started_at, ended_at, samples, last_sequence, "
        + "(SELECT coalesce(max(segment), 0) FROM caption WHERE caption.session = session.number)";

    private static readonly JsonSerializerOptions SettingsForm = new(JsonSerializerDefaults.Web) { Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) } };

    private const string CaptionColumns = "segment, sequence, revision, state, text, words, language, adapter_version, start_sample, end_sample";

    private const string IsNewest =
        "NOT EXISTS (SELECT 1 FROM caption AS later WHERE later.session = caption.session AND later.segment = caption.segment AND later.revision > caption.revision)";

    private volatile bool _logHoldsDeleted;

    /// <summary>What corrections are kept for: learning.</summary>
    public CorrectionStore Corrections { get; } = new(folder, time);

    /// <summary>Makes a session and its audio file.</summary>
    /// <exception cref="AsrException">It cannot be kept, or the id is taken.</exception>
    public async Task<SessionRecorder> CreateAsync(string id, SessionSettings settings)
    {
        var startedAt = DateTimeOffset.FromUnixTimeMilliseconds(time.GetUtcNow().ToUnixTimeMilliseconds());
        var number = await folder.Database.WriteAsync(connection =>
        {
            if (connection.Scalar("SELECT 1 FROM session WHERE id = $id", ("$id", id)) is not null)
            {
                throw new AsrException($"there is a session '{id}' already: start one with another id");
            }

            return (long)connection.Scalar(
                """
                INSERT INTO session (id, state, settings, started_at, last_sequence)
                VALUES ($id, 'active', $settings, $started, 0) RETURNING number
                """,
                ("$id", id),
                ("$settings", JsonSerializer.Serialize(settings, SettingsForm)),
                ("$started", startedAt.ToUnixTimeMilliseconds()))!;
        });
        var record = new SessionRecord
        {
            Number = number,
            Id = id,
            State = StoredState.Active,
            Settings = settings,
            StartedAt = startedAt,
            Samples = 0,
            LastSequence = 0,
            Segments = 0,
        };
        try
        {
            return Reopen(record);
        }
        catch (AsrException error)
        {
            ReportUnwritable(id, error);
            await folder.Database.WriteAsync(connection => connection.Execute("DELETE FROM session WHERE number = $number", ("$number", number)));
            throw;
        }
    }

    /// <summary>Logs what clients are not told: the cause, with its path.</summary>
    public void ReportUnwritable(string id, AsrException error) =>
        logger.LogError(error.InnerException, "Session {Session}: {Reason}", id, error.Message);

    /// <summary>Opens an active session to go on with; its file is repaired.</summary>
    /// <exception cref="AsrException">Its file cannot be opened, or the database not be read.</exception>
    public SessionRecorder Reopen(SessionRecord record)
    {
        var captions = folder.Database.Read(connection => connection.Query(
            $"SELECT {CaptionColumns} FROM caption WHERE session = $session ORDER BY sequence",
            reader => Caption(reader, record.Id),
            ("$session", record.Number)));
        return new SessionRecorder(this, record, SessionAudioFile.Open(folder.AudioFile(record.Number), record.Settings.SampleRateHz), captions);
    }

    /// <summary>The session of an id; null when there is none.</summary>
    public SessionRecord? Find(string id) => folder.Database.Read(connection => connection.Query(
        $"SELECT {SessionColumns} FROM session WHERE id = $id",
        Session,
        ("$id", id))).SingleOrDefault();

    /// <summary>Sessions, the newest first.</summary>
    /// <param name="state">Only those; null: all.</param>
    /// <param name="before">Only those that started before the one of this number.</param>
    /// <param name="limit">At most so many.</param>
    public IReadOnlyList<SessionRecord> List(StoredState? state, long before, int limit) => folder.Database.Read(connection => connection.Query(
        $"SELECT {SessionColumns} FROM session WHERE number < $before AND ($state IS NULL OR state = $state) ORDER BY number DESC LIMIT $limit",
        Session,
        ("$before", before),
        ("$state", state is { } wanted ? NameOf(wanted) : null),
        ("$limit", limit)));

    /// <summary>Updates of a session, in the order of sequences.</summary>
    /// <param name="record">The session.</param>
    /// <param name="after">Only those after this sequence.</param>
    /// <param name="newestOnly">Only the newest of each segment.</param>
    /// <param name="limit">At most so many.</param>
    public IReadOnlyList<CaptionUpdate> Captions(SessionRecord record, long after, bool newestOnly, int limit) => folder.Database.Read(connection => connection.Query(
        $"SELECT {CaptionColumns} FROM caption WHERE session = $session AND sequence > $after AND ($all OR {IsNewest}) ORDER BY sequence LIMIT $limit",
        reader => Caption(reader, record.Id),
        ("$session", record.Number),
        ("$after", after),
        ("$all", !newestOnly),
        ("$limit", limit)));

    /// <summary>The newest revision of each segment of a session, in the order of time.</summary>
    public IReadOnlyList<CaptionUpdate> Captions(SessionRecord record) => folder.Database.Read(connection => connection.Query(
        $"SELECT {CaptionColumns} FROM caption WHERE session = $session AND {IsNewest} ORDER BY segment",
        reader => Caption(reader, record.Id),
        ("$session", record.Number)));

    /// <summary>The update that a correction made; null when there is no such correction.</summary>
    public CaptionUpdate? Corrected(SessionRecord record, string correctionId) =>
        folder.Database.Read(connection => Corrected(connection, record, correctionId));

    /// <summary>Corrections of a session.</summary>
    public int CorrectionsOf(SessionRecord record) => (int)folder.Database.Read(connection => (long)connection.Scalar(
        "SELECT count(*) FROM correction WHERE session = $session",
        ("$session", record.Number))!);

    /// <summary>Corrects a session that is over. The same correction twice is one. Its clip is not cut yet.</summary>
    /// <exception cref="AsrException">There is no such segment or sequence, there are too many corrections, or it cannot be kept.</exception>
    public async Task<CaptionUpdate> CorrectAsync(SessionRecord record, Correction correction, int maximum)
    {
        var corrected = await folder.Database.WriteAsync(connection =>
        {
            if (Corrected(connection, record, correction.Id) is { } done)
            {
                return done;
            }

            var last = (long)connection.Scalar("SELECT last_sequence FROM session WHERE number = $number", ("$number", record.Number))!;
            var caption = connection.Query(
                $"SELECT {CaptionColumns} FROM caption WHERE session = $session AND segment = $segment ORDER BY revision DESC LIMIT 1",
                reader => Caption(reader, record.Id),
                ("$session", record.Number),
                ("$segment", correction.SegmentId)).SingleOrDefault();
            var corrections = (long)connection.Scalar("SELECT count(*) FROM correction WHERE session = $session", ("$session", record.Number))!;
            var update = CorrectionRules.Apply(correction, caption, last, (int)corrections, maximum) with { Sequence = last + 1, Revision = caption!.Revision + 1 };
            Write(connection, record.Number, update, correction);
            return update;
        });
        Corrections.Tell();
        return corrected;
    }

    /// <summary>
    /// Deletes corrections for good, with what was made of them (<see cref="CorrectionStore.DeleteAsync"/>), and shows the text before each of
    /// them as its caption's next revision.
    /// </summary>
    /// <param name="numbers">Which; their sessions do not run in any process, unless <paramref name="show"/> says so.</param>
    /// <param name="reason">Why, for the adapters' cards, such as <c>it was deleted</c>.</param>
    /// <param name="show">Whether the next revision is written here; false when a running session publishes it.</param>
    /// <returns>What became of captions, by correction.</returns>
    /// <exception cref="AsrException">Something cannot be deleted.</exception>
    public async Task<IReadOnlyList<(StoredCorrection Correction, CaptionWithdrawal? Caption)>> DeleteCorrectionsAsync(IReadOnlyCollection<long> numbers, string reason, bool show)
    {
        var deleted = await Corrections.DeleteAsync(numbers, reason, (connection, number, withdrawal) =>
        {
            if (show && withdrawal.IsShown)
            {
                ShowAgain(connection, number, withdrawal);
            }
        });
        await EmptyLogAsync();
        return deleted;
    }

    /// <summary>Writes an update of a running session; see <see cref="ISessionJournal.WriteAsync"/>.</summary>
    /// <param name="number">The session.</param>
    /// <param name="previous">Sequence of the lasting update before it; 0: it is the first.</param>
    /// <param name="update">The update.</param>
    /// <param name="correction">What made it, when a person did.</param>
    /// <exception cref="AsrException">It cannot be kept, or the one before it was not.</exception>
    public async Task WriteAsync(long number, long previous, CaptionUpdate update, Correction? correction)
    {
        await folder.Database.WriteAsync(connection =>
        {
            // A disk that has no room for one may have it for the next: the session would then go on after the next, and the one be lost.
            if (previous > 0 && connection.Scalar("SELECT 1 FROM caption WHERE session = $session AND sequence = $previous", ("$session", number), ("$previous", previous)) is null)
            {
                throw new AsrException("an earlier caption could not be kept");
            }

            Write(connection, number, update, correction);
            return true;
        });
        if (correction is not null)
        {
            Corrections.Tell();
        }
    }

    /// <summary>Reserves sequences of a running session; see <see cref="ISessionJournal.ReserveAsync"/>.</summary>
    public Task ReserveAsync(long number, long sequence) => folder.Database.WriteAsync(connection => connection.Execute(
        "UPDATE session SET last_sequence = max(last_sequence, $sequence) WHERE number = $number",
        ("$number", number),
        ("$sequence", sequence)));

    /// <summary>Notes where a session stands that stops taking audio.</summary>
    /// <param name="number">The session.</param>
    /// <param name="state"><see cref="StoredState.Active"/>: its host stops, it may go on later.</param>
    /// <param name="error">Why it failed.</param>
    /// <param name="samples">Samples kept.</param>
    /// <param name="lastSequence">The last sequence that it gave.</param>
    /// <exception cref="AsrException">It cannot be written.</exception>
    public Task CloseAsync(long number, StoredState state, string? error, long samples, long lastSequence)
    {
        var endedAt = state == StoredState.Active ? (long?)null : time.GetUtcNow().ToUnixTimeMilliseconds();
        return folder.Database.WriteAsync(connection => connection.Execute(
            """
            UPDATE session SET state = $state, error = $error, ended_at = $ended, samples = $samples,
                last_sequence = max($last, (SELECT coalesce(max(sequence), 0) FROM caption WHERE session = $number))
            WHERE number = $number
            """,
            ("$number", number),
            ("$state", NameOf(state)),
            ("$error", error),
            ("$ended", endedAt),
            ("$samples", samples),
            ("$last", lastSequence)));
    }

    /// <summary>The session's audio as a WAV file; null when it has none. The caller disposes it.</summary>
    /// <exception cref="AsrException">It cannot be read.</exception>
    public WavStream? OpenAudio(SessionRecord record) => WavStream.Open(folder.AudioFile(record.Number), record.Settings.SampleRateHz);

    /// <summary>
    /// Deletes a session that does not run: audio, captions, corrections with their clips, data sets that hold them; nothing of it is left in
    /// the database's file or log. Adapters that were trained on its corrections are marked.
    /// </summary>
    /// <exception cref="AsrException">It cannot be deleted; it is still listed then.</exception>
    public async Task DeleteAsync(SessionRecord record)
    {
        var corrections = folder.Database.Read(connection => connection.Query("SELECT number FROM correction WHERE session = $session", reader => reader.GetInt64(0), ("$session", record.Number)));
        await Corrections.DeleteAsync(corrections, "its session was deleted", show: null);
        try
        {
            // The file first: when this is cut short, the session is still there to be deleted again.
            File.Delete(folder.AudioFile(record.Number));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            logger.LogError(error, "The audio of session {Session} cannot be deleted", record.Id);
            throw new AsrException($"the audio of session '{record.Id}' cannot be deleted: see to the data folder", error);
        }

        await folder.Database.WriteAsync(connection => connection.Execute("DELETE FROM session WHERE number = $number", ("$number", record.Number)));
        await EmptyLogAsync();
    }

    /// <summary>Deletes sessions that are over and older than the options allow, or for which there is no room.</summary>
    /// <exception cref="AsrException">One cannot be deleted.</exception>
    public async Task ApplyRetentionAsync()
    {
        if (_logHoldsDeleted)
        {
            await EmptyLogAsync();
        }

        if (options.Value.MaximumAge is { } age)
        {
            var oldest = (time.GetUtcNow() - age).ToUnixTimeMilliseconds();
            await DeleteAllAsync("ended_at < $oldest", ("$oldest", oldest));
        }

        while (options.Value.MaximumBytes is { } maximum && Bytes() > maximum)
        {
            if (!await DeleteAllAsync("number = (SELECT min(number) FROM session WHERE state <> 'active')"))
            {
                break;
            }
        }
    }

    private static CaptionUpdate? Corrected(SqliteConnection connection, SessionRecord record, string correctionId) => connection.Query(
        $"SELECT {CaptionColumns} FROM caption WHERE session = $session AND sequence = (SELECT sequence FROM correction WHERE session = $session AND id = $id)",
        reader => Caption(reader, record.Id),
        ("$session", record.Number),
        ("$id", correctionId)).SingleOrDefault();

    private static void ShowAgain(SqliteConnection connection, long number, CaptionWithdrawal withdrawal)
    {
        var caption = connection.Query(
            $"SELECT {CaptionColumns} FROM caption WHERE session = $session AND segment = $segment ORDER BY revision DESC LIMIT 1",
            reader => Caption(reader, ""),
            ("$session", number),
            ("$segment", withdrawal.SegmentId)).Single();
        var last = (long)connection.Scalar("SELECT last_sequence FROM session WHERE number = $number", ("$number", number))!;
        WriteCaption(connection, number, caption with { Sequence = last + 1, Revision = caption.Revision + 1, State = CaptionState.Corrected });
    }

    private void Write(SqliteConnection connection, long number, CaptionUpdate update, Correction? correction)
    {
        WriteCaption(connection, number, update);
        if (correction is not null)
        {
            CorrectionRows.Insert(connection, number, correction, update, time.GetUtcNow());
        }
    }

    private static void WriteCaption(SqliteConnection connection, long number, CaptionUpdate update)
    {
        connection.Execute(
            """
            INSERT INTO caption (session, sequence, segment, revision, state, text, words, language, adapter_version, start_sample, end_sample)
            VALUES ($session, $sequence, $segment, $revision, $state, $text, $words, $language, $adapter, $start, $end)
            """,
            ("$session", number),
            ("$sequence", update.Sequence),
            ("$segment", update.SegmentId),
            ("$revision", update.Revision),
            ("$state", update.State == CaptionState.Corrected ? "corrected" : "committed"),
            ("$text", update.Text),
            ("$words", JsonSerializer.Serialize(update.Words, JsonSerializerOptions.Web)),
            ("$language", update.Language),
            ("$adapter", update.AdapterVersion),
            ("$start", update.StartSample),
            ("$end", update.EndSample));
        connection.Execute(
            "UPDATE session SET last_sequence = max(last_sequence, $sequence) WHERE number = $session",
            ("$session", number),
            ("$sequence", update.Sequence));
    }

    private async Task EmptyLogAsync()
    {
        // A reader that holds the log for seconds delays this: the next sweep tries again.
        _logHoldsDeleted = true;
        _logHoldsDeleted = !await folder.Database.TruncateLogAsync();
    }

    private async Task<bool> DeleteAllAsync(string condition, params (string Name, object? Value)[] parameters)
    {
        var records = folder.Database.Read(connection => connection.Query($"SELECT {SessionColumns} FROM session WHERE state <> 'active' AND {condition}", Session, parameters));
        foreach (var record in records)
        {
            await DeleteAsync(record);
            logger.LogInformation("Session {Session} of {Started} is deleted: Data:MaximumAge and Data:MaximumBytes keep no more", record.Id, record.StartedAt);
        }

        return records.Count > 0;
    }

    /// <summary>Bytes that the sessions take: what is deleted becomes free pages of the database, and counts no more.</summary>
    private long Bytes()
    {
        var audio = new DirectoryInfo(Path.GetDirectoryName(folder.AudioFile(0))!).EnumerateFiles().Sum(file => file.Length);
        return audio + folder.Database.Read(connection =>
            ((long)connection.Scalar("PRAGMA page_count")! - (long)connection.Scalar("PRAGMA freelist_count")!) * (long)connection.Scalar("PRAGMA page_size")!);
    }

    private static SessionRecord Session(SqliteDataReader reader) => new()
    {
        Number = reader.GetInt64(0),
        Id = reader.GetString(1),
        State = reader.GetString(2) switch
        {
            "active" => StoredState.Active,
            "ended" => StoredState.Ended,
            _ => StoredState.Failed,
        },
        Error = reader.Text(3),
        Settings = JsonSerializer.Deserialize<SessionSettings>(reader.GetString(4), SettingsForm)!,
        StartedAt = DateTimeOffset.FromUnixTimeMilliseconds(reader.GetInt64(5)),
        EndedAt = reader.IsDBNull(6) ? null : DateTimeOffset.FromUnixTimeMilliseconds(reader.GetInt64(6)),
        Samples = reader.GetInt64(7),
        LastSequence = reader.GetInt64(8),
        Segments = reader.GetInt32(9),
    };

    private static CaptionUpdate Caption(SqliteDataReader reader, string sessionId) => new()
    {
        SessionId = sessionId,
        SegmentId = reader.GetInt64(0),
        Sequence = reader.GetInt64(1),
        Revision = reader.GetInt32(2),
        State = reader.GetString(3) == "corrected" ? CaptionState.Corrected : CaptionState.Committed,
        Text = reader.GetString(4),
        Words = JsonSerializer.Deserialize<List<CaptionWord>>(reader.GetString(5), JsonSerializerOptions.Web)!,
        Language = reader.Text(6),
        AdapterVersion = reader.GetString(7),
        StartSample = reader.GetInt64(8),
        EndSample = reader.GetInt64(9),
    };

    private static string NameOf(StoredState state) => state switch
    {
        StoredState.Active => "active",
        StoredState.Ended => "ended",
        _ => "failed",
    };
}
