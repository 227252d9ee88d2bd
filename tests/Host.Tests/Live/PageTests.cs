using System.Text.Json.Nodes;
using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Live;

/// <summary>The page in a real browser, over a host with a real model; tests/Browser/page.mjs acts and reports.</summary>
public sealed class PageTests
{
    private const string Correction = "A text that a person gave.";

    [Fact]
    public async Task Page_GivenAFile_CaptionsItOverABrokenConnectionForItsUserAndForAViewer()
    {
        var report = await RunAsync("file");
        Assert.NotEqual("", (string)report["tentative"]!);
        Assert.InRange((int)report["cuts"]!, 1, 20);

        // The whole file arrived, once: 3.438 s at 16 kHz. (What a model hears while the connection is away depends on when it comes back.)
        Assert.Equal(55_015, (long)report["session"]!["acknowledgedSamples"]!);
        Assert.NotEmpty(report["speaker"]!["segments"]!.AsArray());
        Assert.Equal(Strings(report["speaker"]!["segments"]), Strings(report["viewer"]!["segments"]));
        foreach (var page in new[] { report["speaker"]!, report["viewer"]! })
        {
            AssertEnded(page);
        }
    }

    [Fact]
    public async Task Page_WithAMicrophone_CaptionsItGoesOnAfterAReloadAndShowsACorrectionToEverybody()
    {
        var report = await RunAsync("microphone");
        Assert.True((bool)report["level"]!);

        // What was committed is there again after the reload.
        var before = Strings(report["before"]!["segments"]);
        Assert.NotEmpty(before);
        Assert.Equal(before, Strings(report["reloaded"]!["segments"]).Take(before.Length));
        Assert.Equal(new[] { Correction, Correction, Correction }, new[] { "viewer", "speaker", "overlay" }.Select(page => (string)report["corrected"]![page]!));

        // Speaker and viewer agree on everything, and nothing was lost or said twice.
        AssertEnded(report["speaker"]!);
        AssertEnded(report["viewer"]!);
        Assert.Equal(Strings(report["speaker"]!["segments"]), Strings(report["viewer"]!["segments"]));
        Assert.StartsWith(Correction, string.Join(' ', Strings(report["speaker"]!["segments"]).Where(text => text.Length > 0)), StringComparison.Ordinal);
        Assert.True(Strings(report["speaker"]!["segments"]).Length >= before.Length);
    }

    [Fact]
    public async Task Overlay_WithAQuery_ShowsCaptionsAsItSaysOnATransparentGround()
    {
        var overlay = (await RunAsync("overlay"))["overlaid"]!;
        Assert.NotEqual("", (string)overlay["text"]!);
        Assert.Equal("rgba(0, 0, 0, 0)rgba(0, 0, 0, 0)", (string)overlay["background"]!);
        Assert.Equal("hidden", (string)overlay["overflow"]!);
        Assert.Equal("rgb(255, 238, 0)", (string)overlay["colour"]!);
        Assert.Equal("left", (string)overlay["align"]!);
        Assert.Equal(2, (int)overlay["lines"]!);
    }

    [Fact]
    public async Task Page_OnAPhone_PlaysASampleClipAndIsNeverWiderThanTheScreen()
    {
        var report = await RunAsync("sample");
        Assert.Equal(["start", "running", "menu", "sessions", "corrections", "learning", "system"], report["widths"]!.AsObject().Select(width => width.Key));
        Assert.All(report["widths"]!.AsObject(), width => Assert.Equal(360, (int)width.Value!));

        // The whole clip was heard: 8.68 s at 16 kHz.
        Assert.InRange((long)report["session"]!["acknowledgedSamples"]!, 138_000, 140_000);
        Assert.Equal("session ended", (string)report["shown"]!["connection"]!);
        Assert.Contains("ended", (string)report["listed"]!, StringComparison.Ordinal);
        Assert.Contains("base model", (string)report["learning"]!, StringComparison.Ordinal);
        Assert.Contains("micro", (string)report["system"]!, StringComparison.Ordinal);
        Assert.Contains("whisper-torch", (string)report["system"]!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Page_WithTheDemoModel_ItsLessonWaitsForTheClipThatItIsAbout()
    {
        var model = Path.Combine(Fixtures.RepositoryRoot, "models", "demo");
        LiveHostTests.RequireBuilt("/usr/bin/chromium", "artifacts/app/wwwroot/index.html");
        var data = Directory.CreateTempSubdirectory("asr-page-lesson-").FullName;
        try
        {
            await using var host = await HostProcess.StartAsync("--model", model, "--data-dir", data);
            var report = await RunAgainstAsync("lesson", host.Url);
            Assert.Equal(["step 1 of 4", "step 1 of 4", "step 2 of 4"], report["steps"]!.AsArray().Select(step => (string)step!));
        }
        finally
        {
            Directory.Delete(data, recursive: true);
        }
    }

    [Fact]
    public async Task Page_WhenTheMicrophoneIsRefused_SaysWhatToDoAndStartsNoSession()
    {
        var report = await RunAsync("refusal");
        Assert.StartsWith("The microphone was refused: allow it", (string)report["refused"]!["message"]!, StringComparison.Ordinal);
        Assert.Equal(0, (int)report["sessions"]!);
        Assert.True((bool)report["canStart"]!);
    }

    [Fact]
    public async Task Page_OfAHostThatWantsAKey_AsksForItOnceAndCanDeleteASession()
    {
        var model = Fixtures.Path("micro");
        LiveHostTests.RequireBuilt("/usr/bin/chromium", "artifacts/app/wwwroot/index.html");
        var data = Directory.CreateTempSubdirectory("asr-page-keys-").FullName;
        try
        {
            var program = Path.Combine(Fixtures.RepositoryRoot, "artifacts", "app", "asr.dll");
            var key = (await LiveHostTests.RunAsync("dotnet", [program, "keys", "create", "--role", "admin", "--data-dir", data])).Trim();
            await using var host = await HostProcess.StartAsync("--model", model, "--data-dir", data);
            var report = await RunAgainstAsync("keys", host.Url, "--key", key);
            Assert.DoesNotContain("key", (string)report["address"]!, StringComparison.Ordinal);
            AssertEnded(report["reloaded"]!);
            Assert.NotEmpty(report["reloaded"]!["segments"]!.AsArray());
            Assert.Equal("", (string)report["message"]!);
        }
        finally
        {
            Directory.Delete(data, recursive: true);
        }
    }

    [Fact]
    public async Task Page_ACaptionCorrectedByKeyboard_IsOneTextAndReadsExactlyAsTyped()
    {
        const string text = "The quick brown fox hops right over the lazy dog.";
        var report = await RunAsync("correcting", "--text", text);
        var heard = Strings(report["heard"]);
        Assert.Single(heard);
        Assert.Equal(heard[0], (string)report["text"]!);
        Assert.Equal(heard[0], string.Join(' ', Strings(report["segments"])));
        Assert.Equal(heard, Strings(report["left"]));
        Assert.InRange((int)report["played"]!, 1, 10);

        Assert.Equal([text], Strings(report["corrected"]));
        Assert.Equal([text], Strings(report["seen"]));
        Assert.Equal(text + "\n", (string)report["exported"]!);
        Assert.Equal("", (string)report["shown"]!["message"]!);
    }

    [Fact]
    public async Task Utterance_WhateverIsTyped_IsDividedAmongItsSegmentsWithNothingLost()
    {
        LiveHostTests.RequireBuilt();
        var report = JsonNode.Parse(await LiveHostTests.RunNodeAsync(["tests/Browser/utterance.mjs"]))!;
        Assert.Equal(0, (int)report["wrong"]!);
        var cases = report["cases"]!.AsObject();
        Assert.All(cases, one => Assert.True((bool)one.Value!["isExact"]!, one.Key));

        // Words stay in the segment where they were heard; what was misheard takes its correction.
        Assert.Equal(["the doctor gave", "her the drive", "in"], Strings(cases["unchanged"]!["texts"]));
        Assert.Equal(["the doctor gave", "her dorvalin", "for the pain"], Strings(cases["replacedAcross"]!["texts"]));
        Assert.Equal(["is there any velodrix", "left in the kitchen"], Strings(cases["insertedAtABorder"]!["texts"]));
        Assert.Equal(["please bring the", "big velo drix", "to the office"], Strings(cases["insertedBesideAChange"]!["texts"]));
        Assert.Equal(["Hello, world!", "How are you?"], Strings(cases["respelled"]!["texts"]));
        Assert.Equal(["", "the answer is", "four"], Strings(cases["removed"]!["texts"]));
        Assert.Equal(["今天天气", "很好"], Strings(cases["unspaced"]!["texts"]));
    }

    [Fact]
    public async Task Worklet_GivenTonesAtADevicesRate_ResamplesThemWithoutClicksOrAliases()
    {
        LiveHostTests.RequireBuilt();
        var report = JsonNode.Parse(await LiveHostTests.RunNodeAsync(["tests/Browser/resampler.mjs"]))!;
        foreach (var rate in report.AsArray())
        {
            Assert.InRange((double)rate!["errorDecibels"]!, -400, -60);
            Assert.InRange((double)rate["aliasDecibels"]!, -400, -60);
            Assert.Equal((long)rate["expectedSamples"]!, (double)rate["samples"]!, 100.0);
        }
    }

    private static async Task<JsonNode> RunAsync(string scenario, params string[] options)
    {
        var model = Fixtures.Path("micro");
        LiveHostTests.RequireBuilt("/usr/bin/chromium", "artifacts/app/wwwroot/index.html");
        await using var host = await HostProcess.StartAsync("--model", model);
        return await RunAgainstAsync(scenario, host.Url, options);
    }

    private static async Task<JsonNode> RunAgainstAsync(string scenario, string url, params string[] options)
    {
        var wav = Fixtures.Path("audio/fox.wav");
        var report = JsonNode.Parse(await LiveHostTests.RunNodeAsync(["tests/Browser/page.mjs", "--scenario", scenario, "--url", url, "--wav", wav, .. options]))!;

        // While the model is being loaded the page asks again and again whether it is there; that answer is an error to the browser. So is
        // a connection that is cut, and a key that is refused.
        Assert.All(Strings(report["errors"]), error => Assert.Matches("health/ready|ERR_(CONNECTION|EMPTY)|WebSocket|status of 401", error));
        return report;
    }

    private static void AssertEnded(JsonNode page)
    {
        Assert.Equal("session ended", (string)page["connection"]!);
        Assert.Equal("", (string)page["message"]!);
        Assert.Empty(page["tentative"]!.AsArray());
    }

    private static string[] Strings(JsonNode? list) => [.. list!.AsArray().Select(item => (string)item!)];
}
