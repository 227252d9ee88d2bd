using AsrPlatform.Abstractions;
using AsrPlatform.Host.Security;
using AsrPlatform.Host.Tests.Cli;
using AsrPlatform.Host.Tests.Live;
using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Security;

/// <summary>What listens beyond loopback, and with what keys; the program as a user runs it.</summary>
public sealed class ExposureTests : IDisposable
{
    private readonly TemporaryFolder _data = new();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public void Dispose() => _data.Dispose();

    [Theory]
    [InlineData("http://127.0.0.1:5080", true)]
    [InlineData("http://127.8.7.6:5080", true)]
    [InlineData("http://[::1]:5080", true)]
    [InlineData("http://localhost:0", true)]
    [InlineData("http://unix:/run/asr.sock", true)]
    [InlineData("http://0.0.0.0:5080", false)]
    [InlineData("http://[::]:5080", false)]
    [InlineData("http://*:5080", false)]
    [InlineData("http://+:5080", false)]
    [InlineData("https://192.168.1.7:5080", false)]
    [InlineData("http://localhost.example:5080", false)]
    [InlineData("http://127.0.0.1.example:5080", false)]
    public void IsLoopback_OfAnAddress_IsWhatKestrelWouldListenOn(string address, bool expected) =>
        Assert.Equal(expected, Exposure.IsLoopback(address));

    [Fact]
    public async Task Require_BeyondLoopback_WantsAKeyThatOpensSomething()
    {
        var keys = new ApiKeyStore(_data.Root, TimeProvider.System);
        Exposure.Require(["http://127.0.0.1:5080", "http://localhost:1"], keys);
        Assert.StartsWith("http://*:1 can be reached from other machines, and there is no API key", Assert.Throws<AsrException>(() => Exposure.Require(["http://127.0.0.1:5080", "http://*:1"], keys)).Message, StringComparison.Ordinal);
        await keys.CreateAsync(Role.Viewer, "wall", null, Cancelled);
        Exposure.Require(["http://*:1"], keys);
        await keys.RevokeAsync("wall", Cancelled);
        Assert.Throws<AsrException>(() => Exposure.Require(["http://*:1"], keys));
        Assert.Equal("'here' is no address to listen on: give one such as http://127.0.0.1:5080", Assert.Throws<AsrException>(() => Exposure.Require(["here"], keys)).Message);
    }

    [Fact]
    public void Serve_BeyondLoopbackWithoutKeys_RefusesToStart()
    {
        foreach (var arguments in (string[][])[["--urls", "http://0.0.0.0:0"], ["--set", "Kestrel:Endpoints:a:Url=http://*:0"], ["--set", "urls=http://127.0.0.1:0;http://[::]:0"]])
        {
            AsrProcess.Run(["serve", "--data-dir", _data.Root, "--plugins-dir", _data.File("none"), .. arguments])
                .ShouldFailWith("make one with 'asr keys create --role admin' (and the same --data-dir), or listen on http://127.0.0.1:5080");
        }
    }

    [Fact]
    public async Task Serve_BeyondLoopbackWithAKey_AnswersWhoeverHasIt()
    {
        var key = AsrProcess.Run("keys", "create", "--role", "viewer", "--name", "wall", "--expires", "1", "--data-dir", _data.Root).ShouldSucceed().Trim();
        Assert.Matches("^asr_[A-Za-z0-9_-]{43}$", key);
        var listed = AsrProcess.Run("keys", "list", "--data-dir", _data.Root).ShouldSucceed();
        Assert.Matches("^[0-9a-f]{8}  viewer     active   made .* UTC, good until .* UTC  wall\n$", listed);
        Assert.DoesNotContain(key, listed, StringComparison.Ordinal);

        await using var host = await HostProcess.StartAsync("--urls", "http://0.0.0.0:0", "--data-dir", _data.Root, "--plugins-dir", _data.File("none"), "--log-format", "json");
        using var http = new HttpClient { BaseAddress = new Uri(host.Url) };
        Assert.Equal(System.Net.HttpStatusCode.Unauthorized, (await http.GetAsync("api/sessions", Cancelled)).StatusCode);
        http.DefaultRequestHeaders.Authorization = new("Bearer", key);
        Assert.Equal("[]", await http.GetStringAsync("api/sessions", Cancelled));
        AsrProcess.Run("keys", "revoke", "wall", "--data-dir", _data.Root).ShouldSucceed();
        Assert.Equal(System.Net.HttpStatusCode.Unauthorized, (await http.GetAsync("api/sessions", Cancelled)).StatusCode);
        Assert.Equal(0, await host.StopAsync());
        var log = host.Errors;
        Assert.All(log.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.Equal(System.Text.Json.JsonValueKind.Object, System.Text.Json.JsonDocument.Parse(line).RootElement.ValueKind));
        Assert.Contains("is not encrypted", log, StringComparison.Ordinal);
        Assert.DoesNotContain(key, log, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--role owner", "--role owner: give one of viewer, speaker, corrector, admin")]
    [InlineData("--role viewer --expires -1", "--expires -1")]
    public void KeysCreate_WithWhatIsNone_SaysSo(string options, string fragment) =>
        AsrProcess.Run(["keys", "create", "--data-dir", _data.Root, .. options.Split(' ')]).ShouldFailWith(fragment);
}
