using System.Diagnostics;
using System.Globalization;
using System.Threading.Channels;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Abstractions.Corrections;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Live.Client;
using AsrPlatform.Host.Tests.Api;

namespace AsrPlatform.Host.Tests.Live;

/// <summary>Two hundred viewers of four sessions, over real sockets to a host in another process.</summary>
public sealed class ManyViewersTests(ITestOutputHelper output)
{
    private const int Sessions = 4;
    private const int Viewers = 200;
    private const int Stalled = 10;
    private const int Utterances = 3;
    private const int WordsEach = 20;

    /// <summary>Segments that each session has before anybody watches, and characters of each: what a viewer is sent first fills any buffer.</summary>
    private const int HistorySegments = 60;
    private const int HistoryCharacters = 3900;

    /// <summary>Speech goes faster than time: what matters is how much there is to send.</summary>
    private const double Pace = 4;

    private const double MiB = 1 << 20;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Viewers_SomeOfWhomReadNothing_DoNotHarmTheOthersNorTheHost()
    {
        await using var host = await ViewedHost.StartAsync();
        var alone = await WatchAsync(host, "alone", stalled: 0);
        var before = await GoneAsync(host);
        var beside = await WatchAsync(host, "beside", Stalled);
        var after = await GoneAsync(host);
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"latency {alone.MedianLatency:0.000} s without, {beside.MedianLatency:0.000} s beside stalled viewers; updates {alone.Updates} and {beside.Updates} a viewer; managed {alone.Memory.Managed / MiB:0.0}, {before.Managed / MiB:0.0}, {beside.Memory.Managed / MiB:0.0}, {after.Managed / MiB:0.0} MiB; working set {before.WorkingSet / MiB:0}, {beside.Memory.WorkingSet / MiB:0}, {after.WorkingSet / MiB:0} MiB"));

        // Somebody who waited for a stalled viewer would wait to the end of all that is said; a machine that is busy with other tests delays by less.
        Assert.InRange(beside.MedianLatency, 0, Math.Max(3 * alone.MedianLatency, beside.SecondsSpoken / 4));

        // While two hundred are connected: ten who read nothing hold no more than others, but for a few buffers.
        Assert.InRange(beside.Memory.Managed, 0, alone.Memory.Managed + (32 * MiB));

        // Two hundred viewers came and went: 160 KB that stayed of each would show; pools give back what they hold later. The working set is printed
        // alone: how much of it the collector gives back, and when, is its own affair (the soak looks at it over half an hour).
        Assert.InRange(after.Managed, 0, before.Managed + (32 * MiB));
    }

    /// <summary>Speaks four sessions to their end before all viewers.</summary>
    private static async Task<Outcome> WatchAsync(ViewedHost host, string name, int stalled)
    {
        var speakers = new List<Speaker>();
        var viewers = new List<Viewer>();
        var silent = new List<(Speaker Speaker, StalledViewer Viewer)>();
        try
        {
            for (var i = 0; i < Sessions; i++)
            {
                speakers.Add(await Speaker.StartAsync(host.Url, $"{name}-{i}", seed: i));
            }

            for (var i = 0; i < stalled; i++)
            {
                var speaker = speakers[i % Sessions];
                silent.Add((speaker, await StalledViewer.WatchAsync(host.Url, speaker.Session)));
            }

            for (var i = 0; i < Viewers - stalled; i++)
            {
                var speaker = speakers[i % Sessions];
                viewers.Add(new Viewer(speaker, await LiveClient.ConnectAsync(host.Url, Cancelled)));
            }

            var watching = viewers.Select(viewer => viewer.WatchAsync()).ToList();
            await Task.WhenAll(viewers.Select(viewer => viewer.HasHistory));
            await Task.WhenAll(speakers.Select(speaker => speaker.SpeakAsync()));

            // Before anybody who is stalled reads on, the others have everything; what is on its way to them would count as kept.
            await Task.WhenAll(viewers.Select(viewer => viewer.HasAll));
            var memory = await host.MeasureAsync();
            await Task.WhenAll(speakers.Select(speaker => speaker.EndAsync()));
            await Task.WhenAll(watching);
            Assert.All(viewers, viewer => Assert.Equal(viewer.Speaker.Final, viewer.Final));

            foreach (var (speaker, viewer) in silent)
            {
                var seen = await viewer.CatchUpAsync();
                Assert.Equal(speaker.Final, seen.Where(update => update.State != CaptionState.Tentative).Select(update => (update.SegmentId, update.Text)));
                Assert.InRange(seen.Count, 1, viewers.Where(other => other.Speaker == speaker).Max(other => other.Updates) - 1);
            }

            var latencies = viewers.SelectMany(viewer => viewer.Latencies).Order().ToArray();
            return new Outcome(latencies[latencies.Length / 2], (int)viewers.Average(viewer => viewer.Updates), speakers.Min(speaker => speaker.SecondsSpoken), memory);
        }
        finally
        {
            silent.ForEach(one => one.Viewer.Dispose());
            await Task.WhenAll(viewers.Select(viewer => viewer.Client.DisposeAsync().AsTask()));
            await Task.WhenAll(speakers.Select(speaker => speaker.Client.DisposeAsync().AsTask()));
        }
    }

    /// <summary>The host's memory once everybody has left, and it has let go of what it had for them.</summary>
    private static async Task<HostMemory> GoneAsync(ViewedHost host)
    {
        var memory = await host.MeasureAsync();
        while (true)
        {
            var next = await host.MeasureAsync();
            if (next.Viewers == 0 && next.Managed > memory.Managed - (MiB / 4))
            {
                return next;
            }

            memory = next;
        }
    }

    private sealed record Outcome(double MedianLatency, int Updates, double SecondsSpoken, HostMemory Memory);

    /// <summary>A session and what is said in it.</summary>
    private sealed class Speaker(LiveClient client, string session, int seed)
    {
        private readonly SpokenAudio _audio = new();
        private long _start;
        private long _started;

        public LiveClient Client => client;

        public string Session => session;

        /// <summary>Number and text of each segment as it stays.</summary>
        public List<(long SegmentId, string Text)> Final { get; } = [];

        public static async Task<Speaker> StartAsync(Uri host, string session, int seed)
        {
            var client = await LiveClient.ConnectAsync(host, Cancelled);
            var speaker = new Speaker(client, session, seed);
            await client.StartSessionAsync(new StartSessionRequest { SessionId = session }, Cancelled);
            await speaker.FillAsync();
            return speaker;
        }

        /// <summary>Time that what is said takes.</summary>
        public double SecondsSpoken => _audio.Length / (Pace * SpokenAudio.SampleRateHz);

        /// <summary>Time since a word was said that ends at so many seconds of the session; null of one before anybody watched.</summary>
        public double? SecondsSince(double endOfWord)
        {
            var sent = endOfWord - ((double)_start / SpokenAudio.SampleRateHz);
            return sent > 0 ? Stopwatch.GetElapsedTime(_started).TotalSeconds - (sent / Pace) : null;
        }

        /// <summary>Sends everything, and waits until the host has it and has shown it.</summary>
        public async Task SpeakAsync()
        {
            var chunks = Channel.CreateBounded<string>(4);
            _started = Stopwatch.GetTimestamp();
            var sending = Task.Run(async () =>
            {
                var sent = 0;
                foreach (var chunk in LiveHarness.Chunks(_audio.Samples))
                {
                    var due = TimeSpan.FromSeconds((sent += 1600) / (Pace * SpokenAudio.SampleRateHz)) - Stopwatch.GetElapsedTime(_started);
                    if (due > TimeSpan.Zero)
                    {
                        await Task.Delay(due, Cancelled);
                    }

                    await chunks.Writer.WriteAsync(chunk, Cancelled);
                }

                chunks.Writer.Complete();
            });
            await foreach (var _ in client.StreamAudioAsync(session, _start, chunks.Reader, Cancelled))
            {
            }

            await sending;
        }

        public Task EndAsync() => client.EndSessionAsync(session, Cancelled);

        /// <summary>Gives the session its history, and writes down what will be said.</summary>
        private async Task FillAsync()
        {
            var history = new SpokenAudio();
            for (var i = 0; i < HistorySegments; i++)
            {
                history.Say(i % SpokenAudio.Words).Silence(0.9);
            }

            await TestHost.SendAudioAsync(client, session, LiveHarness.Chunks(history.Samples));
            _start = history.Length;
            var known = 0;
            await foreach (var update in client.WatchCaptionsAsync(session, 0, Cancelled))
            {
                known += update.State == CaptionState.Committed ? 1 : 0;
                if (known == HistorySegments)
                {
                    break;
                }
            }

            for (var segment = 1; segment <= HistorySegments; segment++)
            {
                var text = $"{segment} {new string('x', HistoryCharacters)}";
                await client.SubmitCorrectionAsync(new Correction { Id = $"c{segment}", SessionId = session, SegmentId = segment, Sequence = 1, Text = text }, Cancelled);
                Final.Add((segment, text));
            }

            var random = new Random(seed);
            for (var i = 1; i <= Utterances; i++)
            {
                int[] words = [.. Enumerable.Range(0, WordsEach).Select(_ => random.Next(SpokenAudio.Words))];
                _audio.Say(words).Silence(0.9);
                Final.Add((HistorySegments + i, SpokenAudio.Text(words)));
            }
        }
    }

    /// <summary>Somebody who reads what comes.</summary>
    private sealed class Viewer(Speaker speaker, LiveClient client)
    {
        private readonly TaskCompletionSource _hasHistory = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _hasAll = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Speaker Speaker => speaker;

        public LiveClient Client => client;

        public List<(long SegmentId, string Text)> Final { get; } = [];

        public List<double> Latencies { get; } = [];

        public int Updates { get; private set; }

        public Task HasHistory => _hasHistory.Task;

        public Task HasAll => _hasAll.Task;

        public async Task WatchAsync()
        {
            await foreach (var update in client.WatchCaptionsAsync(speaker.Session, 0, Cancelled))
            {
                Updates++;
                if (update.State != CaptionState.Tentative)
                {
                    Final.Add((update.SegmentId, update.Text));
                    if (update.SegmentId == HistorySegments)
                    {
                        _hasHistory.TrySetResult();
                    }
                    else if (update.SegmentId == HistorySegments + Utterances)
                    {
                        _hasAll.TrySetResult();
                    }
                }

                if (update.State == CaptionState.Committed && speaker.SecondsSince(update.Words[^1].End) is { } seconds)
                {
                    Latencies.Add(seconds);
                }
            }
        }
    }
}
