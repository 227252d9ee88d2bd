using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using AsrPlatform.Host.Security;
using AsrPlatform.Host.Tests.Api;

namespace AsrPlatform.Host.Tests.Security;

/// <summary>What pages of other origins may do, and what browsers are told.</summary>
public sealed class OriginTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("https://elsewhere.example", HttpStatusCode.Forbidden)]
    [InlineData("null", HttpStatusCode.Forbidden)]
    [InlineData("https://allowed.example", HttpStatusCode.OK)]
    public async Task Api_AskedByAPageOfAnotherOrigin_AnswersOnlyAllowedOnes(string origin, HttpStatusCode expected)
    {
        await using var host = await TestHost.StartAsync(("Security:AllowedOrigins:0", "https://allowed.example"));
        using var answer = await host.SendAsync(HttpMethod.Get, "v1/models", null, ("Origin", origin));
        Assert.Equal(expected, answer.StatusCode);
        Assert.Equal(expected == HttpStatusCode.OK ? [origin] : [], answer.Headers.TryGetValues("Access-Control-Allow-Origin", out var allowed) ? allowed : []);

        using var preflight = await host.SendAsync(HttpMethod.Options, "v1/audio/transcriptions", null, ("Origin", origin), ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "authorization"));
        Assert.Equal(expected == HttpStatusCode.OK, preflight.IsSuccessStatusCode && preflight.Headers.Contains("Access-Control-Allow-Origin"));
    }

    [Fact]
    public async Task Api_AskedByTheHostsOwnPage_Answers()
    {
        await using var host = await TestHost.StartAsync();
        using var answer = await host.SendAsync(HttpMethod.Get, "api/sessions", null, ("Origin", host.Url.GetLeftPart(UriPartial.Authority)));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Theory]
    [InlineData("Host", "captions.example", "unknown_host")]
    [InlineData("Host", "127.0.0.1.example", "unknown_host")]
    [InlineData("X-Forwarded-For", "203.0.113.7", "proxied")]
    [InlineData("Forwarded", "for=203.0.113.7", "proxied")]
    [InlineData("Host", "allowed.example:5080", null)]
    [InlineData("Host", "localhost", null)]
    [InlineData("Host", "[::1]:5080", null)]
    public async Task HostWithoutKeys_ReachedByAnotherNameOrThroughAProxy_DoesNotAnswer(string header, string value, string? code)
    {
        await using var host = await TestHost.StartAsync(("Security:AllowedHosts:0", "allowed.example"));
        using var answer = await host.SendAsync(HttpMethod.Get, "api/sessions", null, (header, value));
        Assert.Equal(code is null ? HttpStatusCode.OK : HttpStatusCode.Forbidden, answer.StatusCode);
        if (code is not null)
        {
            Assert.Equal(code, (string)(await answer.Content.ReadFromJsonAsync<JsonNode>(Cancelled))!["code"]!);
        }

        // With a key names and proxies do not matter.
        var key = await host.KeyAsync(Role.Viewer);
        Assert.Equal(HttpStatusCode.OK, (await host.SendAsync(HttpMethod.Get, "api/sessions", key, (header, value))).StatusCode);
    }

    [Theory]
    [InlineData("api/sessions", "default-src 'none'; frame-ancestors 'none'")]
    [InlineData("api/nothing", "default-src 'none'; frame-ancestors 'none'")]
    [InlineData("", "frame-ancestors 'none'")]
    [InlineData("overlay/some", "frame-ancestors 'self' https://stage.example")]
    public async Task EveryAnswer_TellsTheBrowserWhatItMayDo(string path, string policy)
    {
        await using var host = await TestHost.StartAsync(("Security:EmbedOrigins:0", "https://stage.example"));
        using var answer = await host.SendAsync(HttpMethod.Get, path);
        Assert.Equal("nosniff", Header("X-Content-Type-Options"));
        Assert.Equal("no-referrer", Header("Referrer-Policy"));
        Assert.EndsWith(policy, Header("Content-Security-Policy"), StringComparison.Ordinal);
        Assert.StartsWith("default-src '", Header("Content-Security-Policy"), StringComparison.Ordinal);
        Assert.False(answer.Headers.Contains("Server"));
        Assert.False(answer.Headers.Contains("Access-Control-Allow-Origin"));

        string Header(string name) => Assert.Single(answer.Headers.GetValues(name));
    }
}
