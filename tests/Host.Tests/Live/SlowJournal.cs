using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Abstractions.Corrections;
using AsrPlatform.Host.Live;

namespace AsrPlatform.Host.Tests.Live;

/// <summary>A journal whose disk takes as long as the test wants.</summary>
internal sealed class SlowJournal : ISessionJournal, IDisposable
{
    private readonly ManualResetEventSlim _disk = new();

    /// <summary>Ends when a sender is at the disk.</summary>
    public TaskCompletionSource Writing { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public SessionHistory History { get; } = new() { StartedAt = DateTimeOffset.UnixEpoch };

    /// <summary>Lets the disk finish.</summary>
    public void Finish() => _disk.Set();

    public void AppendAudio(long position, ReadOnlySpan<float> samples)
    {
        Writing.TrySetResult();
        _disk.Wait(TestContext.Current.CancellationToken);
    }

    public int ReadAudio(long position, Span<float> destination) => 0;

    public Task WriteAsync(CaptionUpdate update, Correction? correction = null) => Task.CompletedTask;

    public Task ReserveAsync(long sequence) => Task.CompletedTask;

    public void Dispose() => _disk.Dispose();
}
