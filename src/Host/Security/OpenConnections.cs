using System.Collections.Concurrent;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Host.Security;

/// <summary>The requests that keys have open; those of a key that is revoked or expires are cut off, since a hub's connection asks only once.</summary>
/// <remarks>Safe for concurrent calls.</remarks>
internal sealed class OpenConnections(ApiKeyStore keys, TimeProvider time, ILogger<OpenConnections> logger) : IHostedService, IDisposable
{
    /// <summary>Within this time a key that was revoked loses what it has open.</summary>
    public static readonly TimeSpan Period = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<HttpContext, string> _open = new();
    private ITimer? _timer;

    /// <summary>Notes an open request until the result is disposed.</summary>
    public IDisposable Add(HttpContext context, string keyId)
    {
        _open[context] = keyId;
        return new Entry(_open, context);
    }

    /// <summary>Cuts off whoever's key is no longer good.</summary>
    public void Sweep()
    {
        foreach (var (context, key) in _open)
        {
            bool usable;
            try
            {
                usable = keys.IsUsable(key);
            }
            catch (AsrException error)
            {
                logger.LogError("The API keys cannot be read, and open connections are closed: {Reason}", error.Message);
                usable = false;
            }

            if (!usable)
            {
                context.Abort();
            }
        }
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _timer = time.CreateTimer(static state => ((OpenConnections)state!).Sweep(), this, Period, Period);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        _timer?.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        return Task.CompletedTask;
    }

    public void Dispose() => _timer?.Dispose();

    private sealed class Entry(ConcurrentDictionary<HttpContext, string> open, HttpContext context) : IDisposable
    {
        public void Dispose() => open.TryRemove(context, out _);
    }
}
