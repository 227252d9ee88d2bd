using System.Diagnostics.Metrics;
using System.Runtime.InteropServices;
using System.Threading.Channels;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Gate;
using AsrPlatform.Host.Learning.Memory;
using AsrPlatform.Host.Learning.Registry;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Serving;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace AsrPlatform.Host.Tests.Live;

/// <summary>The live path without a network: sessions over a fake recogniser.</summary>
internal sealed class LiveHarness : IAsyncDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();

    private LiveHarness(ISpeechRecognizer? recognizer, LiveOptions options, TimeProvider time, string? directory, DataOptions? data, WatchRule? watch, MemoryOptions? memory, (RecognizerFactory Load, IAdapterSlots Slots)? engine)
    {
        Folder = directory is null ? DataFolder.OpenTemporary(time) : DataFolder.Open(directory, time);
        Archive = new SessionArchive(Folder, Microsoft.Extensions.Options.Options.Create(data ?? new DataOptions()), time, NullLogger<SessionArchive>.Instance);
        Options = options;
        Model = new ModelHost(
            engine?.Load ?? (() => recognizer ?? throw new AsrException("no model: give --model")),
            time,
            NullLogger<ModelHost>.Instance,
            options.Streaming(),
            engine?.Slots ?? recognizer as IAdapterSlots);
        Registry = new AdapterRegistry(Folder);
        _changes = new DatabaseChanges(Folder, time, NullLogger<DatabaseChanges>.Instance);
        Adapters = new ActiveAdapters(
            Registry,
            Model,
            _changes,
            new ServedModel(),
            new AdapterWatch(Folder, Registry, watch ?? (static (before, after) => ProvisionalWatch.Decide(before, after)), NullLogger<AdapterWatch>.Instance),
            time,
            NullLogger<ActiveAdapters>.Instance);
        Sessions = new LiveSessionStore(
            Model,
            (rate, threshold) => new AdaptiveVoiceActivityDetector(rate, threshold),
            Archive,
            Microsoft.Extensions.Options.Options.Create(options),
            new LiveMetrics(_services.GetRequiredService<IMeterFactory>()),
            time,
            NullLogger<LiveSession>.Instance,
            Adapters,
            memory is null ? null : new VocabularyStore(Folder, Archive.Corrections, Registry, _changes, Microsoft.Extensions.Options.Options.Create(memory), time, NullLogger<VocabularyStore>.Instance));
    }

    private readonly DatabaseChanges _changes;

    public AdapterRegistry Registry { get; }

    public ActiveAdapters Adapters { get; }

    public LiveOptions Options { get; }

    public DataFolder Folder { get; }

    public SessionArchive Archive { get; }

    public IMeterFactory Meters => _services.GetRequiredService<IMeterFactory>();

    public ModelHost Model { get; }

    public LiveSessionStore Sessions { get; }

    public static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>Starts sessions over a data folder, or over one of their own.</summary>
    public static async Task<LiveHarness> StartAsync(
        ISpeechRecognizer? recognizer,
        LiveOptions? options = null,
        TimeProvider? time = null,
        string? directory = null,
        DataOptions? data = null,
        WatchRule? watch = null,
        MemoryOptions? memory = null,
        (RecognizerFactory Load, IAdapterSlots Slots)? engine = null)
    {
        var harness = new LiveHarness(recognizer, options ?? ShortPauses(), time ?? TimeProvider.System, directory, data, watch, memory, engine);
        await harness._changes.StartAsync(Cancelled);
        await harness.Model.StartAsync(Cancelled);
        await harness.Adapters.StartAsync(Cancelled);
        await harness.Sessions.StartAsync(Cancelled);
        if (recognizer is ToneRecognizer tones)
        {
            // The host's warm-up is no decoding of a session.
            await harness.Model.ReadyAsync(Cancelled);
            tones.Calls.Clear();
        }

        return harness;
    }

    /// <summary>Options under which a second of silence ends an utterance, and that is decoded after half a second and each further second.</summary>
    public static LiveOptions ShortPauses() => new()
    {
        PauseDuration = TimeSpan.FromSeconds(0.6),
        FirstUpdate = TimeSpan.FromSeconds(0.5),
        UpdateInterval = TimeSpan.FromSeconds(1),
        CommitInterval = TimeSpan.FromSeconds(0.8),
    };

    /// <summary>A new session.</summary>
    public async Task<LiveSession> OpenAsync(string? id = null)
    {
        var position = await Sessions.StartSessionAsync(new StartSessionRequest { SessionId = id }, Cancelled);
        return Sessions.Get(position.SessionId);
    }

    /// <summary>Base64 of samples, in chunks of 100 ms.</summary>
    public static IEnumerable<string> Chunks(ReadOnlySpan<short> samples, int size = 1600)
    {
        List<string> chunks = [];
        for (var at = 0; at < samples.Length; at += size)
        {
            chunks.Add(Convert.ToBase64String(MemoryMarshal.AsBytes(samples.Slice(at, Math.Min(size, samples.Length - at)))));
        }

        return chunks;
    }

    /// <summary>Sends chunks and gives the last acknowledgement, or the session's position when there was none.</summary>
    public static async Task<long> SendAsync(LiveSession session, long offset, IEnumerable<string> chunks)
    {
        var channel = Channel.CreateUnbounded<string>();
        foreach (var chunk in chunks)
        {
            channel.Writer.TryWrite(chunk);
        }

        channel.Writer.Complete();
        await foreach (var _ in session.ReceiveAsync(offset, channel.Reader, Cancelled))
        {
        }

        return session.Position.AcknowledgedSamples;
    }

    public static Task<long> SendAsync(LiveSession session, SpokenAudio audio) =>
        SendAsync(session, session.Position.AcknowledgedSamples, Chunks(audio.Samples));

    /// <summary>Everything that a viewer of an ended session is given.</summary>
    public static async Task<List<CaptionUpdate>> WatchAsync(LiveSession session, long after = 0)
    {
        List<CaptionUpdate> updates = [];
        await foreach (var update in session.WatchAsync(after, Cancelled))
        {
            updates.Add(update);
        }

        return updates;
    }

    /// <summary>Waits for something that another thread does, for minutes where the machine is busy.</summary>
    public static async Task EventuallyAsync(Func<bool> condition, string what)
    {
        for (var i = 0; i < 12_000; i++)
        {
            if (condition())
            {
                return;
            }

            await Task.Delay(10, Cancelled);
        }

        Assert.Fail($"It did not come true: {what}.");
    }

    public async ValueTask DisposeAsync()
    {
        await Sessions.DisposeAsync();
        await Adapters.DisposeAsync();
        await _changes.DisposeAsync();
        await Model.StopAsync(CancellationToken.None);
        await Model.DisposeAsync();
        Folder.Dispose();
        await _services.DisposeAsync();
    }
}
