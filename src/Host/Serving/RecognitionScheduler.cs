using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Whisper.Streaming;

namespace AsrPlatform.Host.Serving;

/// <summary>The one thread of a device, on which a recogniser is loaded, runs and is disposed; streams and files share it.</summary>
/// <remarks>
/// Tensors' dispose scopes are thread-static, so a recogniser may not wander over the thread pool. Streams are served by deadline, and
/// those of one shape that are ready at the same time are decoded in one batch. Who waits for nothing costs nothing. Once words that are
/// to become final are late, what is only shown for a moment waits until none of these is ready. Files run when no stream is ready, let
/// streams in between their windows, and are not put off for ever. Safe for concurrent calls.
/// </remarks>
internal sealed class RecognitionScheduler : IAsyncDisposable
{
    /// <summary>Batches of streams after which work that waits gets its turn, and batches that are let in between two of its pieces.</summary>
    private const int BatchesBeforeWork = 8;

    private readonly RecognizerFactory _load;
    private readonly Func<ISpeechRecognizer, IStreamingEngine> _streaming;
    private readonly TimeProvider _time;
    private readonly ServingMetrics? _metrics;
    private readonly Lock _gate = new();
    private readonly List<StreamRequest> _streams = [];
    private readonly Queue<WorkRequest> _work = [];
    private readonly Queue<WorkRequest> _errands = [];
    private readonly AutoResetEvent _wake = new(false);
    private readonly TaskCompletionSource<(RecognizerInfo, StreamingProfile)> _loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stop = new();
    private bool _isClosed;

    /// <summary>Starts the thread, which starts loading.</summary>
    /// <param name="load">Loads the recogniser; called once, on the thread.</param>
    /// <param name="streaming">Makes what decodes streams with it; called once, on the thread.</param>
    /// <param name="time">The clock of deadlines.</param>
    /// <param name="metrics">Told the size of each batch; null for nobody.</param>
    public RecognitionScheduler(RecognizerFactory load, Func<ISpeechRecognizer, IStreamingEngine> streaming, TimeProvider time, ServingMetrics? metrics = null)
    {
        _metrics = metrics;
        _load = load;
        _streaming = streaming;
        _time = time;
        new Thread(Run) { IsBackground = true, Name = "recognizer" }.Start();
    }

    /// <summary>Completes when the recogniser is loaded; faults with what its loading threw.</summary>
    public Task<(RecognizerInfo Info, StreamingProfile Streaming)> Loaded => _loaded.Task;

    /// <summary>Transcribes a file when its turn comes. The audio is borrowed until the task ends.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled, or the thread is being stopped.</exception>
    public Task<TranscriptionResult> TranscribeAsync(IAudioSource audio, TranscriptionOptions options, CancellationToken cancellationToken) =>
        TranscribeAsync(audio, options, progress: null, cancellationToken);

    /// <summary>Transcribes a file when its turn comes, and tells its segments on the recogniser's thread. The audio is borrowed until the task ends.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled, or the thread is being stopped.</exception>
    public Task<TranscriptionResult> TranscribeAsync(
        IAudioSource audio,
        TranscriptionOptions options,
        Action<TranscriptionProgress>? progress,
        CancellationToken cancellationToken)
    {
        return RunAsync(
            (recognizer, letStreamsIn, either) => recognizer.Transcribe(
                audio,
                options,
                told =>
                {
                    progress?.Invoke(told);
                    letStreamsIn();
                },
                either),
            cancellationToken);
    }

    /// <summary>Runs work on the recogniser's thread when no stream is in need of it, as a file is transcribed.</summary>
    /// <param name="work">
    /// The work; must not keep the recogniser. What takes long calls the action between two pieces of it (where it holds nothing that
    /// depends on the model's state): streams that wait are decoded then.
    /// </param>
    /// <param name="cancellationToken">Handed on to the work, joined with the end of the thread.</param>
    /// <exception cref="OperationCanceledException">The token was cancelled, or the thread is being stopped.</exception>
    public Task<T> RunAsync<T>(Func<ISpeechRecognizer, Action, CancellationToken, T> work, CancellationToken cancellationToken)
    {
        var request = new WorkRequest<T>(work, cancellationToken);
        Enqueue(() => _work.Enqueue(request));
        return request.Result;
    }

    /// <summary>Does something quick on the recogniser's thread before anything else that waits: between two batches, or two pieces of work.</summary>
    /// <param name="errand">Must not keep the recogniser; may change which adapters it has, but not those in use.</param>
    /// <exception cref="OperationCanceledException">The thread is being stopped.</exception>
    public Task<T> RunSoonAsync<T>(Func<ISpeechRecognizer, T> errand)
    {
        var request = new WorkRequest<T>((recognizer, _, _) => errand(recognizer), CancellationToken.None);
        Enqueue(() => _errands.Enqueue(request));
        return request.Result;
    }

    /// <summary>Decodes what a stream wants when its turn comes.</summary>
    /// <returns>What was heard; null when the stream wanted nothing any more.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled, or the thread is being stopped.</exception>
    public Task<StreamHypothesis?> DecodeAsync(IStreamTicket ticket, CancellationToken cancellationToken)
    {
        var request = new StreamRequest(ticket, cancellationToken);
        Enqueue(() => _streams.Add(request));
        return request.Result.Task;
    }

    /// <summary>Stops the decoding in progress, cancels what waits, and disposes the recogniser on its thread.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Close())
        {
            await _stop.CancelAsync();
            _wake.Set();
        }

        await _ended.Task;
        _stop.Dispose();
        _wake.Dispose();
    }

    private void Enqueue(Action add)
    {
        lock (_gate)
        {
            if (_isClosed)
            {
                throw new OperationCanceledException("The recogniser is being stopped.");
            }

            add();
        }

        _wake.Set();
    }

    private bool Close()
    {
        lock (_gate)
        {
            return !_isClosed && (_isClosed = true);
        }
    }

    private void Run()
    {
        Exception? failure = null;
        try
        {
            using var recognizer = _load();
            var engine = _streaming(recognizer);
            _loaded.SetResult((recognizer.Info, engine.Profile));
            Serve(recognizer, engine);
        }
        catch (Exception error)
        {
            failure = error;
        }

        Close();
        _streams.ForEach(request => request.Result.TrySetCanceled());
        foreach (var request in _errands.Concat(_work))
        {
            request.Cancel();
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

    private void Serve(ISpeechRecognizer recognizer, IStreamingEngine engine)
    {
        while (!_stop.IsCancellationRequested)
        {
            var batches = 0;
            while (batches < BatchesBeforeWork && ServeStreams(recognizer, engine))
            {
                batches++;
            }

            if (Dequeue(_work) is { } work)
            {
                work.Run(recognizer, engine.CanInterleave ? () => LetStreamsIn(recognizer, engine) : static () => { }, _stop.Token);
            }
            else if (batches == 0)
            {
                _wake.WaitOne();
            }
        }
    }

    private WorkRequest? Dequeue(Queue<WorkRequest> queue)
    {
        lock (_gate)
        {
            return queue.TryDequeue(out var request) ? request : null;
        }
    }

    private void LetStreamsIn(ISpeechRecognizer recognizer, IStreamingEngine engine)
    {
        for (var i = 0; i < BatchesBeforeWork && ServeStreams(recognizer, engine); i++)
        {
        }
    }

    /// <summary>Does the errands that wait, then decodes the most urgent stream, and with it those that are ready and of its shape; false when none is ready.</summary>
    private bool ServeStreams(ISpeechRecognizer recognizer, IStreamingEngine engine)
    {
        while (!_stop.IsCancellationRequested && Dequeue(_errands) is { } errand)
        {
            errand.Run(recognizer, static () => { }, _stop.Token);
        }

        if (_stop.IsCancellationRequested)
        {
            return false;
        }

        var batch = Choose(engine);
        if (batch.Count == 0)
        {
            return false;
        }

        lock (_gate)
        {
            _streams.RemoveAll(batch.Contains);
        }

        var passes = new List<(StreamRequest Request, StreamPass Pass)>();
        foreach (var request in batch)
        {
            try
            {
                if (request.Ticket.Take() is { } pass)
                {
                    passes.Add((request, pass));
                }
                else
                {
                    request.Result.SetResult(null);
                }
            }
            catch (Exception error)
            {
                request.Result.SetException(error);
            }
        }

        if (passes.Count > 0)
        {
            _metrics?.Batched(passes.Count);
            Decode(engine, passes);
        }

        return true;
    }

    private List<StreamRequest> Choose(IStreamingEngine engine)
    {
        StreamRequest[] waiting;
        lock (_gate)
        {
            waiting = [.. _streams];
        }

        var ready = new List<(StreamRequest Request, StreamDemand Demand)>(waiting.Length);
        foreach (var request in waiting)
        {
            if (!request.CancellationToken.IsCancellationRequested && request.Ticket.Demand() is { } demand)
            {
                ready.Add((request, demand));
                continue;
            }

            lock (_gate)
            {
                _streams.Remove(request);
            }

            if (request.CancellationToken.IsCancellationRequested)
            {
                request.Result.SetCanceled(request.CancellationToken);
            }
            else
            {
                request.Result.SetResult(null);
            }
        }

        if (ready.Count == 0)
        {
            return [];
        }

        var now = _time.GetTimestamp();
        if (ready.Exists(item => item.Demand.Commits && item.Demand.Deadline < now))
        {
            ready.RemoveAll(item => !item.Demand.Commits);
        }

        ready.Sort(static (left, right) => left.Demand.Deadline.CompareTo(right.Demand.Deadline));
        var shape = engine.ShapeOf(ready[0].Demand.Samples);
        return [.. ready.Where(item => engine.ShapeOf(item.Demand.Samples) == shape).Take(engine.MaximumBatch).Select(item => item.Request)];
    }

    private void Decode(IStreamingEngine engine, List<(StreamRequest Request, StreamPass Pass)> passes)
    {
        try
        {
            var heard = engine.Decode([.. passes.Select(item => item.Pass)], _stop.Token);
            for (var i = 0; i < passes.Count; i++)
            {
                passes[i].Request.Result.SetResult(heard[i]);
            }
        }
        catch (OperationCanceledException error)
        {
            passes.ForEach(item => item.Request.Result.TrySetCanceled(error.CancellationToken));
        }
        catch (Exception) when (passes.Count > 1)
        {
            // One of them is at fault, and the others are not to suffer for it.
            passes.ForEach(item => Decode(engine, [item]));
        }
        catch (Exception error)
        {
            passes[0].Request.Result.SetException(error);
        }
    }

    private sealed class StreamRequest(IStreamTicket ticket, CancellationToken cancellationToken)
    {
        public IStreamTicket Ticket => ticket;

        public CancellationToken CancellationToken => cancellationToken;

        public TaskCompletionSource<StreamHypothesis?> Result { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    private abstract class WorkRequest
    {
        /// <summary>Does it, on the recogniser's thread; never throws.</summary>
        public abstract void Run(ISpeechRecognizer recognizer, Action letStreamsIn, CancellationToken stop);

        public abstract void Cancel();
    }

    private sealed class WorkRequest<T>(Func<ISpeechRecognizer, Action, CancellationToken, T> work, CancellationToken cancellationToken) : WorkRequest
    {
        private readonly TaskCompletionSource<T> _result = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<T> Result => _result.Task;

        public override void Run(ISpeechRecognizer recognizer, Action letStreamsIn, CancellationToken stop)
        {
            try
            {
                using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, stop);
                either.Token.ThrowIfCancellationRequested();
                _result.SetResult(work(recognizer, letStreamsIn, either.Token));
            }
            catch (OperationCanceledException error)
            {
                _result.SetCanceled(error.CancellationToken);
            }
            catch (Exception error)
            {
                _result.SetException(error);
            }
        }

        public override void Cancel() => _result.TrySetCanceled();
    }
}
