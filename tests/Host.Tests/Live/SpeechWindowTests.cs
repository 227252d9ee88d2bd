using AsrPlatform.Host.Live;

namespace AsrPlatform.Host.Tests.Live;

public sealed class SpeechWindowTests : IDisposable
{
    private const int Rate = SpokenAudio.SampleRateHz;

    private readonly SpeechWindow _window = new(LiveHarness.ShortPauses(), Rate, new AdaptiveVoiceActivityDetector(Rate));

    public void Dispose() => _window.Dispose();

    [Fact]
    public void Next_InSilence_AsksForNothingAndHoldsOnlyTheLeadIn()
    {
        for (var i = 0; i < 600; i++)
        {
            _window.Append(new float[1600]);
            Assert.Null(_window.Next(flush: false, stalled: true));
        }

        Assert.InRange(_window.Pending, 0, (0.5 * Rate) + 1600);
        Assert.Null(_window.Next(flush: true, stalled: false));
    }

    [Fact]
    public void Next_InSteadyNoise_StopsAskingOnceTheFloorIsKnown()
    {
        var random = new Random(1);
        for (var i = 0; i < 300; i++)
        {
            Append(Noise(random, 1600, 0.02));
            Serve(flush: false);
        }

        Assert.Null(_window.Next(flush: true, stalled: false));
    }

    [Fact]
    public void Next_SpeechInNoise_IsFoundAndItsPauseToo()
    {
        var random = new Random(1);
        var reasons = new List<DecodeReason>();
        var speech = new SpokenAudio().Silence(6).Say(1, 2, 3).Silence(3).Samples;
        for (var at = 0; at < speech.Length; at += 1600)
        {
            var noise = Noise(random, 1600, 0.01);
            for (var i = 0; i < noise.Length && at + i < speech.Length; i++)
            {
                noise[i] += speech[at + i] / 32768f;
            }

            Append(noise);
            while (_window.Next(flush: false, stalled: false) is { } request)
            {
                if (request.Start >= 4 * Rate)
                {
                    reasons.Add(request.Reason);
                    Assert.InRange(request.Start, 5.4 * Rate, 6 * Rate);
                }

                Answer(request);
            }
        }

        Assert.Contains(DecodeReason.Update, reasons);
        Assert.Equal(DecodeReason.Complete, reasons[^1]);
        Assert.Single(reasons, DecodeReason.Complete);
    }

    [Fact]
    public void Next_Speech_AsksSoonAndThenEverySecondForTheGrowingUtterance()
    {
        var ends = new List<long>();
        Feed(new SpokenAudio().Say([.. Enumerable.Range(0, 14)]), request =>
        {
            Assert.Equal(DecodeReason.Update, request.Reason);
            Assert.Equal(0, request.Start);
            ends.Add(request.End);
        });

        // The first sound is taken for speech after some 50 ms, and audio comes in tenths of a second.
        Assert.Equal([0.6, 1.6, 2.6, 3.6], ends.Select(end => (double)end / Rate));
    }

    [Fact]
    public void Next_Stalled_AsksOnceForWhatIsThere()
    {
        Append(new SpokenAudio().Say(1).Samples);
        Assert.Null(_window.Next(flush: false, stalled: false));
        var request = _window.Next(flush: false, stalled: true);
        Assert.Equal(new DecodeRequest(DecodeReason.Update, 0, 4800), request);
        _window.MarkDecoded(4800);
        Assert.Null(_window.Next(flush: false, stalled: true));
    }

    [Fact]
    public void Next_Click_IsNoUtterance()
    {
        Append(new SpokenAudio().Silence(1).Samples);
        Append(Enumerable.Repeat(0.5f, 600).ToArray());
        Append(new SpokenAudio().Silence(2).Samples);
        Assert.Null(_window.Next(flush: true, stalled: true));
    }

    [Theory]
    [InlineData(160)]
    [InlineData(1600)]
    [InlineData(8000)]
    public void Next_Pauses_CutInTheSamePlacesHoweverTheAudioComes(int chunk)
    {
        var audio = new SpokenAudio().Silence(2).Say(1, 2, 3).Silence(1).Say(4).Silence(0.3).Say(5).Silence(2).Say(6).Samples;
        var cuts = new List<(long, long)>();
        for (var at = 0; at < audio.Length; at += chunk)
        {
            Append(audio.AsSpan(at, Math.Min(chunk, audio.Length - at)).ToArray());
            Serve(flush: false, cuts);
        }

        Serve(flush: true, cuts);
        Assert.Equal(3, cuts.Count);
        Assert.InRange(cuts[0].Item1, 1.46 * Rate, 1.56 * Rate);
        Assert.InRange(cuts[0].Item2, 3.4 * Rate, 3.8 * Rate);
        Assert.Equal(audio.Length, cuts[2].Item2);
        Assert.Equal(string.Join(';', Reference(audio)), string.Join(';', cuts));
    }

    [Fact]
    public void Next_WhenDecodingLags_StillCutsAtTheFirstPause()
    {
        Append(new SpokenAudio().Say(1).Silence(1).Say(2).Silence(1).Say(3).Samples);
        var first = _window.Next(flush: false, stalled: false)!.Value;
        Assert.Equal(DecodeReason.Complete, first.Reason);
        _window.Commit(first.End);
        var second = _window.Next(flush: false, stalled: false)!.Value;
        Assert.Equal(DecodeReason.Complete, second.Reason);
        Assert.InRange(second.Start, first.End, 1.3 * Rate);
        _window.Commit(second.End);
        Assert.Null(_window.Next(flush: false, stalled: false));
        Assert.Equal(DecodeReason.Complete, _window.Next(flush: true, stalled: false)!.Value.Reason);
    }

    [Fact]
    public void Next_SpeechWithoutPause_FillsWindowsThatMeet()
    {
        var starts = new List<long>();
        var end = 0L;
        Feed(new SpokenAudio().Say([.. Enumerable.Range(0, 300).Select(word => word % SpokenAudio.Words)]), request =>
        {
            if (request.Reason == DecodeReason.Full)
            {
                Assert.Equal(end, request.Start);
                Assert.InRange(request.End, request.Start + (20 * Rate), request.Start + (30 * Rate));
                end = request.End;
                starts.Add(request.Start);
            }
        });

        Assert.Equal(3, starts.Count);
        Assert.Equal(DecodeReason.Complete, _window.Next(flush: true, stalled: false)!.Value.Reason);
        Assert.Equal(end, _window.Next(flush: true, stalled: false)!.Value.Start);
    }

    [Fact]
    public void Append_WhenNothingIsDecoded_FreesNothingAndRefusesMore()
    {
        var word = new SpokenAudio().Say(1).Samples.Select(sample => sample / 32768f).ToArray();
        while (_window.Free >= word.Length)
        {
            _window.Append(word);
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => _window.Append(word));
        var full = _window.Next(flush: false, stalled: false)!.Value;
        Assert.Equal(DecodeReason.Full, full.Reason);
        _window.Commit(full.End);
        Assert.InRange(_window.Free, 20 * Rate, 40 * Rate);
        _window.Append(word);
    }

    [Fact]
    public void Append_InTheLongRun_AllocatesNothing()
    {
        var silence = new float[1600];
        var speech = new SpokenAudio().Say(1).Samples.Select(sample => sample / 32768f).ToArray();
        void Minute()
        {
            for (var i = 0; i < 60; i++)
            {
                _window.Append(speech);
                _window.Append(silence);
                while (_window.Next(flush: false, stalled: true) is { } request)
                {
                    Answer(request);
                }
            }
        }

        Minute();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Minute();
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Theory]
    [InlineData(160)]
    [InlineData(1600)]
    [InlineData(48_000)]
    public void Next_WithSteps_AsksForThemInTheSamePlacesHoweverTheAudioComes(int chunk)
    {
        var audio = new SpokenAudio().Silence(1).Say([.. Enumerable.Range(0, 10)]).Silence(1.5).Say(1, 2, 3, 4).Silence(1).Samples;
        _window.Configure(steps: true, maximumSeconds: 15);
        var asked = new List<DecodeRequest>();
        for (var at = 0; at < audio.Length; at += chunk)
        {
            Append(audio.AsSpan(at, Math.Min(chunk, audio.Length - at)).ToArray());
            while (_window.Next(flush: false, stalled: false) is { } request)
            {
                if (request.Reason != DecodeReason.Update)
                {
                    asked.Add(request);
                }

                Answer(request);
            }
        }

        // Speech from 1 s to 4 s and from 5.4 s to 6.6 s; frames of 32 ms, steps of 0.8 s, pauses of 0.6 s.
        Assert.Equal(
            [DecodeReason.Step, DecodeReason.Step, DecodeReason.Step, DecodeReason.Step, DecodeReason.Complete, DecodeReason.Step, DecodeReason.Step, DecodeReason.Complete],
            asked.Select(request => request.Reason));
        Assert.All(asked.Take(4).Zip(asked.Skip(1).Take(3)), pair => Assert.Equal(8 * Rate / 10, pair.Second.End - pair.First.End));
        Assert.All(asked.Take(5), request => Assert.Equal(asked[0].Start, request.Start));
        Assert.InRange(asked[0].End, 1.75 * Rate, 1.85 * Rate);
    }

    [Fact]
    public void SkipSteps_OfAudioThatWaits_LeavesTheLast()
    {
        _window.Configure(steps: true, maximumSeconds: 15);
        Append(new SpokenAudio().Say([.. Enumerable.Range(0, 20)]).Samples);
        var first = _window.Next(flush: false, stalled: false)!.Value;
        _window.SkipSteps();
        var last = _window.Next(flush: false, stalled: false)!.Value;
        Assert.Equal(DecodeReason.Step, last.Reason);
        Assert.Equal(0, (last.End - first.End) % (8 * Rate / 10));
        Assert.InRange(last.End, 6 * Rate - (8 * Rate / 10) + 1, 6 * Rate);
        _window.MarkStepped(last.End);
        Assert.Null(_window.Next(flush: false, stalled: false));
    }

    [Fact]
    public void MoveStart_InTheMiddleOfSpeech_ForgetsWhatIsFinalAndKeepsTheSteps()
    {
        _window.Configure(steps: true, maximumSeconds: 15);
        Append(new SpokenAudio().Say([.. Enumerable.Range(0, 10)]).Samples);
        var step = _window.Next(flush: false, stalled: false)!.Value;
        _window.MarkStepped(step.End);
        _window.MoveStart(Rate / 2);
        Assert.Equal(Rate / 2, _window.Start);
        Assert.Equal(new DecodeRequest(DecodeReason.Step, Rate / 2, step.End + (8 * Rate / 10)), _window.Next(flush: false, stalled: false));
    }

    [Fact]
    public void Configure_ForARecognizerWithAShortWindow_CutsBeforeItIsFull()
    {
        _window.Configure(steps: false, maximumSeconds: 10);
        Append(new SpokenAudio().Say([.. Enumerable.Range(0, 50)]).Samples);
        var request = _window.Next(flush: false, stalled: false)!.Value;
        Assert.Equal(DecodeReason.Full, request.Reason);
        Assert.InRange(request.End - request.Start, 6 * Rate, 10 * Rate);
    }

    private static List<(long, long)> Reference(short[] audio)
    {
        using var window = new SpeechWindow(LiveHarness.ShortPauses(), Rate, new AdaptiveVoiceActivityDetector(Rate));
        window.Append(audio.Select(sample => sample / 32768f).ToArray());
        List<(long, long)> cuts = [];
        while (window.Next(flush: true, stalled: false) is { } request)
        {
            cuts.Add((request.Start, request.End));
            window.Commit(request.End);
        }

        return cuts;
    }

    private static float[] Noise(Random random, int count, double amplitude) =>
        [.. Enumerable.Range(0, count).Select(_ => (float)((random.NextDouble() - 0.5) * 2 * amplitude))];

    private void Feed(SpokenAudio audio, Action<DecodeRequest> onRequest)
    {
        var samples = audio.Samples;
        for (var at = 0; at < samples.Length; at += 1600)
        {
            Append(samples.AsSpan(at, Math.Min(1600, samples.Length - at)).ToArray());
            while (_window.Next(flush: false, stalled: false) is { } request)
            {
                onRequest(request);
                Answer(request);
            }
        }
    }

    private void Serve(bool flush, List<(long, long)>? cuts = null)
    {
        while (_window.Next(flush, stalled: false) is { } request)
        {
            if (request.Reason != DecodeReason.Update)
            {
                cuts?.Add((request.Start, request.End));
            }

            Answer(request);
        }
    }

    private void Answer(DecodeRequest request)
    {
        switch (request.Reason)
        {
            case DecodeReason.Update:
                _window.MarkDecoded(request.End);
                break;
            case DecodeReason.Step:
                _window.MarkStepped(request.End);
                break;
            default:
                _window.Commit(request.End);
                break;
        }
    }

    private void Append(short[] samples) => Append([.. samples.Select(sample => sample / 32768f)]);

    private void Append(float[] samples) => _window.Append(samples);
}
