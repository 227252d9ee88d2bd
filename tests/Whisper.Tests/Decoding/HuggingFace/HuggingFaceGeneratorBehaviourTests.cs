using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Whisper.Decoding.HuggingFace;

namespace AsrPlatform.Whisper.Tests.Decoding.HuggingFace;

public sealed class HuggingFaceGeneratorBehaviourTests
{
    private static readonly GenerationOptions Timestamps = new()
    {
        Languages = ["en"],
        Task = TranscriptionTask.Transcribe,
        ReturnTimestamps = true,
    };

    [Fact]
    public void Generate_LongRowsTogether_EqualEachAlone()
    {
        // The rows end at different times and, given previous text, begin with prefixes of different lengths.
        using var micro = new Micro();
        var options = Timestamps with { ConditionOnPreviousTokens = true, NoSpeechThreshold = 0.6, LogProbabilityThreshold = -1.0 };
        string[] clips = ["long_gap", "long_en"];
        var together = micro.Generator.Generate([.. clips.Select(micro.Whole)], options);
        for (var i = 0; i < clips.Length; i++)
        {
            var alone = micro.Generator.Generate([micro.Whole(clips[i])], options)[0];
            Assert.Equal(alone.Tokens, together[i].Tokens);
            Assert.Equal(alone.Windows.Select(window => window.Seek), together[i].Windows.Select(window => window.Seek));
            Assert.Equal(alone.Windows.Select(window => window.Prefix), together[i].Windows.Select(window => window.Prefix));
            foreach (var (one, other) in alone.Windows.Zip(together[i].Windows))
            {
                Assert.Equal(one.NoSpeechProbability!.Value, other.NoSpeechProbability!.Value, 1e-6);
                Assert.Equal(one.AverageLogProbability, other.AverageLogProbability, 1e-5);
            }
        }

        Assert.NotEqual(together[0].Windows.Count, together[1].Windows.Count);
    }

    [Fact]
    public void Generate_BatchWithBeamsAndLanguages_EqualsEachAlone()
    {
        using var micro = new Micro();
        string[] clips = ["fr", "cafe", "de"];
        var options = new GenerationOptions { Task = TranscriptionTask.Transcribe, Beams = 3, ReturnedSequences = 3 };
        var together = micro.Generator.Generate([.. clips.Select(micro.Padded)], options);
        Assert.Equal(["fr", "en", "de"], together.Select(result => micro.Tokenizer.LanguageCode(result.LanguageToken!.Value)));
        for (var i = 0; i < clips.Length; i++)
        {
            var alone = micro.Generator.Generate([micro.Padded(clips[i])], options)[0].Windows.Single();
            var window = together[i].Windows.Single();
            Assert.Equal(alone.Tokens, window.Tokens);
            Assert.Equal(3, window.Beams.Count);
            Assert.Equal(window.Tokens, window.Beams[0].Tokens);
            Assert.True(window.Beams[0].Score >= window.Beams[1].Score && window.Beams[1].Score >= window.Beams[2].Score);
        }
    }

    [Fact]
    public void Generate_FailingThreshold_TriesEveryTemperature()
    {
        using var micro = new Micro();
        var options = Timestamps with { Temperatures = [0.0, 0.2, 0.4], LogProbabilityThreshold = 0.1 };
        var window = micro.Generator.Generate([micro.Padded("fox")], options)[0].Windows.Single();
        Assert.Equal(0.4, window.Temperature);

        var content = micro.Generator.Generate([micro.Padded("fox")], options with { LogProbabilityThreshold = -1.0 })[0].Windows.Single();
        Assert.Equal(0.0, content.Temperature);

        // One clip's tokens compress better than the other's: a threshold between the two retries that one alone.
        FeatureMatrixWindows[] clips = [micro.Padded("fox"), micro.Padded("jfk")];
        double[] Ratios(double threshold, out double[] temperatures)
        {
            var windows = micro.Generator.Generate(clips, options with { LogProbabilityThreshold = null, CompressionRatioThreshold = threshold })
                .Select(result => result.Windows.Single()).ToArray();
            temperatures = [.. windows.Select(window => window.Temperature)];
            return [.. windows.Select(window => window.CompressionRatio!.Value)];
        }

        var ratios = Ratios(100, out var temperatures);
        Assert.Equal([0.0, 0.0], temperatures);
        Assert.NotEqual(ratios[0], ratios[1]);
        _ = Ratios(ratios.Average(), out temperatures);
        Assert.Equal(ratios.Select(ratio => ratio > ratios.Average()), temperatures.Select(temperature => temperature > 0));
    }

    [Fact]
    public void Generate_HighTemperature_GivesNoPreviousText()
    {
        using var micro = new Micro();
        var options = Timestamps with { ConditionOnPreviousTokens = true, Temperatures = [0.0, 0.6], LogProbabilityThreshold = 0.1 };
        var windows = micro.Generator.Generate([micro.Whole("long_gap")], options)[0].Windows;
        Assert.True(windows.Count > 1);
        Assert.All(windows, window => Assert.Equal([50258, 50259, 50359], window.Prefix));

        windows = micro.Generator.Generate([micro.Whole("long_gap")], options with { LogProbabilityThreshold = null })[0].Windows;
        Assert.Equal(50361, windows[1].Prefix[0]);
        Assert.True(windows[1].Prefix.Count > 4);
    }

    [Fact]
    public void Generate_SilentWindow_IsSkipped()
    {
        using var micro = new Micro();

        // Log-probabilities never reach 0.1, so that the no-speech probability alone decides: above −1 always, above 1 never.
        var options = Timestamps with { LogProbabilityThreshold = 0.1, NoSpeechThreshold = -1, Temperatures = [0.0, 0.5] };
        var result = micro.Generator.Generate([micro.Whole("long_gap")], options)[0];
        Assert.All(result.Windows, window => Assert.True(window.Skipped && window.Segments.Count == 0 && window.Temperature == 0));
        Assert.Empty(result.Tokens);
        Assert.Equal(Enumerable.Range(0, result.Windows.Count).Select(i => 3000 * i), result.Windows.Select(window => window.Seek));

        result = micro.Generator.Generate([micro.Whole("long_gap")], options with { NoSpeechThreshold = 1 })[0];
        Assert.All(result.Windows, window => Assert.False(window.Skipped));
    }

    [Fact]
    public void Generate_NoSpeechProbability_IsThatOfTheFixture()
    {
        using var micro = new Micro();
        foreach (var row in AsrPlatform.Tests.Fixtures.Lines("decode/language.jsonl").Take(3))
        {
            var features = micro.Padded(row["audio"]!.GetValue<string>());
            var window = micro.Generator.Generate([features], Timestamps with { NoSpeechThreshold = 0.6 })[0].Windows[0];
            Assert.Equal(row["no_speech_probability"]!.GetValue<double>(), window.NoSpeechProbability!.Value, 1e-6);
        }
    }

    [Fact]
    public void Generate_OptionsThatCannotWork_SayWhy()
    {
        using var micro = new Micro();
        string Error(GenerationOptions options, string clip = "fox") =>
            Assert.Throws<AsrException>(() => micro.Generator.Generate([micro.Whole(clip)], options)).Message;
        Assert.Contains("xx", Error(new GenerationOptions { Languages = ["xx"] }), StringComparison.Ordinal);
        Assert.Contains("2 languages", Error(new GenerationOptions { Languages = ["en", "de"] }), StringComparison.Ordinal);
        Assert.Contains("timestamps", Error(new GenerationOptions(), "long_gap"), StringComparison.Ordinal);
        Assert.Contains("60000", Error(new GenerationOptions { SuppressTokens = [60000] }), StringComparison.Ordinal);
        Assert.Contains("448", Error(new GenerationOptions { PromptIds = [.. Enumerable.Repeat(400, 448)] }), StringComparison.Ordinal);
        Assert.Contains("beams", Error(new GenerationOptions { ReturnedSequences = 2 }), StringComparison.Ordinal);
    }
}
