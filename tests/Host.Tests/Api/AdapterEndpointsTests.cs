using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using AsrPlatform.Host.Api;
using AsrPlatform.Host.Learning.Registry;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Live.Client;
using AsrPlatform.Host.Plugins;
using AsrPlatform.Host.Serving;
using AsrPlatform.Host.Tests.Learning.Registry;
using AsrPlatform.Host.Tests.Live;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace AsrPlatform.Host.Tests.Api;

/// <summary><c>/api/adapters</c> over HTTP, and what connections of the hub are told.</summary>
public sealed class AdapterEndpointsTests : IAsyncLifetime
{
    private readonly string _scratch = Directory.CreateTempSubdirectory("asr-adapters-").FullName;
    private readonly AdaptedRecognizer _recognizer = new();
    private PluginCatalog _plugins = null!;
    private WebApplication _app = null!;
    private HttpClient _http = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private AdapterRegistry Registry => _app.Services.GetRequiredService<AdapterRegistry>();

    public async ValueTask InitializeAsync()
    {
        _plugins = PluginCatalog.Load(new PluginHostOptions { Directory = Path.Combine(_scratch, "no-plugins") }, new ConfigurationBuilder().Build());
        var builder = HostApplication.CreateBuilder([new("urls", "http://127.0.0.1:0"), new("Logging:LogLevel:Default", "None")]);
        builder.Services.AddSingleton<IAdapterSlots>(_recognizer);
        _app = HostApplication.Build(builder, _plugins, () => _recognizer);
        await _app.StartAsync(Cancelled);
        _http = new HttpClient { BaseAddress = new Uri(_app.Urls.First()) };
        await _app.Services.GetRequiredService<ModelHost>().ReadyAsync(Cancelled);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
        await _plugins.DisposeAsync();
        Directory.Delete(_scratch, recursive: true);
    }

    [Fact]
    public async Task Adapters_PromotedAndRolledBack_AreListedAndTold()
    {
        await using var client = await LiveClient.ConnectAsync(_app.Services, Cancelled);
        var told = System.Threading.Channels.Channel.CreateUnbounded<AdapterPromotion>();
        using var listening = client.OnAdapterPromoted(promotion => told.Writer.TryWrite(promotion));

        // A session is open only once the host follows what is active.
        await client.StartSessionAsync(new StartSessionRequest(), Cancelled);
        var (a, b) = (await AdapterFiles.AddAsync(Registry, _scratch, "a"), await AdapterFiles.AddAsync(Registry, _scratch, "b", AdapterFiles.New(after: 0.05)));
        using (var response = await _http.PostAsJsonAsync($"api/adapters/{a}/promote", new { provisional = true, reason = "looks good" }, Cancelled))
        {
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }

        Assert.Equal(new AdapterPromotion(a, null, "all", "looks good", Provisional: true), await told.Reader.ReadAsync(Cancelled));
        using (var response = await _http.PostAsync($"api/adapters/{b}/promote", content: null, Cancelled))
        {
            Assert.Equal(b, (await response.Content.ReadFromJsonAsync<JsonNode>(Cancelled))!["adapter"]!.GetValue<string>());
        }

        Assert.Equal(new AdapterPromotion(b, a, "all", "promoted by hand", Provisional: false), await told.Reader.ReadAsync(Cancelled));
        var list = await GetAsync("api/adapters");
        Assert.Equal(b, list["active"]!.GetValue<string>());
        var item = list["items"]![0]!;
        Assert.Equal((b, "promoted", 0.05), (item["id"]!.GetValue<string>(), item["state"]!.GetValue<string>(), item["metrics"]!["heldOutWerAfter"]!.GetValue<double>()));
        Assert.Equal(["all"], item["activeFor"]!.AsArray().Select(scope => scope!.GetValue<string>()));
        Assert.Equal(a, (await GetAsync($"api/adapters/{a}"))["id"]!.GetValue<string>());
        Assert.Equal(b, (await GetAsync($"api/adapters/compare?a={a}&b={b}"))["b"]!["id"]!.GetValue<string>());
        Assert.Equal([a, b], (await GetAsync("api/adapters/activations"))["items"]!.AsArray().Select(one => one!["adapter"]!.GetValue<string>()));

        using (var refused = await _http.DeleteAsync($"api/adapters/{b}", Cancelled))
        {
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
            Assert.Contains("is active for all", await refused.Content.ReadAsStringAsync(Cancelled), StringComparison.Ordinal);
        }

        using (var response = await _http.PostAsJsonAsync("api/adapters/rollback", new { reason = "worse" }, Cancelled))
        {
            Assert.Equal(a, (await response.Content.ReadFromJsonAsync<JsonNode>(Cancelled))!["adapter"]!.GetValue<string>());
        }

        Assert.Equal(new AdapterPromotion(a, b, "all", "worse", Provisional: true), await told.Reader.ReadAsync(Cancelled));
        using (var deleted = await _http.DeleteAsync($"api/adapters/{b}", Cancelled))
        {
            Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        }
    }

    [Theory]
    [InlineData("GET", "api/adapters/none-such", HttpStatusCode.NotFound)]
    [InlineData("GET", "api/adapters/compare?a=x&b=y", HttpStatusCode.NotFound)]
    [InlineData("GET", "api/adapters/compare?a=x", HttpStatusCode.BadRequest)]
    [InlineData("GET", "api/adapters/activations?limit=0", HttpStatusCode.BadRequest)]
    [InlineData("POST", "api/adapters/none-such/promote", HttpStatusCode.NotFound)]
    [InlineData("POST", "api/adapters/rollback", HttpStatusCode.BadRequest)]
    [InlineData("DELETE", "api/adapters/none-such", HttpStatusCode.NotFound)]
    public async Task Adapters_AskedForWrongly_AreAProblem(string method, string path, HttpStatusCode status)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        using var response = await _http.SendAsync(request, Cancelled);
        Assert.Equal(status, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType!.MediaType);
    }

    private async Task<JsonNode> GetAsync(string path) => (await _http.GetFromJsonAsync<JsonNode>(path, Cancelled))!;
}
