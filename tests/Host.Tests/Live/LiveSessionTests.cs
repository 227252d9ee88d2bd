using System.Threading.Channels;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Abstractions.Corrections;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Serving;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using static AsrPlatform.Host.Tests.Live.LiveHarness;

namespace AsrPlatform.Host.Tests.Live;

public sealed class LiveSessionTests
{
    [Fact]
    public async Task Session_OfTwoUtterances_CommitsEachAtItsPauseAndTheTailAtTheEnd()
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer);
        var session = await live.OpenAsync();
        await SendAsync(session, new SpokenAudio().Say(1, 2, 3, 4, 5).Silence(1).Say(6, 7));
        var position = await session.EndAsync(Cancelled);

        Assert.Equal(SessionState.Ended, session.State);
        Assert.Equal(["w1 w2 w3 w4 w5", "w6 w7"], session.Captions.Select(caption => caption.Text));
        Assert.All(session.Captions, caption => Assert.Equal(CaptionState.Committed, caption.State));
        Assert.Equal([1L, 2], session.Captions.Select(caption => caption.SegmentId));
        Assert.Equal(position.LastSequence, session.Captions[^1].Sequence);
        Assert.Equal(2.5 * SpokenAudio.SampleRateHz, session.Captions[1].Words[0].Start * SpokenAudio.SampleRateHz, 200d);
        Assert.Equal(position.AcknowledgedSamples, session.Captions[1].EndSample);
    }

    [Fact]
    public async Task Session_WhileSomeoneSpeaks_ShowsTentativeTextThatGrows()
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer);
        var session = await live.OpenAsync();
        var watching = WatchAsync(session);
        var audio = new SpokenAudio().Say([.. Enumerable.Range(0, 14)]).Samples;
        for (var second = 0; second < 4; second++)
        {
            var count = second + 1;
            await SendAsync(session, second * 16000, Chunks(audio.AsSpan(second * 16000, 16000)));
            await EventuallyAsync(() => recognizer.Calls.Count == count, "a decoding");
        }

        await session.EndAsync(Cancelled);
        var updates = await watching;
        Assert.Equal([.. Enumerable.Repeat(CaptionState.Tentative, 4), CaptionState.Committed], updates.Select(update => update.State));
        Assert.All(updates.Zip(updates.Skip(1)), pair => Assert.StartsWith(pair.First.Text, pair.Second.Text, StringComparison.Ordinal));
        Assert.Equal([1, 2, 3, 4, 5], updates.Select(update => update.Revision));
        Assert.All(updates, update => Assert.Equal(1, update.SegmentId));
    }

    [Fact]
    public async Task Session_ThatFailsWhileASenderWrites_IsOverOnlyWhenTheSenderIs()
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer);
        using var journal = new SlowJournal();
        var session = new LiveSession(
            "talk",
            new SessionSettings(SpokenAudio.SampleRateHz, null, TranscriptionTask.Transcribe),
            await live.Model.ReadyAsync(Cancelled),
            live.Model,
            new SpeechWindow(live.Options, SpokenAudio.SampleRateHz, new AdaptiveVoiceActivityDetector(SpokenAudio.SampleRateHz)),
            new SessionAdapter(AdapterLease.None),
            journal,
            live.Options,
            new LiveMetrics(live.Meters),
            TimeProvider.System,
            NullLogger.Instance);
        var sending = Task.Run(() => SendAsync(session, new SpokenAudio().Say(1)));
        await journal.Writing.Task;
        session.Fail(new AsrException("no disk"));
        await EventuallyAsync(() => session.State == SessionState.Failed, "it fails");
        Assert.False(session.Completion.IsCompleted);

        journal.Finish();
        await Assert.ThrowsAsync<AsrException>(() => sending);
        await session.Completion;
        await session.DisposeAsync();
    }

    [Fact]
    public async Task Session_OfSilence_DecodesNothing()
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer);
        var session = await live.OpenAsync();
        await SendAsync(session, new SpokenAudio().Silence(120));
        await session.EndAsync(Cancelled);
        Assert.Empty(recognizer.Calls);
        Assert.Empty(session.Captions);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    public async Task Session_OfSpeechWithoutPause_CommitsEveryWordOnce(int wordsPerSegment)
    {
        using var recognizer = new ToneRecognizer { WordsPerSegment = wordsPerSegment };
        await using var live = await StartAsync(recognizer);
        var session = await live.OpenAsync();
        int[] words = [.. Enumerable.Range(0, 350).Select(word => word * 5 % SpokenAudio.Words)];
        await SendAsync(session, new SpokenAudio().Say(words));
        await session.EndAsync(Cancelled);
        Assert.InRange(session.Captions.Length, 4, 6);
        Assert.Equal(SpokenAudio.Text(words), string.Join(' ', session.Captions.Select(caption => caption.Text)));
        Assert.All(session.Captions.Zip(session.Captions.Skip(1)), pair => Assert.Equal(pair.First.EndSample, pair.Second.StartSample));
        Assert.All(recognizer.Calls, call => Assert.InRange(call.Samples, 1, 30 * SpokenAudio.SampleRateHz));
    }

    [Fact]
    public async Task Receive_AudioSentTwice_IsHeardOnce()
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer);
        var session = await live.OpenAsync();
        var audio = new SpokenAudio().Say(1, 2, 3, 4).Samples;
        Assert.Equal(10_000, await SendAsync(session, 0, Chunks(audio.AsSpan(0, 10_000))));
        Assert.Equal(10_000, await SendAsync(session, 0, Chunks(audio.AsSpan(0, 8_000), size: 77)));
        Assert.Equal(audio.Length, await SendAsync(session, 5_000, Chunks(audio.AsSpan(5_000))));
        await session.EndAsync(Cancelled);
        Assert.Equal("w1 w2 w3 w4", Assert.Single(session.Captions).Text);
        Assert.Equal(audio.Length, session.Position.AcknowledgedSamples);
    }

    [Theory]
    [InlineData(8_000)]
    [InlineData(44_100)]
    [InlineData(48_000)]
    public async Task Receive_AudioOfAnotherRate_IsHeardAndCaptionedInItsOwnSamples(int sampleRateHz)
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer);
        var position = await live.Sessions.StartSessionAsync(new StartSessionRequest { SampleRateHz = sampleRateHz }, Cancelled);
        var session = live.Sessions.Get(position.SessionId);
        var audio = new SpokenAudio().Say(1, 2, 3, 4, 5).Silence(1).Say(6, 7, 8).Samples;
        var resampled = new List<short>();
        var converter = new Resampler(SpokenAudio.SampleRateHz, sampleRateHz);
        converter.Write([.. audio.Select(sample => sample / 32768f)]);
        converter.Complete();
        var block = new float[1000];
        while (converter.Read(block) is > 0 and var count)
        {
            resampled.AddRange(block.Take(count).Select(sample => (short)Math.Clamp(sample * 32768, short.MinValue, short.MaxValue)));
        }

        Assert.Equal(resampled.Count, await SendAsync(session, 0, Chunks(resampled.ToArray(), 999)));
        await session.EndAsync(Cancelled);

        // A square wave loses its edges on the way: how high it still is decides which word is read, so only times and counts are sure.
        Assert.Equal([5, 3], session.Captions.Select(caption => caption.Words.Count));
        Assert.Equal(resampled.Count, session.Captions[1].EndSample);
        Assert.InRange(session.Captions[1].StartSample / (double)sampleRateHz, 1.9, 2.2);
        Assert.InRange(session.Captions[1].Words[0].Start, 2.45, 2.55);
    }

    [Fact]
    public async Task Receive_AudioWithAGap_IsRefusedWithTheOffsetToSendFrom()
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer);
        var session = await live.OpenAsync();
        await SendAsync(session, 0, Chunks(new short[3000]));
        var error = await Assert.ThrowsAsync<AsrException>(() => SendAsync(session, 3001, Chunks(new short[100])));
        Assert.EndsWith("send from 3000", error.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<AsrException>(() => SendAsync(session, -1, Chunks(new short[100])));
        Assert.Equal(3100, await SendAsync(session, 3000, Chunks(new short[100])));
    }

    [Theory]
    [InlineData("AAA", "not valid base64")]
    [InlineData("AAAA", "3 bytes: PCM16 samples are 2 bytes")]
    [InlineData(null, "16386 bytes; 16384 at most")]
    public async Task Receive_ABadChunk_IsRefusedAndTheSessionGoesOn(string? chunk, string message)
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer);
        var session = await live.OpenAsync();
        var error = await Assert.ThrowsAsync<AsrException>(() => SendAsync(session, 0, [chunk ?? Convert.ToBase64String(new byte[16_386])]));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Equal(8192, await SendAsync(session, 0, [Convert.ToBase64String(new byte[16_384])]));
    }

    [Fact]
    public async Task Receive_TheSameAudioFromTwoSenders_IsHeardOnce()
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer);
        var session = await live.OpenAsync();
        int[] words = [.. Enumerable.Range(0, 40)];
        var audio = new SpokenAudio().Say(words).Samples;
        await Task.WhenAll(
            Task.Run(() => SendAsync(session, 0, Chunks(audio, 1000))),
            Task.Run(() => SendAsync(session, 0, Chunks(audio, 777))));
        await session.EndAsync(Cancelled);
        Assert.Equal(audio.Length, session.Position.AcknowledgedSamples);
        Assert.Equal(SpokenAudio.Text(words), Assert.Single(session.Captions).Text);
    }

    [Fact]
    public async Task Receive_WhileTheRecognizerLags_WaitsAndLosesNothing()
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer, new LiveOptions { MaximumAhead = TimeSpan.FromSeconds(5) });
        recognizer.Gate.Reset();
        var session = await live.OpenAsync();
        int[] words = [.. Enumerable.Range(0, 300).Select(word => word % SpokenAudio.Words)];
        var sending = SendAsync(session, new SpokenAudio().Say(words));
        await EventuallyAsync(() => session.Position.AcknowledgedSamples > 34 * SpokenAudio.SampleRateHz, "the window fills");
        await Task.Delay(50, Cancelled);
        Assert.InRange(session.Position.AcknowledgedSamples, 0, 35 * SpokenAudio.SampleRateHz);
        Assert.False(sending.IsCompleted);

        recognizer.Gate.Set();
        await sending;
        await session.EndAsync(Cancelled);
        Assert.Equal(SpokenAudio.Text(words), string.Join(' ', session.Captions.Select(caption => caption.Text)));
    }

    [Fact]
    public async Task Receive_WhenItsStreamEnds_EndsNothing()
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer);
        var session = await live.OpenAsync();
        await SendAsync(session, new SpokenAudio().Say(1));
        Assert.Equal(SessionState.Active, session.State);
        await SendAsync(session, new SpokenAudio().Say(2));
        await session.EndAsync(Cancelled);
        Assert.Equal("w1 w2", Assert.Single(session.Captions).Text);
    }

    [Fact]
    public async Task End_WhileASenderIsOpen_TakesWhatHasArrivedThenEnds()
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer);
        var session = await live.OpenAsync();
        var channel = Channel.CreateUnbounded<string>();
        var acknowledged = 0L;
        var sending = Task.Run(async () =>
        {
            await foreach (var acknowledgement in session.ReceiveAsync(0, channel.Reader, Cancelled))
            {
                acknowledged = acknowledgement.AcknowledgedSamples;
            }
        });
        var audio = new SpokenAudio().Say(1, 2, 3);
        foreach (var chunk in Chunks(audio.Samples))
        {
            channel.Writer.TryWrite(chunk);
        }

        await EventuallyAsync(() => session.Position.AcknowledgedSamples > 0, "the sender is heard");
        await session.EndAsync(Cancelled);
        await sending;
        Assert.Equal(audio.Length, acknowledged);
        Assert.Equal("w1 w2 w3", Assert.Single(session.Captions).Text);
        var error = await Assert.ThrowsAsync<AsrException>(() => SendAsync(session, acknowledged, Chunks(new short[16])));
        Assert.Contains("has ended", error.Message, StringComparison.Ordinal);
        Assert.Equal(session.Position, await session.EndAsync(Cancelled));
    }

    [Fact]
    public async Task Watch_ByTwoViewers_EndsWithTheSameTextForBoth()
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer);
        var session = await live.OpenAsync();
        var early = WatchAsync(session);
        await SendAsync(session, new SpokenAudio().Say(1, 2, 3, 4, 5).Silence(1).Say(6, 7, 8, 9, 10, 11));
        await EventuallyAsync(() => session.Captions.Length > 1, "a second segment");
        var late = WatchAsync(session);
        await session.EndAsync(Cancelled);
        var texts = new[] { await early, await late }.Select(CommittedText).ToArray();
        Assert.Equal("w1 w2 w3 w4 w5|w6 w7 w8 w9 w10 w11", texts[0]);
        Assert.Equal(texts[0], texts[1]);
        var updates = await early;
        Assert.Equal(Enumerable.Range(1, updates.Count).Select(sequence => (long)sequence), updates.Select(update => update.Sequence));
        Assert.Equal(updates.Skip(2).Select(update => update.Sequence), (await WatchAsync(session, 2)).Select(update => update.Sequence));
    }

    [Fact]
    public async Task Commit_InTheMiddleOfSpeech_MakesWhatWasSaidFinalAndGoesOn()
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer);
        var session = await live.OpenAsync();
        Assert.Equal(0, (await session.CommitAsync(Cancelled)).LastSequence);

        await SendAsync(session, new SpokenAudio().Say(1, 2));
        var position = await session.CommitAsync(Cancelled);
        var committed = session.Captions.Where(caption => caption.State == CaptionState.Committed).ToArray();
        Assert.Equal("w1 w2", string.Join(' ', committed.Select(caption => caption.Text)));
        Assert.Equal(position.LastSequence, committed[^1].Sequence);
        Assert.Equal(position.AcknowledgedSamples, committed[^1].EndSample);
        Assert.Equal(SessionState.Active, session.State);

        Assert.Equal(position, await session.CommitAsync(Cancelled));
        await SendAsync(session, new SpokenAudio().Say(3));
        await session.EndAsync(Cancelled);
        Assert.Equal("w1 w2 w3", string.Join(' ', session.Captions.Select(caption => caption.Text)));
        await Assert.ThrowsAsync<AsrException>(() => session.CommitAsync(Cancelled));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Session_WhoseDecodingFails_EndsAloneWithTheError(bool isUserError)
    {
        using var recognizer = new ToneRecognizer { PoisonWord = 13, Poison = isUserError ? ToneRecognizer.UserError : () => new InvalidOperationException("engine broke") };
        await using var live = await StartAsync(recognizer);
        var broken = await live.OpenAsync();
        var healthy = await live.OpenAsync();

        // Decoded after all of it is sent: a session that fails sooner refuses the rest of the audio.
        recognizer.Gate.Reset();
        await SendAsync(broken, new SpokenAudio().Say(1, 2).Silence(1).Say(13, 14).Silence(1));
        recognizer.Gate.Set();
        await EventuallyAsync(() => broken.State == SessionState.Failed, "the session fails");
        await SendAsync(healthy, new SpokenAudio().Say(3, 4));
        await healthy.EndAsync(Cancelled);

        Assert.Equal("w3 w4", Assert.Single(healthy.Captions).Text);
        Assert.Equal("w1 w2", broken.Captions[0].Text);
        var error = await Assert.ThrowsAsync<AsrException>(() => WatchAsync(broken));
        Assert.Contains(isUserError ? "the audio is unusable" : "InvalidOperationException", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("engine broke", error.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<AsrException>(() => broken.EndAsync(Cancelled));
        await Assert.ThrowsAsync<AsrException>(() => SendAsync(broken, new SpokenAudio().Say(1)));
        Assert.Equal("failed", broken.Describe().State);
    }

    [Fact]
    public async Task Sessions_OnOneRecognizer_TakeTurnsOnOneThread()
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer);
        var sessions = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => live.OpenAsync()));
        recognizer.Gate.Reset();
        await Task.WhenAll(sessions.Select((session, index) => SendAsync(session, new SpokenAudio().Say(index, index, index, index, index).Silence(1).Say(index, index))));
        recognizer.Gate.Set();
        await Task.WhenAll(sessions.Select(session => session.EndAsync(Cancelled)));
        Assert.All(sessions.Index(), pair => Assert.Equal(
            [SpokenAudio.Text(Enumerable.Repeat(pair.Index, 5)), SpokenAudio.Text(Enumerable.Repeat(pair.Index, 2))],
            pair.Item.Captions.Select(caption => caption.Text)));
        await live.Model.StopAsync(Cancelled);
        Assert.True(recognizer.IsDisposed);
        Assert.Single(recognizer.Threads);
    }

    [Fact]
    public async Task Correct_ACommittedCaption_ShowsTheNextRevisionOnce()
    {
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer);
        var session = await live.OpenAsync();
        await SendAsync(session, new SpokenAudio().Say(1, 2).Silence(1).Say(3, 4, 5, 6, 7));
        await EventuallyAsync(() => session.Captions.Length == 2, "a second segment");
        var correction = new Correction { Id = "c1", SessionId = session.Id, SegmentId = 1, Sequence = 1, Text = " one two " };
        var shown = await live.Sessions.CorrectAsync(correction);
        Assert.Equivalent(shown, await live.Sessions.CorrectAsync(correction), strict: true);
        Assert.Equal((CaptionState.Corrected, "one two"), (shown.State, shown.Text));
        Assert.Empty(shown.Words);
        Assert.Equal(session.Captions[0], shown);

        await RefusedAsync(correction with { Id = "c2", SegmentId = 9 }, "no segment 9");
        await RefusedAsync(correction with { Id = "c3", SegmentId = 2 }, "still tentative");
        await RefusedAsync(correction with { Id = "c4", Sequence = 99 }, "sequence 99");
        await RefusedAsync(correction with { Id = "" }, "needs an id");
        await RefusedAsync(correction with { Id = "c5", Text = new string('x', 4001) }, "at most 4000");

        await session.EndAsync(Cancelled);
        Assert.Equal(["one two", "w3 w4 w5 w6 w7"], session.Captions.Select(caption => caption.Text));

        async Task RefusedAsync(Correction wrong, string message) => Assert.Contains(
            message,
            (await Assert.ThrowsAsync<AsrException>(() => live.Sessions.CorrectAsync(wrong))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Session_WhoseSenderStalls_ShowsWhatItHas()
    {
        var time = new FakeTimeProvider();
        using var recognizer = new ToneRecognizer();
        await using var live = await StartAsync(recognizer, time: time);
        var session = await live.OpenAsync();
        await SendAsync(session, new SpokenAudio().Say(1));
        time.Advance(TimeSpan.FromSeconds(0.9));
        Assert.Empty(session.Captions);
        time.Advance(TimeSpan.FromSeconds(0.2));
        await EventuallyAsync(() => session.Captions.Length == 1, "a tentative caption");
        time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal("w1", session.Captions[0].Text);
        Assert.Single(recognizer.Calls);
    }

    private static string CommittedText(IEnumerable<CaptionUpdate> updates) =>
        string.Join('|', updates.Where(update => update.State == CaptionState.Committed).OrderBy(update => update.SegmentId).Select(update => update.Text));
}
