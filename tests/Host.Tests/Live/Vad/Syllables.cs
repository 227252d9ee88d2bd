using AsrPlatform.Host.Cli;
using AsrPlatform.Host.Learning.Data;

namespace AsrPlatform.Host.Tests.Live.Vad;

/// <summary>Speech-like sound with exact borders: harmonics of a gliding pitch under two wandering formants, and hisses; the same seed says the same.</summary>
internal static class Syllables
{
    public const int RateHz = 16000;

    /// <summary>An utterance of some words, which begin and end exactly where their times say.</summary>
    public static TimedSpeech Say(int seed, int words)
    {
        var random = new Random(seed);
        var pitch = 90 + (130 * random.NextDouble());
        List<float> samples = [.. new float[RateHz / 10]];
        List<TimedWord> times = [];
        for (var word = 0; word < words; word++)
        {
            var start = samples.Count;
            for (var syllable = random.Next(1, 4); syllable > 0; syllable--)
            {
                Hiss(samples, random, random.Next(30, 90));
                Vowel(samples, random, pitch, random.Next(90, 200));
            }

            times.Add(new TimedWord($"w{word}", (double)start / RateHz, (double)samples.Count / RateHz));
            samples.AddRange(new float[random.Next(0, RateHz / 20)]);
        }

        return new TimedSpeech([.. samples], times);
    }

    private static void Vowel(List<float> samples, Random random, double pitch, int milliseconds)
    {
        double low = 300 + (500 * random.NextDouble()), high = 900 + (1500 * random.NextDouble()), glide = 0.85 + (0.3 * random.NextDouble());
        var length = milliseconds * RateHz / 1000;
        for (var i = 0; i < length; i++)
        {
            var at = (double)i / length;
            var fundamental = pitch * (1 + ((glide - 1) * at));
            var value = 0.0;
            for (var harmonic = 1; harmonic * fundamental < 4000; harmonic++)
            {
                var hertz = harmonic * fundamental;
                var amplitude = (1 / (1 + Math.Pow((hertz - low) / 100, 2))) + (0.5 / (1 + Math.Pow((hertz - high) / 150, 2))) + 0.01;
                value += amplitude * Math.Sin(2 * Math.PI * hertz * i / RateHz);
            }

            samples.Add((float)(0.1 * value * Math.Min(1, 8 * Math.Min(at, 1 - at))));
        }
    }

    private static void Hiss(List<float> samples, Random random, int milliseconds)
    {
        var previous = 0.0;
        for (var i = milliseconds * RateHz / 1000; i > 0; i--)
        {
            var value = random.NextDouble() - 0.5;
            samples.Add((float)(0.04 * (value - previous)));
            previous = value;
        }
    }
}
