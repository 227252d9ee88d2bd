using System.Text.Json.Nodes;
using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Cli;

public sealed class BenchTests
{
    [Theory]
    [InlineData("encode")]
    [InlineData("decode")]
    public void Bench_OfACheckpointsDimensions_PrintsOneObject(string what)
    {
        var dims = Fixtures.Path("checkpoints/fp32");
        string[] arguments = ["bench", what, "--dims", dims, "--seconds", "1", "--threads", "1", "--repeat", "2", "--backend", "torch"];
        if (what == "decode")
        {
            arguments = [.. arguments, "--tokens", "7"];
        }

        var result = JsonNode.Parse(AsrProcess.Run(arguments).ShouldSucceed())!;
        Assert.Equal(what, result["benchmark"]!.GetValue<string>());
        Assert.Equal("torch", result["backend"]!.GetValue<string>());
        Assert.Equal(1, result["threads"]!.GetValue<int>());
        string[] positive = ["parameters", "milliseconds", "medianMilliseconds", "processorMilliseconds", "timesRealTime", "gigaFlops", "sgemmGigaFlops", "shareOfSgemm", "peakMemoryMiB"];
        string[] own = what == "decode" ? ["tokens", "tokensPerSecond", "millisecondsPerToken", "prefillMilliseconds"] : ["cacheMilliseconds"];
        Assert.All([.. positive, .. own], name => Assert.True(result[name]!.GetValue<double>() > 0, name));
        if (what == "decode")
        {
            Assert.Equal(7, result["tokens"]!.GetValue<int>());
        }
    }

    /// <summary>A recogniser beside another of the same model has its weights.</summary>
    [Fact]
    public void BenchLoad_OfAModel_SaysWhatItsWeightsTakeAndWhatASecondOneShares()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "reads /proc");
        var demo = Path.Combine(Fixtures.RepositoryRoot, "models", "demo");
        var result = JsonNode.Parse(AsrProcess.Run("bench", "load", "--model", demo, "--first", Fixtures.Path("micro"), "--backend", "onnx").ShouldSucceed())!;
        Assert.Equal("demo", (string)result["model"]!);
        Assert.All(["loadSeconds", "weightFilesMiB", "weightsMiB", "weightsPerFiles", "windowMiB"], name => Assert.True((double)result[name]! > 0, name));
        Assert.InRange((double)result["secondRecognizerMiB"]!, -4, (double)result["weightFilesMiB"]!);
        AsrProcess.Run("bench", "load", "--model", demo, "--first", demo).ShouldFailWith("are the same");
    }

    [Fact]
    public void BenchTrain_OfACheckpointsDimensions_DividesTheTimeAmongThePhases()
    {
        var dims = Fixtures.Path("trainer/init");
        var result = JsonNode.Parse(AsrProcess.Run("bench", "train", "--dims", dims, "--seconds", "1", "--threads", "1", "--steps", "3", "--batch", "2", "--device", "cpu").ShouldSucceed())!;
        Assert.Equal(3, result["steps"]!.GetValue<int>());
        Assert.Equal(2, result["batch"]!.GetValue<int>());
        string[] positive = ["parameters", "trainableParameters", "stepMilliseconds", "samplesPerSecond", "audioSecondsPerSecond", "peakMemoryMiB"];
        Assert.All(positive, name => Assert.True(result[name]!.GetValue<double>() > 0, name));
        var shares = result["phaseShares"]!.AsObject();
        Assert.Equal(["data", "forward", "backward", "optimizer"], shares.Select(share => share.Key));
        Assert.InRange(shares.Sum(share => share.Value!.GetValue<double>()), 0.3, 1.001);
    }

    [Theory]
    [InlineData("--dims", "huge")]
    [InlineData("--seconds", "0")]
    [InlineData("--seconds", "30.1")]
    [InlineData("--repeat", "0")]
    [InlineData("--threads", "-1")]
    [InlineData("--tokens", "445")]
    [InlineData("--tokens", "-1")]
    public void Bench_OfWhatCannotBe_SaysWhatCan(string option, string value) =>
        AsrProcess.Run("bench", "decode", option, value).ShouldFailWith($"{option} {value}: give");

    [Theory]
    [InlineData("give numbers of 1 to 30", "--corrections", "5,31")]
    [InlineData("--seeds", "--seeds", "0")]
    [InlineData("medicines, products, voice", "--domain", "films")]
    [InlineData("leave --domain out", "--final", "--domain", "voice")]
    [InlineData("its folder does not exist", "--svg", "/nowhere/at/all.svg")]
    public void BenchLearning_OptionThatCannotBeUsed_SaysWhy(string reason, params string[] options) =>
        AsrProcess.Run(["bench", "learning", "--model", Fixtures.Path("micro"), .. options]).ShouldFailWith(reason);
}
