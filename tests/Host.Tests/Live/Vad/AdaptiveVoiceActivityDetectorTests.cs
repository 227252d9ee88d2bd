using AsrPlatform.Host.Cli;
using AsrPlatform.Host.Learning.Synthesis;
using AsrPlatform.Host.Live;
using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Live.Vad;

public sealed class AdaptiveVoiceActivityDetectorTests
{
    private const int Rate = Syllables.RateHz;

    /// <summary>When a stream's noise is known, with the hold on what was taken for speech until then.</summary>
    private const double KnownSeconds = 0.8;

    private static readonly VoiceActivityTrial Trial = new([.. Enumerable.Range(0, 40).Select(seed => Syllables.Say(seed, words: 2 + (seed % 6)))], seed: 1);

    [Fact]
    public void IsSpeech_Silence_IsNone() => Assert.Empty(Find(new float[10 * Rate]));

    [Theory]
    [InlineData(0.001)]
    [InlineData(0.01)]
    [InlineData(0.1)]
    [InlineData(0.9)]
    public void IsSpeech_SteadyNoiseOfAnyLevel_IsNoneOnceKnown(double amplitude) =>
        Assert.All(Find(Noise(1, 20, amplitude)), found => Assert.InRange(found.End, 0, KnownSeconds));

    [Theory]
    [InlineData(50)]
    [InlineData(60)]
    public void IsSpeech_HumWithItsOvertones_IsNoneOnceKnown(double hertz) =>
        Assert.All(Find(Hum(10, hertz)), found => Assert.InRange(found.End, 0, KnownSeconds));

    [Fact]
    public void IsSpeech_DirectCurrent_IsNone() =>
        Assert.DoesNotContain(Find(Enumerable.Repeat(0.5f, 5 * Rate).ToArray()), found => found.End > KnownSeconds);

    [Fact]
    public void IsSpeech_NoiseThatSetsInAfterDigitalSilence_IsNoneOnceKnown()
    {
        float[] audio = [.. new float[4 * Rate], .. Noise(1, 10, 0.02)];
        Assert.All(Find(audio), found => Assert.InRange(found.End, 4, 7.6));
    }

    [Theory]
    [InlineData("as it is")]
    [InlineData("white noise")]
    [InlineData("hum")]
    [InlineData("direct current")]
    [InlineData("quiet")]
    [InlineData("clipped")]
    [InlineData("after bad samples")]
    [InlineData("after a slam")]
    public void IsSpeech_AnUtterance_IsFoundWithItsBorders(string how)
    {
        var said = Syllables.Say(7, words: 6);
        float[] audio = [.. new float[8 * Rate], .. said.Samples, .. new float[3 * Rate]];
        var noise = Noise(2, (double)audio.Length / Rate, 0.005);
        var hum = Hum((double)audio.Length / Rate, 50);
        for (var i = 0; i < audio.Length; i++)
        {
            audio[i] = how switch
            {
                "white noise" => audio[i] + noise[i],
                "hum" => audio[i] + hum[i],
                "direct current" => audio[i] + 0.3f,
                "quiet" => 0.02f * audio[i],
                "clipped" => Math.Clamp(50 * audio[i], -1, 1),
                "after bad samples" when i < Rate => (i % 3) switch { 0 => float.NaN, 1 => float.PositiveInfinity, _ => -1e30f },
                "after a slam" when i is > 6 * Rate and < (6 * Rate) + 2000 => 1.8f * (i % 97 / 97f - 0.5f),
                _ => audio[i],
            };
        }

        var found = Assert.Single(Find(audio), stretch => stretch.Start > 7);
        Assert.InRange(found.Start, 8 + said.Words[0].Start - 0.05, 8 + said.Words[0].Start + 0.15);
        Assert.InRange(found.End, 8 + said.Words[^1].End - 0.05, 8 + said.Words[^1].End + 0.45);
    }

    [Fact]
    public void IsSpeech_FromTheFirstSample_IsFoundAtOnce()
    {
        var said = Syllables.Say(3, words: 8).Samples[(Rate / 10)..];
        Assert.InRange(Find(said)[0].Start, 0, 0.1);
    }

    [Fact]
    public void IsSpeech_WithoutAPauseForMinutes_GoesOn()
    {
        var said = Enumerable.Range(0, 60).SelectMany(seed => Syllables.Say(seed, words: 6).Samples[(Rate / 10)..]).ToArray();
        Assert.InRange(Find(said).Sum(found => found.End - found.Start) * Rate / said.Length, 0.98, 1);
    }

    [Fact]
    public void IsSpeech_WordsBetweenDigitalSilence_AreAllFound()
    {
        var audio = new SpokenAudio().Say([.. Enumerable.Repeat(3, 40)]).Samples.Select(sample => sample / 32768f).ToArray();
        Assert.InRange(Find(audio).Sum(found => found.End - found.Start) * Rate / audio.Length, 0.66, 1);
    }

    [Fact]
    public void IsSpeech_ARealSpeaker_SpeaksAndPauses()
    {
        var found = Find(WavFixture.Read("audio/jfk.wav"));
        Assert.InRange(found.Sum(stretch => stretch.End - stretch.Start), 5.5, 9.6);

        // "ask not" ends at 4.4 s, then a second of nothing.
        Assert.Contains(found, stretch => stretch.Start < 3.6 && stretch.End > 3.6);
        Assert.DoesNotContain(found, stretch => stretch.Start < 5.3 && stretch.End > 4.9);
        Assert.Contains(found, stretch => stretch.Start < 5.7 && stretch.End > 5.7);
    }

    [Theory]
    [InlineData(nameof(NoiseKind.White), 20, 0.06, 0.03)]
    [InlineData(nameof(NoiseKind.White), 10, 0.06, 0.05)]
    [InlineData(nameof(NoiseKind.White), 0, 0.06, 0.15)]
    [InlineData(nameof(NoiseKind.Pink), 20, 0.06, 0.03)]
    [InlineData(nameof(NoiseKind.Pink), 10, 0.06, 0.05)]
    [InlineData(nameof(NoiseKind.Pink), 0, 0.06, 0.3)]
    [InlineData(nameof(NoiseKind.Babble), 20, 0.15, 0.05)]
    [InlineData(nameof(NoiseKind.Babble), 10, 0.3, 0.15)]
    public void IsSpeech_UnderNoise_MissesLessThanLevelAloneAndRaisesFewAlarms(string noise, double ratio, double alarms, double misses)
    {
        var mixed = Trial.Mix(Enum.Parse<NoiseKind>(noise), ratio, -26);
        var score = Trial.Run((rate, _) => new AdaptiveVoiceActivityDetector(rate), mixed);
        var yardstick = Trial.Run((rate, _) => new EnergyVoiceActivityDetector(rate), mixed);
        Assert.InRange(score.FalseAlarmRate, 0, alarms);
        Assert.InRange(score.MissRate, 0, misses);
        Assert.True(score.MissRate < yardstick.MissRate, $"{score} against {yardstick}");
    }

    [Fact]
    public void IsSpeech_WithAThreshold_IsTheSurerTheHigherItIs()
    {
        var mixed = Trial.Mix(NoiseKind.Pink, 5, -26);
        var scores = new[] { 0, 0.25, 0.5, 0.75, 1 }
            .Select(threshold => Trial.Run((rate, _) => new AdaptiveVoiceActivityDetector(rate, threshold), mixed))
            .ToArray();
        for (var i = 1; i < scores.Length; i++)
        {
            Assert.True(scores[i].MissRate > scores[i - 1].MissRate, $"{scores[i]} after {scores[i - 1]}");
            Assert.True(scores[i].FalseAlarmRate <= scores[i - 1].FalseAlarmRate, $"{scores[i]} after {scores[i - 1]}");
        }

        Assert.Equal(Trial.Run((rate, _) => new AdaptiveVoiceActivityDetector(rate), mixed), scores[2]);
        Assert.InRange(scores[0].FalseAlarmRate, scores[2].FalseAlarmRate + 0.05, 1);
        Assert.InRange(scores[^1].MissRate, 0.5, 1);
    }

    [Theory]
    [InlineData(-55)]
    [InlineData(-26)]
    [InlineData(0)]
    public void IsSpeech_AtAnyLevel_LosesNothingAndRaisesNoAlarm(double level)
    {
        var score = Trial.Run((rate, _) => new AdaptiveVoiceActivityDetector(rate), Trial.Mix(null, 0, level));
        Assert.InRange(score.FalseAlarmRate, 0, 0.01);
        Assert.InRange(score.LostRate, 0, 0.01);
    }

    [Theory]
    [InlineData(8000)]
    [InlineData(24000)]
    [InlineData(44100)]
    public void IsSpeech_AtOtherSampleRates_FindsTheSame(int rate)
    {
        var said = Syllables.Say(7, words: 6);
        float[] audio = [.. new float[2 * Rate], .. said.Samples, .. new float[2 * Rate]];
        var resampler = new AsrPlatform.Host.Audio.Resampler(Rate, rate);
        resampler.Write(audio);
        resampler.Complete();
        var resampled = new float[(int)((long)audio.Length * rate / Rate)];
        for (int at = 0, count; (count = resampler.Read(resampled.AsSpan(at))) > 0;)
        {
            at += count;
        }

        var found = Assert.Single(Find(resampled, rate));
        Assert.InRange(found.Start, 2 + said.Words[0].Start - 0.05, 2 + said.Words[0].Start + 0.15);
        Assert.InRange(found.End, 2 + said.Words[^1].End - 0.05, 2 + said.Words[^1].End + 0.45);
    }

    [Fact]
    public void IsSpeech_InTheLongRun_AllocatesNothing()
    {
        var detector = new AdaptiveVoiceActivityDetector(Rate);
        var noise = Noise(1, 2, 0.1);
        Hear();
        var before = GC.GetAllocatedBytesForCurrentThread();
        Hear();
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());

        void Hear()
        {
            for (var at = 0; at + detector.FrameSamples <= noise.Length; at += detector.FrameSamples)
            {
                detector.IsSpeech(noise.AsSpan(at, detector.FrameSamples));
            }
        }
    }

    /// <summary>The stretches of speech in seconds.</summary>
    private static List<(double Start, double End)> Find(ReadOnlySpan<float> samples, int rate = Rate)
    {
        var detector = new AdaptiveVoiceActivityDetector(rate);
        List<(double Start, double End)> found = [];
        var speaking = false;
        for (var at = 0; at + detector.FrameSamples <= samples.Length; at += detector.FrameSamples)
        {
            var speech = detector.IsSpeech(samples.Slice(at, detector.FrameSamples));
            var end = (double)(at + detector.FrameSamples) / rate;
            if (speech && !speaking)
            {
                found.Add(((double)at / rate, end));
            }
            else if (speech)
            {
                found[^1] = (found[^1].Start, end);
            }

            speaking = speech;
        }

        return found;
    }

    private static float[] Noise(int seed, double seconds, double amplitude)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, (int)(seconds * Rate)).Select(_ => (float)((random.NextDouble() - 0.5) * 2 * amplitude))];
    }

    private static float[] Hum(double seconds, double hertz) =>
        [.. Enumerable.Range(0, (int)(seconds * Rate)).Select(i => (float)Enumerable.Range(1, 8).Sum(overtone => 0.05 / overtone * Math.Sin(2 * Math.PI * hertz * overtone * i / Rate)))];
}
