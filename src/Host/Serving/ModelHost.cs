using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Learning.Confidence;
using AsrPlatform.Whisper.Streaming;

namespace AsrPlatform.Host.Serving;

/// <summary>Whether there is a recogniser.</summary>
internal enum ModelStatus
{
    /// <summary>Being loaded.</summary>
    Loading,

    /// <summary>At work.</summary>
    Ready,

    /// <summary>There is none: no model was named, no plugin can load it, or loading failed.</summary>
    Missing,
}

/// <summary>What the host's model is at one moment.</summary>
/// <param name="Status">Whether there is one.</param>
/// <param name="Info">The recogniser, when ready.</param>
/// <param name="Reason">Why there is none and what to do, when missing.</param>
/// <param name="ReadyAt">When it was loaded.</param>
internal sealed record ModelSnapshot(ModelStatus Status, RecognizerInfo? Info = null, string? Reason = null, DateTimeOffset? ReadyAt = null);

/// <summary>Loads the host's recogniser; called once, on the thread that the recogniser belongs to.</summary>
/// <exception cref="AsrException">There is none; the message says why and what to do.</exception>
internal delegate ISpeechRecognizer RecognizerFactory();

/// <summary>Owns the host's recogniser and its thread: loads it when the host starts, disposes it when the host stops.</summary>
/// <remarks>Safe for concurrent calls.</remarks>
/// <param name="load">Loads the recogniser.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Told how loading went.</param>
/// <param name="streaming">How streams are recognised; null for the defaults.</param>
/// <param name="slots">Puts adapters onto the recogniser while it runs; null for none.</param>
/// <param name="metrics">What is counted; null for nothing.</param>
internal sealed class ModelHost(
    RecognizerFactory load,
    TimeProvider time,
    ILogger<ModelHost> logger,
    StreamingSettings? streaming = null,
    IAdapterSlots? slots = null,
    ServingMetrics? metrics = null) : IHostedService, IAsyncDisposable
{
    private volatile ModelSnapshot _snapshot = new(ModelStatus.Loading);

    private RecognitionScheduler? _scheduler;
    private volatile StreamingProfile? _profile;
    private volatile ResidentAdapters? _adapters;
    private Task _loading = Task.CompletedTask;

    /// <summary>What the model is now.</summary>
    public ModelSnapshot Snapshot => _snapshot;

    /// <summary>Waits until the recogniser is loaded.</summary>
    /// <exception cref="AsrException">There is none; the message says why and what to do.</exception>
    public async Task<RecognizerInfo> ReadyAsync(CancellationToken cancellationToken)
    {
        await _loading.WaitAsync(cancellationToken);
        var snapshot = _snapshot;
        return snapshot.Info ?? throw new AsrException(snapshot.Reason ?? "the model is not loaded yet");
    }

    /// <summary>What the recogniser can do for streams.</summary>
    /// <exception cref="InvalidOperationException">It is not loaded: see <see cref="ReadyAsync"/>.</exception>
    public StreamingProfile Streaming => _profile ?? throw new InvalidOperationException("The recogniser is not loaded.");

    /// <summary>The adapters on the recogniser.</summary>
    /// <exception cref="InvalidOperationException">It is not loaded: see <see cref="ReadyAsync"/>.</exception>
    public ResidentAdapters Adapters => _adapters ?? throw new InvalidOperationException("The recogniser is not loaded.");

    /// <summary>Calibrates the confidences of captions' words.</summary>
    public ConfidenceMaps Confidence { get; } = new();

    /// <summary>Decodes what a stream wants when its turn comes; null when it wanted nothing any more.</summary>
    /// <exception cref="AsrException">There is no recogniser, or it refused the audio or an option.</exception>
    public async Task<StreamHypothesis?> DecodeAsync(IStreamTicket ticket, CancellationToken cancellationToken)
    {
        await ReadyAsync(cancellationToken);
        return await _scheduler!.DecodeAsync(ticket, cancellationToken);
    }

    /// <inheritdoc cref="TranscribeAsync(IAudioSource, TranscriptionOptions, Action{TranscriptionProgress}, CancellationToken)"/>
    public Task<TranscriptionResult> TranscribeAsync(IAudioSource audio, TranscriptionOptions options, CancellationToken cancellationToken) =>
        TranscribeAsync(audio, options, progress: null, cancellationToken);

    /// <summary>Transcribes on the recogniser's thread when no stream is in need of it. The audio is borrowed until the task ends.</summary>
    /// <param name="audio">The audio, at the recogniser's sample rate.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Told each finished segment, on the recogniser's thread: it must not block. May be null.</param>
    /// <param name="cancellationToken">Stops between two decoding steps.</param>
    /// <exception cref="AsrException">There is no recogniser, or it refused the audio or an option.</exception>
    public async Task<TranscriptionResult> TranscribeAsync(
        IAudioSource audio,
        TranscriptionOptions options,
        Action<TranscriptionProgress>? progress,
        CancellationToken cancellationToken)
    {
        await ReadyAsync(cancellationToken);

        // One adapter from the first window to the last, whatever is promoted meanwhile.
        using var lease = options.Adapter switch
        {
            null or "active" => Adapters.LeaseDefault(),
            var name => Adapters.TryLease(name),
        };
        return await _scheduler!.TranscribeAsync(audio, lease is null ? options : options with { Adapter = lease.Adapter }, progress, cancellationToken);
    }

    /// <summary>
    /// Runs work on the recogniser's own thread when no stream is in need of it, as a file is transcribed: scoring, gates. Streams wait until
    /// it ends, so that it should take less than a second; for more see the other overload, or split it into several calls.
    /// </summary>
    /// <param name="work">The work; must not keep the recogniser or anything of its engine.</param>
    /// <param name="cancellationToken">Handed on to the work, joined with the host's end.</param>
    /// <exception cref="AsrException">There is no recogniser.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled, or the host stops.</exception>
    public Task<T> RunAsync<T>(Func<ISpeechRecognizer, CancellationToken, T> work, CancellationToken cancellationToken) =>
        RunAsync((recognizer, _, either) => work(recognizer, either), cancellationToken);

    /// <inheritdoc cref="RunAsync{T}(Func{ISpeechRecognizer, CancellationToken, T}, CancellationToken)"/>
    /// <param name="work">
    /// The work, which may be long: between two pieces of it (at least once a second) it calls the action, which decodes the streams that wait
    /// and returns. It must not hold on to tensors of a forward pass meanwhile. It must not keep the recogniser.
    /// </param>
    /// <param name="cancellationToken">Handed on to the work, joined with the host's end.</param>
    public async Task<T> RunAsync<T>(Func<ISpeechRecognizer, Action, CancellationToken, T> work, CancellationToken cancellationToken)
    {
        await ReadyAsync(cancellationToken);
        return await _scheduler!.RunAsync(work, cancellationToken);
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        var settings = (streaming ?? new StreamingSettings()) with { Calibrate = Confidence.Calibrate };
        _scheduler = new RecognitionScheduler(load, recognizer => StreamingEngines.Of(recognizer, settings), time, metrics);
        _loading = FollowLoadingAsync(_scheduler);
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_scheduler is { } scheduler)
        {
            // Loading cannot be interrupted; the host need not wait for it.
            await scheduler.DisposeAsync().AsTask().WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_scheduler is { } scheduler && _loading.IsCompleted)
        {
            await scheduler.DisposeAsync();
        }
    }

    private async Task FollowLoadingAsync(RecognitionScheduler scheduler)
    {
        try
        {
            var (info, profile) = await scheduler.Loaded;
            await WarmUpAsync(scheduler, info);
            _profile = profile;
            var takes = slots is not null && await scheduler.RunSoonAsync(slots.Takes);
            _adapters = new ResidentAdapters(scheduler, takes ? slots : null, info, changed => _snapshot = _snapshot with { Info = changed });
            _snapshot = new ModelSnapshot(ModelStatus.Ready, info, ReadyAt: time.GetUtcNow());
            logger.LogInformation("Model {Model} ready on {Backend}", info.Name, info.Backend);
        }
        catch (AsrException error)
        {
            _snapshot = new ModelSnapshot(ModelStatus.Missing, Reason: error.Message);
            logger.LogWarning("No captions yet: {Reason}", error.Message);
        }
        catch (Exception error)
        {
            _snapshot = new ModelSnapshot(ModelStatus.Missing, Reason: $"the model could not be loaded ({error.GetType().Name}): see the log");
            logger.LogError(error, "The model could not be loaded");
        }
    }

    /// <summary>The first transcription compiles code and fills caches: no speaker should have to wait for that.</summary>
    private async Task WarmUpAsync(RecognitionScheduler scheduler, RecognizerInfo info)
    {
        try
        {
            var silence = new MemoryAudioSource(new float[info.SampleRateHz], info.SampleRateHz);
            await scheduler.TranscribeAsync(silence, new TranscriptionOptions { WordTimestamps = info.SupportsWordTimes, TemperatureIncrementOnFallback = null }, CancellationToken.None);
            await scheduler.DecodeAsync(new SilentTicket(info.SampleRateHz), CancellationToken.None);
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            logger.LogWarning(error, "The model could not transcribe a second of silence");
        }
    }

    private sealed class SilentTicket(int samples) : IStreamTicket
    {
        public StreamDemand? Demand() => new StreamDemand(0, Commits: false, samples);

        public StreamPass? Take() => new() { Samples = new float[samples] };
    }
}
