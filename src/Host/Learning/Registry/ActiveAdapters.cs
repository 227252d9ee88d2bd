using System.Threading.Channels;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Serving;

namespace AsrPlatform.Host.Learning.Registry;

/// <summary>Which model the host serves.</summary>
/// <param name="Directory">The checkpoint folder; null: not known, and no adapter is refused for its base.</param>
/// <param name="IsPinned">An adapter, or none, was chosen when the host was started: promotions change nothing.</param>
internal sealed record ServedModel(string? Directory = null, bool IsPinned = false);

/// <summary>Follows what the registry says is active, whichever process says so: loads it, and moves sessions to it where their next windows begin.</summary>
/// <remarks>Safe for concurrent calls.</remarks>
internal sealed class ActiveAdapters : IHostedService, IAsyncDisposable
{
    /// <summary>How often it looks even when nothing is told: what could not be loaded is tried again, and what is provisional is watched.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    private const int LongestId = 64;

    private readonly AdapterRegistry _registry;
    private readonly ModelHost _model;
    private readonly DatabaseChanges _changes;
    private readonly ServedModel _served;
    private readonly AdapterWatch _watch;
    private readonly TimeProvider _time;
    private readonly ILogger<ActiveAdapters> _logger;
    private readonly Lock _gate = new();
    private readonly HashSet<Follower> _followers = [];
    private readonly Channel<bool> _wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stop = new();
    private Task _following = Task.CompletedTask;
    private ITimer? _timer;

    // Read by sessions, written by the loop alone.
    private volatile IReadOnlyDictionary<string, Activation> _active = new Dictionary<string, Activation>();
    private string? _baseHash;
    private string? _general;
    private string? _reported;
    private long _seen;

    public ActiveAdapters(
        AdapterRegistry registry, ModelHost model, DatabaseChanges changes, ServedModel served, AdapterWatch watch, TimeProvider time, ILogger<ActiveAdapters> logger)
    {
        _registry = registry;
        _model = model;
        _changes = changes;
        _served = served;
        _watch = watch;
        _time = time;
        _logger = logger;
    }

    /// <summary>Raised for each activation, in their order, once sessions get it; never for those before the start. One call at a time.</summary>
    public event Action<Activation>? Promoted;

    /// <summary>Hash of the base model's weights; null when it is not known (yet).</summary>
    public string? BaseHash => Volatile.Read(ref _baseHash);

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _registry.Changed += Wake;
        _changes.Changed += Wake;
        _timer = _time.CreateTimer(static state => ((ActiveAdapters)state!).Wake(), this, Interval, Interval);
        _following = Task.Run(FollowAsync, CancellationToken.None);
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        _registry.Changed -= Wake;
        _changes.Changed -= Wake;
        await _stop.CancelAsync();
        await _following.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None);
        if (_timer is not null)
        {
            await _timer.DisposeAsync();
        }

        _stop.Dispose();
    }

    /// <summary>The adapter of a session, which follows what is promoted where the session does not name one.</summary>
    /// <param name="adapter">An adapter's id; null or <c>active</c>: whatever is active for its speaker, tenant or everybody; <c>none</c>: the base model.</param>
    /// <param name="tenant">Whose session it is; null when that is not said.</param>
    /// <param name="speaker">Who speaks; null when that is not said.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    /// <returns>The session's; it disposes it.</returns>
    /// <exception cref="AsrException">There is no such adapter, or it cannot be loaded.</exception>
    public async Task<SessionAdapter> OpenAsync(string? adapter, string? tenant, string? speaker, CancellationToken cancellationToken)
    {
        await _ready.Task.WaitAsync(cancellationToken);
        switch (adapter)
        {
            case "none":
                return new SessionAdapter(AdapterLease.None);
            case { Length: > LongestId }:
                throw new AsrException($"there is no adapter '{adapter[..LongestId]}…'");
            case not (null or "active"):
                return new SessionAdapter(_model.Adapters.TryLease(adapter) ?? await LoadAsync(adapter, cancellationToken));
        }

        var follower = new Follower([.. AdapterScope.Of(tenant, speaker)]);

        // Known to the loop before it looks what is active, so that nothing that is promoted meanwhile is missed.
        lock (_gate)
        {
            _followers.Add(follower);
        }

        try
        {
            var (lease, name) = await LeaseAsync(follower, cancellationToken);
            var session = new SessionAdapter(lease);
            session.Disposed += () => Leave(follower);
            lock (_gate)
            {
                follower.Session = session;
                follower.Adapter = name;
            }

            Wake();
            return session;
        }
        catch
        {
            Leave(follower);
            throw;
        }
    }

    private void Leave(Follower follower)
    {
        lock (_gate)
        {
            _followers.Remove(follower);
        }
    }

    private void Wake() => _wake.Writer.TryWrite(true);

    private async Task FollowAsync()
    {
        try
        {
            // Beside the loading of the model, which reads the same files.
            var hashing = _served.Directory is { } directory ? BaseModel.HashAsync(directory, _stop.Token) : Task.FromResult("");
            await _registry.RecoverAsync(_stop.Token);
            await _model.ReadyAsync(_stop.Token);
            if (_model.Adapters.AreTaken)
            {
                Volatile.Write(ref _baseHash, await hashing is { Length: > 0 } hash ? hash : null);
            }
            else
            {
                await ((Task)hashing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            _seen = _registry.Activations() is [.., var newest] ? newest.Number : 0;
            await RefreshAsync();
        }
        catch (OperationCanceledException)
        {
            _ready.TrySetCanceled();
            return;
        }
        catch (Exception error)
        {
            // Captions go on with the base model.
            _logger.LogError(error, "No adapter is used: {Reason}", error.Message);
            _ready.TrySetResult();
            return;
        }

        _ready.TrySetResult();
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await _wake.Reader.ReadAsync(_stop.Token);
                await RefreshAsync();
                await _watch.CheckAsync();
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception error)
            {
                _logger.LogError(error, "What is active cannot be taken up: {Reason}", error.Message);
            }
        }
    }

    /// <summary>Brings the recogniser and the sessions to what the registry says.</summary>
    private async Task RefreshAsync()
    {
        // In this order: what is active is at least as new as the last of the events.
        var events = _registry.Activations(_seen);
        _active = _served.IsPinned ? _active : _registry.Active();
        await UseAsync(_active.GetValueOrDefault(AdapterScope.All)?.Adapter);
        Follower[] followers;
        lock (_gate)
        {
            followers = [.. _followers.Where(follower => follower.Session is not null)];
        }

        foreach (var follower in followers)
        {
            await MoveAsync(follower);
        }

        foreach (var activation in events)
        {
            _seen = activation.Number;
            _logger.LogInformation(
                "Adapter {Adapter} is active for {Scope}, after {Previous}: {Reason}",
                activation.Adapter ?? AdapterRegistry.Base, AdapterScope.Show(activation.Scope), activation.Previous ?? AdapterRegistry.Base, activation.Reason);
            Promoted?.Invoke(activation);
        }
    }

    /// <summary>Makes an adapter the one of everybody.</summary>
    private async Task UseAsync(string? adapter)
    {
        if (adapter == _general)
        {
            return;
        }

        try
        {
            var started = _time.GetTimestamp();
            await _model.Adapters.UseAsync(adapter is null ? AdapterLease.None : await LoadAsync(adapter, _stop.Token));
            _general = adapter;
            _reported = null;
            _logger.LogInformation("Captions are made with {Adapter} now, {Milliseconds:0} ms after it was seen", adapter ?? AdapterRegistry.Base, _time.GetElapsedTime(started).TotalMilliseconds);
        }
        catch (AsrException error)
        {
            Report(adapter!, error);
        }
    }

    /// <summary>Prepares what a session's next window is decoded with, where that is another adapter now.</summary>
    private async Task MoveAsync(Follower follower)
    {
        if (Target(follower.Scopes) == follower.Adapter)
        {
            return;
        }

        var (lease, name) = await LeaseAsync(follower, _stop.Token);
        SessionAdapter? session;
        lock (_gate)
        {
            follower.Adapter = name;
            session = follower.Session;
        }

        session!.Prepare(lease);
    }

    /// <summary>The adapter of the narrowest scope that has one which can be loaded, else what everybody has.</summary>
    private async Task<(AdapterLease Lease, string? Name)> LeaseAsync(Follower follower, CancellationToken cancellationToken)
    {
        foreach (var scope in follower.Scopes.Where(scope => scope != AdapterScope.All))
        {
            if (_active.GetValueOrDefault(scope)?.Adapter is { } adapter)
            {
                try
                {
                    return (await LoadAsync(adapter, cancellationToken), adapter);
                }
                catch (AsrException error)
                {
                    Report(adapter, error);
                }
            }
        }

        var lease = _model.Adapters.LeaseDefault();
        return (lease, lease.Entry?.Name);
    }

    /// <summary>What a session with these scopes should have.</summary>
    private string? Target(IReadOnlyList<string> scopes)
    {
        var active = _active;
        foreach (var scope in scopes.Where(scope => scope != AdapterScope.All))
        {
            if (active.GetValueOrDefault(scope)?.Adapter is { } adapter)
            {
                return adapter;
            }
        }

        using var lease = _model.Adapters.LeaseDefault();
        return lease.Entry?.Name;
    }

    private async Task<AdapterLease> LoadAsync(string adapter, CancellationToken cancellationToken) =>
        await _model.Adapters.LeaseAsync(adapter, () => _registry.OpenAsync(adapter, BaseHash, CancellationToken.None), cancellationToken);

    /// <summary>An adapter that cannot be loaded is said once, not at every look.</summary>
    private void Report(string adapter, AsrException error)
    {
        var said = $"{adapter}: {error.Message}";
        if (_reported != said)
        {
            _reported = said;
            _logger.LogError(error.InnerException, "The adapter {Adapter} is active and cannot be used; captions go on with what they have. {Reason}", adapter, error.Message);
        }
    }

    /// <summary>A session that follows what is active; its members belong to the gate.</summary>
    private sealed class Follower(IReadOnlyList<string> scopes)
    {
        public IReadOnlyList<string> Scopes => scopes;

        public SessionAdapter? Session { get; set; }

        /// <summary>What it was given last.</summary>
        public string? Adapter { get; set; }
    }
}
