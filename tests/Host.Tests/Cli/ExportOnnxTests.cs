using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Cli;

/// <summary><c>export onnx</c> as a user runs it; the graphs themselves are tested where they are made.</summary>
public sealed class ExportOnnxTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("asr-onnx-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void ExportOnnx_WithAnAdapter_WritesWhatTheMergedCheckpointGives()
    {
        var adapter = AdapterTests.WriteAdapter(_folder, "adapter", size: 1);
        var merged = Path.Combine(_folder.FullName, "merged");
        AsrProcess.Run("adapters", "merge", adapter, "--model", Model, "--output-dir", merged, "--precision", "fp32").ShouldSucceed();
        var expected = Export("expected", "--model", merged);
        var found = Export("found", "--model", Model, "--adapter", adapter);
        var plain = Export("plain", "--model", Model);
        foreach (var file in new[] { "encoder_model.onnx", "decoder_model_merged.onnx" })
        {
            var bytes = File.ReadAllBytes(Path.Combine(expected, file));
            Assert.Equal(bytes, File.ReadAllBytes(Path.Combine(found, file)));
            Assert.NotEqual(bytes, File.ReadAllBytes(Path.Combine(plain, file)));
        }

        Assert.All(new[] { "config.json", "generation_config.json", "tokenizer.json" }, file => Assert.True(File.Exists(Path.Combine(found, file)), file));
    }

    [Fact]
    public void ExportOnnx_WithoutAdapters_WritesGraphsThatTakeNone()
    {
        var plain = Export("plain", "--model", Model, "--layout", "fast", "--no-adapters", "--no-check");
        var adaptable = Export("adaptable", "--model", Model, "--layout", "fast", "--no-check");
        var adapter = AdapterTests.WriteAdapter(_folder, "adapter", size: 1);
        string[] transcribe = ["transcribe", Fixtures.Path("audio/fox.wav"), "--adapter", adapter, "--backend", "onnx", "--model"];
        AsrProcess.Run([.. transcribe, adaptable]).ShouldSucceed();
        AsrProcess.Run([.. transcribe, plain]).ShouldFailWith("takes no LoRA adapters");
    }

    [Fact]
    public void ExportOnnx_ToAFolderThatIsInUse_IsRefused()
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "mine.txt"), "");
        AsrProcess.Run("export", "onnx", "--model", Model, "--output-dir", _folder.FullName).ShouldFailWith("is not empty");
    }

    [Theory]
    [InlineData("--row-scaled-layers needs --layout fast", "--precision", "int8", "--row-scaled-layers", "fc1")]
    [InlineData("--no-adapters needs --layout fast", "--no-adapters")]
    [InlineData("give --precision int8", "--fp32-layers", "fc2")]
    [InlineData("Invalid pattern", "--precision", "int8", "--fp32-layers", "(")]
    public void ExportOnnx_WithOptionsThatDoNotFit_IsAUsageError(string expected, params string[] arguments)
    {
        var result = AsrProcess.Run(["export", "onnx", "--model", Model, "--output-dir", Path.Combine(_folder.FullName, "new"), .. arguments]);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(expected, result.Error, StringComparison.Ordinal);
    }

    private static string Model => Fixtures.Path("micro");

    private string Export(string name, params string[] arguments)
    {
        var target = Path.Combine(_folder.FullName, name);
        Assert.Equal(target + "\n", AsrProcess.Run(["export", "onnx", "--output-dir", target, "--quiet", .. arguments]).ShouldSucceed());
        return target;
    }
}
