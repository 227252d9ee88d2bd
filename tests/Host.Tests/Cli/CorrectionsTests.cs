using System.Text.Json.Nodes;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Data;
using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Cli;

/// <summary><c>asr corrections</c>, as a user runs it.</summary>
public sealed class CorrectionsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Data => _folder.File("data");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Import_ThenExport_GivesTheSameManifestAgain()
    {
        var manifest = Manifest("one two", "three");
        Assert.Equal("2 corrections imported\n", Run("import", manifest, "--author", "Ada", "--domain", "numbers", "--quiet"));
        Assert.Equal("0 corrections imported, 2 were there already\n", Run("import", manifest, "--quiet"));

        // Beside a process that holds the folder, as a host does.
        using (DataFolder.Open(Data, TimeProvider.System))
        {
            var items = JsonNode.Parse(Run("list", "--json"))!.AsArray();
            Assert.Equal(["three", "one two"], items.Select(item => (string)item!["text"]!));
            Assert.Equal(("heard three", "Ada", "Grace", "numbers", "stored"), ((string)items[0]!["hypothesis"]!, (string)items[0]!["author"]!, (string)items[0]!["speaker"]!, (string)items[0]!["domain"]!, (string)items[0]!["state"]!));
            Assert.Equal(["ready"], JsonNode.Parse(Run("review", "1", "--release", "--json"))!.AsArray().Select(item => (string)item!["state"]!));
        }

        Assert.Equal($"1 correction in {_folder.File("out")}/manifest.jsonl\n", Run("export", _folder.File("out")));
        Assert.Equal(2, Run("export", "--state", "all").Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        var exported = JsonNode.Parse(File.ReadAllText(_folder.File("out/manifest.jsonl")))!;
        Assert.Equal(("one two", "heard one two", "numbers", 1, "correction"), ((string)exported["text"]!, (string)exported["hypothesis"]!, (string)exported["domain"]!, (int)exported["id"]!, (string)exported["kind"]!));
        Assert.Equal(File.ReadAllBytes(_folder.File("one two.wav")), File.ReadAllBytes(Path.Combine(_folder.File("out"), (string)exported["audio"]!)));
        Assert.Equal("0 corrections imported, 1 were there already\n", Run("import", _folder.File("out/manifest.jsonl"), "--quiet"));
    }

    [Fact]
    public void Delete_ByNumberAndByAuthor_LeavesNothing()
    {
        Run("import", Manifest("one", "two"), "--author", "Ada", "--quiet");
        Run("import", Manifest("three"), "--author", "Bob", "--quiet");
        Assert.Equal("""{"deleted":1,"tainted":[]}""" + "\n", Run("delete", "1", "--json"));
        Assert.Equal("1 correction deleted\n", Run("delete", "--author", "Ada"));
        Assert.Equal(["three"], JsonNode.Parse(Run("list", "--json"))!.AsArray().Select(item => (string)item!["text"]!));
        Assert.Single(Directory.EnumerateFiles(Path.Combine(Data, "clips"), "*.wav", SearchOption.AllDirectories));
        Fails(1, "there is no correction 1", "delete", "1");
        Fails(1, "there is no session 'x'", "delete", "--session", "x");
    }

    [Fact]
    public void Verbs_GivenNonsense_SayWhatToGive()
    {
        Fails(2, "give either --release or --refuse", "review", "1");
        Fails(2, "give the numbers of corrections, or --author, or --session", "delete");
        Fails(1, "does not exist", "import", _folder.File("none.jsonl"));
        Fails(1, "nothing to delete", "delete", "1");
        Assert.Equal("no corrections\n", Run("list"));
    }

    private string Manifest(params string[] texts)
    {
        var rows = texts.Select(text =>
        {
            var samples = new float[16000];
            samples[text.Length] = 0.5f;
            WavWriter.Write(_folder.File(text + ".wav"), samples, 16000);
            return new JsonObject { ["audio"] = text + ".wav", ["text"] = text, ["hypothesis"] = "heard " + text, ["speaker"] = "Grace" }.ToJsonString();
        });
        return _folder.Write("manifest.jsonl", string.Join('\n', rows));
    }

    private string Run(params string[] arguments) => AsrProcess.Run(["corrections", .. arguments, "--data-dir", Data]).ShouldSucceed();

    private void Fails(int exitCode, string message, params string[] arguments)
    {
        var result = AsrProcess.Run(["corrections", .. arguments, "--data-dir", Data]);
        Assert.Equal(exitCode, result.ExitCode);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
        Assert.Equal("", result.Output);
    }
}
