using System.Text.Json;
using System.Text.Json.Nodes;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Cli;
using AsrPlatform.Host.Learning.Synthesis;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Tests.Live.Vad;
using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Cli;

/// <summary><c>asr bench vad</c> and what it counts by.</summary>
public sealed class VoiceActivityTrialTests
{
    private static readonly VoiceActivityTrial Trial = new([.. Enumerable.Range(0, 12).Select(seed => Syllables.Say(seed, words: 4))], seed: 1);

    [Theory]
    [InlineData(false, 0, 1)]
    [InlineData(true, 1, 0)]
    public void Run_OfADetectorThatHearsNothing_CountsAllOrNone(bool answer, double alarms, double misses)
    {
        var score = Trial.Run((_, _) => new Scripted(_ => answer), Trial.Mix(null, 0, -26));
        Assert.InRange(score.FalseAlarmRate, alarms - 0.001, alarms); // the last part of a frame is never heard
        Assert.Equal((misses, misses, misses), (score.MissRate, score.LostRate, score.MissedWordRate));
    }

    [Fact]
    public void Run_OfADetectorThatKnowsThePauses_FindsNoFault()
    {
        // Between the words there is digital silence: any sample but zero is speech, and the last one says so for 0.25 s more.
        var left = 0;
        var score = Trial.Run((_, _) => new Scripted(frame => (left = frame.ContainsAnyExcept(0f) ? 25 : left - 1) > 0), Trial.Mix(null, 0, -26));
        Assert.Equal(0, score.FalseAlarmRate);
        Assert.InRange(score.MissRate, 0, 0.001);
    }

    [Fact]
    public void Run_OfALateDetector_MissesWhatThePreRollSaves()
    {
        var heard = 0;
        var score = Trial.Run((_, _) => new Scripted(frame => (heard = frame.ContainsAnyExcept(0f) ? heard + 1 : Math.Max(0, heard - 10)) > 30), Trial.Mix(null, 0, -26));
        Assert.InRange(score.MissRate, 0.1, 0.9);
        Assert.InRange(score.LostRate, 0, 0.01);
    }

    [Theory]
    [InlineData(nameof(NoiseKind.White))]
    [InlineData(nameof(NoiseKind.Pink))]
    [InlineData(nameof(NoiseKind.Babble))]
    public void Mix_HasTheNoiseThatItIsToldAndIsTheSameEachTime(string kind)
    {
        var mixed = Trial.Mix(Enum.Parse<NoiseKind>(kind), 20, -26);
        var clean = Trial.Mix(null, 0, -26);
        var noise = mixed.Zip(clean).SelectMany(pair => pair.First.Zip(pair.Second, (a, b) => a - b)).ToArray();
        Assert.InRange(20 * Math.Log10(SpeechEffects.Level(noise)), -46.5, -45.5);
        Assert.Equal(mixed.SelectMany(stream => stream), Trial.Mix(Enum.Parse<NoiseKind>(kind), 20, -26).SelectMany(stream => stream));
    }

    [Fact]
    public void BenchVad_OfAManifest_PrintsRatesOfBothDetectors()
    {
        using var folder = new TemporaryFolder();
        var lines = Enumerable.Range(0, 5).Select(seed =>
        {
            var said = Syllables.Say(seed, words: 3);
            WavWriter.Write(folder.File($"{seed}.wav"), said.Samples, Syllables.RateHz);
            return JsonSerializer.Serialize(new
            {
                audio = $"{seed}.wav",
                text = string.Join(' ', said.Words.Select(word => word.Word)),
                words = said.Words.Select(word => new { word = word.Word, start = word.Start, end = word.End }),
            });
        });
        var manifest = folder.File("manifest.jsonl");
        File.WriteAllLines(manifest, [.. lines, """{"audio": "0.wav", "text": "no times"}"""]);
        var result = JsonNode.Parse(AsrProcess.Run("bench", "vad", "--data", manifest, "--noise", "white", "--snr", "10,0").ShouldSucceed())!;
        Assert.Equal(5, (int)result["utterances"]!);
        Assert.Equal(15, (int)result["words"]!);
        Assert.Equal(["none", "white 10", "white 0"], result["conditions"]!.AsArray().Select(one => $"{one!["noise"]} {one["signalToNoiseDecibels"]}".TrimEnd()));
        foreach (var condition in result["conditions"]!.AsArray())
        {
            Assert.InRange((double)condition!["detectors"]!["adaptive"]!["missRate"]!, 0, 0.2);
            Assert.InRange((double)condition["detectors"]!["energy"]!["missRate"]!, 0, 1);
        }
    }

    [Fact]
    public void BenchVad_WithoutWordTimes_SaysHowToGetSome()
    {
        using var folder = new TemporaryFolder();
        WavWriter.Write(folder.File("a.wav"), new float[16000], 16000);
        var manifest = folder.File("manifest.jsonl");
        File.WriteAllText(manifest, """{"audio": "a.wav", "text": "no times"}""");
        AsrProcess.Run("bench", "vad", "--data", manifest).ShouldFailWith("./asr synthesize --word-times");
        AsrProcess.Run("bench", "vad", "--data", manifest, "--snr", "loud").ShouldFailWith("--snr loud: give");
    }

    private sealed class Scripted(Scripted.Answer answer) : IVoiceActivityDetector
    {
        public delegate bool Answer(ReadOnlySpan<float> frame);

        public int FrameSamples => 160;

        public bool IsSpeech(ReadOnlySpan<float> frame) => answer(frame);

        public void Dispose()
        {
            // It holds nothing.
        }
    }
}
