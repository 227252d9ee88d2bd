using System.Buffers;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Abstractions.Corrections;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Corrections;
using AsrPlatform.Host.Learning.Memory;
using AsrPlatform.Host.Learning.Registry;
using AsrPlatform.Host.Serving;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Live;

/// <summary>All sessions: starts and resumes live ones, ends idle ones, and answers for those that are over from the data folder.</summary>
/// <remarks>
/// Safe for concurrent calls. A session is in memory while it takes audio or someone still watches its end; what is over is read from the
/// database. Sessions that were cut off by the end of a process go on in the next one.
/// </remarks>
internal sealed class LiveSessionStore : IHostedService, IAsyncDisposable
{
    /// <summary>Lowest rate of a session's audio: a telephone's.</summary>
    public const int LowestSampleRateHz = 8_000;

    /// <summary>Highest rate of a session's audio.</summary>
    public const int HighestSampleRateHz = 192_000;

    private const int LongestPrompt = 4000;
    private const int LongestId = 64;
    private const int MostNames = 10;

    /// <summary>Sweeps (10 s each) between two looks at what is too old or too much.</summary>
    private const int SweepsPerRetention = 30;

    private static readonly SearchValues<char> IdCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _starting = new(1);
    private readonly Dictionary<string, Entry> _live = new(StringComparer.Ordinal);
    private readonly ModelHost _model;
    private readonly VoiceActivityDetectorFactory _detectors;
    private readonly SessionArchive _archive;
    private readonly LiveOptions _options;
    private readonly LiveMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ILogger<LiveSession> _logger;
    private readonly ActiveAdapters _adapters;
    private readonly VocabularyStore? _vocabulary;
    private readonly CancellationTokenSource _closing = new();
    private Task _restoring = Task.CompletedTask;
    private Task _retention = Task.CompletedTask;
    private ITimer? _sweeper;
    private int _sweeps;
    private bool _isClosed;

    public LiveSessionStore(
        ModelHost model,
        VoiceActivityDetectorFactory detectors,
        SessionArchive archive,
        IOptions<LiveOptions> options,
        LiveMetrics metrics,
        TimeProvider time,
        ILogger<LiveSession> logger,
        ActiveAdapters adapters,
        VocabularyStore? vocabulary = null)
    {
        _model = model;
        _adapters = adapters;
        _detectors = detectors;
        _archive = archive;
        _options = options.Value;
        _metrics = metrics;
        _time = time;
        _logger = logger;
        _vocabulary = vocabulary;
    }

    /// <summary>The sessions in memory, the oldest first.</summary>
    public IReadOnlyList<LiveSession> Sessions
    {
        get
        {
            lock (_gate)
            {
                return [.. _live.Values.Select(entry => entry.Session).OrderBy(session => session.StartedAt)];
            }
        }
    }

    /// <summary>Starts a session, or finds the one to resume.</summary>
    /// <exception cref="AsrException">It cannot be started; the message says why.</exception>
    public async Task<SessionPosition> StartSessionAsync(StartSessionRequest request, CancellationToken cancellationToken)
    {
        var settings = new SessionSettings(
            request.SampleRateHz,
            request.Language,
            ParseTask(request.Task),
            request.Adapter,
            request.Prompt,
            request.Tenant,
            request.Speaker,
            Hotwords.Check(request.Hotwords),
            request.Memory ?? true);
        if (request.SessionId is { } id)
        {
            RequireId(id);
            if (Find(id) is { } session)
            {
                return Resume(session, settings);
            }
        }

        var recognizer = await _model.ReadyAsync(cancellationToken);
        RequireUsable(request, recognizer);
        if (request.Prompt is { Length: > 0 } prompt)
        {
            _model.Streaming.RequirePrompt?.Invoke(prompt);
        }

        await _restoring.WaitAsync(cancellationToken);

        // One at a time: the session is in the database before it is in memory.
        await _starting.WaitAsync(cancellationToken);
        try
        {
            id = request.SessionId ?? Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
            if (Find(id) is { } session)
            {
                return Resume(session, settings);
            }

            var record = _archive.Find(id);
            if (record is { State: not StoredState.Active })
            {
                throw Over(id);
            }

            lock (_gate)
            {
                RequireOpen();
                var running = _live.Values.Count(other => other.Session.State is SessionState.Active or SessionState.Ending);
                if (running >= _options.MaximumSessions)
                {
                    throw new AsrException($"{running} sessions are running, the most that Live:MaximumSessions allows: try again later");
                }
            }

            // One that could not go on when the host started may now.
            if (record is not null)
            {
                return Resume(await ReopenAsync(record, recognizer, cancellationToken), settings);
            }

            var adapter = await _adapters.OpenAsync(settings.Adapter, settings.Tenant, settings.Speaker, cancellationToken);
            try
            {
                return Open(await _archive.CreateAsync(id, settings), recognizer, adapter).Position;
            }
            catch
            {
                adapter.Dispose();
                throw;
            }
        }
        finally
        {
            _starting.Release();
        }
    }

    /// <summary>The session of an id in memory; null when there is none.</summary>
    public LiveSession? Find(string id)
    {
        lock (_gate)
        {
            return _live.GetValueOrDefault(id)?.Session;
        }
    }

    /// <summary>The session of an id in memory: one that takes audio, or did just now.</summary>
    /// <exception cref="AsrException">There is none.</exception>
    public LiveSession Get(string id)
    {
        if (Find(id ?? "") is { } session)
        {
            return session;
        }

        throw _archive.Find(id ?? "") switch
        {
            null => Missing(id),
            { State: StoredState.Active } => new AsrException($"session '{id}' was interrupted: go on with StartSession"),
            { State: StoredState.Failed, Error: { } error } => new AsrException(error),
            _ => new AsrException($"session '{id}' has ended and takes no more audio: start another one"),
        };
    }

    /// <summary>A session as the API shows it; null when there is none.</summary>
    public SessionDescription? Describe(string id) =>
        Find(id)?.Describe() ?? (_archive.Find(id) is { } record ? Describe(record) : null);

    /// <summary>Sessions as the API shows them, the newest first.</summary>
    /// <param name="state"><c>active</c> (cut-off ones included), <c>ended</c>, <c>failed</c>, or null for all.</param>
    /// <param name="before">Only those that started before the one of this id; null: from the newest on.</param>
    /// <param name="limit">At most so many.</param>
    /// <exception cref="AsrException">There is no such state or session.</exception>
    public IReadOnlyList<SessionDescription> List(string? state, string? before, int limit)
    {
        StoredState? wanted = state switch
        {
            null or "" => null,
            "active" => StoredState.Active,
            "ended" => StoredState.Ended,
            "failed" => StoredState.Failed,
            _ => throw new AsrException($"unknown state '{Shown(state)}': use active, ended or failed"),
        };
        var first = before is null ? long.MaxValue : (_archive.Find(before) ?? throw Missing(before)).Number;
        return [.. _archive.List(wanted, first, limit).Select(Describe)];
    }

    /// <summary>The newest revision of each segment of a session, in the order of time; null when there is no such session.</summary>
    public (IReadOnlyList<CaptionUpdate> Captions, int SampleRateHz)? Captions(string id)
    {
        if (Find(id) is { } session)
        {
            return (session.Captions, session.Settings.SampleRateHz);
        }

        return _archive.Find(id) is { } record ? (_archive.Captions(record), record.Settings.SampleRateHz) : null;
    }

    /// <summary>The audio of a session as it stands now; null when there is no such session or no audio. The caller disposes it.</summary>
    /// <exception cref="AsrException">It cannot be read.</exception>
    public WavStream? OpenAudio(string id) => _archive.Find(id) is { } record ? _archive.OpenAudio(record) : null;

    /// <summary>Reads captions after a sequence, then follows; see <see cref="CaptionLog.WatchAsync"/>. Of a session that is over the stream ends with its last caption.</summary>
    /// <exception cref="AsrException">There is no such session, there are too many viewers, the sequence is none of the session, or the session has failed.</exception>
    public async IAsyncEnumerable<CaptionUpdate> WatchAsync(string id, long afterSequence, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var session = Find(id ?? "");
        if (session is null)
        {
            // After a restart viewers may be back before the session is.
            await _restoring.WaitAsync(cancellationToken);
            session = Find(id ?? "");
        }

        if (session is not null)
        {
            await foreach (var update in session.WatchAsync(afterSequence, cancellationToken))
            {
                yield return update;
            }

            yield break;
        }

        var record = _archive.Find(id ?? "") ?? throw Missing(id);
        if (afterSequence < 0 || afterSequence > record.LastSequence)
        {
            throw new AsrException($"sequence {afterSequence} is none of session '{record.Id}', whose newest is {record.LastSequence}: watch from 0");
        }

        var cursor = afterSequence;
        while (_archive.Captions(record, cursor, newestOnly: afterSequence == 0, SessionArchive.PageOfCaptions) is { Count: > 0 } page)
        {
            foreach (var update in page)
            {
                cancellationToken.ThrowIfCancellationRequested();
                yield return update;
            }

            cursor = page[^1].Sequence;
        }

        if (record.State != StoredState.Ended)
        {
            throw new AsrException(record.Error ?? $"session '{record.Id}' was interrupted and cannot go on now");
        }
    }

    /// <summary>Takes no more audio for a session, decodes what is left, commits it, and closes the session for good. Ending twice is ending once.</summary>
    /// <exception cref="AsrException">There is no such session, or an error has ended it before.</exception>
    public async Task<SessionPosition> EndAsync(string id, CancellationToken cancellationToken)
    {
        if (Find(id ?? "") is null)
        {
            await _restoring.WaitAsync(cancellationToken);
        }

        Entry? entry;
        lock (_gate)
        {
            if (_live.TryGetValue(id ?? "", out entry))
            {
                entry.IsToEnd = true;
            }
        }

        if (entry is not null)
        {
            var position = await entry.Session.EndAsync(cancellationToken);
            await entry.Left.WaitAsync(cancellationToken);
            return position;
        }

        var record = _archive.Find(id ?? "") ?? throw Missing(id);
        return record.State == StoredState.Ended
            ? new SessionPosition(record.Id, record.Samples, record.LastSequence)
            : throw new AsrException(record.Error ?? $"session '{record.Id}' was interrupted and cannot go on now");
    }

    /// <summary>Deletes a session for good: its audio, captions and corrections. One that runs is stopped first.</summary>
    /// <returns>False when there is no such session.</returns>
    /// <exception cref="AsrException">It cannot be deleted.</exception>
    public async Task<bool> DeleteAsync(string id, CancellationToken cancellationToken)
    {
        await _restoring.WaitAsync(cancellationToken);
        Entry? entry;
        lock (_gate)
        {
            entry = _live.GetValueOrDefault(id);
            if (entry is not null)
            {
                entry.IsToEnd = true;
            }
        }

        if (entry is not null)
        {
            entry.Session.Fail(new AsrException("it was deleted"));
            await entry.Left;
        }

        if (_archive.Find(id) is not { } record)
        {
            return false;
        }

        await _archive.DeleteAsync(record);
        return true;
    }

    /// <summary>
    /// Shows and keeps a person's text in place of a committed caption, and the audio of its utterance as a clip. The same correction twice is one.
    /// </summary>
    /// <exception cref="AsrException">There is no such session or segment, the segment is not committed, or the correction is malformed or cannot be kept.</exception>
    public async Task<CaptionUpdate> CorrectAsync(Correction correction)
    {
        CorrectionRules.Require(correction);
        await _restoring;
        while (true)
        {
            var (update, number, entry) = await CorrectOnceAsync(correction);
            if (update is not null)
            {
                await _archive.Corrections.CutAsync(number, correction.Id);
                return update;
            }

            await entry!.Left;
        }
    }

    /// <summary>
    /// Deletes corrections for good: rows, clips, text, also in captions, which show the text before them again. Adapters that were trained
    /// on them are marked.
    /// </summary>
    /// <param name="numbers">Which; those that are not there are passed over.</param>
    /// <param name="reason">Why, for the adapters' cards, such as <c>it was deleted</c>.</param>
    /// <returns>How many were deleted.</returns>
    /// <exception cref="AsrException">Something cannot be deleted.</exception>
    public async Task<int> DeleteCorrectionsAsync(IReadOnlyCollection<long> numbers, string reason)
    {
        await _restoring;
        var count = 0;
        foreach (var session in numbers.Select(_archive.Corrections.Find).OfType<StoredCorrection>().GroupBy(correction => correction.SessionId).ToList())
        {
            long[] some = [.. session.Select(correction => correction.Number)];
            while (true)
            {
                Entry? entry;

                // As a correction: a session that goes on just now must have seen this.
                await _starting.WaitAsync();
                try
                {
                    lock (_gate)
                    {
                        entry = _live.GetValueOrDefault(session.Key ?? "");
                    }

                    if (entry is null)
                    {
                        count += (await _archive.DeleteCorrectionsAsync(some, reason, show: true)).Count;
                        break;
                    }
                }
                finally
                {
                    _starting.Release();
                }

                var isDone = await entry.Session.WithdrawAsync(async () =>
                {
                    var deleted = await _archive.DeleteCorrectionsAsync(some, reason, show: false);
                    count += deleted.Count;
                    return [.. deleted.Select(one => one.Caption).OfType<CaptionWithdrawal>()];
                });
                if (isDone)
                {
                    break;
                }

                await entry.Left;
            }
        }

        return count;
    }

    /// <summary>Ends idle sessions, and now and then deletes what is not to be kept.</summary>
    public void Sweep()
    {
        foreach (var session in Sessions)
        {
            if (session.State == SessionState.Active && session.IdleTime >= _options.IdleTimeout)
            {
                _ = EndQuietlyAsync(session.Id);
            }
        }

        if (_sweeps++ % SweepsPerRetention == 0 && _retention.IsCompleted)
        {
            _retention = RetainAsync();
        }
    }

    /// <summary>
    /// Starts no more sessions, and commits what was said in all that run; returns when every one is flushed and its viewers have it, or the
    /// token is cancelled. Sessions that nobody ended go on when a host is started again.
    /// </summary>
    public async Task CloseAsync(CancellationToken cancellationToken)
    {
        List<Entry> entries;
        lock (_gate)
        {
            _isClosed = true;
            entries = [.. _live.Values];
        }

        await _closing.CancelAsync();
        await Task.WhenAll(entries.Select(entry => CloseAsync(entry, cancellationToken)));

        // Viewers leave by themselves once they have everything; one that reads nothing is not waited for.
        for (var i = 0; i < 100 && !cancellationToken.IsCancellationRequested && entries.Any(entry => entry.Session.Viewers > 0); i++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), CancellationToken.None);
        }

        // A viewer's call ends after the last caption was handed over, and SignalR does not say when that has left the process: a server that
        // stops at once cuts it off.
        if (entries.Count > 0 && !cancellationToken.IsCancellationRequested)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), CancellationToken.None);
        }
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _restoring = RestoreAsync();
        var period = TimeSpan.FromTicks(Math.Min(_options.IdleTimeout.Ticks / 4, TimeSpan.TicksPerSecond * 10));
        _sweeper = _time.CreateTimer(static state => ((LiveSessionStore)state!).Sweep(), this, period, period);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => CloseAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        if (_sweeper is not null)
        {
            await _sweeper.DisposeAsync();
        }

        List<Entry> entries;
        lock (_gate)
        {
            _isClosed = true;
            entries = [.. _live.Values];
        }

        await _closing.CancelAsync();
        foreach (var entry in entries)
        {
            await entry.Session.DisposeAsync();
            await entry.Left;
        }

        await Task.WhenAll(_restoring, _retention);
    }

    /// <summary>The update and the session's number; or the session that is over just now and is to be waited for.</summary>
    private async Task<(CaptionUpdate? Update, long Number, Entry? Ending)> CorrectOnceAsync(Correction correction)
    {
        Entry? entry;

        // A session that goes on just now gives sequences of its own: not before it has seen this one.
        await _starting.WaitAsync();
        try
        {
            lock (_gate)
            {
                entry = _live.GetValueOrDefault(correction.SessionId ?? "");
            }

            if (entry is null)
            {
                var stored = _archive.Find(correction.SessionId ?? "") ?? throw Missing(correction.SessionId);
                return (await _archive.CorrectAsync(stored, correction, _options.MaximumCorrections), stored.Number, null);
            }
        }
        finally
        {
            _starting.Release();
        }

        var record = entry.Recorder.Record;
        return (await entry.Session.CorrectAsync(correction, () => (_archive.Corrected(record, correction.Id), _archive.CorrectionsOf(record))), record.Number, entry);
    }

    private static async Task CloseAsync(Entry entry, CancellationToken cancellationToken)
    {
        try
        {
            await entry.Session.EndAsync(cancellationToken);
            await entry.Left.WaitAsync(cancellationToken);
        }
        catch (Exception error) when (error is AsrException or OperationCanceledException)
        {
            // The session has its error and its viewers are told.
        }
    }

    private async Task EndQuietlyAsync(string id)
    {
        try
        {
            await EndAsync(id, CancellationToken.None);
        }
        catch (AsrException)
        {
            // The session has its error and its viewers are told.
        }
    }

    private async Task RetainAsync()
    {
        try
        {
            await _archive.ApplyRetentionAsync();
        }
        catch (Exception error)
        {
            _logger.LogError(error, "What Data:MaximumAge and Data:MaximumBytes do not keep could not be deleted");
        }
    }

    /// <summary>Goes on with the sessions that the last process had open; never throws.</summary>
    private async Task RestoreAsync()
    {
        try
        {
            // A page holds them all: fewer than that run at a time.
            var interrupted = _archive.List(StoredState.Active, long.MaxValue, int.MaxValue);
            if (interrupted.Count == 0)
            {
                return;
            }

            var recognizer = await _model.ReadyAsync(_closing.Token);
            foreach (var record in interrupted.Reverse())
            {
                try
                {
                    var position = (await ReopenAsync(record, recognizer, _closing.Token)).Position;
                    _logger.LogInformation("Session {Session} goes on at sample {Sample}", record.Id, position.AcknowledgedSamples);
                }
                catch (Exception error)
                {
                    _logger.LogError(error, "Session {Session} cannot go on", record.Id);
                }
            }
        }
        catch (Exception error) when (error is AsrException or OperationCanceledException)
        {
            _logger.LogWarning("Interrupted sessions do not go on yet: {Reason}", error.Message);
        }
    }

    /// <summary>Goes on with a session; where its adapter is gone, with whatever is active.</summary>
    private async Task<LiveSession> ReopenAsync(SessionRecord record, RecognizerInfo recognizer, CancellationToken cancellationToken)
    {
        SessionAdapter adapter;
        try
        {
            adapter = await _adapters.OpenAsync(record.Settings.Adapter, record.Settings.Tenant, record.Settings.Speaker, cancellationToken);
        }
        catch (AsrException error)
        {
            _logger.LogWarning("Session {Session} goes on without its adapter: {Reason}", record.Id, error.Message);
            adapter = await _adapters.OpenAsync(adapter: null, record.Settings.Tenant, record.Settings.Speaker, cancellationToken);
        }

        try
        {
            return Open(_archive.Reopen(record), recognizer, adapter);
        }
        catch
        {
            adapter.Dispose();
            throw;
        }
    }

    /// <summary>Puts a session to work.</summary>
    private LiveSession Open(SessionRecorder recorder, RecognizerInfo recognizer, SessionAdapter adapter)
    {
        lock (_gate)
        {
            try
            {
                RequireOpen();
                var window = new SpeechWindow(_options, recognizer.SampleRateHz, _detectors(recognizer.SampleRateHz));
                var memory = _vocabulary?.Open(recorder.Record, recognizer.AdapterVersion);
                var session = new LiveSession(recorder.Record.Id, recorder.Record.Settings, recognizer, _model, window, adapter, recorder, _options, _metrics, _time, _logger, memory);
                var entry = new Entry(session, recorder);
                _live.Add(session.Id, entry);
                entry.Left = Task.Run(() => LeaveAsync(entry));
                return session;
            }
            catch
            {
                recorder.Dispose();
                throw;
            }
        }
    }

    /// <summary>Waits for the end of a session, writes down how it stands, and lets go of it. Never throws.</summary>
    private async Task LeaveAsync(Entry entry)
    {
        var (session, recorder) = (entry.Session, entry.Recorder);
        await session.Completion;
        try
        {
            bool goesOn;
            lock (_gate)
            {
                goesOn = session.IsInterrupted || (_isClosed && !entry.IsToEnd);
            }

            var description = session.Describe();
            var state = goesOn ? StoredState.Active : description.Error is null ? StoredState.Ended : StoredState.Failed;
            recorder.Close();
            await _archive.CloseAsync(recorder.Record.Number, state, goesOn ? null : description.Error, recorder.Samples, description.LastSequence);
        }
        catch (Exception error)
        {
            // The database has it as active: it goes on at the next start.
            _logger.LogError(error, "The end of session {Session} cannot be kept", session.Id);
        }

        lock (_gate)
        {
            _live.Remove(session.Id);
        }

        session.Memory?.Dispose();
        recorder.Dispose();
        await session.DisposeAsync();
    }

    private void RequireOpen()
    {
        if (_isClosed)
        {
            throw new AsrException("the host is shutting down");
        }
    }

    private SessionDescription Describe(SessionRecord record) => Find(record.Id)?.Describe() ?? new SessionDescription
    {
        SessionId = record.Id,
        State = record.State switch
        {
            StoredState.Active => "interrupted",
            StoredState.Ended => "ended",
            _ => "failed",
        },
        Error = record.Error,
        SampleRateHz = record.Settings.SampleRateHz,
        Language = record.Settings.Language,
        Task = record.Settings.Task == TranscriptionTask.Translate ? "translate" : "transcribe",
        StartedAt = record.StartedAt,
        EndedAt = record.EndedAt,
        AcknowledgedSamples = record.Samples,
        LastSequence = record.LastSequence,
        Segments = record.Segments,
        Viewers = 0,
    };

    private static AsrException Missing(string? id) => new($"there is no session '{Shown(id)}': start one with StartSession");

    private static AsrException Over(string id) => new($"session '{id}' has ended: start one with another id");

    private static SessionPosition Resume(LiveSession session, SessionSettings settings)
    {
        if (session.State != SessionState.Active)
        {
            throw Over(session.Id);
        }

        if (session.Settings.SampleRateHz != settings.SampleRateHz)
        {
            throw new AsrException($"session '{session.Id}' was started with {session.Settings.SampleRateHz} samples per second, not {settings.SampleRateHz}");
        }

        session.Touch();
        return session.Position;
    }

    private static TranscriptionTask ParseTask(string? task) => task switch
    {
        null or "transcribe" => TranscriptionTask.Transcribe,
        "translate" => TranscriptionTask.Translate,
        _ => throw new AsrException($"unknown task '{Shown(task)}': use transcribe or translate"),
    };

    private static void RequireId(string id)
    {
        if (id.Length is 0 or > LongestId || id.AsSpan().ContainsAnyExcept(IdCharacters))
        {
            throw new AsrException($"a session id has 1 to {LongestId} letters, digits, '-' and '_'");
        }
    }

    private static void RequireUsable(StartSessionRequest request, RecognizerInfo recognizer)
    {
        if (request.SampleRateHz is < LowestSampleRateHz or > HighestSampleRateHz)
        {
            throw new AsrException($"{request.SampleRateHz} samples per second cannot be taken: send {LowestSampleRateHz} to {HighestSampleRateHz}");
        }

        if (request.Language is { } language && recognizer.Languages.Count > 0 && !recognizer.Languages.Contains(language, StringComparer.Ordinal))
        {
            throw new AsrException($"the model {recognizer.Name} does not know the language '{Shown(language)}'; it knows {string.Join(", ", recognizer.Languages.Take(MostNames))}{(recognizer.Languages.Count > MostNames ? ", …" : "")}");
        }

        if (request.Prompt is { Length: > LongestPrompt })
        {
            throw new AsrException($"a prompt may have {LongestPrompt} characters at most");
        }

        AdapterScope.RequireName("tenant", request.Tenant);
        AdapterScope.RequireName("speaker", request.Speaker);
    }

    /// <summary>What a client sent, short enough for a message.</summary>
    private static string Shown(string? text) => text is { Length: > LongestId } ? text[..LongestId] + "…" : text ?? "";

    /// <summary>A session in memory and where it is kept.</summary>
    private sealed class Entry(LiveSession session, SessionRecorder recorder)
    {
        public LiveSession Session => session;

        public SessionRecorder Recorder => recorder;

        /// <summary>Ends when the session is closed in the database and out of memory.</summary>
        public Task Left { get; set; } = Task.CompletedTask;

        /// <summary>Whether it is over for good when it stops, also while the host is shutting down.</summary>
        public bool IsToEnd { get; set; }
    }
}
