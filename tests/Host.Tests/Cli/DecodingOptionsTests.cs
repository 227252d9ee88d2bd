using System.CommandLine;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Cli;

namespace AsrPlatform.Host.Tests.Cli;

public sealed class DecodingOptionsTests
{
    [Fact]
    public void Read_NothingGiven_HasTheDefaultsOfTheAlgorithm()
    {
        Assert.Equal(new TranscriptionOptions(), Read() with { SuppressTokens = null });
        foreach (var algorithm in (string[])["hf", "chunked"])
        {
            var options = Read("--algorithm", algorithm);
            Assert.Equal(algorithm, options.Algorithm);
            Assert.Null(options.CompressionRatioThreshold);
            Assert.Null(options.LogProbabilityThreshold);
            Assert.Null(options.NoSpeechThreshold);
            Assert.Null(options.TemperatureIncrementOnFallback);
            Assert.False(options.ConditionOnPreviousText);
        }
    }

    [Fact]
    public void Read_OptionsOfChunked_AreItsAlone()
    {
        var options = Read("--algorithm", "chunked", "--chunk-length", "20", "--stride-length", "2.5", "--batch-size", "4");
        Assert.Equal((20.0, 2.5, 4), (options.ChunkLengthSeconds, options.StrideLengthSeconds, options.BatchSize));
        Assert.Contains("--algorithm chunked", Assert.Throws<AsrException>(() => Read("--chunk-length", "20")).Message, StringComparison.Ordinal);
        Assert.Contains("--algorithm chunked", Assert.Throws<AsrException>(() => Read("--algorithm", "hf", "--stride-length", "2")).Message, StringComparison.Ordinal);
        Assert.Contains(
            "leave --condition-on-previous-text out",
            Assert.Throws<AsrException>(() => Read("--algorithm", "chunked", "--condition-on-previous-text", "true")).Message,
            StringComparison.Ordinal);
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
