using System.Diagnostics.CodeAnalysis;
using System.Threading.Channels;

namespace AsrPlatform.WhisperTorch.Training;

/// <summary>Makes items ahead on other threads and hands them out in order.</summary>
/// <typeparam name="T">What is made.</typeparam>
/// <remarks>At most <c>ahead</c> items are being made or waiting. For one reader. <see cref="Dispose"/> waits for what is under way.</remarks>
internal sealed class BatchLoader<T> : IDisposable
{
    private readonly Channel<Task<T>> _items;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _producer;
    private Task<T>? _newest;

    /// <param name="jobs">Make the items; enumerated on another thread, called on others, several at once.</param>
    /// <param name="ahead">How many items to make ahead, at least 1.</param>
    public BatchLoader(IEnumerable<Func<T>> jobs, int ahead)
    {
        // The reader's item and the one that waits for a place count too.
        _items = Channel.CreateBounded<Task<T>>(new BoundedChannelOptions(Math.Max(1, ahead - 1)) { SingleReader = true, SingleWriter = true });
        _producer = Task.Run(() => ProduceAsync(jobs));
    }

    /// <summary>The next item, or false at the end. Throws what its making threw.</summary>
    public bool TryNext(out T? item)
    {
        // The training thread owns the tensors and has nothing else to do: it blocks.
        if (!_items.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
        {
            item = default;
            return false;
        }

        _items.Reader.TryRead(out var task);
        item = task!.GetAwaiter().GetResult();
        return true;
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _stop.Cancel();
        ((IAsyncResult)_producer).AsyncWaitHandle.WaitOne();
        while (_items.Reader.TryRead(out var task))
        {
            Discard(task);
        }

        Discard(_newest);
        _stop.Dispose();
    }

    // Nobody wants it any more, its error neither; but what it reads may be closed after this.
    private static void Discard(Task<T>? task)
    {
        if (task is not null)
        {
            ((IAsyncResult)task).AsyncWaitHandle.WaitOne();
            _ = task.Exception;
        }
    }

    [SuppressMessage("Design", "CA1031:Do not catch general exception types", Justification = "It belongs to the reader, who gets it.")]
    private async Task ProduceAsync(IEnumerable<Func<T>> jobs)
    {
        Exception? failure = null;
        try
        {
            foreach (var job in jobs)
            {
                if (_stop.IsCancellationRequested)
                {
                    break;
                }

                _newest = Task.Run(job);
                await _items.Writer.WriteAsync(_newest, _stop.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            // Disposed.
        }
        catch (Exception error)
        {
            failure = error;
        }

        _items.Writer.Complete(failure);
    }
}
