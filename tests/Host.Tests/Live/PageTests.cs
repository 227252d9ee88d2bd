using System.Text.Json.Nodes;
using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Live;

/// <summary>The page in a real browser, over a host with a real model.</summary>
public sealed class PageTests
{
    private const string Text = "The quick brown fox jumps over the lazy dog.";

    [Fact]
    public async Task Page_GivenAFile_CaptionsItForItsUserAndForAViewer()
    {
        var wav = Fixtures.Path("audio/fox.wav");
        var model = Fixtures.Path("micro");
        LiveHostTests.RequireBuilt("/usr/bin/chromium", "artifacts/app/wwwroot/index.html");
        await using var host = await HostProcess.StartAsync("--model", model);
        var report = JsonNode.Parse(await LiveHostTests.RunNodeAsync(["tests/Browser/page.mjs", "--url", host.Url, "--wav", wav]))!;

        Assert.NotEqual("", (string)report["tentative"]!);
        foreach (var page in new[] { report["speaker"]!, report["viewer"]! })
        {
            Assert.Equal("session ended", (string)page["connection"]!);
            Assert.Equal("", (string)page["message"]!);
            Assert.Equal(Text, (string)page["lines"]!.AsArray().Single()!);
            Assert.Equal("", (string)page["tentative"]!);
        }

        // While the model is being loaded the page asks again and again whether it is there; that answer is an error to the browser.
        Assert.All(report["errors"]!.AsArray(), error => Assert.Contains("health/ready", (string)error!, StringComparison.Ordinal));
    }
}
