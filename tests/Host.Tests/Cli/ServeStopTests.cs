using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Host.Cli;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Live.Client;
using AsrPlatform.Host.Tests.Api;
using AsrPlatform.Host.Tests.Live;

namespace AsrPlatform.Host.Tests.Cli;

/// <summary>How the service ends; as a process of its own with a real model: <see cref="LiveHostTests"/>.</summary>
public sealed class ServeStopTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Stop_InTheMiddleOfASentence_GivesViewersItsLastWords()
    {
        await using var host = await TestHost.StartAsync();
        await using var speaker = await host.ConnectAsync();
        await using var viewer = await host.ConnectAsync();
        var session = (await speaker.StartSessionAsync(new StartSessionRequest(), Cancelled)).SessionId;
        var first = new TaskCompletionSource();
        var watching = WatchAsync(viewer, session, first);
        await TestHost.SendAudioAsync(speaker, session, LiveHarness.Chunks(new SpokenAudio().Say(1, 2, 3).Samples));

        // Who is not there yet when the host stops is no viewer.
        await Task.WhenAny(first.Task, watching);
        await ServeCommand.StopAsync(host.App);
        var last = (await watching)[^1];
        Assert.Equal((CaptionState.Committed, "w1 w2 w3"), (last.State, last.Text));
    }

    [Fact]
    public async Task Stop_WhileTheRecogniserHangs_EndsAllTheSame()
    {
        await using var host = await TestHost.StartAsync(("Live:ShutdownTimeout", "00:00:00.2"));
        await using var speaker = await host.ConnectAsync();
        var session = (await speaker.StartSessionAsync(new StartSessionRequest(), Cancelled)).SessionId;
        await TestHost.SendAudioAsync(speaker, session, LiveHarness.Chunks(new SpokenAudio().Say(1, 2).Silence(2).Samples));
        await LiveHarness.EventuallyAsync(() => host.Sessions.Get(session).Captions is [{ State: CaptionState.Committed }], "the first caption");
        host.Recognizer.Gate.Reset();
        await TestHost.SendAudioAsync(speaker, session, LiveHarness.Chunks(new SpokenAudio().Say(3).Silence(2).Samples), host.Sessions.Get(session).Position.AcknowledgedSamples);

        await ServeCommand.StopAsync(host.App);
        Assert.Equal("w1 w2", host.Sessions.Get(session).Captions[0].Text);
        Assert.Contains(host.Logs.GetSnapshot(), record => record.Message.StartsWith("1 sessions were not finished within Live:ShutdownTimeout: what they acknowledged is kept", StringComparison.Ordinal));
        await Assert.ThrowsAnyAsync<AsrException>(() => host.ConnectAsync());
        host.Recognizer.Gate.Set();
    }

    private static async Task<List<CaptionUpdate>> WatchAsync(LiveClient client, string session, TaskCompletionSource first)
    {
        List<CaptionUpdate> updates = [];
        await foreach (var update in client.WatchCaptionsAsync(session, 0, Cancelled))
        {
            updates.Add(update);
            first.TrySetResult();
        }

        return updates;
    }
}
