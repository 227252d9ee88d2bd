using AsrPlatform.Abstractions;

namespace AsrPlatform.Host.Data;

/// <summary>Tells when another process has written to the data folder's database, about a second later.</summary>
/// <remarks>
/// What this process itself writes is not told: whoever writes it knows. A subscriber is not told what changed, and reads again what it
/// needs. Safe for concurrent calls.
/// </remarks>
internal sealed class DatabaseChanges(DataFolder folder, TimeProvider time, ILogger<DatabaseChanges> logger) : IHostedService, IAsyncDisposable
{
    /// <summary>Time between two looks.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _stop = new();
    private Task _watching = Task.CompletedTask;

    /// <summary>Raised after another process has written, one call at a time; it should be quick. What it throws is logged.</summary>
    public event Action? Changed;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        // The first look is taken here: what is read after the start and written after that is told.
        _watching = WatchAsync(await LookAsync());
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stop.CancelAsync();
        await _watching.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(CancellationToken.None);
        _stop.Dispose();
    }

    private async Task WatchAsync(long? seen)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token))
            {
                if (await LookAsync() is { } version && version != seen)
                {
                    seen = version;
                    Tell();
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The host stops.
        }
    }

    /// <summary>Null when the database cannot be read now: the next look may.</summary>
    private async Task<long?> LookAsync()
    {
        try
        {
            return await folder.Database.VersionOfOthersAsync();
        }
        catch (AsrException error)
        {
            logger.LogWarning("Whether another process has written cannot be seen: {Reason}", error.Message);
            return null;
        }
    }

    private void Tell()
    {
        foreach (var subscriber in Changed?.GetInvocationList() ?? [])
        {
            try
            {
                ((Action)subscriber)();
            }
            catch (Exception error)
            {
                logger.LogError(error, "What another process has written could not be taken up");
            }
        }
    }
}
