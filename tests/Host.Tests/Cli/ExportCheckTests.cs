using System.Text.Json;
using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Cli;

/// <summary>Exports beside the checkpoint that they were made from: <c>export onnx --check</c> and <c>export check</c>.</summary>
public sealed class ExportCheckTests : IDisposable
{
    private const string Measures = "export_check.json";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ExportOnnx_OfASoundExport_SaysAndWritesWhatItMeasured()
    {
        var target = _folder.File("sound");
        var result = Export(target, "--check", Speech());
        result.ShouldSucceed();
        Assert.Contains("compared with the model on 2 utterances", result.Error, StringComparison.Ordinal);
        var found = JsonDocument.Parse(File.ReadAllText(Path.Combine(target, Measures))).RootElement;
        Assert.True(found.GetProperty("passed").GetBoolean());
        Assert.Equal("fp32", found.GetProperty("precision").GetString());
        Assert.Equal("torch (cpu)", found.GetProperty("model_backend").GetString());
        Assert.Equal("onnx (cpu)", found.GetProperty("export_backend").GetString());
        var wer = found.GetProperty("wer");
        Assert.Equal(0, wer.GetProperty("model").GetDouble());
        Assert.Equal(0, wer.GetProperty("export").GetDouble());
        var logits = found.GetProperty("logits");
        Assert.True(logits.GetProperty("tokens").GetInt32() > 10);
        Assert.InRange(logits.GetProperty("largest_difference").GetDouble(), double.Epsilon, 1e-3);
        Assert.Equal(1, logits.GetProperty("same_best_token").GetDouble());
    }

    [Fact]
    public void ExportCheck_OfAnExportWithDamagedWeights_Fails()
    {
        var target = _folder.File("damaged");
        Export(target, "--no-check").ShouldSucceed();
        Assert.False(File.Exists(Path.Combine(target, Measures)));
        Check(target).ShouldSucceed();

        // In the middle lies the embedding, which is the output's matrix too.
        using (var graph = new FileStream(Path.Combine(target, "decoder_model_merged.onnx"), FileMode.Open, FileAccess.ReadWrite))
        {
            graph.Position = graph.Length / 2;
            graph.Write(new byte[100_000]);
        }

        var result = Check(target);
        result.ShouldFailWith("the export is not what the model is: ");
        Assert.Contains("a logit differs by", result.Error, StringComparison.Ordinal);

        var json = Check(target, "--json");
        Assert.Equal(1, json.ExitCode);
        Assert.False(JsonDocument.Parse(json.Output).RootElement.GetProperty("passed").GetBoolean());
    }

    [Fact]
    public void ExportOnnx_WorseThanTolerated_IsWrittenOnlyWhereAsked()
    {
        // Two engines never give the same bits.
        string[] strict = ["--check", Speech(), "--max-mean-difference", "0"];
        var target = _folder.File("strict");
        var refused = Export(target, strict);
        refused.ShouldFailWith("logits differ on average by");
        Assert.Contains("nothing was written", refused.Error, StringComparison.Ordinal);
        Assert.Equal(["speech.jsonl"], Directory.EnumerateFileSystemEntries(_folder.Root).Select(Path.GetFileName));

        Export(target, [.. strict, "--keep-failed"]).ShouldFailWith($"{target} was kept");
        var found = JsonDocument.Parse(File.ReadAllText(Path.Combine(target, Measures))).RootElement;
        Assert.False(found.GetProperty("passed").GetBoolean());
        Assert.Contains("logits differ on average by", Assert.Single(found.GetProperty("faults").EnumerateArray()).GetString(), StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(target, "encoder_model.onnx")));
    }

    [Fact]
    public void ExportOnnx_WithoutTheBackends_SaysThatNothingWasCompared()
    {
        var target = _folder.File("alone");
        var result = Export(target, "--check", Speech(), "--plugins-dir", _folder.File("none"));
        result.ShouldSucceed();
        Assert.Contains("nothing was compared: no backend runs the export", result.Error, StringComparison.Ordinal);
        Assert.False(JsonDocument.Parse(File.ReadAllText(Path.Combine(target, Measures))).RootElement.GetProperty("compared").GetBoolean());
        Check(target, "--plugins-dir", _folder.File("none")).ShouldFailWith("nothing was compared: no backend runs the export");
    }

    [Fact]
    public void ExportOnnx_OfAModelWithoutSpeech_SaysHowToNameSome()
    {
        var result = Export(_folder.File("silent"));
        result.ShouldSucceed();
        Assert.Contains("nothing was compared: the model brings no speech; name some with --check MANIFEST", result.Error, StringComparison.Ordinal);
        Assert.Equal(2, Export(_folder.File("new"), "--max-difference", "-1").ExitCode);
    }

    private static string Model => Fixtures.Path("micro");

    private static AsrProcess.Result Export(string target, params string[] arguments) =>
        AsrProcess.Run(["export", "onnx", "--model", Model, "--output-dir", target, "--quiet", .. arguments]);

    private AsrProcess.Result Check(string target, params string[] arguments) =>
        AsrProcess.Run(["export", "check", target, "--model", Model, "--check", Speech(), "--quiet", .. arguments]);

    private string Speech() => _folder.Write(
        "speech.jsonl",
        $$"""
        {"audio": "{{Fixtures.Path("audio/fox.wav")}}", "text": "The quick brown fox jumps over the lazy dog.", "language": "en"}
        {"audio": "{{Fixtures.Path("audio/de.wav")}}", "text": "Guten Morgen, wie geht es Ihnen heute?", "language": "de"}
        """);
}
