using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Host.Learning.Confidence;
using AsrPlatform.Host.Live;
using AsrPlatform.Whisper.Streaming;
using Microsoft.Extensions.Time.Testing;
using static AsrPlatform.Host.Tests.Live.LiveHarness;

namespace AsrPlatform.Host.Tests.Live;

/// <summary>Sessions whose words become final while somebody speaks.</summary>
public sealed class LivePolicyTests
{
    private static readonly int[] Words = [.. Enumerable.Range(0, 60).Select(word => word * 5 % SpokenAudio.Words)];

    [Theory]
    [InlineData(800)]
    [InlineData(1600)]
    [InlineData(8000)]
    public async Task Session_OfLongSpeech_CommitsTheSameSegmentsHoweverTheAudioComes(int chunk)
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer, Agreeing());
        var session = await live.OpenAsync();
        await SendAsync(session, 0, Chunks(new SpokenAudio().Say(Words).Samples, chunk));
        await session.EndAsync(Cancelled);
        Assert.Equal(SpokenAudio.Text(Words), Committed(session.Captions));
        Assert.InRange(session.Captions.Length, 15, 40);
        Assert.All(session.Captions.Zip(session.Captions.Skip(1)), pair => Assert.Equal(pair.First.EndSample, pair.Second.StartSample));

        // All of it at once, in another session.
        var other = await live.OpenAsync();
        await SendAsync(other, 0, Chunks(new SpokenAudio().Say(Words).Samples, 4096));
        await other.EndAsync(Cancelled);
        Assert.Equal(session.Captions.Select(caption => (caption.Text, caption.StartSample, caption.EndSample)), other.Captions.Select(caption => (caption.Text, caption.StartSample, caption.EndSample)));
    }

    [Fact]
    public async Task Session_WhileSomebodySpeaks_CommitsWordsThatNeverChange()
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer, Agreeing());
        var session = await live.OpenAsync();
        var watching = WatchAsync(session);
        var audio = new SpokenAudio().Say(Words).Samples;
        await SendAsync(session, 0, Chunks(audio.AsSpan(0, 8 * SpokenAudio.SampleRateHz)));
        await EventuallyAsync(() => Committed(session.Captions).Split(' ').Length >= 15, "words are committed before anybody pauses");
        var early = Committed(session.Captions);
        await SendAsync(session, session.Position.AcknowledgedSamples, Chunks(audio.AsSpan(8 * SpokenAudio.SampleRateHz)));
        await session.EndAsync(Cancelled);
        Assert.StartsWith(early, Committed(session.Captions), StringComparison.Ordinal);
        var updates = await watching;
        Assert.All(updates.GroupBy(update => update.SegmentId), segment =>
        {
            Assert.Single(segment, update => update.State == CaptionState.Committed);
            Assert.Equal(CaptionState.Committed, segment.Last().State);
        });
        Assert.Contains(updates, update => update.State == CaptionState.Tentative);
    }

    [Fact]
    public async Task Session_WhenTheRecognizerIsFarTooSlow_IsToldItsLagAndLosesNoWord()
    {
        var time = new FakeTimeProvider();
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer, Agreeing(), time);
        var session = await live.OpenAsync();
        recognizer.Gate.Reset();
        var audio = new SpokenAudio().Say(Words).Samples;
        var (before, begun) = (recognizer.Calls.Count, recognizer.Begun);
        for (var second = 0; second < 18; second++)
        {
            await SendAsync(session, second * 16000, Chunks(audio.AsSpan(second * 16000, Math.Min(16000, audio.Length - (second * 16000)))));
            await EventuallyAsync(() => recognizer.Begun > begun, "the recogniser begins, and gets stuck");
            time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.InRange(session.LagSeconds, 15, 18);
        Assert.Equal(session.LagSeconds, session.Describe().LagSeconds, 0.01);
        recognizer.Gate.Set();
        await EventuallyAsync(() => session.LagSeconds == 0, "the lag is made up for");

        // 18 s of speech have 22 steps of 0.8 s: those that are late by more than MaximumLag are one.
        Assert.InRange(recognizer.Calls.Count - before, 1, 14);
        await session.EndAsync(Cancelled);
        Assert.Equal(SpokenAudio.Text(Words), Committed(session.Captions));
    }

    [Fact]
    public async Task Session_OfSilenceAfterSpeech_IsNotDecodedAnyMore()
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer, Agreeing());
        var session = await live.OpenAsync();
        await SendAsync(session, new SpokenAudio().Say(1, 2, 3, 4, 5).Silence(1));
        await EventuallyAsync(() => session.Captions.Length > 0 && session.Captions[^1].State == CaptionState.Committed, "the utterance is committed");
        var calls = recognizer.Calls.Count;
        await SendAsync(session, new SpokenAudio().Silence(60));
        await session.EndAsync(Cancelled);
        Assert.Equal(calls, recognizer.Calls.Count);
    }

    [Fact]
    public async Task Sessions_AtTheSameTime_EachCommitTheirOwnWords()
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer, Agreeing());
        var sessions = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => live.OpenAsync()));
        await Task.WhenAll(sessions.Select((session, index) => SendAsync(session, new SpokenAudio().Say([.. Words.Select(word => (word + index) % SpokenAudio.Words)]))));
        await Task.WhenAll(sessions.Select(session => session.EndAsync(Cancelled)));
        Assert.All(sessions.Index(), pair => Assert.Equal(
            SpokenAudio.Text(Words.Select(word => (word + pair.Index) % SpokenAudio.Words)), Committed(pair.Item.Captions)));
    }

    /// <summary>As it is calibrated at that moment, and not as the model says: 0.9 of that one is 0.75.</summary>
    [Fact]
    public void EarlyCommit_ByTheHostsCalibration_LetsSureWordsBeFinalEarlier()
    {
        var maps = new ConfidenceMaps();
        var options = new LiveOptions { EarlyCommitConfidence = 0.8, EarlyCommitHoldBack = TimeSpan.FromSeconds(0.3) };
        var policy = (options.Streaming() with { Calibrate = maps.Calibrate }).NewPolicy(isSeq2Seq: true, hasAttention: true, givesAttention: true)();
        var heard = new StreamHypothesis { Words = [new StreamWord(" now", 1, 1.4, 0.9) { AttendedTo = 1.5 }], Seconds = 2 };
        Assert.Equal(1, policy.Settle(heard.Words, heard, 2, isFinal: false));
        maps.Use([new ConfidenceMap
        {
            AdapterVersion = "base",
            Method = CalibrationMethod.Temperature,
            Temperature = 2,
            Words = 100,
            Right = 50,
            Captions = 10,
            Before = default,
            After = default,
            FittedAt = DateTimeOffset.UnixEpoch,
        }]);
        Assert.Equal(0.75, maps.Calibrate(0.9, "base"), 1e-6);
        Assert.Equal(0, policy.Settle(heard.Words, heard, 2, isFinal: false));

        // Off by default.
        Assert.Equal(0, new LiveOptions().Streaming().NewPolicy(isSeq2Seq: true, hasAttention: true, givesAttention: true)().Settle(heard.Words, heard, 2, isFinal: false));
        Assert.Equal(
            ["Live:EarlyCommitHoldBack is 00:00:09; it must be 0.02 s … 5 s.", "Live:EarlyCommitConfidence is 0.3; it must be 0.5 … 1."],
            options.Validate(null, new LiveOptions { EarlyCommitConfidence = 0.3, EarlyCommitHoldBack = TimeSpan.FromSeconds(9) }).Failures);
    }

    private static LiveOptions Agreeing()
    {
        var options = ShortPauses();
        options.Policy = "localagreement";
        return options;
    }

    private static string Committed(IEnumerable<CaptionUpdate> captions) =>
        string.Join(' ', captions.Where(caption => caption.State == CaptionState.Committed).Select(caption => caption.Text));
}
