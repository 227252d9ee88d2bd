using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Live;

/// <summary>The whole live path as users have it: the host in a process of its own, a real model, the real @microsoft/signalr client in another process.</summary>
public sealed class LiveHostTests
{
    [Theory]
    [InlineData("cost", false)]
    [InlineData("jfk", false)]
    [InlineData("fox", true)]
    public async Task Serve_AClipAtThePaceOfTime_IsCaptionedForEveryViewer(string clip, bool drop)
    {
        var wav = Fixtures.Path($"audio/{clip}.wav");
        var model = Fixtures.Path("micro");
        var text = Fixtures.Lines("decode/openai.jsonl").First(row => (string)row["audio"]! == clip)["text"]!.GetValue<string>().Trim();
        RequireBuilt();

        await using var host = await HostProcess.StartAsync("--model", model);
        var report = JsonNode.Parse(await RunNodeAsync(["tests/Browser/live-client.mjs", "--url", host.Url, "--wav", wav, .. drop ? ["--drop"] : Array.Empty<string>()]))!;

        var total = (long)report["totalSamples"]!;
        Assert.Equal(total, (long)report["acknowledgedSamples"]!);
        Assert.Equal(total, (long)report["end"]!["acknowledgedSamples"]!);
        if (drop)
        {
            Assert.InRange((long)report["resumedAt"]!, 0, total - 1);
        }

        var watchers = report["watchers"]!.AsArray()
            .Select(watcher => watcher!.AsArray().Select(seen => (Sent: (long)seen!["sentSamples"]!, Update: seen["update"].Deserialize<CaptionUpdate>(JsonSerializerOptions.Web)!)).ToList())
            .ToList();
        Assert.Equal(2, watchers.Count);
        var early = watchers[0];

        // It came while somebody spoke. A busy machine may need long for the first words.
        var first = early[0];
        Assert.Equal(CaptionState.Tentative, first.Update.State);
        Assert.InRange(first.Sent, 1, total - 1);

        Assert.Equal(Enumerable.Range(1, early.Count).Select(sequence => (long)sequence), early.Select(seen => seen.Update.Sequence));
        Assert.Equal((long)report["end"]!["lastSequence"]!, early[^1].Update.Sequence);
        Assert.All(watchers, watcher =>
        {
            var updates = watcher.Select(seen => seen.Update).ToList();
            Assert.Equal(text, string.Join(' ', updates.Where(update => update.State == CaptionState.Committed).OrderBy(update => update.SegmentId).Select(update => update.Text)));
            Assert.All(updates.GroupBy(update => update.SegmentId), segment =>
            {
                // Committed is the last word on a segment.
                Assert.Equal(CaptionState.Committed, segment.Last().State);
                Assert.Single(segment, update => update.State == CaptionState.Committed);
                Assert.Equal(segment.Select(update => update.Revision).Order(), segment.Select(update => update.Revision));
            });
        });

        using var http = new HttpClient { BaseAddress = new Uri(host.Url) };
        var id = (string)report["sessionId"]!;
        Assert.Equal(text + "\n", await http.GetStringAsync($"api/sessions/{id}/captions.txt", TestContext.Current.CancellationToken));
        Assert.StartsWith("WEBVTT", await http.GetStringAsync($"api/sessions/{id}/captions.vtt", TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Equal(0, await host.StopAsync());
    }

    [Fact]
    public async Task StartSession_WithAPromptThatHoldsSpecialTokens_IsRefusedWithTheReason()
    {
        var model = Fixtures.Path("micro");
        RequireBuilt();
        await using var host = await HostProcess.StartAsync("--model", model);
        await using var client = await AsrPlatform.Host.Live.Client.LiveClient.ConnectAsync(new Uri(host.Url), TestContext.Current.CancellationToken);
        var error = await Assert.ThrowsAsync<AsrPlatform.Abstractions.AsrException>(() =>
            client.StartSessionAsync(new() { SessionId = "talk", Prompt = "names: <|endoftext|> Ada" }, TestContext.Current.CancellationToken));
        Assert.Equal("The prompt has the special token <|endoftext|>: take it out.", error.Message);

        // Nothing was begun: the same id is free.
        Assert.Equal(0, (await client.StartSessionAsync(new() { SessionId = "talk", Prompt = "names: Ada" }, TestContext.Current.CancellationToken)).LastSequence);
    }

    [Fact]
    public async Task Serve_WhenStoppedInTheMiddle_FlushesTheSessionToItsViewers()
    {
        var model = Fixtures.Path("micro");
        var wav = Fixtures.Path("audio/fox.wav");
        RequireBuilt();
        await using var host = await HostProcess.StartAsync("--model", model);
        await using var client = await AsrPlatform.Host.Live.Client.LiveClient.ConnectAsync(new Uri(host.Url), TestContext.Current.CancellationToken);
        var session = await client.StartSessionAsync(new() { Language = "en" }, TestContext.Current.CancellationToken);
        var watching = Task.Run(async () =>
        {
            List<CaptionUpdate> updates = [];
            await foreach (var update in client.WatchCaptionsAsync(session.SessionId, 0, TestContext.Current.CancellationToken))
            {
                updates.Add(update);
            }

            return updates;
        });
        var samples = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, short>(File.ReadAllBytes(wav).AsSpan(44)).ToArray();
        var chunks = System.Threading.Channels.Channel.CreateUnbounded<string>();
        foreach (var chunk in LiveHarness.Chunks(samples))
        {
            chunks.Writer.TryWrite(chunk);
        }

        var acknowledged = 0L;
        await foreach (var acknowledgement in client.StreamAudioAsync(session.SessionId, 0, chunks.Reader, TestContext.Current.CancellationToken))
        {
            acknowledged = acknowledgement.AcknowledgedSamples;
            if (acknowledged == samples.Length)
            {
                break;
            }
        }

        // Nobody ended the session: the host does, before it goes.
        var exit = host.StopAsync();
        var committed = (await watching).Where(update => update.State == CaptionState.Committed).ToList();
        Assert.Equal("The quick brown fox jumps over the lazy dog.", string.Join(' ', committed.Select(update => update.Text)));
        Assert.Equal(0, await exit);
    }

    [Fact]
    public async Task Stream_AFile_PrintsItsCaptionsAndTheirLatency()
    {
        var wav = Fixtures.Path("audio/fox.wav");
        var model = Fixtures.Path("micro");
        RequireBuilt();
        var program = Path.Combine(Fixtures.RepositoryRoot, "artifacts", "app", "asr.dll");
        var lines = (await RunAsync("dotnet", [program, "stream", wav, "--model", model, "--pace", "4", "--json"]))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonNode.Parse(line)!)
            .ToList();
        Assert.Equal(["session", "end"], new[] { lines[0], lines[^1] }.Select(line => (string)line["event"]!));
        Assert.Equal("The quick brown fox jumps over the lazy dog.", (string)lines[^1]["text"]!);
        Assert.InRange((int)lines[^1]["committedLatencySeconds"]!["count"]!, 1, 9);
        var captions = lines[1..^1];
        Assert.Equal("committed", (string)captions[^1]["update"]!["state"]!);
        Assert.All(captions, caption => Assert.True((double)caption["latencySeconds"]! >= 0));
    }

    /// <summary>What the tests drive is built by the scripts, not by this project: skips the test where it is missing, fails it in CI.</summary>
    internal static void RequireBuilt(params string[] more)
    {
        string[] needed = ["artifacts/app/asr.dll", "artifacts/app/plugins/whisper-torch/plugin.json", "src/Host/ClientApp/node_modules/@microsoft/signalr/package.json", .. more];
        if (needed.FirstOrDefault(path => !File.Exists(Path.Combine(Fixtures.RepositoryRoot, path))) is { } missing)
        {
            var reason = $"{missing} is not there: eng/setup.sh --test and eng/build.sh bring it.";
            if (Environment.GetEnvironmentVariable("CI") == "true")
            {
                Assert.Fail(reason);
            }

            Assert.Skip(reason);
        }
    }

    /// <summary>Runs a script with Node.js; what it printed.</summary>
    internal static Task<string> RunNodeAsync(IReadOnlyList<string> arguments) => RunAsync("node", arguments);

    /// <summary>Runs a program to its end; what it printed.</summary>
    internal static async Task<string> RunAsync(string program, IReadOnlyList<string> arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = Fixtures.RepositoryRoot, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["OMP_NUM_THREADS"] = "1";
        start.Environment["OMP_WAIT_POLICY"] = "PASSIVE";
        using var process = Process.Start(start)!;
        await using var kill = TestContext.Current.CancellationToken.Register(() => process.Kill(entireProcessTree: true));
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0, errors);
        return await output;
    }
}
