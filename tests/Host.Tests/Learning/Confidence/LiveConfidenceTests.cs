using AsrPlatform.Abstractions.Corrections;
using AsrPlatform.Host.Learning.Confidence;
using AsrPlatform.Host.Tests.Live;
using Microsoft.Extensions.Logging.Abstractions;
using static AsrPlatform.Host.Tests.Live.LiveHarness;

namespace AsrPlatform.Host.Tests.Learning.Confidence;

/// <summary>Calibration in running sessions, and what a session leaves to calibrate by.</summary>
public sealed class LiveConfidenceTests
{
    [Fact]
    public async Task Session_WithACalibration_ShowsAndKeepsIt()
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer);
        live.Model.Confidence.Use([ConfidenceFitTests.Map("base", 2, DateTimeOffset.UnixEpoch)]);
        var session = await live.OpenAsync();
        await SendAsync(session, new SpokenAudio().Say(1, 2, 3));
        await session.EndAsync(Cancelled);
        var words = Assert.Single(session.Captions).Words;

        // The recogniser says 0.9: log odds of 2.2, halved.
        Assert.All(words, word => Assert.Equal(0.75, word.Confidence, 1e-6));
        Assert.All(words, word => Assert.Equal(0.9, word.ModelConfidence!.Value, 1e-9));
        var suggestion = Assert.Single(new ConfidenceStore(live.Folder).Suggest(session.Id, 5, live.Model.Confidence));
        Assert.Equal("w1 w2 w3", suggestion.Text);
        Assert.Equal(0.75, suggestion.ExpectedWrong, 1e-6);
    }

    [Fact]
    public async Task Session_ThatIsCorrected_IsFittedByTheModelsOwnProbabilities()
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer);
        live.Model.Confidence.Use([ConfidenceFitTests.Map("base", 2, DateTimeOffset.UnixEpoch)]);
        var session = await live.OpenAsync();
        var audio = new SpokenAudio();
        for (var utterance = 0; utterance < 6; utterance++)
        {
            audio.Say([.. Enumerable.Range(0, 10)]).Silence(1);
        }

        await SendAsync(session, audio);
        await session.EndAsync(Cancelled);
        foreach (var caption in session.Captions.ToArray())
        {
            var text = string.Join(' ', caption.Text.Split(' ').Select(word => word[1] < '6' ? word : "x"));
            await live.Sessions.CorrectAsync(new Correction { Id = $"c{caption.SegmentId}", SessionId = session.Id, SegmentId = caption.SegmentId, Sequence = caption.Sequence, Text = text });
        }

        var store = new ConfidenceStore(live.Folder);
        var updates = new ConfidenceUpdates(store, live.Model, TimeProvider.System, NullLogger<ConfidenceUpdates>.Instance);
        var map = Assert.Single(store.Fit(TimeProvider.System.GetUtcNow()).Fitted);
        Assert.Equal((60, 36), (map.Words, map.Right));
        Assert.Equal(0.3, map.Before.CalibrationError, 1e-6);
        Assert.InRange(map.After.CalibrationError, 0, 0.2);

        // The host takes over what is in the folder.
        updates.Refresh();
        Assert.Equal(map.FittedAt, Assert.Single(live.Model.Confidence.All).FittedAt);
        await updates.DisposeAsync();
    }
}
