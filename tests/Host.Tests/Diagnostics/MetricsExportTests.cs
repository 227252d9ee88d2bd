using System.Collections.Concurrent;
using System.Text;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Tests.Api;
using AsrPlatform.Host.Tests.Live;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace AsrPlatform.Host.Tests.Diagnostics;

public sealed class MetricsExportTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Metrics_WithACollector_ArriveThereAndWithoutOneNowhere()
    {
        var posts = new ConcurrentQueue<byte[]>();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        await using var collector = builder.Build();
        collector.MapPost("/v1/metrics", async (HttpRequest request) =>
        {
            using var body = new MemoryStream();
            await request.Body.CopyToAsync(body, Cancelled);
            posts.Enqueue(body.ToArray());
            return Results.Bytes([], "application/x-protobuf");
        });
        collector.Urls.Add("http://127.0.0.1:0");
        await collector.StartAsync(Cancelled);

        await using (var silent = await TestHost.StartAsync())
        {
            await SpeakAsync(silent);
        }

        Assert.Empty(posts);
        await using (var host = await TestHost.StartAsync(("Telemetry:OtlpEndpoint", $"{collector.Urls.First()}/v1/metrics"), ("Telemetry:OtlpProtocol", "http"), ("Telemetry:Interval", "01:00:00")))
        {
            await SpeakAsync(host);
        }

        // The last values are sent at shutdown, long before the interval is over.
        var text = string.Concat(posts.Select(Encoding.Latin1.GetString));
        foreach (var name in (string[])["asrplatform", "live.sessions", "live.audio", "live.captions", "live.decode.duration", "http.server.request.duration"])
        {
            Assert.Contains(name, text, StringComparison.Ordinal);
        }

        Assert.DoesNotContain("w41", text, StringComparison.Ordinal);
        await collector.StopAsync(Cancelled);
    }

    private static async Task SpeakAsync(TestHost host)
    {
        await using var client = await host.ConnectAsync();
        var session = (await client.StartSessionAsync(new StartSessionRequest(), Cancelled)).SessionId;
        await TestHost.SendAudioAsync(client, session, LiveHarness.Chunks(new SpokenAudio().Say(41).Samples));
        await client.EndSessionAsync(session, Cancelled);
        await host.SendAsync(HttpMethod.Get, "api/sessions");
    }
}
