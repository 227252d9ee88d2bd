using System.Text.Json.Nodes;
using AsrPlatform.Host.Diagnostics;
using AsrPlatform.Host.Tests.Cli;
using AsrPlatform.Host.Tests.Plugins;

namespace AsrPlatform.Host.Tests.Diagnostics;

public sealed class DoctorTests : IDisposable
{
    private readonly PluginsFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Examine_PluginsOfAllSorts_ShowsEachWithReasonRemedyAndWhatItSaysOfItself()
    {
        _folder.Add("good");
        _folder.Add("old-contract");
        _folder.Add("throws-in-constructor");
        await using var catalog = _folder.Load(("Plugins:good:Greeting", "hello"));

        var report = await Doctor.ExamineAsync(catalog, TestContext.Current.CancellationToken);
        var writer = new StringWriter();
        Doctor.Write(report, writer);
        var text = writer.ToString();

        Assert.True(report.CanTranscribe);
        Assert.Equal(new DoctorDevice("toy", "cpu", "plain C#"), Assert.Single(report.Devices));
        Assert.Contains($"plugins in {_folder.Root}", text, StringComparison.Ordinal);
        Assert.Contains("ok       good 1.2.3 (seq2seq-backend, recognizer)", text, StringComparison.Ordinal);
        Assert.Contains("error    old-contract 1.0.0 (seq2seq-backend, recognizer): incompatible: it was built for contract 0.9", text, StringComparison.Ordinal);
        Assert.Contains("-> install a version of the plugin that was built for this host", text, StringComparison.Ordinal);
        Assert.Contains("ok       toy cpu: plain C#", text, StringComparison.Ordinal);
        Assert.Contains("plugin good", text, StringComparison.Ordinal);
        Assert.Contains("ok       greeting: hello", text, StringComparison.Ordinal);
        Assert.Contains($"warning  speed: it is a toy{Environment.NewLine}            -> use a real one", text, StringComparison.Ordinal);
        Assert.Contains("OMP_WAIT_POLICY", text, StringComparison.Ordinal);
        Assert.Contains("ffmpeg", text, StringComparison.Ordinal);
        Assert.Contains("memory", text, StringComparison.Ordinal);
        Assert.EndsWith($"Ready to transcribe.{Environment.NewLine}", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Doctor_NoPlugin_ExitsWithOneAndSaysWhatToDo()
    {
        var result = AsrProcess.Run("doctor", "--plugins-dir", _folder.Root);

        Assert.Equal(1, result.ExitCode);
        Assert.Empty(result.Error);
        Assert.Contains("./run.sh builds and installs", result.Output, StringComparison.Ordinal);
        Assert.Contains("Nothing here can transcribe", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Doctor_Json_IsReadByAProgram()
    {
        _folder.Add("good");
        _folder.Add("unknown-kind");

        var report = JsonNode.Parse(AsrProcess.Run("doctor", "--json", "--plugins-dir", _folder.Root).ShouldSucceed())!;

        Assert.True(report["canTranscribe"]!.GetValue<bool>());
        Assert.Equal(["loaded", "invalid"], report["plugins"]!.AsArray().Select(plugin => plugin!["state"]!.GetValue<string>()));
        Assert.Equal(["ok", "warning"], report["sections"]!.AsArray().Single(section => section!["name"]!.GetValue<string>() == "plugin good")!["items"]!.AsArray().Select(item => item!["level"]!.GetValue<string>()));
    }
}
