using System.Net;
using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Reflection;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Corrections;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Live.Client;
using AsrPlatform.Host.Security;
using AsrPlatform.Host.Tests.Api;
using AsrPlatform.Host.Tests.Live;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace AsrPlatform.Host.Tests.Security;

/// <summary>Who may do what, over HTTP and over the hub.</summary>
public sealed class AccessTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task EveryEndpointAndHubMethod_SaysWhoMayUseIt()
    {
        await using var host = await TestHost.StartAsync();
        var endpoints = host.App.Services.GetServices<EndpointDataSource>().SelectMany(source => source.Endpoints)
            .Concat(((IEndpointRouteBuilder)host.App).DataSources.SelectMany(source => source.Endpoints))
            .Distinct()
            .ToList();
        Assert.NotEmpty(endpoints);
        Assert.Equal([], endpoints.Where(endpoint => endpoint.Metadata.GetMetadata<LeastRoleAttribute>() is null).Select(endpoint => endpoint.DisplayName));

        string[] open = ["/", "/health/live", "/health/ready"];
        Assert.Equal([], endpoints.OfType<RouteEndpoint>()
            .Where(endpoint => endpoint.Metadata.GetMetadata<LeastRoleAttribute>() is { Role: null } && !open.Contains(endpoint.RoutePattern.RawText) && !endpoint.RoutePattern.RawText!.StartsWith("/overlay", StringComparison.Ordinal))
            .Select(endpoint => endpoint.RoutePattern.RawText));

        var methods = typeof(CaptionHub).GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly).Where(method => !method.IsSpecialName).ToList();
        Assert.Contains(methods, method => method.Name == nameof(CaptionHub.StartSession));
        Assert.Equal([], methods.Where(method => method.GetCustomAttribute<LeastRoleAttribute>()?.Role is null).Select(method => method.Name));
    }

    [Fact]
    public async Task Http_WithoutAGoodKey_IsRefusedWithTheReason()
    {
        await using var host = await TestHost.StartAsync();
        Assert.Equal(HttpStatusCode.OK, (await host.SendAsync(HttpMethod.Get, "api/sessions")).StatusCode);

        // From the first key on one is needed; a running host sees it.
        var key = await host.KeyAsync(Role.Viewer, "wall");
        using (var missing = await host.SendAsync(HttpMethod.Get, "api/sessions"))
        {
            Assert.Equal(HttpStatusCode.Unauthorized, missing.StatusCode);
            Assert.Equal("Bearer", missing.Headers.WwwAuthenticate.ToString());
            Assert.Equal("application/problem+json", missing.Content.Headers.ContentType!.MediaType);
            Assert.StartsWith("an API key is needed", (string)(await missing.Content.ReadFromJsonAsync<JsonNode>(Cancelled))!["detail"]!, StringComparison.Ordinal);
        }

        using (var wrong = await host.SendAsync(HttpMethod.Get, "v1/models", key + "x"))
        {
            Assert.Equal(HttpStatusCode.Unauthorized, wrong.StatusCode);
            var error = (await wrong.Content.ReadFromJsonAsync<JsonNode>(Cancelled))!["error"]!;
            Assert.Equal(("invalid_request_error", "invalid_api_key", "the API key is not one of this host's"), ((string)error["type"]!, (string)error["code"]!, (string)error["message"]!));
            Assert.Contains("param", error.AsObject().Select(member => member.Key));
        }

        Assert.Equal(HttpStatusCode.OK, (await host.SendAsync(HttpMethod.Get, "api/sessions", key)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await host.SendAsync(HttpMethod.Get, "api/sessions", null, ("X-Api-Key", key))).StatusCode);

        // The query is for the hub alone: addresses of pages are remembered and passed on.
        Assert.Equal(HttpStatusCode.Unauthorized, (await host.SendAsync(HttpMethod.Get, "api/sessions?access_token=" + key)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await host.SendAsync(HttpMethod.Post, "hubs/captions/negotiate?negotiateVersion=1&access_token=" + Uri.EscapeDataString(key))).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await host.SendAsync(HttpMethod.Post, "hubs/captions/negotiate?negotiateVersion=1&access_token=asr_x")).StatusCode);

        await host.Keys.RevokeAsync("wall", Cancelled);
        using var revoked = await host.SendAsync(HttpMethod.Get, "api/sessions", key);
        Assert.Equal("the API key 'wall' is revoked", (string)(await revoked.Content.ReadFromJsonAsync<JsonNode>(Cancelled))!["detail"]!);
    }

    [Fact]
    public async Task Key_OfATenant_StartsSessionsOfThatTenantAlone()
    {
        await using var host = await TestHost.StartAsync();
        var key = (await host.Keys.CreateAsync(Role.Speaker, "ward", lifetime: null, Cancelled, "clinic")).Secret;
        await using var client = await host.ConnectAsync(key);
        var id = (await client.StartSessionAsync(new StartSessionRequest { Speaker = "anna" }, Cancelled)).SessionId;
        Assert.Equal(("clinic", "anna"), (host.Sessions.Get(id).Settings.Tenant, host.Sessions.Get(id).Settings.Speaker));
        var error = await Assert.ThrowsAsync<AsrException>(() => client.StartSessionAsync(new StartSessionRequest { Tenant = "other" }, Cancelled));
        Assert.Equal("the API key is another tenant's: leave the tenant out, or use a key of its own", error.Message);
    }

    [Fact]
    public async Task Realtime_WithAKeyInTheSubprotocol_AsBrowsersSendIt_IsLetIn()
    {
        await using var host = await TestHost.StartAsync();
        var key = await host.KeyAsync(Role.Speaker);
        using var browser = new ClientWebSocket();
        foreach (var protocol in new[] { "realtime", "openai-insecure-api-key." + key, "openai-beta.realtime-v1" })
        {
            browser.Options.AddSubProtocol(protocol);
        }

        await browser.ConnectAsync(Realtime(host), Cancelled);

        // The key is not sent back.
        Assert.Equal("realtime", browser.SubProtocol);
        var first = new byte[64];
        Assert.True((await browser.ReceiveAsync(first, Cancelled)).Count > 0);

        using var wrong = new ClientWebSocket();
        wrong.Options.CollectHttpResponseDetails = true;
        wrong.Options.AddSubProtocol("realtime");
        wrong.Options.AddSubProtocol("openai-insecure-api-key." + key + "x");
        await Assert.ThrowsAsync<WebSocketException>(() => wrong.ConnectAsync(Realtime(host), Cancelled));
        Assert.Equal(HttpStatusCode.Unauthorized, wrong.HttpStatusCode);

        static Uri Realtime(TestHost host) => new UriBuilder(host.Url) { Scheme = "ws", Path = "/v1/realtime", Query = "intent=transcription" }.Uri;
    }

    [Fact]
    public async Task Health_WithoutAKey_TellsOfNothingElse()
    {
        await using var host = await TestHost.StartAsync();
        var key = await host.KeyAsync(Role.Viewer);
        Assert.Equal(["status"], (await host.Http.GetFromJsonAsync<JsonObject>("health/ready", Cancelled))!.Select(member => member.Key));
        Assert.Equal(["status"], (await host.Http.GetFromJsonAsync<JsonObject>("health/live", Cancelled))!.Select(member => member.Key));
        using var known = await host.SendAsync(HttpMethod.Get, "health/ready", key);
        Assert.Equal("tones", (string)(await known.Content.ReadFromJsonAsync<JsonNode>(Cancelled))!["model"]!);
    }

    [Theory]
    [InlineData("viewer")]
    [InlineData("speaker")]
    [InlineData("corrector")]
    [InlineData("admin")]
    public async Task Hub_ByRole_AllowsWhatTheRoleMay(string roleName)
    {
        Assert.True(RoleNames.TryParse(roleName, out var role));
        await using var host = await TestHost.StartAsync();
        await using var admin = await host.ConnectAsync(await host.KeyAsync(Role.Admin, "someone"));
        var spoken = (await admin.StartSessionAsync(new StartSessionRequest(), Cancelled)).SessionId;
        await TestHost.SendAudioAsync(admin, spoken, LiveHarness.Chunks(new SpokenAudio().Say(1, 2).Samples));
        await admin.EndSessionAsync(spoken, Cancelled);

        await using var client = await host.ConnectAsync(await host.KeyAsync(role));
        var seen = 0;
        await foreach (var _ in client.WatchCaptionsAsync(spoken, 0, Cancelled))
        {
            seen++;
        }

        Assert.Equal(1, seen);
        await Try(role >= Role.Speaker, "StartSession needs the role speaker", async () =>
        {
            var id = (await client.StartSessionAsync(new StartSessionRequest(), Cancelled)).SessionId;
            await TestHost.SendAudioAsync(client, id, LiveHarness.Chunks(new SpokenAudio().Say(3).Samples));
            await client.EndSessionAsync(id, Cancelled);
        });
        await admin.StartSessionAsync(new StartSessionRequest { SessionId = "open" }, Cancelled);
        await Try(role >= Role.Speaker, "StreamAudio needs the role speaker", () => TestHost.SendAudioAsync(client, "open", LiveHarness.Chunks(new SpokenAudio().Say(4).Samples)));
        await Try(role >= Role.Speaker, "EndSession needs the role speaker", () => client.EndSessionAsync(spoken, Cancelled));
        await Try(role >= Role.Corrector, "SubmitCorrection needs the role corrector", () =>
            client.SubmitCorrectionAsync(new Correction { Id = "c", SessionId = spoken, SegmentId = 1, Sequence = 1, Text = "one two" }, Cancelled));

        async Task Try(bool isAllowed, string refusal, Func<Task> call)
        {
            if (isAllowed)
            {
                await call();
            }
            else
            {
                Assert.StartsWith(refusal, (await Assert.ThrowsAsync<AsrException>(call)).Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public async Task Hub_WithoutAKey_SaysThatOneIsNeeded()
    {
        await using var host = await TestHost.StartAsync();
        await host.KeyAsync(Role.Admin);
        Assert.EndsWith("give one in ASR_API_KEY", (await Assert.ThrowsAsync<AsrException>(() => host.ConnectAsync())).Message, StringComparison.Ordinal);
        Assert.EndsWith("is not good there", (await Assert.ThrowsAsync<AsrException>(() => host.ConnectAsync("asr_nonsense"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Hub_WhenItsKeyIsRevoked_IsCutOffAndOthersAreNot()
    {
        await using var host = await TestHost.StartAsync();
        var admin = await host.KeyAsync(Role.Admin);
        await using var speaker = await host.ConnectAsync(admin);
        var session = await speaker.StartSessionAsync(new StartSessionRequest(), Cancelled);
        await using var viewer = await host.ConnectAsync(await host.KeyAsync(Role.Viewer, "guest"));
        var watching = WatchAsync(viewer, session.SessionId);
        await LiveHarness.EventuallyAsync(() => host.Sessions.Get(session.SessionId).Viewers == 1, "a viewer");

        await host.Keys.RevokeAsync("guest", Cancelled);
        host.App.Services.GetRequiredService<OpenConnections>().Sweep();
        Assert.Equal("the connection to the host was lost", (await Assert.ThrowsAsync<AsrException>(() => watching)).Message);
        await TestHost.SendAudioAsync(speaker, session.SessionId, LiveHarness.Chunks(new SpokenAudio().Say(1).Samples));
        Assert.Equal(1, (await speaker.EndSessionAsync(session.SessionId, Cancelled)).LastSequence);
    }

    [Fact]
    public async Task Host_WithDamagedKeys_LetsNobodyIn()
    {
        await using var host = await TestHost.StartAsync();
        var key = await host.KeyAsync(Role.Admin);
        host.Data.Write("keys.json", "nonsense");
        using var refused = await host.SendAsync(HttpMethod.Get, "api/sessions", key);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Equal("the host cannot read its API keys: its log says why", (string)(await refused.Content.ReadFromJsonAsync<JsonNode>(Cancelled))!["detail"]!);
        Assert.Equal(HttpStatusCode.OK, (await host.SendAsync(HttpMethod.Get, "health/live")).StatusCode);
    }

    [Fact]
    public async Task Log_AtEveryLevel_HoldsNoKeyAndAtInformationNoWord()
    {
        await using var host = await TestHost.StartAsync(("Logging:LogLevel:Default", "Trace"), ("Logging:LogLevel:Microsoft", "Trace"), ("Logging:LogLevel:Microsoft.AspNetCore.SignalR", "Information"));
        var key = await host.KeyAsync(Role.Admin);
        await host.SendAsync(HttpMethod.Get, "api/sessions", key);
        await host.SendAsync(HttpMethod.Get, "api/sessions?access_token=" + key);
        await host.SendAsync(HttpMethod.Post, "hubs/captions/negotiate?negotiateVersion=1&access_token=" + key);
        await using (var client = await host.ConnectAsync(key))
        {
            var session = await client.StartSessionAsync(new StartSessionRequest(), Cancelled);
            await TestHost.SendAudioAsync(client, session.SessionId, LiveHarness.Chunks(new SpokenAudio().Say(41, 42, 43).Samples));
            await client.EndSessionAsync(session.SessionId, Cancelled);
            await client.SubmitCorrectionAsync(new Correction { Id = "c", SessionId = session.SessionId, SegmentId = 1, Sequence = 1, Text = "w44" }, Cancelled);
        }

        await host.Keys.RevokeAsync("admin", Cancelled);
        await host.SendAsync(HttpMethod.Get, "api/sessions", key);
        var records = host.Logs.GetSnapshot();
        Assert.Contains(records, record => record.Message.Contains("/api/sessions", StringComparison.Ordinal));
        Assert.DoesNotContain(records, record => Text(record).Contains(key, StringComparison.Ordinal));
        Assert.DoesNotContain(records, record => record.Level >= LogLevel.Information && new[] { "w41", "w42", "w43", "w44" }.Any(Text(record).Contains));

        static string Text(Microsoft.Extensions.Logging.Testing.FakeLogRecord record) =>
            $"{record.Message} {record.Exception} {string.Join(' ', record.StructuredState?.Select(state => state.Value) ?? [])}";
    }

    private static async Task WatchAsync(LiveClient client, string session)
    {
        await foreach (var _ in client.WatchCaptionsAsync(session, 0, Cancelled))
        {
        }
    }
}
