using System.Diagnostics;
using System.Text.Json.Nodes;
using AsrPlatform.Host.Api.Https;
using AsrPlatform.Host.Tests.Live;
using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Api.OpenAi;

/// <summary>The real <c>openai</c> package from npm, over https and wss with the host's own certificate.</summary>
public sealed class OpenAiNpmTests : IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory().FullName;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Fact]
    public async Task OpenAiPackage_DrivesEveryEndpoint()
    {
        RequirePackages();
        var wav = Path.Combine(_data, "speech.wav");
        await File.WriteAllBytesAsync(wav, AudioEndpointsTests.Wav(new SpokenAudio().Silence(0.5).Say(1, 2, 3, 4)), Cancelled);
        await using var host = await OpenAiHost.StartAsync(() => new ToneRecognizer { WordsPerSegment = 2 }, _data);
        var report = JsonNode.Parse(await RunAsync(host.HttpsUrl!, SelfSignedCertificate.PathIn(_data), wav))!;

        const string Text = "w1 w2 w3 w4";
        var transcriptions = report["transcriptions"]!;
        Assert.Equal(Text, (string)transcriptions["json"]!["text"]!);
        Assert.Equal(Text + "\n", (string)transcriptions["text"]!);
        Assert.StartsWith("1\n00:00:00,5", (string)transcriptions["srt"]!, StringComparison.Ordinal);
        Assert.StartsWith("WEBVTT\n\n00:00:00.5", (string)transcriptions["vtt"]!, StringComparison.Ordinal);
        Assert.Equal((2, 4), (transcriptions["verbose_json"]!["segments"]!.AsArray().Count, transcriptions["verbose_json"]!["words"]!.AsArray().Count));
        Assert.Equal("english", (string)transcriptions["verbose_json"]!["language"]!);
        Assert.Equal(4, report["logprobs"]!.AsArray().Count);
        Assert.Equal(Text, (string)report["translation"]!);
        Assert.Equal(["w1 w2", " w3 w4"], report["stream"]!.AsArray().Where(one => (string)one!["type"]! == "transcript.text.delta").Select(one => (string)one!["delta"]!));
        Assert.Equal(Text, (string)report["stream"]!.AsArray()[^1]!["text"]!);
        Assert.Equal(["tones"], report["models"]!.AsArray().Select(one => (string)one!));
        Assert.Equal("local", (string)report["model"]!["owned_by"]!);

        var errors = report["errors"]!;
        Assert.Equal(("BadRequestError", 400, "invalid_audio", "file"), ErrorOf("noAudio"));
        Assert.Equal(("BadRequestError", 400, null, "temperature"), ErrorOf("temperature"));
        Assert.Equal(("NotFoundError", 404, "model_not_found", "model"), ErrorOf("model"));

        var realtime = report["realtime"]!.AsArray();
        Assert.Equal("invalid_value", (string)realtime.First(one => (string)one!["type"]! == "error")!["error"]!["code"]!);
        Assert.Equal(Text, string.Concat(realtime.Where(one => ((string)one!["type"]!).EndsWith(".delta", StringComparison.Ordinal)).Select(one => (string)one!["delta"]!)));
        Assert.Equal(Text, (string)realtime[^1]!["transcript"]!);
        Assert.Equal(4, realtime[^1]!["logprobs"]!.AsArray().Count);

        (string, int, string?, string?) ErrorOf(string name) =>
            ((string)errors[name]!["name"]!, (int)errors[name]!["status"]!, (string?)errors[name]!["code"], (string?)errors[name]!["param"]);
    }

    /// <summary>The whole of it as users have it: <c>asr serve --https-cert auto</c> in a process of its own, with a real model.</summary>
    [Fact]
    public async Task Serve_WithItsOwnCertificate_IsDrivenByTheOpenAiPackage()
    {
        var wav = Fixtures.Path("audio/fox.wav");
        var model = Fixtures.Path("micro");
        LiveHostTests.RequireBuilt();
        RequirePackages();
        await using var host = await HostProcess.StartAsync("--model", model, "--https-cert", "auto", "--data-dir", _data);
        var https = await host.ReadUrlAsync();
        var report = JsonNode.Parse(await RunAsync(new Uri(https), SelfSignedCertificate.PathIn(_data), wav))!;

        const string Text = "The quick brown fox jumps over the lazy dog.";
        Assert.Equal(Text, (string)report["transcriptions"]!["json"]!["text"]!);
        Assert.Equal(Text, (string)report["stream"]!.AsArray()[^1]!["text"]!);
        Assert.Equal(9, report["transcriptions"]!["verbose_json"]!["words"]!.AsArray().Count);
        Assert.Equal(["micro"], report["models"]!.AsArray().Select(one => (string)one!));
        Assert.Equal(Text, (string)report["realtime"]!.AsArray()[^1]!["transcript"]!);
        Assert.Equal(0, await host.StopAsync());
    }

    private static void RequirePackages()
    {
        if (!File.Exists(Path.Combine(Fixtures.RepositoryRoot, "tests", "Browser", "node_modules", "openai", "package.json")))
        {
            const string Reason = "the npm packages of tests/Browser are not there: eng/build.sh --tests brings them.";
            if (Environment.GetEnvironmentVariable("CI") == "true")
            {
                Assert.Fail(Reason);
            }

            Assert.Skip(Reason);
        }
    }

    private static async Task<string> RunAsync(Uri url, string certificate, string wav)
    {
        var start = new ProcessStartInfo("node", ["tests/Browser/openai-client.mjs", "--url", new UriBuilder(url) { Host = "localhost" }.Uri.ToString(), "--wav", wav])
        {
            WorkingDirectory = Fixtures.RepositoryRoot,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };

        // Checked as by any client: that the certificate names this host is part of the test.
        start.Environment["NODE_EXTRA_CA_CERTS"] = certificate;
        using var process = Process.Start(start)!;
        await using var kill = Cancelled.Register(() => process.Kill(entireProcessTree: true));
        var output = process.StandardOutput.ReadToEndAsync(Cancelled);
        var errors = await process.StandardError.ReadToEndAsync(Cancelled);
        await process.WaitForExitAsync(Cancelled);
        Assert.True(process.ExitCode == 0, errors);
        return await output;
    }
}
