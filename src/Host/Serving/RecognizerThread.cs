using System.Threading.Channels;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;

namespace AsrPlatform.Host.Serving;

/// <summary>The one thread on which a recogniser is loaded, runs and is disposed; callers take turns in the order of their requests.</summary>
/// <remarks>
/// Tensors' dispose scopes are thread-static, so a recogniser may not wander over the thread pool. Safe for concurrent calls.
/// Who has no more than one request at a time shares the recogniser fairly with all others: first come, first served is then taking turns.
/// </remarks>
internal sealed class RecognizerThread : IAsyncDisposable
{
    /// <summary>Requests that wait at most; further callers wait for a place. Above the usual number of sessions, which have one request each.</summary>
    private const int QueueCapacity = 256;

    private readonly RecognizerFactory _load;
    private readonly Channel<Request> _requests = Channel.CreateBounded<Request>(
        new BoundedChannelOptions(QueueCapacity) { FullMode = BoundedChannelFullMode.Wait, SingleReader = true });

    private readonly TaskCompletionSource<RecognizerInfo> _loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stop = new();

    /// <summary>Starts the thread, which starts loading.</summary>
    /// <param name="load">Loads the recogniser; called once, on the thread.</param>
    public RecognizerThread(RecognizerFactory load)
    {
        _load = load;
        new Thread(Run) { IsBackground = true, Name = "recognizer" }.Start();
    }

    /// <summary>Completes when the recogniser is loaded; faults with what its loading threw.</summary>
    public Task<RecognizerInfo> Loaded => _loaded.Task;

    /// <summary>Transcribes when its turn comes. The audio is borrowed until the task ends.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled, or the thread is being stopped.</exception>
    public async Task<TranscriptionResult> TranscribeAsync(
        IAudioSource audio,
        TranscriptionOptions options,
        Action<TranscriptionProgress>? progress,
        CancellationToken cancellationToken)
    {
        var request = new Request(audio, options, progress, cancellationToken);
        try
        {
            await _requests.Writer.WriteAsync(request, cancellationToken);
        }
        catch (ChannelClosedException)
        {
            throw new OperationCanceledException("The recogniser is being stopped.");
        }

        return await request.Result.Task;
    }

    /// <summary>Stops the decoding in progress, cancels what waits, and disposes the recogniser on its thread.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_requests.Writer.TryComplete())
        {
            await _stop.CancelAsync();
        }

        await _ended.Task;
        _stop.Dispose();
    }

    private void Run()
    {
        Exception? failure = null;
        try
        {
            using var recognizer = _load();
            _loaded.SetResult(recognizer.Info);
            while (_requests.Reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
            {
                while (_requests.Reader.TryRead(out var request))
                {
                    request.Run(recognizer, _stop.Token);
                }
            }
        }
        catch (Exception error)
        {
            failure = error;
        }

        _requests.Writer.TryComplete();
        while (_requests.Reader.TryRead(out var request))
        {
            request.Result.TrySetCanceled();
        }

        // Loading is the usual failure; after it only the recogniser's own Dispose can throw here.
        if (failure is null || _loaded.TrySetException(failure))
        {
            _ended.SetResult();
        }
        else
        {
            _ended.SetException(failure);
        }
    }

    private sealed class Request(
        IAudioSource audio,
        TranscriptionOptions options,
        Action<TranscriptionProgress>? progress,
        CancellationToken cancellationToken)
    {
        public TaskCompletionSource<TranscriptionResult> Result { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Run(ISpeechRecognizer recognizer, CancellationToken stop)
        {
            try
            {
                using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, stop);
                either.Token.ThrowIfCancellationRequested();
                Result.SetResult(recognizer.Transcribe(audio, options, progress, either.Token));
            }
            catch (OperationCanceledException error)
            {
                Result.SetCanceled(error.CancellationToken);
            }
            catch (Exception error)
            {
                Result.SetException(error);
            }
        }
    }
}
