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
    /// <summary>Batches of streams after which a file that waits gets its turn, and batches that are let in between two of its windows.</summary>
    private const int BatchesBeforeFile = 8;

    private readonly RecognizerFactory _load;
    private readonly Func<ISpeechRecognizer, IStreamingEngine> _streaming;
    private readonly TimeProvider _time;
    private readonly ServingMetrics? _metrics;
    private readonly Lock _gate = new();
    private readonly List<StreamRequest> _streams = [];
    private readonly Queue<FileRequest> _files = [];
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
        var request = new FileRequest(audio, options, progress, cancellationToken);
        Enqueue(() => _files.Enqueue(request));
        return request.Result.Task;
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
        foreach (var request in _files)
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

    private void Serve(ISpeechRecognizer recognizer, IStreamingEngine engine)
    {
        while (!_stop.IsCancellationRequested)
        {
            var batches = 0;
            while (batches < BatchesBeforeFile && ServeStreams(engine))
            {
                batches++;
            }

            FileRequest? file;
            lock (_gate)
            {
                _files.TryDequeue(out file);
            }

            if (file is not null)
            {
                file.Run(recognizer, engine.CanInterleave ? () => LetStreamsIn(engine) : null, _stop.Token);
            }
            else if (batches == 0)
            {
                _wake.WaitOne();
            }
        }
    }

    private void LetStreamsIn(IStreamingEngine engine)
    {
        for (var i = 0; i < BatchesBeforeFile && ServeStreams(engine); i++)
        {
        }
    }

    /// <summary>Decodes the most urgent stream, and with it those that are ready and of its shape; false when none is ready.</summary>
    private bool ServeStreams(IStreamingEngine engine)
    {
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

    private sealed class FileRequest(IAudioSource audio, TranscriptionOptions options, Action<TranscriptionProgress>? progress, CancellationToken cancellationToken)
    {
        public TaskCompletionSource<TranscriptionResult> Result { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Run(ISpeechRecognizer recognizer, Action? betweenWindows, CancellationToken stop)
        {
            try
            {
                using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, stop);
                either.Token.ThrowIfCancellationRequested();
                Action<TranscriptionProgress> between = told =>
                {
                    progress?.Invoke(told);
                    betweenWindows?.Invoke();
                };
                Result.SetResult(recognizer.Transcribe(audio, options, progress is null && betweenWindows is null ? null : between, either.Token));
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
