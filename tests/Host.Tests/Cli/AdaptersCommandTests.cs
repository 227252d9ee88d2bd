using System.Text.Json.Nodes;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Registry;
using AsrPlatform.Host.Tests.Learning.Registry;
using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Cli;

/// <summary><c>asr adapters list|show|compare|promote|rollback|delete</c> and <c>--adapter active</c> as a user runs them.</summary>
public sealed class AdaptersCommandTests : IDisposable
{
    private const string FoxText = "The quick brown fox jumps over the lazy dog.\n";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("asr-adapters-");

    private static string Model => Fixtures.Path("micro");

    private static string Audio => Fixtures.Path("audio/fox.wav");

    private string Data => Path.Combine(_folder.FullName, "data");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Adapters_FromListToDelete_DoWhatTheySay()
    {
        var (quiet, loud) = (await AddAsync("quiet", size: 0), await AddAsync("loud", size: 40));
        var list = Json("list", "--json");
        Assert.Null(list["active"]);
        Assert.Equal([loud, quiet], list["items"]!.AsArray().Select(item => item!["id"]!.GetValue<string>()));
        Assert.Contains($"  {quiet}  candidate ", Run("list").ShouldSucceed(), StringComparison.Ordinal);

        Assert.Equal(FoxText, Transcribe("active"));
        Assert.Equal($"{loud} is active for all, provisionally; before it was base\n", Run("promote", loud, "--model", Model, "--provisional", "--reason", "try it").ShouldSucceed());
        Assert.NotEqual(FoxText, Transcribe("active"));
        Assert.Equal(FoxText, Transcribe("none"));
        Run("delete", loud).ShouldFailWith($"the adapter {loud} is active for all: promote another one or 'asr adapters rollback' first");
        var shown = Json("show", loud, "--json");
        Assert.Equal(("provisional", "try it"), (shown["state"]!.GetValue<string>(), shown["reason"]!.GetValue<string>()));
        Assert.Contains("provisional, active for all", Run("show", loud).ShouldSucceed(), StringComparison.Ordinal);

        var promoted = Json("promote", quiet, "--model", Model, "--json");
        Assert.Equal((quiet, loud, "all"), (promoted["adapter"]!.GetValue<string>(), promoted["previous"]!.GetValue<string>(), promoted["scope"]!.GetValue<string>()));
        Assert.Equal(FoxText, Transcribe("active"));
        Assert.Equal(loud, Json("rollback", "--json", "--reason", "worse")["adapter"]!.GetValue<string>());
        Run("rollback").ShouldSucceed();
        Run("rollback").ShouldFailWith("no adapter is active for all: there is nothing to roll back");
        Assert.Equal($"{loud} is deleted\n", Run("delete", loud).ShouldSucceed());
        Run("show", loud).ShouldFailWith($"there is no adapter '{loud}'");
        Run("promote", "nothing", "--model", Model).ShouldFailWith("there is no adapter 'nothing'");
        Run("promote", quiet, "--model", Model, "--scope", "everybody").ShouldFailWith("unknown scope 'everybody': give all, tenant:NAME or speaker:NAME");
    }

    [Fact]
    public async Task AdaptersCompare_WithAManifest_MeasuresBoth()
    {
        var (quiet, loud) = (await AddAsync("quiet", size: 0), await AddAsync("loud", size: 40));
        var manifest = Path.Combine(_folder.FullName, "data.jsonl");
        await File.WriteAllTextAsync(manifest, $$"""{"audio": "{{Audio}}", "text": "{{FoxText.Trim()}}", "language": "en"}""" + "\n", TestContext.Current.CancellationToken);
        var compared = Json("compare", quiet, loud, "--data", manifest, "--model", Model, "--json", "--quiet");
        Assert.Equal(0, compared["data"]![0]!["wer"]!.GetValue<double>());
        Assert.True(compared["data"]![1]!["wer"]!.GetValue<double>() > 0);
        Assert.Contains(compared["metrics"]!.AsArray(), value => value!["name"]!.GetValue<string>() == "heldOutWerAfter");
        Assert.Matches("of 1 utterances base has 0 better, 0 worse\n", Run("compare", quiet, "base", "--data", manifest, "--model", Model, "--quiet").ShouldSucceed());
        Run("compare", quiet, "base").ShouldFailWith("give --data MANIFEST");
    }

    [Fact]
    public async Task Adapter_OfAnotherBaseModel_IsRefused()
    {
        var id = await AddAsync("other", size: 0, baseHash: new string('c', 64));
        Run("promote", id, "--model", Model).ShouldFailWith($"the adapter {id} was trained on another base model");
        AsrProcess.Run("transcribe", Audio, "--model", Model, "--adapter", id, "--data-dir", Data).ShouldFailWith("was trained on another base model");
    }

    private static async Task<string> HashAsync() => await BaseModel.HashAsync(Model);

    private AsrProcess.Result Run(string verb, params string[] arguments) => AsrProcess.Run(["adapters", verb, .. arguments, "--data-dir", Data]);

    private JsonNode Json(string verb, params string[] arguments) => JsonNode.Parse(Run(verb, arguments).ShouldSucceed())!;

    private string Transcribe(string adapter) =>
        AsrProcess.Run("transcribe", Audio, "--model", Model, "--language", "en", "--temperature-increment-on-fallback", "none", "--adapter", adapter, "--data-dir", Data).ShouldSucceed();

    private async Task<string> AddAsync(string name, float size, string? baseHash = null)
    {
        using var data = DataFolder.OpenBeside(Data, TimeProvider.System);
        var peft = AdapterTests.WriteAdapter(_folder, name, size);
        return (await new AdapterRegistry(data).AddAsync(peft, AdapterFiles.New(baseHash: baseHash ?? await HashAsync()), TestContext.Current.CancellationToken)).Id;
    }
}
