using System.Buffers;
using System.Security.Cryptography;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Serving;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Live;

/// <summary>All live sessions: starts and finds them, ends idle ones, forgets old ones.</summary>
/// <remarks>Safe for concurrent calls.</remarks>
internal sealed class LiveSessionStore : IHostedService, IAsyncDisposable
{
    /// <summary>Lowest rate of a session's audio: a telephone's.</summary>
    public const int LowestSampleRateHz = 8_000;

    /// <summary>Highest rate of a session's audio.</summary>
    public const int HighestSampleRateHz = 192_000;

    private const int LongestPrompt = 4000;
    private const int LongestId = 64;
    private const int MostNames = 10;

    private static readonly SearchValues<char> IdCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

    private readonly Lock _gate = new();
    private readonly Dictionary<string, LiveSession> _sessions = new(StringComparer.Ordinal);
    private readonly ModelHost _model;
    private readonly VoiceActivityDetectorFactory _detectors;
    private readonly LiveOptions _options;
    private readonly LiveMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly ILogger<LiveSession> _logger;
    private ITimer? _sweeper;
    private bool _isClosed;

    public LiveSessionStore(
        ModelHost model,
        VoiceActivityDetectorFactory detectors,
        IOptions<LiveOptions> options,
        LiveMetrics metrics,
        TimeProvider time,
        ILogger<LiveSession> logger)
    {
        _model = model;
        _detectors = detectors;
        _options = options.Value;
        _metrics = metrics;
        _time = time;
        _logger = logger;
    }

    /// <summary>Every session that is remembered, the oldest first.</summary>
    public IReadOnlyList<LiveSession> Sessions
    {
        get
        {
            lock (_gate)
            {
                return [.. _sessions.Values.OrderBy(session => session.StartedAt)];
            }
        }
    }

    /// <summary>Starts a session, or finds the one to resume.</summary>
    /// <exception cref="AsrException">It cannot be started; the message says why.</exception>
    public async Task<SessionPosition> StartSessionAsync(StartSessionRequest request, CancellationToken cancellationToken)
    {
        var settings = new SessionSettings(request.SampleRateHz, request.Language, ParseTask(request.Task), request.Adapter, request.Prompt);
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
        lock (_gate)
        {
            if (_isClosed)
            {
                throw new AsrException("the host is shutting down");
            }

            id = request.SessionId ?? Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
            if (_sessions.TryGetValue(id, out var session))
            {
                // Started by someone else while the model was awaited.
                return Resume(session, settings);
            }

            var running = _sessions.Values.Count(other => other.State is SessionState.Active or SessionState.Ending);
            if (running >= _options.MaximumSessions)
            {
                throw new AsrException($"{running} sessions are running, the most that Live:MaximumSessions allows: try again later");
            }

            var window = new SpeechWindow(_options, recognizer.SampleRateHz, _detectors(recognizer.SampleRateHz));
            session = new LiveSession(id, settings, recognizer, _model, window, _options, _metrics, _time, _logger);
            _sessions.Add(id, session);
            return session.Position;
        }
    }

    /// <summary>The session of an id; null when there is none.</summary>
    public LiveSession? Find(string id)
    {
        lock (_gate)
        {
            return _sessions.GetValueOrDefault(id);
        }
    }

    /// <summary>The session of an id.</summary>
    /// <exception cref="AsrException">There is none.</exception>
    public LiveSession Get(string id) =>
        Find(id ?? "") ?? throw new AsrException($"there is no session '{Shown(id)}': start one with StartSession");

    /// <summary>Ends idle sessions and forgets those that ended long ago.</summary>
    public void Sweep()
    {
        foreach (var session in Sessions)
        {
            if (session.State == SessionState.Active && session.IdleTime >= _options.IdleTimeout)
            {
                _ = EndQuietlyAsync(session, CancellationToken.None);
            }
        }

        lock (_gate)
        {
            var over = _sessions.Values
                .Where(session => session.State is SessionState.Ended or SessionState.Failed)
                .OrderBy(session => session.IdleTime)
                .ToList();
            for (var i = 0; i < over.Count; i++)
            {
                if (i >= _options.MaximumEnded || over[i].IdleTime >= _options.KeepEnded)
                {
                    _sessions.Remove(over[i].Id);
                }
            }
        }
    }

    /// <summary>Starts no more sessions and ends all that run; returns when every one is flushed and its viewers have it, or the token is cancelled.</summary>
    public async Task CloseAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            _isClosed = true;
        }

        await Task.WhenAll(Sessions.Select(session => EndQuietlyAsync(session, cancellationToken)));

        // Viewers leave by themselves once they have everything; one that reads nothing is not waited for.
        for (var i = 0; i < 100 && !cancellationToken.IsCancellationRequested && Sessions.Any(session => session.Viewers > 0); i++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(20), CancellationToken.None);
        }
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
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

        foreach (var session in Sessions)
        {
            await session.DisposeAsync();
        }
    }

    private static async Task EndQuietlyAsync(LiveSession session, CancellationToken cancellationToken)
    {
        try
        {
            await session.EndAsync(cancellationToken);
        }
        catch (Exception error) when (error is AsrException or OperationCanceledException)
        {
            // The session has its error and its viewers are told.
        }
    }

    private static SessionPosition Resume(LiveSession session, SessionSettings settings)
    {
        if (session.State != SessionState.Active)
        {
            throw new AsrException($"session '{session.Id}' has ended: start one with another id");
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

        if (request.Adapter is not (null or "active" or "none") && !recognizer.Adapters.Contains(request.Adapter, StringComparer.Ordinal))
        {
            throw new AsrException($"there is no adapter '{Shown(request.Adapter)}'");
        }
    }

    /// <summary>What a client sent, short enough for a message.</summary>
    private static string Shown(string? text) => text is { Length: > LongestId } ? text[..LongestId] + "…" : text ?? "";
}
