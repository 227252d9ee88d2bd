using AsrPlatform.Abstractions;
using AsrPlatform.Host.Live;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Security;

/// <summary>Starts sessions on behalf of callers, and counts those that each has running.</summary>
/// <remarks>Safe for concurrent calls. Code of this process is not counted.</remarks>
internal sealed class SessionQuota(LiveSessionStore sessions, IOptions<LimitOptions> options)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Holding> _holdings = new(StringComparer.Ordinal);
    private readonly int _most = options.Value.SessionsPerCaller;

    /// <summary>Starts or resumes a session; see <see cref="LiveSessionStore.StartSessionAsync"/>.</summary>
    /// <exception cref="AsrException">The caller has too many, or the session cannot be started.</exception>
    public async Task<SessionPosition> StartAsync(Caller caller, StartSessionRequest request, CancellationToken cancellationToken)
    {
        if (caller.Tenant is { } tenant)
        {
            request = request.Tenant is null || request.Tenant == tenant
                ? request with { Tenant = tenant }
                : throw new AsrException("the API key is another tenant's: leave the tenant out, or use a key of its own");
        }

        if (caller == Caller.Process || (request.SessionId is { } id && IsRunning(id)))
        {
            return await sessions.StartSessionAsync(request, cancellationToken);
        }

        var holding = Reserve(caller);
        SessionPosition? started = null;
        try
        {
            started = await sessions.StartSessionAsync(request, cancellationToken);
            return started;
        }
        finally
        {
            lock (_gate)
            {
                holding.Starting--;
                if (started is not null)
                {
                    holding.Sessions.Add(started.SessionId);
                }
            }
        }
    }

    private Holding Reserve(Caller caller)
    {
        lock (_gate)
        {
            foreach (var (name, one) in _holdings)
            {
                one.Sessions.RemoveWhere(session => !IsRunning(session));
                if (one.Sessions.Count + one.Starting == 0)
                {
                    _holdings.Remove(name);
                }
            }

            if (!_holdings.TryGetValue(caller.Id, out var holding))
            {
                _holdings.Add(caller.Id, holding = new Holding());
            }

            if (holding.Sessions.Count + holding.Starting >= _most)
            {
                throw new AsrException($"{_most} sessions of this {(caller.KeyId is null ? "address" : "key")} are running, the most that Limits:SessionsPerCaller allows: end one first");
            }

            holding.Starting++;
            return holding;
        }
    }

    private bool IsRunning(string id) => sessions.Find(id) is { State: SessionState.Active or SessionState.Ending };

    private sealed class Holding
    {
        public HashSet<string> Sessions { get; } = new(StringComparer.Ordinal);

        public int Starting { get; set; }
    }
}
