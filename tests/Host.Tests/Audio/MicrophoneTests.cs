using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Diagnostics;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Live.Client;
using AsrPlatform.Host.Tests.Api;
using AsrPlatform.Host.Tests.Live;
using AsrPlatform.Host.Tests.Plugins;

namespace AsrPlatform.Host.Tests.Audio;

/// <summary>Microphones of a plugin.</summary>
public sealed class MicrophoneTests : IDisposable
{
    private readonly PluginsFolder _plugins = new();

    public MicrophoneTests() => _plugins.Add("microphones");

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(null, "Headset")]
    [InlineData("{0}", "Desk microphone")]
    [InlineData("headset", "Headset")]
    [InlineData("desk", "Desk microphone")]
    public async Task Open_ByIdNameOrAPartOfIt_FindsTheDevice(string? device, string expected)
    {
        await using var catalog = _plugins.Load();
        using var microphone = Microphone.Open(catalog, device);
        Assert.Equal(expected, microphone.Name);
    }

    [Theory]
    [InlineData("microphone", "more than one microphone is 'microphone'; there are 'Desk microphone', 'Headset', 'Broken microphone'")]
    [InlineData("other", "no microphone is 'other'; there are 'Desk microphone', 'Headset', 'Broken microphone'")]
    [InlineData("broken", "the microphone is in use")]
    public async Task Open_WhatIsNotThereOrCannotBeUsed_SaysSo(string device, string message)
    {
        await using var catalog = _plugins.Load();
        Assert.Equal(message, Assert.Throws<AsrException>(() => Microphone.Open(catalog, device)).Message);
    }

    [Fact]
    public async Task Open_WithoutAnyCapture_SaysSo()
    {
        using var none = new PluginsFolder();
        await using var catalog = none.Load();
        Assert.Contains("no capture is loaded", Assert.Throws<AsrException>(() => Microphone.Open(catalog, null)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_UntilTheMicrophoneIsStopped_CaptionsAllThatWasSaid()
    {
        await using var catalog = _plugins.Load(("Plugins:microphones:Pcm", Pcm(new SpokenAudio().Say(1, 2).Silence(1).Say(3))));
        await using var host = await TestHost.StartAsync();
        await using var client = await host.ConnectAsync();
        using var microphone = Microphone.Open(catalog, null);
        var stopped = false;
        var result = await new LiveRun(client, TimeProvider.System).RunAsync(
            microphone,
            new StartSessionRequest(),
            pace: 0,
            onStarted: null,
            caption =>
            {
                // Nobody speaks any more, and nothing ends before the user says so.
                if (caption.Update.Text == "w1 w2" && !stopped)
                {
                    stopped = true;
                    microphone.Stop();
                }
            },
            Cancelled);
        Assert.True(stopped);
        Assert.Equal(["w1 w2", "w3"], result.Captions.Select(caption => caption.Text));
    }

    [Fact]
    public async Task Stream_WithAMicrophone_PrintsWhatIsSaid()
    {
        LiveHostTests.RequireBuilt();
        await using var host = await TestHost.StartAsync();
        var lines = (await LiveHostTests.RunAsync(
            "env",
            [
                $"ASR_Plugins__microphones__Pcm={Pcm(new SpokenAudio().Say(4, 5))}", "ASR_Plugins__microphones__Ends=1",
                "dotnet", Path.Combine(AsrPlatform.Tests.Fixtures.RepositoryRoot, "artifacts", "app", "asr.dll"),
                "stream", "--microphone", "Headset", "--url", host.Url.ToString(), "--plugins-dir", _plugins.Root, "--json",
            ])).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("w4 w5", (string)JsonNode.Parse(lines[^1])!["text"]!);
    }

    [Fact]
    public async Task Examine_WithACapture_ListsItsMicrophones()
    {
        await using var catalog = _plugins.Load();
        var report = await Doctor.ExamineAsync(catalog, Cancelled);
        Assert.Equal(
            ["test Desk microphone: {0}", "test Headset: the default", "test Broken microphone: {2}"],
            report.Sections.Single(section => section.Name == "microphones").Items.Select(item => $"{item.Name}: {item.Value}"));
    }

    public void Dispose() => _plugins.Dispose();

    private string Pcm(SpokenAudio audio)
    {
        var path = Path.Combine(_plugins.Beside("pcm"), "said.pcm");
        File.WriteAllBytes(path, MemoryMarshal.AsBytes<short>(audio.Samples).ToArray());
        return path;
    }
}
