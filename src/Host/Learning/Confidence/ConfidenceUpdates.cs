using AsrPlatform.Abstractions;
using AsrPlatform.Host.Serving;

namespace AsrPlatform.Host.Learning.Confidence;

/// <summary>Keeps the host's calibrations as the data folder has them, whoever wrote them.</summary>
internal sealed class ConfidenceUpdates(ConfidenceStore store, ModelHost model, TimeProvider time, ILogger<ConfidenceUpdates> logger) : IHostedService, IAsyncDisposable
{
    /// <summary>Time between two looks at the folder.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    private ITimer? _timer;
    private DateTimeOffset? _seen;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        Refresh();
        _timer = time.CreateTimer(_ => Refresh(), null, Interval, Interval);
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken) => await DisposeAsync();

    public async ValueTask DisposeAsync()
    {
        if (_timer is { } timer)
        {
            await timer.DisposeAsync();
        }
    }

    /// <summary>Reads the maps again where they have changed.</summary>
    public void Refresh()
    {
        try
        {
            if (store.ChangedAt is { } changed && changed != _seen)
            {
                model.Confidence.Use(store.Read());
                _seen = changed;
            }
        }
        catch (Exception error) when (error is AsrException or IOException or UnauthorizedAccessException)
        {
            logger.LogWarning("Confidences stay as they are: {Reason}", error.Message);
        }
    }
}
