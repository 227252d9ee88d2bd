namespace AsrPlatform.Host.Diagnostics;

/// <summary>
/// Gives free pages of the native heap back once a minute. Tensors of all sizes come and go on several threads, and what lives long lies
/// between them: without this a host that captions for hours takes some hundred MiB more than it uses.
/// </summary>
internal sealed class NativeHeapUpkeep(TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                NativeHeap.GiveBack();
            }
        }
        catch (OperationCanceledException)
        {
            // The host stops.
        }
    }
}
