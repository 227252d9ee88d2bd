using System.CommandLine;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Cli;

namespace AsrPlatform.Host.Tests.Cli;

public sealed class DecodingOptionsTests
{
    [Fact]
    public void Read_NothingGiven_HasTheDefaultsOfTheAlgorithm()
    {
        Assert.Equal(new TranscriptionOptions(), Read() with { SuppressTokens = null });
        var hf = Read("--algorithm", "hf");
        Assert.Equal("hf", hf.Algorithm);
        Assert.Null(hf.CompressionRatioThreshold);
        Assert.Null(hf.LogProbabilityThreshold);
        Assert.Null(hf.NoSpeechThreshold);
        Assert.Null(hf.TemperatureIncrementOnFallback);
        Assert.False(hf.ConditionOnPreviousText);
    }

    [Fact]
    public void Read_ThresholdsGiven_HoldForEveryAlgorithm()
    {
        string[] arguments = ["--logprob-threshold", "-1.0", "--condition-on-previous-text", "true", "--no-speech-threshold", "none"];
        foreach (var algorithm in (string[])["hf", "openai"])
        {
            var options = Read([.. arguments, "--algorithm", algorithm]);
            Assert.Equal(-1.0, options.LogProbabilityThreshold);
            Assert.True(options.ConditionOnPreviousText);
            Assert.Null(options.NoSpeechThreshold);
        }
    }

    private static TranscriptionOptions Read(params string[] arguments)
    {
        var options = new DecodingOptions();
        var command = new RootCommand();
        options.AddTo(command);
        var parsed = command.Parse(arguments);
        Assert.Empty(parsed.Errors);
        return options.Read(parsed);
    }
}
