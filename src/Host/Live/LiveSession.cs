using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Abstractions.Corrections;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Learning.Corrections;
using AsrPlatform.Host.Learning.Memory;
using AsrPlatform.Host.Learning.Registry;
using AsrPlatform.Host.Serving;
using AsrPlatform.Whisper.Streaming;

namespace AsrPlatform.Host.Live;

/// <summary>One live session: audio in by offset, captions out by sequence.</summary>
/// <remarks>
/// Safe for concurrent calls. It waits for one decoding at a time, so sessions share the recogniser fairly, and for none while nobody
/// speaks. Words become final in segments: those that a step settles together are one, and a segment that starts where the one before
/// it ends belongs to the same utterance. What it acknowledges and shows is in its journal; opened over a journal that holds something, it
/// goes on where that one ends.
/// </remarks>
internal sealed class LiveSession : IAsyncDisposable
{
    /// <summary>Largest piece of audio that a sender may send at once, in bytes of PCM16.</summary>
    public const int MaximumChunkBytes = 16 * 1024;

    /// <summary>Samples that leave the resampler at once; also more than it holds back until the end (some hundred).</summary>
    private const int ResampledBlock = 2048;

    /// <summary>A window that has grown to this share of the longest is cut behind a committed word.</summary>
    private const double CutShare = 0.8;

    /// <summary>How soon what is shown, and what is final, should be decoded once its audio is there.</summary>
    private static readonly TimeSpan UpdateDeadline = TimeSpan.FromSeconds(0.4);
    private static readonly TimeSpan CommitDeadline = TimeSpan.FromSeconds(0.8);

    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _ingress;
    private readonly SemaphoreSlim _correcting = new(1);
    private readonly ISessionJournal _journal;

    /// <summary>Sample of the session at which the window's first sample lies; not 0 in a session that goes on after a restart.</summary>
    private readonly long _origin;
    private readonly SpeechWindow _window;

    /// <summary>From the sender's sample rate to the recogniser's; null when they are the same. The window counts the recogniser's samples.</summary>
    private readonly Resampler? _resampler;
    private readonly float[] _resampled = [];
    private readonly CaptionLog _log;
    private readonly ModelHost _model;
    private readonly RecognizerInfo _recognizer;
    private readonly SessionAdapter _adapter;
    private string _adapterVersion; // of the newest decoding; whatever is published comes from it
    private readonly LiveOptions _options;
    private readonly LiveMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ITimer _stallTimer; // runs while somebody speaks and no audio comes
    private readonly CaptionStream _stream; // touched by the pump, and by the recogniser's thread while the pump waits for it
    private readonly int _maximumForced;
    private readonly Task _pump;

    /// <summary>Signals, not queues: one that is not yet read stands for all that follow, hence capacity 1 and DropWrite.</summary>
    private readonly Channel<bool> _wake = NewSignal();
    private readonly Channel<bool> _space = NewSignal();

    private readonly CancellationTokenSource _ending = new();
    private readonly CancellationTokenSource _abort = new();
    private readonly TaskCompletionSource _sendersGone = new(TaskCreationOptions.RunContinuationsAsynchronously);
    /// <summary>Who waits until everything before a position is final; under <see cref="_gate"/>.</summary>
    private readonly List<(long Position, TaskCompletionSource Done)> _commits = [];

    private Task? _end;
    private AsrException? _fault;
    private SessionState _state = SessionState.Active;
    private string? _error;
    private bool _flush;
    private bool _stalled;
    private int _senders;
    private int _viewers;
    private long _acknowledged;
    private long _lastActivity;

    /// <summary>When audio came: the window's end after each chunk. Under <see cref="_gate"/>.</summary>
    private readonly Queue<(long End, long Timestamp)> _arrivals = [];

    /// <summary>Where the window at hand begins; the recogniser's thread's.</summary>
    private long _windowStart = -1;

    // Of the segment that is open: touched by the pump alone.
    private long _segmentId = 1;
    private long? _segmentStart; // where the one before it ended, within an utterance
    private string? _shownText;

    /// <summary>Opens a session, whose captions start with its audio, or go on after the last one that its journal holds.</summary>
    /// <param name="id">Its id.</param>
    /// <param name="settings">How its audio becomes text.</param>
    /// <param name="recognizer">The recogniser that <paramref name="model"/> has ready.</param>
    /// <param name="model">Where audio is decoded; outlives the session.</param>
    /// <param name="window">Cuts the audio; the session's from now on.</param>
    /// <param name="adapter">What its windows are decoded with; the session's from now on.</param>
    /// <param name="journal">Keeps what is acknowledged and shown; outlives the session.</param>
    /// <param name="options">Limits and intervals.</param>
    /// <param name="metrics">What is counted.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">Told what ends the session.</param>
    /// <param name="memory">The words that it prefers, disposed by the caller when the session is over; null for none.</param>
    public LiveSession(
        string id,
        SessionSettings settings,
        RecognizerInfo recognizer,
        ModelHost model,
        SpeechWindow window,
        SessionAdapter adapter,
        ISessionJournal journal,
        LiveOptions options,
        LiveMetrics metrics,
        TimeProvider time,
        ILogger logger,
        SessionMemory? memory = null)
    {
        Memory = memory;
        Id = id;
        Settings = settings;
        _recognizer = recognizer;
        _adapterVersion = adapter.Current switch
        {
            null => recognizer.AdapterVersion,
            "none" => AdapterRegistry.Base,
            var name => name,
        };
        _model = model;
        _window = window;
        _adapter = adapter;
        _options = options;
        _metrics = metrics;
        _time = time;
        _logger = logger;
        _journal = journal;
        _log = new CaptionLog(options.ViewerQueue, journal, Fail);
        _acknowledged = journal.History.Samples;
        _origin = journal.History.SettledSamples;
        _segmentId = journal.History.NextSegmentId;
        var isUnsettled = _origin < _acknowledged;
        _ingress = new SemaphoreSlim(isUnsettled ? 0 : 1);
        if (settings.SampleRateHz != recognizer.SampleRateHz)
        {
            _resampler = new Resampler(settings.SampleRateHz, recognizer.SampleRateHz);
            _resampled = new float[ResampledBlock];
        }

        var profile = model.Streaming;
        _stream = new CaptionStream(profile.NewPolicy());
        _maximumForced = profile.MaximumForced;
        _window.Configure(_stream.Policy.CommitsWhileSpeaking, profile.MaximumSeconds);

        StartedAt = journal.History.StartedAt;
        _lastActivity = time.GetTimestamp();
        _stallTimer = time.CreateTimer(static state => ((LiveSession)state!).OnStall(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        metrics.SessionStarted();
        if (isUnsettled)
        {
            // What was shown of it is decoded again; until then it is taken back.
            _shownText = "";
            Publish(CaptionState.Tentative, "", [], null, 0, 0);
            _senders = 1;
            _ = Task.Run(ReplayAsync);
        }

        _pump = Task.Run(PumpAsync);
    }

    public string Id { get; }

    public SessionSettings Settings { get; }

    /// <summary>The words that it prefers; null for none.</summary>
    public SessionMemory? Memory { get; }

    public DateTimeOffset StartedAt { get; }

    /// <summary>Life of the session.</summary>
    public SessionState State
    {
        get
        {
            lock (_gate)
            {
                return _state;
            }
        }
    }

    /// <summary>Ends, never with an error, when the session has ended or failed and everything is kept and shown.</summary>
    public Task Completion => _pump;

    /// <summary>Whether it stopped because its captions could not be kept: it can go on over its journal once they can.</summary>
    public bool IsInterrupted => _log.IsBroken;

    /// <summary>Time since audio last came, text was committed, or the session stopped.</summary>
    public TimeSpan IdleTime => _time.GetElapsedTime(Volatile.Read(ref _lastActivity));

    /// <summary>Where the session stands.</summary>
    public SessionPosition Position
    {
        get
        {
            lock (_gate)
            {
                return new SessionPosition(Id, _acknowledged, _log.LastSequence);
            }
        }
    }

    /// <summary>Time by which captions are later than they should be; 0 while the host keeps up.</summary>
    public double LagSeconds
    {
        get
        {
            lock (_gate)
            {
                return Lag();
            }
        }
    }

    /// <summary>Viewers that are connected.</summary>
    public int Viewers
    {
        get
        {
            lock (_gate)
            {
                return _viewers;
            }
        }
    }

    /// <summary>The newest revision of each segment, in the order of time.</summary>
    public CaptionUpdate[] Captions => _log.Newest();

    /// <summary>The session as the API shows it.</summary>
    public SessionDescription Describe()
    {
        lock (_gate)
        {
            return new SessionDescription
            {
                SessionId = Id,
                State = _state switch
                {
                    SessionState.Active => "active",
                    SessionState.Ending => "ending",
                    SessionState.Ended => "ended",
                    _ => "failed",
                },
                Error = _error,
                SampleRateHz = Settings.SampleRateHz,
                Language = Settings.Language,
                Task = Settings.Task == TranscriptionTask.Translate ? "translate" : "transcribe",
                StartedAt = StartedAt,
                AcknowledgedSamples = _acknowledged,
                LastSequence = _log.LastSequence,
                LagSeconds = Math.Round(Lag(), 3),
                Segments = _log.Segments,
                Viewers = _viewers,
            };
        }
    }

    /// <summary>Counts a returning sender as a sign of life.</summary>
    public void Touch() => Volatile.Write(ref _lastActivity, _time.GetTimestamp());

    /// <summary>Takes audio in, chunk by chunk, and acknowledges it.</summary>
    /// <param name="offsetSamples">Position of the first sample in the session; what is acknowledged already is skipped, a gap is refused.</param>
    /// <param name="chunks">
    /// Base64 of PCM16 little-endian mono, at most <see cref="MaximumChunkBytes"/> each. When it ends, nothing else does. When the session
    /// ends first, what it holds at that moment is still taken.
    /// </param>
    /// <param name="cancellationToken">The sender is gone.</param>
    /// <remarks>
    /// Waits while the recogniser lags by more than the session may hold. Several senders are merged by offset: whoever brings a sample
    /// first is heard, later copies are skipped.
    /// </remarks>
    /// <exception cref="AsrException">The session has ended or failed, the offset leaves a gap, or a chunk is not what it should be.</exception>
    public async IAsyncEnumerable<AudioAcknowledgement> ReceiveAsync(
        long offsetSamples,
        ChannelReader<string> chunks,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        EnterSender(offsetSamples);
        // Base64 comes in threes: what is a byte or two too long must fit to be told apart from what is no base64.
        var bytes = ArrayPool<byte>.Shared.Rent(MaximumChunkBytes + 2);
        var samples = ArrayPool<float>.Shared.Rent(MaximumChunkBytes / sizeof(short));
        try
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _ending.Token);
            var position = offsetSamples;
            for (var more = true; more;)
            {
                try
                {
                    more = await chunks.WaitToReadAsync(either.Token);
                }
                catch (OperationCanceledException) when (_ending.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
                {
                    more = false;
                }

                var any = false;
                while (chunks.TryRead(out var chunk))
                {
                    var count = Decode(chunk, bytes, samples);
                    await AcceptAsync(position, samples.AsMemory(0, count), cancellationToken);
                    position += count;
                    any = true;
                }

                if (any)
                {
                    yield return new AudioAcknowledgement(Position.AcknowledgedSamples, Math.Round(LagSeconds, 3));
                }
            }
        }
        finally
        {
            ArrayPool<float>.Shared.Return(samples);
            ArrayPool<byte>.Shared.Return(bytes);
            LeaveSender();
        }
    }

    /// <summary>Takes no more audio, decodes what is left, and commits it. Ending twice is ending once.</summary>
    /// <param name="cancellationToken">Stops the waiting, not the ending.</param>
    /// <exception cref="AsrException">An error has ended the session before.</exception>
    public async Task<SessionPosition> EndAsync(CancellationToken cancellationToken)
    {
        Task end;
        lock (_gate)
        {
            end = _end ??= Task.Run(EndOnceAsync, CancellationToken.None);
        }

        await end.WaitAsync(cancellationToken);
        RequireNotFailed();
        return Position;
    }

    /// <summary>
    /// Commits what was said so far, as a pause would, and goes on taking audio: the next word starts another segment.
    /// </summary>
    /// <param name="cancellationToken">Stops the waiting, not the committing.</param>
    /// <returns>
    /// Where the session stands once all audio that was acknowledged before the call is decoded: its captions up to
    /// <see cref="SessionPosition.LastSequence"/> hold that audio's text. Audio without speech adds no caption.
    /// </returns>
    /// <remarks>Calls at the same time are allowed; each waits for what was there when it came.</remarks>
    /// <exception cref="AsrException">The session has ended or failed, or fails meanwhile.</exception>
    public async Task<SessionPosition> CommitAsync(CancellationToken cancellationToken)
    {
        Task done;
        lock (_gate)
        {
            if (_state != SessionState.Active)
            {
                throw new AsrException(_error ?? $"session '{Id}' has ended: there is nothing more to commit");
            }

            _window.Close();
            done = Committed(_window.Received);
        }

        _wake.Writer.TryWrite(true);
        await done.WaitAsync(cancellationToken);
        RequireNotFailed();

        // What is final is shown once it is kept.
        await _log.FlushAsync().WaitAsync(cancellationToken);
        return Position;
    }

    /// <summary>Reads captions after a sequence, then follows; see <see cref="CaptionLog.WatchAsync"/>.</summary>
    /// <exception cref="AsrException">There are too many viewers, the sequence is none of the session, or the session has failed.</exception>
    public async IAsyncEnumerable<CaptionUpdate> WatchAsync(
        long afterSequence,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_viewers >= _options.MaximumViewers)
            {
                throw new AsrException($"session '{Id}' has {_viewers} viewers, the most that Live:MaximumViewers allows");
            }

            _viewers++;
        }

        _metrics.ViewersChanged(+1);
        try
        {
            await foreach (var update in _log.WatchAsync(afterSequence, _metrics.Skipped, cancellationToken))
            {
                yield return update;
            }
        }
        finally
        {
            _metrics.ViewersChanged(-1);
            lock (_gate)
            {
                _viewers--;
            }
        }
    }

    /// <summary>Shows a person's text in place of a committed caption.</summary>
    /// <param name="correction">The correction.</param>
    /// <param name="before">What earlier corrections there are: the update that this same one made, if it did, and their number.</param>
    /// <returns>The update that shows it; null when the session is over and no longer the one to ask.</returns>
    /// <exception cref="AsrException">The segment is not there or not yet committed, or the correction cannot be kept.</exception>
    public async Task<CaptionUpdate?> CorrectAsync(Correction correction, Func<(CaptionUpdate? Done, int Count)> before)
    {
        await _correcting.WaitAsync();
        try
        {
            var (done, count) = before();
            if (done is not null)
            {
                return done;
            }

            var update = await _log.CorrectAsync(correction, count, _options.MaximumCorrections);
            if (update is not null)
            {
                _metrics.Published(CaptionState.Corrected, 0);
            }

            return update;
        }
        finally
        {
            _correcting.Release();
        }
    }

    /// <summary>Deletes corrections of the session, and shows the texts before them.</summary>
    /// <param name="delete">Deletes them where they are kept; not called when the session is over.</param>
    /// <returns>Whether they are deleted; false when the session is over and shows nothing more.</returns>
    /// <exception cref="AsrException">They cannot be deleted, or what is shown cannot be kept.</exception>
    public async Task<bool> WithdrawAsync(Func<Task<IReadOnlyList<CaptionWithdrawal>>> delete)
    {
        await _correcting.WaitAsync();
        try
        {
            if (_log.IsComplete)
            {
                return false;
            }

            // What waits to be kept must be kept first: it is looked for there.
            await _log.FlushAsync();
            foreach (var withdrawal in await delete())
            {
                await _log.WithdrawAsync(withdrawal);
            }

            return true;
        }
        finally
        {
            _correcting.Release();
        }
    }

    /// <summary>Stops at once with an error: what is not committed is lost.</summary>
    public void Fail(AsrException error)
    {
        lock (_gate)
        {
            _fault ??= error;
        }

        _abort.Cancel();
        _wake.Writer.TryWrite(true);
    }

    /// <summary>Stops at once: what is not committed is lost. End it first to keep it.</summary>
    public async ValueTask DisposeAsync()
    {
        await _abort.CancelAsync();
        _wake.Writer.TryWrite(true);
        await _pump;
    }

    private static Channel<bool> NewSignal() =>
        Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    private static int Decode(string chunk, byte[] bytes, float[] samples)
    {
        // Whitespace is not expected in base64 that a program made, so the length tells the size before anything is decoded.
        const int LongestBase64 = (MaximumChunkBytes + 2) / 3 * 4;
        if (chunk is null || chunk.Length > LongestBase64)
        {
            throw new AsrException($"a chunk of audio may hold {MaximumChunkBytes} bytes at most: send smaller ones");
        }

        if (!Convert.TryFromBase64String(chunk, bytes, out var length))
        {
            throw new AsrException("a chunk of audio is not valid base64");
        }

        if (length > MaximumChunkBytes)
        {
            throw new AsrException($"a chunk of audio holds {length} bytes; {MaximumChunkBytes} at most are allowed");
        }

        if (length % sizeof(short) != 0)
        {
            throw new AsrException($"a chunk of audio holds {length} bytes: PCM16 samples are 2 bytes each, send whole ones");
        }

        var count = length / sizeof(short);
        for (var i = 0; i < count; i++)
        {
            samples[i] = BinaryPrimitives.ReadInt16LittleEndian(bytes.AsSpan(2 * i)) / 32768f;
        }

        return count;
    }

    private void EnterSender(long offsetSamples)
    {
        lock (_gate)
        {
            if (_state == SessionState.Failed)
            {
                throw new AsrException(_error!);
            }

            if (_state != SessionState.Active)
            {
                throw new AsrException($"session '{Id}' has ended and takes no more audio: start another one");
            }

            RequireNoGap(offsetSamples);
            _senders++;
        }

        Touch();
    }

    private void LeaveSender()
    {
        lock (_gate)
        {
            if (--_senders == 0 && _state != SessionState.Active)
            {
                _sendersGone.TrySetResult();
            }
        }
    }

    private void RequireNoGap(long offsetSamples)
    {
        if (offsetSamples < 0 || offsetSamples > _acknowledged)
        {
            throw new AsrException($"the audio starts at sample {offsetSamples}, but session '{Id}' has {_acknowledged}: send from {_acknowledged}");
        }
    }

    private void RequireNotFailed()
    {
        lock (_gate)
        {
            if (_state == SessionState.Failed)
            {
                throw new AsrException(_error!);
            }
        }
    }

    private async ValueTask AcceptAsync(long position, ReadOnlyMemory<float> samples, CancellationToken cancellationToken)
    {
        // One sender at a time, also while it waits for room.
        await _ingress.WaitAsync(cancellationToken);
        try
        {
            ReadOnlyMemory<float> fresh;
            lock (_gate)
            {
                RequireRunning();
                RequireNoGap(position);
                fresh = samples[(int)Math.Min(_acknowledged - position, samples.Length)..];
            }

            if (fresh.Length > 0)
            {
                await WaitForSpaceAsync(fresh.Length, cancellationToken);

                // Nobody else adds audio meanwhile. What is acknowledged outlives the process, so it is kept before.
                _journal.AppendAudio(_acknowledged, fresh.Span);
                Hear(fresh.Span, isNew: true);
            }

            Touch();
        }
        finally
        {
            _ingress.Release();
        }
    }

    /// <summary>Waits while the recogniser lags by more than the session may hold.</summary>
    private async Task WaitForSpaceAsync(int count, CancellationToken cancellationToken)
    {
        while (true)
        {
            lock (_gate)
            {
                RequireRunning();
                if (Fits(count))
                {
                    return;
                }
            }

            await _space.Reader.ReadAsync(cancellationToken);
        }
    }

    /// <summary>Hands audio that fits to the recogniser.</summary>
    private void Hear(ReadOnlySpan<float> samples, bool isNew)
    {
        bool due;
        lock (_gate)
        {
            RequireRunning();
            Append(samples);
            if (isNew)
            {
                _acknowledged += samples.Length;
                _metrics.AudioAcknowledged((double)samples.Length / Settings.SampleRateHz);
            }

            _stalled = false;
            NoteArrival();
            due = _window.Next(_flush, _stalled) is not null;
        }

        if (due)
        {
            _wake.Writer.TryWrite(true);
        }
    }

    private void RequireRunning()
    {
        if (_state is SessionState.Failed or SessionState.Ended)
        {
            throw new AsrException(_error ?? $"session '{Id}' has ended and takes no more audio: start another one");
        }
    }

    /// <summary>Hears again what was acknowledged before a restart and is not settled; new audio waits for it, as for another sender.</summary>
    private async Task ReplayAsync()
    {
        try
        {
            var samples = new float[ResampledBlock];
            var position = _origin;
            while (position < _journal.History.Samples && _journal.ReadAudio(position, samples) is > 0 and var count)
            {
                await WaitForSpaceAsync(count, _abort.Token);
                Hear(samples.AsSpan(0, count), isNew: false);
                position += count;
            }
        }
        catch (OperationCanceledException)
        {
            // The pump ends the session.
        }
        catch (AsrException error)
        {
            Fail(error);
        }
        finally
        {
            _ingress.Release();
            LeaveSender();
        }
    }

    /// <summary>Completes when everything before a position is final, or the session is over.</summary>
    private Task Committed(long position)
    {
        if (!_window.HasBefore(position))
        {
            return Task.CompletedTask;
        }

        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _commits.Add((position, done));
        return done.Task;
    }

    private bool Fits(int count) => _resampler is null
        ? count <= _window.Free
        : Resampler.OutputLength(count, Settings.SampleRateHz, _recognizer.SampleRateHz) + ResampledBlock <= _window.Free;

    private void Append(ReadOnlySpan<float> samples)
    {
        if (_resampler is null)
        {
            _window.Append(samples);
            return;
        }

        _resampler.Write(samples);
        AppendResampled();
    }

    private void AppendResampled()
    {
        while (_resampler!.Read(_resampled) is > 0 and var count)
        {
            _window.Append(_resampled.AsSpan(0, count));
        }
    }

    private void NoteArrival()
    {
        while (_arrivals.TryPeek(out var oldest) && oldest.End <= _window.Start)
        {
            _arrivals.Dequeue();
        }

        _arrivals.Enqueue((_window.Received, _time.GetTimestamp()));

        // A session in which nobody speaks needs no clock.
        _stallTimer.Change(_window.IsOpen ? _options.UpdateInterval : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>When a sample came, as far as it is still known.</summary>
    private long ArrivalOf(long position)
    {
        foreach (var (end, timestamp) in _arrivals)
        {
            if (end >= position)
            {
                return timestamp;
            }
        }

        return _time.GetTimestamp();
    }

    private double Lag() =>
        _state is SessionState.Active or SessionState.Ending && _window.Next(_flush, stalled: false) is { } due
            ? _time.GetElapsedTime(ArrivalOf(_window.DueOf(due))).TotalSeconds
            : 0;

    /// <summary>Somebody spoke, and no audio comes: shows what there is instead of waiting for a whole interval of it.</summary>
    private void OnStall()
    {
        bool due;
        lock (_gate)
        {
            _stalled = true;
            due = _state == SessionState.Active && _window.Next(_flush, _stalled) is not null;
        }

        if (due)
        {
            _wake.Writer.TryWrite(true);
        }
    }

    private async Task EndOnceAsync()
    {
        lock (_gate)
        {
            if (_state is SessionState.Active)
            {
                _state = SessionState.Ending;
            }

            if (_senders == 0)
            {
                _sendersGone.TrySetResult();
            }
        }

        // Senders take what has arrived already, then leave.
        await _ending.CancelAsync();
        await _sendersGone.Task;
        lock (_gate)
        {
            if (_resampler is not null && _state == SessionState.Ending)
            {
                _resampler.Complete();
                AppendResampled();
            }

            _flush = true;
        }

        _wake.Writer.TryWrite(true);
        await _pump;
    }

    /// <summary>Decodes whatever is due until the session is over; never throws.</summary>
    private async Task PumpAsync()
    {
        string? error = null;
        try
        {
            while (true)
            {
                _abort.Token.ThrowIfCancellationRequested();
                bool due;
                bool flush;
                lock (_gate)
                {
                    flush = _flush;
                    due = _window.Next(flush, _stalled) is not null;
                }

                if (due)
                {
                    await ServeAsync();
                }
                else if (flush)
                {
                    break;
                }
                else
                {
                    await _wake.Reader.ReadAsync(_abort.Token);
                }
            }

            await _log.FlushAsync();
        }
        catch (OperationCanceledException)
        {
            error = _fault is { } fault ? $"session '{Id}' was stopped: {fault.Message}" : $"session '{Id}' was stopped: the host is shutting down";
            _logger.LogWarning(_fault?.InnerException, "{Error}", error);
        }
        catch (AsrException failure)
        {
            error = $"session '{Id}' was stopped by an error: {failure.Message}";
            _logger.LogWarning("Session {Session} failed: {Reason}", Id, failure.Message);
        }
        catch (Exception failure)
        {
            error = $"session '{Id}' was stopped by an error of the recogniser ({failure.GetType().Name}); the host's log says more";
            _logger.LogError(failure, "Session {Session} failed", Id);
        }

        await _stallTimer.DisposeAsync();
        _adapter.Dispose();
        lock (_gate)
        {
            _state = error is null ? SessionState.Ended : SessionState.Failed;
            _error = error;
            _window.Dispose();
            _commits.ForEach(commit => commit.Done.SetResult());
            _commits.Clear();
        }

        Touch();
        _log.Complete(error);
        _space.Writer.TryWrite(true);

        // A sender may have been let in just before: its audio is written before the file is closed.
        await _ingress.WaitAsync();
        _ingress.Release();
        _metrics.SessionStopped(error is not null);
    }

    private async Task ServeAsync()
    {
        var ticket = new Ticket(this);
        var started = _time.GetTimestamp();

        // A session that is stopped does not wait for the recogniser, which may still read the audio then: the pool is given it back only here.
        var heard = await _model.DecodeAsync(ticket, _abort.Token).WaitAsync(_abort.Token);
        ticket.Release();
        if (heard is not { } hypothesis)
        {
            return;
        }

        _metrics.Decoded(_time.GetElapsedTime(started));
        _adapterVersion = hypothesis.AdapterVersion;
        var request = ticket.Request;
        switch (request.Reason)
        {
            case DecodeReason.Update:
                lock (_gate)
                {
                    _window.MarkDecoded(request.End);
                }

                Show(_stream.Preview(hypothesis, Seconds(request.Start)), hypothesis.Language, request);
                break;

            case DecodeReason.Step:
                Step(hypothesis, request);
                break;

            default:
                Finish(hypothesis, request);
                break;
        }

        Memory?.Heard(_adapterVersion, "");
    }

    /// <summary>Commits what a step settles, shows the rest, and cuts a window that has grown long.</summary>
    private void Step(StreamHypothesis hypothesis, DecodeRequest request)
    {
        var (committed, tentative) = _stream.Step(hypothesis, Seconds(request.Start), isFinal: false);
        if (committed.Count > 0)
        {
            Commit(committed, hypothesis.Language, request.Start, Math.Clamp(Samples(committed[^1].End), request.Start, request.End));
        }

        Show(tentative, hypothesis.Language, request);
        double? cut = null;
        if (request.End - request.Start > CutShare * _window.MaximumWindow || _stream.Forced.Count > CutShare * _maximumForced)
        {
            cut = _stream.FindCut(Seconds(request.Start), Seconds(request.End));
        }

        lock (_gate)
        {
            _window.MarkStepped(request.End);
            if (cut is { } seconds)
            {
                _window.MoveStart(Samples(seconds));
            }
        }

        if (cut is { } start)
        {
            _stream.MoveTo(start);
            _space.Writer.TryWrite(true);
        }
    }

    /// <summary>Commits all of a window.</summary>
    private void Finish(StreamHypothesis hypothesis, DecodeRequest request)
    {
        var (committed, _) = _stream.Step(hypothesis, Seconds(request.Start), isFinal: true);
        _stream.End();

        // What was taken for speech and is none leaves no caption, but takes back one that was shown.
        if (committed.Count > 0 || _shownText is not null)
        {
            Commit(committed, hypothesis.Language, request.Start, request.End);
        }

        // Whoever goes on without a pause goes on in the same utterance.
        _segmentStart = request.Reason == DecodeReason.Full ? request.End : null;
        lock (_gate)
        {
            _window.Commit(request.End);
            for (var i = _commits.Count - 1; i >= 0; i--)
            {
                if (!_window.HasBefore(_commits[i].Position))
                {
                    _commits[i].Done.SetResult();
                    _commits.RemoveAt(i);
                }
            }
        }

        Touch();
        _space.Writer.TryWrite(true);
    }

    private void Show(IReadOnlyList<StreamWord> words, string? language, DecodeRequest request)
    {
        var text = TextOf(words);
        if (text != (_shownText ?? ""))
        {
            Publish(CaptionState.Tentative, text, words, language, _segmentStart ?? request.Start, request.End);
            _shownText = text;
        }
    }

    private void Commit(IReadOnlyList<StreamWord> words, string? language, long start, long end)
    {
        var text = TextOf(words);
        Publish(CaptionState.Committed, text, words, language, _segmentStart ?? start, end);
        Memory?.Heard(_adapterVersion, text);
        _segmentId++;
        _segmentStart = end;
        _shownText = null;
        Touch();
    }

    private static string TextOf(IReadOnlyList<StreamWord> words) => string.Concat(words.Select(word => word.Text)).Trim();

    private double Seconds(long samples) => (double)samples / _recognizer.SampleRateHz;

    private long Samples(double seconds) => (long)Math.Round(seconds * _recognizer.SampleRateHz);

    private void Publish(CaptionState state, string text, IReadOnlyList<StreamWord> words, string? language, long start, long end)
    {
        long received;
        long acknowledged;
        lock (_gate)
        {
            received = _window.Received;
            acknowledged = _acknowledged;
        }

        var before = (double)_origin / Settings.SampleRateHz;
        _log.Publish(new CaptionUpdate
        {
            SessionId = Id,
            SegmentId = _segmentId,
            Sequence = 0,
            Revision = 0,
            State = state,
            Text = text,
            Words = [.. words.Where(word => !word.IsPhrase).Select(word => _model.Confidence.Calibrate(new CaptionWord(word.Text.Trim(), before + word.Start, before + word.End, word.Confidence), _adapterVersion))],
            Language = language ?? Settings.Language,
            AdapterVersion = _adapterVersion,
            StartSample = SessionSample(start),
            EndSample = SessionSample(end),
        });

        _metrics.Published(state, (double)(received - end) / _recognizer.SampleRateHz);

        long SessionSample(long position) =>
            Math.Min(_origin + Resampler.OutputLength(position, _recognizer.SampleRateHz, Settings.SampleRateHz), acknowledged);
    }

    /// <summary>The session's place in the recogniser's queue; holds the audio of one decoding.</summary>
    private sealed class Ticket(LiveSession session) : IStreamTicket
    {
        private float[] _samples = [];

        /// <summary>What is decoded; set when its turn has come.</summary>
        public DecodeRequest Request { get; private set; }

        public StreamDemand? Demand()
        {
            lock (session._gate)
            {
                if (session._abort.IsCancellationRequested || session._window.Next(session._flush, session._stalled) is not { } request)
                {
                    return null;
                }

                var commits = request.Reason != DecodeReason.Update;
                var patience = commits ? CommitDeadline : UpdateDeadline;
                var deadline = session.ArrivalOf(session._window.DueOf(request)) + (long)(patience.TotalSeconds * session._time.TimestampFrequency);
                return new StreamDemand(deadline, commits, (int)(request.End - request.Start));
            }
        }

        public StreamPass? Take()
        {
            lock (session._gate)
            {
                if (session._abort.IsCancellationRequested || session._window.Next(session._flush, session._stalled) is not { } request)
                {
                    return null;
                }

                if (request.Reason == DecodeReason.Step && session._time.GetElapsedTime(session.ArrivalOf(request.End)) > session._options.MaximumLag)
                {
                    session._window.SkipSteps();
                    request = session._window.Next(session._flush, session._stalled) ?? request;
                }

                if (request.Start != session._windowStart)
                {
                    session._windowStart = request.Start;
                    session._adapter.Advance();
                }

                // The audio is copied: senders go on filling the window while the recogniser reads.
                Request = request;
                var count = (int)(request.End - request.Start);
                _samples = ArrayPool<float>.Shared.Rent(count);
                session._window.CopyTo(request.Start, request.End, _samples);
                return new StreamPass
                {
                    Samples = _samples.AsMemory(0, count),
                    Forced = session._stream.Forced,
                    Previous = session._stream.Previous,
                    Language = session.Settings.Language ?? session._stream.Language,
                    Task = session.Settings.Task,
                    Adapter = session._adapter.Current,
                    Prompt = session.Settings.Prompt,
                    Bias = session.Memory?.Current,
                    IsFinal = request.Reason is DecodeReason.Complete or DecodeReason.Full,
                };
            }
        }

        /// <summary>Gives the audio's memory back.</summary>
        public void Release()
        {
            if (_samples.Length > 0)
            {
                ArrayPool<float>.Shared.Return(_samples);
                _samples = [];
            }
        }
    }
}
