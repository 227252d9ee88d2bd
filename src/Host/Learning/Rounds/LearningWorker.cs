using System.Threading.Channels;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Gate;
using AsrPlatform.Host.Learning.Registry;
using AsrPlatform.Host.Live;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Learning.Rounds;

/// <summary>How busy captions are.</summary>
/// <param name="Worst">By how much the latest ones are late.</param>
/// <param name="Active">Sessions that take audio.</param>
internal readonly record struct LiveLoad(TimeSpan Worst, int Active);

/// <summary>Tells how busy captions are now.</summary>
internal delegate LiveLoad LiveLoadMeter();

/// <summary>Runs rounds of learning beside captions: one at a time, each in a process of its own, and none while captions are late.</summary>
/// <remarks>Safe for concurrent calls.</remarks>
internal sealed class LearningWorker(
    LearningJobs jobs,
    LearningRounds rounds,
    AdapterRegistry registry,
    DataFolder folder,
    DatabaseChanges changes,
    RoundProgram program,
    LiveLoadMeter load,
    IHubContext<CaptionHub> hub,
    IOptions<LearningOptions> options,
    TimeProvider time,
    ServedModel served,
    ILogger<LearningWorker> logger) : IHostedService, IAsyncDisposable
{
    /// <summary>The hub's event; its argument is the job.</summary>
    public const string EventName = "TrainingProgress";

    /// <summary>The lock of a data folder's rounds.</summary>
    public const string LockFile = "learn.lock";

    /// <summary>Starts of a process that crashes.</summary>
    private const int MostStarts = 3;

    /// <summary>Time that a process gets to save and end.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>Time that the disposal waits for the end of what runs.</summary>
    private static readonly TimeSpan DisposePatience = TimeSpan.FromSeconds(2);

    /// <summary>Time between two looks at the load of captions, and at the job.</summary>
    private static readonly TimeSpan LoadInterval = TimeSpan.FromMilliseconds(500);

    /// <summary>Shortest time between two progress events of one phase.</summary>
    private static readonly TimeSpan EventInterval = TimeSpan.FromMilliseconds(250);

    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private Task _running = Task.CompletedTask;
    private LearningJob? _current;
    private CancellationTokenSource? _cancelCurrent;
    private long _toldAt;

    /// <summary>Jobs, the newest first, with the progress of the one that runs here.</summary>
    public IReadOnlyList<LearningJob> List(int limit) => [.. jobs.List(limit).Select(WithProgress)];

    /// <summary>The job of an id, with its progress when it runs here; null when there is none.</summary>
    public LearningJob? Find(string id) => jobs.Find(id) is { } job ? WithProgress(job) : null;

    /// <summary>Corrections that a round would learn now, and why there can be none.</summary>
    public (int Ready, string? Why) CanLearn()
    {
        var ready = jobs.Unlearned(registry.ActiveId());
        return (ready, served.Directory is null ? "this host serves no checkpoint folder that could learn (asr serve --model DIR)"
            : ready == 0 ? "no correction is ready that the active adapter has not learned"
            : AdapterGate.TooFew(ready, jobs.HeldOut(), new GateSettings()));
    }

    /// <summary>Starts a round by hand; one that waits already, or began after the newest correction, stands for it.</summary>
    /// <exception cref="AsrException">There can be none now; the message says why.</exception>
    public async Task<LearningJob> StartJobAsync()
    {
        if (CanLearn().Why is { } why)
        {
            throw new AsrException(why);
        }

        var newest = jobs.Waiting().Newest;
        var job = jobs.Open().FirstOrDefault(open => !open.Settings.Foreground && (open.State == JobState.Queued || newest is null || open.StartedAt >= newest))
            ?? await jobs.AddAsync(JobTrigger.ByHand, new JobSettings());
        Tell(job);
        Wake();
        return job;
    }

    /// <summary>Cancels a job; null when it has ended.</summary>
    public async Task<LearningJob?> CancelAsync(string id)
    {
        var cancelled = await jobs.CancelAsync(id);
        if (cancelled is not null)
        {
            CancellationTokenSource? running;
            lock (_gate)
            {
                running = _current?.Id == id ? _cancelCurrent : null;
            }

            if (running is not null)
            {
                await running.CancelAsync();
            }
            else
            {
                ClearEnded();
            }

            Tell(cancelled);
        }

        return cancelled;
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        changes.Changed += Wake;
        _running = Task.Run(ServeAsync, CancellationToken.None);
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        changes.Changed -= Wake;
        await _stop.CancelAsync();
        await _running.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public async ValueTask DisposeAsync()
    {
        // A round's process that is slow to save does not keep the host: it ends by itself when its host is gone.
        using var patience = new CancellationTokenSource(DisposePatience, time);
        await StopAsync(patience.Token);
        if (_running.IsCompleted)
        {
            _stop.Dispose();
        }
    }

    private async Task ServeAsync()
    {
        ClearEnded();
        var before = time.GetLocalNow();
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var now = time.GetLocalNow();
                if (served.Directory is { } checkpoint)
                {
                    await RecoverAsync();
                    await TriggerAsync(before, now);
                    await RunNextAsync(new LearningModel(checkpoint));
                }

                before = now;
            }
            catch (AsrException error)
            {
                logger.LogError("Rounds of learning: {Reason}", error.Message);
            }
            catch (Exception error) when (error is not OperationCanceledException)
            {
                logger.LogError(error, "Rounds of learning: a defect");
            }

            await WaitAsync();
        }
    }

    /// <summary>What cannot be cleared is tried again at the next start.</summary>
    private void ClearEnded()
    {
        try
        {
            RoundTraces.ClearEnded(folder);
        }
        catch (AsrException error)
        {
            logger.LogWarning("Rounds of learning: {Reason}", error.Message);
        }
    }

    private void Wake() => _wake.Writer.TryWrite(true);

    private async Task WaitAsync()
    {
        using var timeout = new CancellationTokenSource(options.Value.CheckInterval, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, _stop.Token);
        await ((Task)_wake.Reader.WaitToReadAsync(either.Token).AsTask()).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _wake.Reader.TryRead(out _);
    }

    /// <summary>A job that runs holds the lock: where nobody does, its process died, and it goes back into the queue.</summary>
    private async Task RecoverAsync()
    {
        if (jobs.Open().Any(job => job.State == JobState.Running))
        {
            using var held = TakeLock(out _);
            foreach (var job in held is null ? [] : jobs.Open().Where(job => job.State == JobState.Running))
            {
                logger.LogInformation("Round {Job} was interrupted", job.Id);
                Tell(await jobs.RequeueAsync(job.Id));
            }
        }
    }

    private async Task TriggerAsync(DateTimeOffset before, DateTimeOffset now)
    {
        if (jobs.Open().Count == 0
            && LearningTriggers.Due(options.Value, jobs.Waiting(), jobs.List(1) is [var newest, ..] ? newest : null, before, now) is { } trigger
            && CanLearn().Why is null)
        {
            Tell(await jobs.AddAsync(trigger, new JobSettings()));
        }
    }

    private async Task RunNextAsync(LearningModel adapted)
    {
        if (jobs.Open().FirstOrDefault(job => job is { State: JobState.Queued, Settings.Foreground: false }) is not { } next)
        {
            return;
        }

        using var held = TakeLock(out var owner);
        if (held is null)
        {
            logger.LogDebug("Round {Job} waits for {Owner}", next.Id, owner);
            return;
        }

        if (await jobs.StartAsync(next.Id) is not { } job)
        {
            return;
        }

        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        lock (_gate)
        {
            (_current, _cancelCurrent) = (job with { Progress = RoundProgress.Started }, cancel);
        }

        Tell(Find(job.Id));
        using var over = new CancellationTokenSource();
        var watching = WatchAsync(job.Id, cancel, over.Token);
        LearningJob? ended = null;
        try
        {
            ended = await RunAsync(job, adapted, cancel.Token);
        }
        catch (AsrException error)
        {
            ended = await jobs.FailAsync(job.Id, error.Message);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // Stopped before its process began: as below.
        }
        catch (Exception error)
        {
            logger.LogError(error, "Round {Job}: a defect", job.Id);
            ended = await jobs.FailAsync(job.Id, $"a defect of the host ({error.GetType().Name}): its log says more");
        }
        finally
        {
            await over.CancelAsync();
            await watching;
            lock (_gate)
            {
                (_current, _cancelCurrent) = (null, null);
            }
        }

        // Stopped: with the host, to go on later, or for good.
        ended ??= await jobs.RequeueAsync(job.Id) ?? jobs.Find(job.Id)!;
        if (ended.State is JobState.Cancelled or JobState.Failed)
        {
            RoundFolder.Of(folder.Directory, job.Id).Trim();
        }

        logger.LogInformation("Round {Job}: {State} {Reason}", ended.Id, ended.State, ended.Outcome?.Reason ?? ended.Error);
        Tell(ended);
        Wake();
    }

    /// <summary>Stops a round whose job has ended meanwhile: another process cancelled it, or what it learns from was deleted.</summary>
    private async Task WatchAsync(string id, CancellationTokenSource cancel, CancellationToken over)
    {
        using var timer = new PeriodicTimer(LoadInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(over))
            {
                if (IsOver(id))
                {
                    await cancel.CancelAsync();
                    return;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The round has ended.
        }
    }

    /// <summary>A database that cannot be read now is asked again.</summary>
    private bool IsOver(string id)
    {
        try
        {
            return jobs.Find(id)?.State != JobState.Running;
        }
        catch (AsrException)
        {
            return false;
        }
    }

    /// <summary>Runs a job to its end; null when it was stopped.</summary>
    private async Task<LearningJob?> RunAsync(LearningJob job, LearningModel adapted, CancellationToken cancellationToken)
    {
        var round = RoundFolder.Of(folder.Directory, job.Id);
        if (round.ReadPlan() is null)
        {
            await rounds.PlanAsync(job, adapted, options.Value, cancellationToken);
        }

        for (var starts = 1; ; starts++)
        {
            var (exitCode, error) = await RunProcessAsync(round, cancellationToken);
            if (round.ReadOutcome() is { } outcome)
            {
                // What is decided is not undone by a stop of the host; a person's cancellation came first.
                return jobs.Find(job.Id)?.State == JobState.Running
                    ? await jobs.FinishAsync(job.Id, await rounds.ConcludeAsync(round, outcome, CancellationToken.None))
                    : null;
            }

            if (cancellationToken.IsCancellationRequested)
            {
                return null;
            }

            switch (exitCode)
            {
                case RoundProcess.Busy:
                    // A dead host's process, which may stand still; it ends as soon as it finds that nobody listens.
                    if (ProcessLock.ProcessIn(error ?? "") is { } orphan)
                    {
                        ProcessSignals.Resume(orphan);
                    }

                    await Task.Delay(LoadInterval, time, cancellationToken);
                    starts--;
                    break;
                case 1:
                    return await jobs.FailAsync(job.Id, error ?? "the round ended without a word");
                case var _ when starts == MostStarts:
                    return await jobs.FailAsync(job.Id, $"the round's process crashed {MostStarts} times, the last time with exit code {exitCode}{(error is null ? "" : ": " + error)}");
                default:
                    logger.LogWarning("The process of round {Job} crashed (exit code {ExitCode}): it is started again", job.Id, exitCode);
                    break;
            }
        }
    }

    private async Task<(int ExitCode, string? Error)> RunProcessAsync(RoundFolder round, CancellationToken cancellationToken)
    {
        using var process = RoundProcess.Start(program(round), round.Log, Report);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var yielding = YieldAsync(process, ended.Token);
        int exitCode;
        try
        {
            exitCode = await process.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            exitCode = await process.StopAsync(Patience, time);
        }

        await ended.CancelAsync();
        await yielding;
        return (exitCode, process.LastError);
    }

    /// <summary>Makes the process stand still while captions are late.</summary>
    private async Task YieldAsync(RoundProcess process, CancellationToken ended)
    {
        if (!ProcessSignals.CanPause)
        {
            return;
        }

        var rule = new PauseRule(options.Value.PauseLag, options.Value.PauseSessions);
        RoundProgress? before = null;
        using var timer = new PeriodicTimer(LoadInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(ended))
            {
                var (was, now) = (rule.IsPaused, load());
                if (rule.Observe(now.Worst, now.Active, time.GetUtcNow()) == was)
                {
                    continue;
                }

                if (rule.IsPaused)
                {
                    process.Pause();
                    lock (_gate)
                    {
                        before = _current?.Progress;
                    }

                    Report((before ?? RoundProgress.Started) with { Phase = RoundProgress.Paused });
                }
                else
                {
                    Report(before ?? RoundProgress.Started);
                    process.Resume();
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The process has ended or is to end.
        }
    }

    private void Report(RoundProgress progress)
    {
        LearningJob? told = null;
        lock (_gate)
        {
            if (_current is { } current)
            {
                _current = current with { Progress = progress };
                if (current.Progress?.Phase != progress.Phase || progress.Step == progress.MaxSteps || time.GetElapsedTime(_toldAt) >= EventInterval)
                {
                    _toldAt = time.GetTimestamp();
                    told = _current;
                }
            }
        }

        Tell(told);
    }

    private LearningJob WithProgress(LearningJob job)
    {
        lock (_gate)
        {
            return _current?.Id == job.Id && job.State == JobState.Running ? job with { Progress = _current.Progress } : job;
        }
    }

    /// <summary>Sends a job to every client; one that is not there misses it, and asks.</summary>
    private void Tell(LearningJob? job)
    {
        if (job is not null)
        {
            _ = hub.Clients.All.SendAsync(EventName, job, CancellationToken.None);
        }
    }

    private ProcessLock? TakeLock(out string owner) => ProcessLock.TryTake(Path.Combine(folder.Directory, LockFile), time, out owner);
}
