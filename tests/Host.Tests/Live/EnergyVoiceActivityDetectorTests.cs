using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Live;
using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Live;

public sealed class EnergyVoiceActivityDetectorTests
{
    private const int Rate = 16000;

    [Fact]
    public void IsSpeech_Silence_IsNone() => Assert.DoesNotContain(true, Classify(new float[10 * Rate]));

    [Theory]
    [InlineData(0.001)]
    [InlineData(0.01)]
    [InlineData(0.1)]
    public void IsSpeech_SteadyNoiseOfAnyLevel_IsNoneAfterASecond(double amplitude)
    {
        var random = new Random(1);
        var noise = Enumerable.Range(0, 10 * Rate).Select(_ => (float)((random.NextDouble() - 0.5) * 2 * amplitude)).ToArray();
        Assert.DoesNotContain(true, Classify(noise).Skip(Rate / 512 + 1));
    }

    [Fact]
    public void IsSpeech_LoudFromTheFirstFrame_IsFoundAtOnce()
    {
        var tone = Enumerable.Range(0, Rate / 2).Select(i => 0.3f * MathF.Sin(i * 0.2f)).ToArray();
        Assert.DoesNotContain(false, Classify(tone));
    }

    [Fact]
    public void IsSpeech_WordsBetweenDigitalSilence_AreAllFound()
    {
        var speech = Classify([.. new SpokenAudio().Say([.. Enumerable.Repeat(3, 40)]).Samples.Select(sample => sample / 32768f)]);
        Assert.InRange(speech.Count(isSpeech => isSpeech) / (double)speech.Count, 0.66, 0.8);
    }

    [Fact]
    public void IsSpeech_NoiseAfterAStretchOfDigitalSilence_IsNoneOnceKnown()
    {
        var random = new Random(1);
        var audio = Enumerable.Range(0, 10 * Rate).Select(i => i < 4 * Rate ? 0 : (float)((random.NextDouble() - 0.5) * 0.04)).ToArray();
        Assert.DoesNotContain(true, Classify(audio).Skip((int)(7.6 * Rate / 512)));
    }

    [Fact]
    public void IsSpeech_ARealSpeaker_SpeaksAndPauses()
    {
        using var audio = AudioFile.Open(Fixtures.Path("audio/jfk.wav"));
        var samples = new float[audio.LengthSamples!.Value];
        using var reader = audio.OpenReader();
        for (var read = 0; read < samples.Length;)
        {
            read += reader.Read(samples.AsSpan(read));
        }

        var speech = Classify(samples);
        Assert.InRange(speech.Count(isSpeech => isSpeech) / (double)speech.Count, 0.5, 0.85);

        // "ask not", then a second of nothing.
        Assert.Contains(true, speech.Skip(At(3.3)).Take(10));
        Assert.DoesNotContain(true, speech.Skip(At(4.45)).Take(At(0.85)));
        Assert.Contains(true, speech.Skip(At(5.4)).Take(10));

        static int At(double seconds) => (int)(seconds * Rate / 512);
    }

    private static List<bool> Classify(ReadOnlySpan<float> samples)
    {
        var detector = new EnergyVoiceActivityDetector(Rate);
        List<bool> speech = [];
        for (var at = 0; at + detector.FrameSamples <= samples.Length; at += detector.FrameSamples)
        {
            speech.Add(detector.IsSpeech(samples.Slice(at, detector.FrameSamples)));
        }

        return speech;
    }
}
