using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using AsrPlatform.Host.Api;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Live.Client;
using AsrPlatform.Host.Plugins;
using AsrPlatform.Host.Tests.Live;
using Microsoft.Extensions.Configuration;

namespace AsrPlatform.Host.Tests.Api;

/// <summary><c>/api/confidence</c> and <c>/api/corrections/suggestions</c> over HTTP.</summary>
public sealed class ConfidenceEndpointsTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Suggestions_OfASession_ThenACalibration_AreAnswered()
    {
        using var recognizer = new ToneRecognizer();
        await using var plugins = PluginCatalog.Load(new PluginHostOptions { Directory = Path.Combine(AppContext.BaseDirectory, "no-plugins") }, new ConfigurationBuilder().Build());
        var builder = HostApplication.CreateBuilder([new("urls", "http://127.0.0.1:0"), new("Live:PauseDuration", "00:00:00.6"), new("Logging:LogLevel:Default", "None")]);
        await using var app = HostApplication.Build(builder, plugins, () => recognizer);
        await app.StartAsync(Cancelled);
        using var http = new HttpClient { BaseAddress = new Uri(app.Urls.First()) };
        await using var client = await LiveClient.ConnectAsync(app.Services, Cancelled);
        await client.StartSessionAsync(new StartSessionRequest { SessionId = "talk" }, Cancelled);
        var chunks = Channel.CreateUnbounded<string>();
        foreach (var one in LiveHarness.Chunks(new SpokenAudio().Say(1, 2, 3).Samples))
        {
            chunks.Writer.TryWrite(one);
        }

        chunks.Writer.Complete();
        await foreach (var _ in client.StreamAudioAsync("talk", 0, chunks.Reader, Cancelled))
        {
        }

        await client.EndSessionAsync("talk", Cancelled);

        var item = Assert.Single((await http.GetFromJsonAsync<JsonObject>("api/corrections/suggestions?session=talk", Cancelled))!["items"]!.AsArray())!;
        Assert.Equal(("talk", "w1 w2 w3"), ((string)item["sessionId"]!, (string)item["text"]!));
        Assert.Equal(0.3, (double)item["expectedWrong"]!, 1e-6);
        Assert.Equal(3, item["words"]!.AsArray().Count);
        Assert.Empty((await http.GetFromJsonAsync<JsonObject>("api/corrections/suggestions?session=nobody", Cancelled))!["items"]!.AsArray());
        using var wrong = await http.GetAsync("api/corrections/suggestions?limit=0", Cancelled);
        Assert.Equal(HttpStatusCode.BadRequest, wrong.StatusCode);

        // Nobody has corrected anything.
        Assert.Empty((await http.GetFromJsonAsync<JsonObject>("api/confidence", Cancelled))!["items"]!.AsArray());
        using var fitted = await http.PostAsync("api/confidence", null, Cancelled);
        Assert.Empty((await fitted.Content.ReadFromJsonAsync<JsonObject>(Cancelled))!["items"]!.AsArray());
        await app.StopAsync(CancellationToken.None);
    }
}
