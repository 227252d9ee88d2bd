using System.Threading.Channels;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Live.Client;
using AsrPlatform.Host.Tests.Live;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace AsrPlatform.Host.Tests.Data;

public sealed class DroppedConnectionTests
{
    private const int Drops = 100;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Client_WhoseConnectionBreaksAHundredTimes_IsCaptionedAsIfItHadNot()
    {
        var random = new Random(20260);
        long[] budgets = [.. Enumerable.Range(0, Drops).Select(_ => random.NextInt64(300, 40_000))];

        // More audio than all broken connections together can carry (base64 of 16 bits: 8/3 bytes a sample), so that each of them breaks.
        var audio = new SpokenAudio();
        while (audio.Length < budgets.Sum() * 3 / 8)
        {
            audio.Say([.. Enumerable.Range(0, random.Next(1, 9)).Select(_ => random.Next(SpokenAudio.Words))]).Silence(1);
        }

        using var recognizer = new ToneRecognizer();
        using var host = await StartAsync(recognizer);
        var unbroken = await RunAsync(host.Services, "unbroken", audio.Samples, []);
        var broken = await RunAsync(host.Services, "broken", audio.Samples, budgets);

        Assert.Equal(0, unbroken.Drops);
        Assert.Equal(Drops, broken.Drops);
        var sessions = host.Services.GetRequiredService<LiveSessionStore>();
        var expected = sessions.Captions("unbroken")!.Value.Captions;
        var captions = sessions.Captions("broken")!.Value.Captions;
        Assert.NotEmpty(expected);
        Assert.Equal(expected.Select(Said), captions.Select(Said));
        Assert.Equal(Bytes(sessions, "unbroken"), Bytes(sessions, "broken"));
        Assert.Equal(44 + (2 * audio.Length), Bytes(sessions, "broken").Length);

        // Each viewer has seen every committed caption once, and nothing of an older sequence after a newer one.
        Assert.All(new[] { (unbroken.Seen, expected), (broken.Seen, captions) }, viewer =>
        {
            Assert.Equal(viewer.Seen.Select(update => update.Sequence).Distinct().Order(), viewer.Seen.Select(update => update.Sequence));
            Assert.Equal(viewer.Item2.Select(Said), viewer.Seen.Where(update => update.State == CaptionState.Committed).Select(Said));
        });
        await host.StopAsync(Cancelled);

        static (long, string, string, long, long) Said(CaptionUpdate caption) =>
            (caption.SegmentId, caption.Text, string.Join('|', caption.Words), caption.StartSample, caption.EndSample);
    }

    private static byte[] Bytes(LiveSessionStore sessions, string id)
    {
        using var audio = sessions.OpenAudio(id)!;
        var bytes = new byte[audio.Length];
        audio.ReadExactly(bytes);
        return bytes;
    }

    private static async Task<IHost> StartAsync(ToneRecognizer recognizer)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration.AddInMemoryCollection([new("Live:PauseDuration", "00:00:00.6")]);
        builder.Services.AddLive(() => recognizer, builder.Configuration);
        var host = builder.Build();
        await host.StartAsync(Cancelled);
        return host;
    }

    /// <summary>A client that goes on where the host says, over one connection after the other.</summary>
    private static async Task<(int Drops, List<CaptionUpdate> Seen)> RunAsync(IServiceProvider services, string id, short[] samples, long[] budgets)
    {
        var factory = new InProcessConnectionFactory(services.GetRequiredService<HubConnectionHandler<CaptionHub>>());
        List<CaptionUpdate> seen = [];
        for (var drops = 0; ; drops++)
        {
            var isLast = drops == budgets.Length;
            var cut = isLast ? new CutConnection(factory, long.MaxValue, long.MaxValue) : new CutConnection(factory, budgets[drops], drops % 3 == 0 ? budgets[drops] / 4 : long.MaxValue);
            Task? watching = null;
            try
            {
                await using var client = await LiveClient.ConnectAsync(cut, Cancelled);
                var position = await client.StartSessionAsync(new StartSessionRequest { SessionId = id }, Cancelled);
                watching = WatchAsync(client, id, seen);
                var chunks = Channel.CreateUnbounded<string>();
                foreach (var chunk in LiveHarness.Chunks(samples.AsSpan((int)position.AcknowledgedSamples)))
                {
                    chunks.Writer.TryWrite(chunk);
                }

                chunks.Writer.Complete();
                await foreach (var _ in client.StreamAudioAsync(id, position.AcknowledgedSamples, chunks.Reader, Cancelled))
                {
                }

                await client.EndSessionAsync(id, Cancelled);
                await watching;
                return (drops, seen);
            }
            catch (Exception error) when (!isLast && error is AsrException or IOException or OperationCanceledException or InvalidOperationException)
            {
                // The connection broke: what a client does then is the next turn.
                if (watching is not null)
                {
                    await watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                }
            }
        }
    }

    private static async Task WatchAsync(LiveClient client, string id, List<CaptionUpdate> seen)
    {
        await foreach (var update in client.WatchCaptionsAsync(id, seen.Count == 0 ? 0 : seen[^1].Sequence, Cancelled))
        {
            seen.Add(update);
        }
    }
}
