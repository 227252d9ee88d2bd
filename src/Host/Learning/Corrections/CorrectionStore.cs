using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Rounds;
using Microsoft.Data.Sqlite;

namespace AsrPlatform.Host.Learning.Corrections;

/// <summary>The corrections of a data folder.</summary>
/// <remarks>
/// Corrections of sessions are written by <see cref="SessionArchive"/>, together with the captions that show them; everything else happens
/// here. Safe for concurrent calls, also of several processes: nothing is held in memory.
/// </remarks>
internal sealed class CorrectionStore(DataFolder folder, TimeProvider time)
{
    /// <summary>How long an utterance that may still grow is waited for before it is screened as it is.</summary>
    public static readonly TimeSpan Growth = TimeSpan.FromSeconds(10);

    /// <summary>Deletions in one transaction.</summary>
    private const int DeletedTogether = 100;

    /// <summary>
    /// Raised after this process has changed which corrections count, or their texts, before the caller of the change goes on; of other processes see
    /// <see cref="DatabaseChanges"/>. A subscriber is not told what changed. Possibly several calls at a time.
    /// </summary>
    public event Action? Changed;

    /// <summary>Where their audio lies.</summary>
    public ClipStore Clips { get; } = new(folder, time);

    /// <summary>Tells that corrections were written by <see cref="SessionArchive"/>.</summary>
    public void Tell() => Changed?.Invoke();

    /// <summary>The correction of a number; null when there is none.</summary>
    public StoredCorrection? Find(long number) => folder.Database.Read(connection => CorrectionRows.Find(connection, number));

    /// <summary>Corrections, the newest first.</summary>
    /// <param name="filter">Which.</param>
    /// <param name="after">Only those that follow the one of this number in the list, the older ones; null: from the newest on.</param>
    /// <param name="limit">At most so many.</param>
    public IReadOnlyList<StoredCorrection> List(CorrectionFilter filter, long? after, int limit) => folder.Database.Read(connection => CorrectionRows.Select(
        connection,
        """
        c.number < $after AND ($state IS NULL OR c.state = $state) AND ($author IS NULL OR c.author = $author) AND ($session IS NULL OR s.id = $session)
        ORDER BY c.number DESC LIMIT $limit
        """,
        ("$after", after ?? long.MaxValue),
        ("$state", filter.State is { } state ? CorrectionRows.NameOf(state) : null),
        ("$author", filter.Author),
        ("$session", filter.SessionId),
        ("$limit", limit)));

    /// <summary>All corrections that may be trained on, in the order in which they came: one an utterance.</summary>
    public IReadOnlyList<ReadyCorrection> Ready() =>
    [
        .. folder.Database.Read(connection => CorrectionRows.Select(connection, "c.state = 'ready' AND c.clip IS NOT NULL ORDER BY c.number"))
            .Select(correction => new ReadyCorrection(correction, Clips.FileOf(correction.Clip!))),
    ];

    /// <summary>How many corrections are in a state.</summary>
    public int Count(CorrectionState state) => (int)folder.Database.Read(connection => (long)connection.Scalar("SELECT count(*) FROM correction WHERE state = $state", ("$state", CorrectionRows.NameOf(state)))!);

    /// <summary>Numbers of the corrections that rounds of learning train on now: those of their plans (<c>learning/ID/plan.json</c>).</summary>
    public IReadOnlySet<long> InTraining()
    {
        var running = folder.Database.Read(connection => connection.Query("SELECT id FROM learning_job WHERE state = 'running'", reader => reader.GetString(0)));
        return running.SelectMany(id => Planned(Path.Combine(folder.Directory, "learning", id, "plan.json"))).ToHashSet();
    }

    /// <summary>Cuts the clip of a session's correction out of the session's audio; once it is there nothing is done.</summary>
    /// <param name="session">The session's number.</param>
    /// <param name="id">The correction's id.</param>
    /// <exception cref="AsrException">It cannot be written; the correction is kept, and is cut when it is screened.</exception>
    public async Task CutAsync(long session, string id)
    {
        while (true)
        {
            var (correction, sampleRateHz) = folder.Database.Read(connection => (
                CorrectionRows.Select(connection, "c.session = $session AND c.id = $id", ("$session", session), ("$id", id)).SingleOrDefault(),
                CorrectionRows.SampleRate(connection, session)));
            if (correction is null or { State: CorrectionState.Superseded } || (correction.Clip is { } clip && Clips.Has(clip)))
            {
                return;
            }

            var samples = Read(session, correction.StartSample!.Value, correction.EndSample!.Value, sampleRateHz);
            if (samples.Length == 0 || await NameClipAsync(correction, Clips.Put(samples)))
            {
                return;
            }
        }
    }

    /// <summary>Corrections that are to be screened, the oldest first; an utterance that grows is waited for.</summary>
    public IReadOnlyList<StoredCorrection> ToScreen()
    {
        var now = time.GetUtcNow();
        return folder.Database.Read(connection => CorrectionRows.Select(connection, "c.state = 'stored' ORDER BY c.number")
            .Where(correction => correction.SessionNumber is not { } session
                || now - correction.CreatedAt >= Growth
                || connection.Scalar("SELECT 1 FROM session WHERE number = $session AND state = 'active'", ("$session", session)) is null
                || !CaptionedUtterance.Of(connection, session, CorrectionRows.SampleRate(connection, session), correction.SegmentId!.Value).IsNewest)
            .ToList());
    }

    /// <summary>Brings a correction to where its utterance is now, with its clip.</summary>
    /// <returns>It as it is now; null when there is nothing to be screened any more.</returns>
    /// <exception cref="AsrException">Its clip cannot be read or written.</exception>
    public async Task<StoredCorrection?> RefreshAsync(StoredCorrection correction)
    {
        if (correction is { SessionNumber: { } session, SegmentId: { } segment })
        {
            await folder.Database.WriteAsync(connection => Exists(connection, correction.Number) ? CorrectionRows.Join(connection, session, segment) : null);
            Tell();
            await CutAsync(session, correction.Id);
        }

        return Find(correction.Number) is { State: CorrectionState.Stored } now ? now : null;
    }

    /// <summary>Reads a correction's clip: 16 kHz, −1…1.</summary>
    /// <exception cref="AsrException">It is not there, or broken.</exception>
    public float[] ReadClip(StoredCorrection correction)
    {
        if (correction.Clip is not { } clip || !Clips.Has(clip))
        {
            throw new AsrException(string.Create(CultureInfo.InvariantCulture, $"the audio of correction {correction.Number} is not there"));
        }

        using var reader = new Data.UtteranceReader(Clips.FileOf(clip));
        return reader.Read(0, null, ClipStore.MaximumSeconds * AudioFile.TargetRateHz);
    }

    /// <summary>Keeps what the screening found, unless the correction has changed meanwhile.</summary>
    /// <returns>Whether it was kept.</returns>
    public async Task<bool> JudgeAsync(StoredCorrection screened, ScreeningVerdict verdict)
    {
        var isKept = await folder.Database.WriteAsync(connection => connection.Execute(
            """
            UPDATE correction SET state = $state, reason = $reason, scores = $scores
            WHERE number = $number AND state = 'stored' AND text = $text AND hypothesis = $hypothesis AND clip IS $clip
            """,
            ("$number", screened.Number),
            ("$state", verdict.IsPlausible ? "ready" : "held"),
            ("$reason", verdict.Reason),
            ("$scores", verdict.Scores is null ? null : CorrectionRows.ToJson(verdict.Scores)),
            ("$text", screened.Text),
            ("$hypothesis", screened.Hypothesis),
            ("$clip", screened.Clip)) == 1);
        if (isKept)
        {
            Tell();
        }

        return isKept;
    }

    /// <summary>A person decides: the correction may be trained on, whatever the screening found, or is not.</summary>
    /// <param name="number">The correction.</param>
    /// <param name="isReleased">Whether it may be trained on.</param>
    /// <returns>It as it is now; null when there is no such correction.</returns>
    /// <exception cref="AsrException">A later one of the same utterance counts, it has no text or no audio, or it cannot be written.</exception>
    public async Task<StoredCorrection?> ReviewAsync(long number, bool isReleased)
    {
        var reviewed = await folder.Database.WriteAsync(connection =>
        {
            if (CorrectionRows.Find(connection, number) is not { } correction)
            {
                return null;
            }

            if (correction.State == CorrectionState.Superseded)
            {
                throw new AsrException(string.Create(CultureInfo.InvariantCulture, $"correction {number} is superseded ({correction.Reason}): review that one"));
            }

            if (isReleased && correction.Clip is null)
            {
                throw new AsrException(string.Create(CultureInfo.InvariantCulture, $"correction {number} has no audio to train on"));
            }

            connection.Execute(
                "UPDATE correction SET state = $state, reason = $reason WHERE number = $number",
                ("$number", number),
                ("$state", isReleased ? "ready" : "refused"),
                ("$reason", isReleased ? "released by a person" : "refused by a person"));
            return CorrectionRows.Find(connection, number);
        });
        Tell();
        return reviewed;
    }

    /// <summary>Keeps a correction from outside. The same audio with the same text twice is one; with another text the later one counts.</summary>
    /// <param name="samples">Its audio: 16 kHz, −1…1, at most <see cref="ClipStore.MaximumSeconds"/>.</param>
    /// <param name="text">What is said.</param>
    /// <param name="hypothesis">What a model heard; empty when unknown.</param>
    /// <param name="about">Author, speaker, domain and language, where known.</param>
    /// <returns>Its number; null when it was there already.</returns>
    /// <exception cref="AsrException">It cannot be kept.</exception>
    public async Task<long?> ImportAsync(ReadOnlyMemory<float> samples, string text, string hypothesis, CorrectionSource about)
    {
        while (true)
        {
            var clip = Clips.Put(samples.Span);
            var imported = new StoredCorrection
            {
                Number = 0,
                Id = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{clip}\n{text}"))),
                Hypothesis = hypothesis,
                Text = text,
                Author = about.Author,
                Speaker = about.Speaker,
                Domain = about.Domain,
                Language = about.Language,
                AdapterVersion = "unknown",
                Diff = CorrectionRows.Diff(hypothesis, text),
                Clip = clip,
                State = CorrectionState.Stored,
                CreatedAt = time.GetUtcNow(),
            };
            var (isDone, number) = await folder.Database.WriteAsync(connection => Clips.Has(clip) ? (true, CorrectionRows.Insert(connection, imported)) : (false, null));
            if (isDone)
            {
                Tell();
                return number;
            }
        }
    }

    /// <summary>Ids of the adapters that were trained on what is deleted.</summary>
    public IReadOnlyList<string> Tainted() => folder.Database.Read(connection =>
        connection.Query("SELECT id FROM adapter WHERE tainted IS NOT NULL ORDER BY number", reader => reader.GetString(0)));

    /// <summary>Numbers of an author's corrections.</summary>
    public IReadOnlyList<long> OfAuthor(string author) => folder.Database.Read(connection =>
        connection.Query("SELECT number FROM correction WHERE author = $author ORDER BY number", reader => reader.GetInt64(0), ("$author", author)));

    /// <summary>
    /// Deletes corrections for good: rows, clips, the text in captions, in data sets and in rounds of learning, and marks the adapters that were trained on them.
    /// Captions of sessions that run in this process are the session's to show again.
    /// </summary>
    /// <param name="numbers">Which; those that are not there are passed over.</param>
    /// <param name="reason">Why, for the adapters' cards, such as <c>it was deleted</c>.</param>
    /// <param name="show">Called in the transaction with the session's number and what became of the caption: writes what viewers are to see. Null: the session is deleted, too.</param>
    /// <returns>What became of captions, by correction.</returns>
    /// <exception cref="AsrException">Something cannot be deleted: what is still listed is still there.</exception>
    public async Task<IReadOnlyList<(StoredCorrection Correction, CaptionWithdrawal? Caption)>> DeleteAsync(
        IReadOnlyCollection<long> numbers,
        string reason,
        Action<SqliteConnection, long, CaptionWithdrawal>? show)
    {
        List<(StoredCorrection Correction, CaptionWithdrawal? Caption)> deleted = [];
        foreach (var some in numbers.Chunk(DeletedTogether))
        {
            // Data sets first: when this is cut short, the correction is still there to be deleted again.
            await DeleteTracesAsync(some);
            deleted.AddRange(await folder.Database.WriteAsync(connection =>
            {
                List<(StoredCorrection, CaptionWithdrawal?)> done = [];
                foreach (var number in some)
                {
                    if (CorrectionRows.Find(connection, number) is { } correction)
                    {
                        var withdrawal = CorrectionRows.Delete(connection, correction, reason, withSession: show is null);
                        if (withdrawal is not null)
                        {
                            show!(connection, correction.SessionNumber!.Value, withdrawal);
                        }

                        done.Add((correction, withdrawal));
                    }
                }

                return done;
            }));
        }

        // A round of learning may have made one meanwhile.
        await DeleteTracesAsync(numbers);
        Tell();
        await Clips.ReleaseAsync([.. deleted.Select(one => one.Correction.Clip).OfType<string>().Distinct(StringComparer.Ordinal)]);
        return deleted;
    }

    private async Task DeleteTracesAsync(IReadOnlyCollection<long> corrections)
    {
        DatasetTraces.Delete(folder.Directory, corrections);
        await RoundTraces.DropWithoutDataAsync(folder);
    }

    /// <summary>A round without a plan has not begun to train.</summary>
    private static IEnumerable<long> Planned(string plan)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(plan));
            return document.RootElement.TryGetProperty("corrections", out var numbers) ? [.. numbers.EnumerateArray().Select(number => number.GetInt64())] : [];
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or JsonException)
        {
            return [];
        }
    }

    private static bool Exists(SqliteConnection connection, long number) => connection.Scalar("SELECT 1 FROM correction WHERE number = $number", ("$number", number)) is not null;

    private Task<bool> NameClipAsync(StoredCorrection correction, string clip) => folder.Database.WriteAsync(connection => Clips.Has(clip) && connection.Execute(
        "UPDATE correction SET clip = $clip WHERE number = $number AND start_sample = $start AND end_sample = $end AND state <> 'superseded'",
        ("$clip", clip),
        ("$number", correction.Number),
        ("$start", correction.StartSample),
        ("$end", correction.EndSample)) == 1);

    /// <summary>A stretch of a session's audio at 16 kHz; empty when the session has none.</summary>
    private float[] Read(long session, long start, long end, int sampleRateHz)
    {
        using var audio = WavStream.Open(folder.AudioFile(session), sampleRateHz);
        var first = WavWriter.HeaderBytes + (sizeof(short) * start);
        if (audio is null || first >= audio.Length)
        {
            return [];
        }

        audio.Position = first;
        var bytes = new byte[Math.Min(sizeof(short) * (end - start), audio.Length - first)];
        audio.ReadExactly(bytes);
        var samples = new float[bytes.Length / sizeof(short)];
        for (var i = 0; i < samples.Length; i++)
        {
            samples[i] = System.Buffers.Binary.BinaryPrimitives.ReadInt16LittleEndian(bytes.AsSpan(sizeof(short) * i)) / 32768f;
        }

        if (sampleRateHz == AudioFile.TargetRateHz)
        {
            return samples;
        }

        using var reader = ResampledAudioSource.At(new Abstractions.Audio.MemoryAudioSource(samples, sampleRateHz), AudioFile.TargetRateHz).OpenReader();
        var resampled = new float[Resampler.OutputLength(samples.Length, sampleRateHz, AudioFile.TargetRateHz)];
        var filled = 0;
        for (int count; filled < resampled.Length && (count = reader.Read(resampled.AsSpan(filled))) > 0;)
        {
            filled += count;
        }

        return resampled[..filled];
    }
}

/// <summary>Which corrections; null takes all.</summary>
internal readonly record struct CorrectionFilter(CorrectionState? State = null, string? SessionId = null, string? Author = null);

/// <summary>Where a correction comes from; null where that is not known.</summary>
internal sealed record CorrectionSource(string? Author = null, string? Speaker = null, string? Domain = null, string? Language = null);
