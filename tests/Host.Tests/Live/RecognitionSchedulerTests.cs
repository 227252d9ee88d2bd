using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Serving;
using AsrPlatform.Whisper.Streaming;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.Metrics.Testing;
using Microsoft.Extensions.Time.Testing;

namespace AsrPlatform.Host.Tests.Live;

public sealed class RecognitionSchedulerTests
{
    private readonly FakeTimeProvider _time = new();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Streams_ReadyTogether_ShareABatchWithThoseOfTheirShape()
    {
        using var engine = new ScriptedEngine { MaximumBatch = 3 };
        await using var scheduler = Start(engine);
        var decodings = await WhileBusyAsync(engine, scheduler, () =>
        [
            scheduler.DecodeAsync(new Ticket("a", 10, samples: 100), Cancelled),
            scheduler.DecodeAsync(new Ticket("b", 11, samples: 2000), Cancelled),
            scheduler.DecodeAsync(new Ticket("c", 12, samples: 200), Cancelled),
            scheduler.DecodeAsync(new Ticket("d", 13, samples: 300), Cancelled),
            scheduler.DecodeAsync(new Ticket("e", 14, samples: 400), Cancelled),
        ]);
        Assert.Equal(["a c d", "b", "e"], engine.Batches);
        Assert.Equal(["a", "b", "c", "d", "e"], decodings.Select(heard => heard!.Words[0].Text));
    }

    [Fact]
    public async Task Streams_InBatches_AreCounted()
    {
        using var services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        var meters = services.GetRequiredService<IMeterFactory>();
        using var batches = new MetricCollector<int>(meters, ServingMetrics.MeterName, "serving.batch.size");
        using var engine = new ScriptedEngine { MaximumBatch = 3 };
        await using var scheduler = new RecognitionScheduler(() => engine, _ => engine, _time, new ServingMetrics(meters));
        await WhileBusyAsync(engine, scheduler, () => [.. Enumerable.Range(0, 4).Select(stream => scheduler.DecodeAsync(new Ticket($"{stream}", stream), Cancelled))]);
        Assert.Equal([1, 3, 1], batches.GetMeasurementSnapshot().Select(measurement => measurement.Value));
    }

    [Fact]
    public async Task Streams_WithDeadlines_AreServedByThemHoweverTheyCome()
    {
        using var engine = new ScriptedEngine { MaximumBatch = 1 };
        await using var scheduler = Start(engine);
        var now = _time.GetTimestamp();
        await WhileBusyAsync(engine, scheduler, () => [.. new[] { 30, 10, 20, 5 }.Select(deadline =>
            scheduler.DecodeAsync(new Ticket($"{deadline}", now + deadline, commits: deadline > 15), Cancelled))]);
        Assert.Equal(["5", "10", "20", "30"], engine.Batches);
    }

    [Fact]
    public async Task Streams_WhenFinalWordsAreLate_LetWhatIsOnlyShownWait()
    {
        using var engine = new ScriptedEngine { MaximumBatch = 8 };
        await using var scheduler = Start(engine);
        _time.Advance(TimeSpan.FromSeconds(10));
        var now = _time.GetTimestamp();
        await WhileBusyAsync(engine, scheduler, () =>
        [
            scheduler.DecodeAsync(new Ticket("shown", now - 100), Cancelled),
            scheduler.DecodeAsync(new Ticket("late", now - 1, commits: true), Cancelled),
            scheduler.DecodeAsync(new Ticket("final", now + 100, commits: true), Cancelled),
        ]);
        Assert.Equal(["late final", "shown"], engine.Batches);
    }

    [Fact]
    public async Task Streams_OfEqualDemand_AreServedEquallyOften()
    {
        using var engine = new ScriptedEngine { MaximumBatch = 1 };
        await using var scheduler = Start(engine);
        var done = new List<Task>();
        engine.OnDecode = name =>
        {
            // Whoever was served wants more at once.
            _time.Advance(TimeSpan.FromMilliseconds(10));
            if (name.Length > 0 && engine.Batches.Count < 72)
            {
                done.Add(scheduler.DecodeAsync(new Ticket(name, _time.GetTimestamp() + 1_000_000), Cancelled));
            }
        };
        await WhileBusyAsync(engine, scheduler, () => [.. Enumerable.Range(0, 8).Select(stream =>
            scheduler.DecodeAsync(new Ticket($"{stream}", _time.GetTimestamp() + 1_000_000), Cancelled))]);
        await scheduler.DecodeAsync(new Ticket("last", long.MaxValue), Cancelled);
        await Task.WhenAll(done);
        Assert.All(engine.Batches.Take(72).Chunk(8), round => Assert.Equal(8, round.Distinct().Count()));
    }

    [Fact]
    public async Task Stream_ThatFailsInABatch_FailsAlone()
    {
        using var engine = new ScriptedEngine { MaximumBatch = 8, Poison = "b" };
        await using var scheduler = Start(engine);
        await using (await engine.HoldAsync(scheduler))
        {
        }

        engine.Gate.Reset();
        var first = scheduler.DecodeAsync(new Ticket("x", 0), Cancelled);
        await engine.Entered.WaitAsync(Cancelled);
        var tasks = new[] { "a", "b", "c" }.Select(name => scheduler.DecodeAsync(new Ticket(name, 1), Cancelled)).ToArray();
        engine.Gate.Set();
        Assert.Equal("a", (await tasks[0])!.Words[0].Text);
        Assert.Equal("c", (await tasks[2])!.Words[0].Text);
        await Assert.ThrowsAsync<InvalidOperationException>(() => tasks[1]);
        Assert.NotNull(await first);
    }

    [Fact]
    public async Task Stream_ThatWantsNothingAnyMore_IsToldSoAndCostsNothing()
    {
        using var engine = new ScriptedEngine();
        await using var scheduler = Start(engine);
        Assert.Null(await scheduler.DecodeAsync(new Ticket("gone", 0) { IsGone = true }, Cancelled));
        Assert.Empty(engine.Batches);
    }

    [Fact]
    public async Task File_OfSeveralWindows_LetsStreamsInBetween()
    {
        using var engine = new ScriptedEngine();
        await using var scheduler = Start(engine);
        var stream = Task.FromResult<StreamHypothesis?>(null);
        engine.OnWindow = window =>
        {
            if (window == 1)
            {
                stream = scheduler.DecodeAsync(new Ticket("live", 0), Cancelled);
            }
            else if (window == 3)
            {
                Assert.Equal(["live"], engine.Batches);
            }
        };
        await scheduler.TranscribeAsync(new MemoryAudioSource(new float[16], 16000), new TranscriptionOptions(), Cancelled);
        Assert.NotNull(await stream);
        Assert.Equal(3, engine.Windows);
    }

    [Fact]
    public async Task File_AmongStreamsThatNeverRest_GetsItsTurn()
    {
        using var engine = new ScriptedEngine();
        await using var scheduler = Start(engine);
        await scheduler.Loaded;
        var done = new TaskCompletionSource();
        var streams = Task.WhenAll(Enumerable.Range(0, 4).Select(stream => Task.Run(async () =>
        {
            while (!done.Task.IsCompleted)
            {
                await scheduler.DecodeAsync(new Ticket($"{stream}", 0), Cancelled);
            }
        })));
        await scheduler.TranscribeAsync(new MemoryAudioSource(new float[16], 16000), new TranscriptionOptions(), Cancelled);
        done.SetResult();
        await streams;
    }

    [Fact]
    public async Task Work_BesideStreams_RunsAfterThemAndLetsThemInBetweenItsPieces()
    {
        using var engine = new ScriptedEngine();
        await using var scheduler = Start(engine);
        Task<string> work = Task.FromResult("");
        var live = Task.FromResult<StreamHypothesis?>(null);
        await WhileBusyAsync(engine, scheduler, () =>
        {
            work = scheduler.RunAsync(
                (recognizer, letStreamsIn, _) =>
                {
                    Assert.Same(engine, recognizer);
                    var before = string.Join(' ', engine.Batches);
                    live = scheduler.DecodeAsync(new Ticket("live", 0), Cancelled);
                    letStreamsIn();
                    return $"{before} | {string.Join(' ', engine.Batches)}";
                },
                Cancelled);
            return [scheduler.DecodeAsync(new Ticket("first", 0), Cancelled)];
        });
        Assert.Equal("first | first live", await work);
        Assert.NotNull(await live);
    }

    [Fact]
    public async Task Work_ThatFailsOrIsCancelled_TellsItsCallerAlone()
    {
        using var engine = new ScriptedEngine();
        await using var scheduler = Start(engine);
        using var cancelled = new CancellationTokenSource();
        Task<int> second = Task.FromResult(0);
        await WhileBusyAsync(engine, scheduler, () =>
        {
            second = scheduler.RunAsync((_, _, _) => 2, cancelled.Token);
            cancelled.Cancel();
            return [];
        });
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        await Assert.ThrowsAsync<InvalidOperationException>(() => scheduler.RunAsync<int>((_, _, _) => throw new InvalidOperationException("broke"), Cancelled));
        Assert.Equal(3, await scheduler.RunAsync((_, _, _) => 3, Cancelled));
    }

    [Fact]
    public async Task Errand_ComesBeforeStreamsThatWait_AndBetweenTheWindowsOfAFile()
    {
        using var engine = new ScriptedEngine();
        await using var scheduler = Start(engine);
        Task<int> errand = Task.FromResult(-1);
        await WhileBusyAsync(engine, scheduler, () =>
        {
            var stream = scheduler.DecodeAsync(new Ticket("stream", 0), Cancelled);
            errand = scheduler.RunSoonAsync(_ => engine.Batches.Count);
            return [stream];
        });
        Assert.Equal(0, await errand);

        engine.OnWindow = window =>
        {
            if (window == 1)
            {
                errand = scheduler.RunSoonAsync(_ => engine.Windows);
            }
        };
        await scheduler.TranscribeAsync(new MemoryAudioSource(new float[16], 16000), new TranscriptionOptions(), Cancelled);
        Assert.Equal(1, await errand);
    }

    [Fact]
    public async Task Dispose_WhileSomethingWaits_CancelsIt()
    {
        using var engine = new ScriptedEngine();
        var scheduler = Start(engine);
        await scheduler.Loaded;
        engine.Gate.Reset();
        var running = scheduler.DecodeAsync(new Ticket("a", 0), Cancelled);
        await engine.Entered.WaitAsync(Cancelled);
        var waiting = scheduler.DecodeAsync(new Ticket("b", 0, samples: 5000), Cancelled);
        var disposing = scheduler.DisposeAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        await disposing;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => scheduler.DecodeAsync(new Ticket("c", 0), Cancelled));
    }

    private RecognitionScheduler Start(ScriptedEngine engine) => new(() => engine, _ => engine, _time);

    /// <summary>Lets requests come while the thread is busy, so that they are ready together; what they gave.</summary>
    private static async Task<StreamHypothesis?[]> WhileBusyAsync(ScriptedEngine engine, RecognitionScheduler scheduler, Func<Task<StreamHypothesis?>[]> requests)
    {
        Task<StreamHypothesis?>[] tasks;
        await using (await engine.HoldAsync(scheduler))
        {
            tasks = requests();
        }

        return await Task.WhenAll(tasks);
    }

    private sealed class Ticket(string name, long deadline, bool commits = false, int samples = 10) : IStreamTicket
    {
        public bool IsGone { get; init; }

        public StreamDemand? Demand() => IsGone ? null : new StreamDemand(deadline, commits, samples);

        public StreamPass? Take() => new() { Samples = new float[samples], Adapter = name };
    }

    /// <summary>Says the name of each pass; remembers its batches.</summary>
    private sealed class ScriptedEngine : ISpeechRecognizer, IStreamingEngine
    {
        private readonly ConcurrentQueue<string> _batches = [];

        public int MaximumBatch { get; init; } = 4;

        public string? Poison { get; init; }

        public Action<string>? OnDecode { get; set; }

        public Action<int>? OnWindow { get; set; }

        public int Windows { get; private set; }

        public ManualResetEventSlim Gate { get; } = new(true);

        public SemaphoreSlim Entered { get; } = new(0);

        public IReadOnlyCollection<string> Batches => _batches;

        public RecognizerInfo Info { get; } = new() { Name = "scripted", Backend = "test", SampleRateHz = 16000 };

        public StreamingProfile Profile { get; } = new(static () => new UtterancePolicy(), 30, 100);

        public bool CanInterleave => true;

        public int ShapeOf(int samples) => samples / 1000;

        public async Task<IAsyncDisposable> HoldAsync(RecognitionScheduler scheduler)
        {
            await scheduler.Loaded;
            Gate.Reset();
            var holding = scheduler.DecodeAsync(new Ticket("", 0), Cancelled);
            await Entered.WaitAsync(Cancelled);
            return new Release(this, holding);
        }

        public IReadOnlyList<StreamHypothesis> Decode(IReadOnlyList<StreamPass> passes, CancellationToken cancellationToken)
        {
            if (!Gate.IsSet)
            {
                Entered.Release();
            }

            Gate.Wait(cancellationToken);
            if (passes.Any(pass => pass.Adapter == Poison))
            {
                throw new InvalidOperationException("poisoned");
            }

            var names = string.Join(' ', passes.Select(pass => pass.Adapter));
            OnDecode?.Invoke(names);
            if (names.Length > 0)
            {
                _batches.Enqueue(names);
            }

            return [.. passes.Select(pass => new StreamHypothesis { Words = [new StreamWord(pass.Adapter!, 0, 1, 1)], Seconds = 1 })];
        }

        public TranscriptionResult Transcribe(
            IAudioSource audio, TranscriptionOptions options, Action<TranscriptionProgress>? progress = null, CancellationToken cancellationToken = default)
        {
            for (Windows = 1; Windows <= 2; Windows++)
            {
                OnWindow?.Invoke(Windows);
                progress!(new TranscriptionProgress(Windows, 2, []));
            }

            OnWindow?.Invoke(3);
            return new TranscriptionResult { Text = "", DurationSeconds = 1 };
        }

        public void Dispose()
        {
            Gate.Dispose();
            Entered.Dispose();
        }

        private sealed class Release(ScriptedEngine engine, Task holding) : IAsyncDisposable
        {
            public async ValueTask DisposeAsync()
            {
                engine.Gate.Set();
                await holding;
            }
        }
    }
}
