using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Cli;

public sealed class TrainTests
{
    [Theory]
    [InlineData("nothing to learn from", "--model", "m", "--output-dir", "o")]
    [InlineData("--learning-rate fast: expected a number from 0", "--learning-rate", "fast")]
    [InlineData("--warmup-ratio is not accepted: give --warmup-steps a number below 1", "--warmup-ratio", "0.1")]
    [InlineData("--fp16 and --bf16 exclude each other", "--fp16", "--bf16")]
    public void Train_WhatCannotBeUsed_IsOneClearError(string reason, params string[] arguments) =>
        AsrProcess.Run(["train", .. arguments]).ShouldFailWith(reason);

    [Fact]
    public void Train_UnknownOption_IsAUsageError()
    {
        var result = AsrProcess.Run("train", "--learning-rat", "1");
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("--learning-rat", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_NoTrainer_SaysSo()
    {
        using var folder = new TemporaryFolder();
        AsrProcess.Run("train", "--model", "m", "--train", "t", "--output-dir", folder.File("o"), "--plugins-dir", folder.Root)
            .ShouldFailWith("no trainer is loaded");
    }
}
