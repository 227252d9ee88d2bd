using System.Text;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.ModelHub;
using AsrPlatform.Host.Tests.Cli;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.Host.Tests.ModelHub;

public sealed class CheckpointDownloadTests : IDisposable
{
    private const string Weights = "model.safetensors";

    private readonly TemporaryFolder _folder = new();

    private string Target => Path.Combine(_folder.Root, "org", "whisper-micro");

    private string Partial => Path.Combine(_folder.Root, ".partial", "org", "whisper-micro");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Run_Checkpoint_PlacesWhatIsUsedAndNothingElse(bool namesOnly)
    {
        await using var hub = await MicroAsync(("pytorch_model.bin", [1]), ("flax_model.msgpack", [2]), ("README.md", [3]), ("model.fp32.safetensors", [4]));
        hub.NamesOnly = namesOnly;
        var seen = new List<DownloadProgress>();
        var result = await PullAsync(hub, progress: seen.Add);
        Assert.Equal((Target, FakeHub.Commit, false, null), (result.Directory, result.Commit, result.WasThere, result.Problem));
        foreach (var path in Directory.GetFiles(Fixtures.Path("micro")))
        {
            Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(Path.Combine(Target, Path.GetFileName(path))));
        }

        Assert.Equal(Directory.GetFiles(Fixtures.Path("micro")).Length + 1, Directory.GetFiles(Target).Length);
        Assert.False(Directory.Exists(Partial));
        Assert.Equal(seen[^1].TotalBytes, seen[^1].DoneBytes);
        Assert.Equal(result.Bytes, seen[^1].TotalBytes);
        using var checkpoint = WhisperCheckpoint.Open(Target);
        Assert.Equal(64, checkpoint.Config.DModel);
    }

    [Fact]
    public async Task Run_Again_DownloadsNothing()
    {
        await using var hub = await MicroAsync();
        await PullAsync(hub);
        hub.Requests.Clear();
        Assert.True((await PullAsync(hub)).WasThere);
        Assert.Single(hub.Requests);

        // A file that went missing is brought back, alone.
        File.Delete(Path.Combine(Target, "vocab.json"));
        hub.Requests.Clear();
        Assert.False((await PullAsync(hub)).WasThere);
        Assert.Equal((1, 0), (hub.CountOf("vocab.json"), hub.CountOf(Weights)));
        Assert.True(File.Exists(Path.Combine(Target, "vocab.json")));
    }

    [Fact]
    public async Task Run_ConnectionCutMidway_GoesOnFromThere()
    {
        await using var hub = await MicroAsync();
        hub.Remove("tokenizer.json");
        hub.Cuts.Enqueue(1_000_000);
        hub.Cuts.Enqueue(2_000_000);
        await PullAsync(hub);
        Assert.Equal(File.ReadAllBytes(Fixtures.Path($"micro/{Weights}")), File.ReadAllBytes(Path.Combine(Target, Weights)));
        var ranges = hub.Requests.Where(request => request.Path.EndsWith(Weights, StringComparison.Ordinal)).Select(request => request.Range).ToList();
        Assert.Equal(3, ranges.Count);
        Assert.Null(ranges[0]);
        Assert.All(ranges[1..], range => Assert.StartsWith("bytes=", range, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Run_AfterAnEarlierRunEnded_GoesOnFromItsPart()
    {
        await using var hub = await MicroAsync();
        using var cancel = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => PullAsync(hub, cancellation: cancel.Token, progress: at =>
        {
            if (at.File == Weights && at.DoneBytes > 6_000_000)
            {
                cancel.Cancel();
            }
        }));
        Assert.False(Directory.Exists(Target));
        var part = new FileInfo(Assert.Single(Directory.GetFiles(Partial, "*.part")));
        Assert.True(part.Length > 0);
        hub.Requests.Clear();
        await PullAsync(hub);
        Assert.Equal($"bytes={part.Length}-", Assert.Single(hub.Requests, request => request.Path.EndsWith(Weights, StringComparison.Ordinal)).Range);
        Assert.Equal(0, hub.CountOf("config.json"));
        Assert.Equal(File.ReadAllBytes(Fixtures.Path($"micro/{Weights}")), File.ReadAllBytes(Path.Combine(Target, Weights)));
    }

    [Fact]
    public async Task Run_HubWithoutRanges_StartsOver()
    {
        await using var hub = await MicroAsync();
        hub.Remove("tokenizer.json");
        hub.IgnoresRanges = true;
        hub.Cuts.Enqueue(3_000_000);
        await PullAsync(hub);
        Assert.Equal(File.ReadAllBytes(Fixtures.Path($"micro/{Weights}")), File.ReadAllBytes(Path.Combine(Target, Weights)));
    }

    [Fact]
    public async Task Run_DamagedOnce_TriesAgain()
    {
        await using var hub = await MicroAsync();
        hub.Corruptions = 1;
        await PullAsync(hub);
        Assert.Equal(2, hub.CountOf("config.json"));
    }

    [Fact]
    public async Task Run_HashThatIsNotTheFiles_PlacesNothing()
    {
        await using var hub = await MicroAsync();
        hub.WrongHashOf = Weights;
        var error = await Assert.ThrowsAsync<AsrException>(() => PullAsync(hub));
        Assert.Contains($"{Weights} was damaged on the way", error.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Target));
        Assert.Empty(Directory.GetFiles(Partial, "*.part"));
    }

    [Fact]
    public async Task Run_NewCommit_ReplacesTheFolder()
    {
        await using (var hub = await MicroAsync())
        {
            await PullAsync(hub);
        }

        File.WriteAllText(Path.Combine(Target, "pulled.json"), "{\"commit\": \"older\", \"files\": {}}");
        File.WriteAllText(Path.Combine(Target, "vocab.json"), "{}");
        await using var next = await MicroAsync();
        Assert.False((await PullAsync(next)).WasThere);
        Assert.Equal(File.ReadAllBytes(Fixtures.Path("micro/vocab.json")), File.ReadAllBytes(Path.Combine(Target, "vocab.json")));
        Assert.Equal((1, 0), (next.CountOf("vocab.json"), next.CountOf(Weights)));
        Assert.Equal(["org"], Directory.GetDirectories(_folder.Root).Select(Path.GetFileName).Where(name => name![0] != '.'));
        Assert.Equal(["whisper-micro"], Directory.GetDirectories(Path.GetDirectoryName(Target)!).Select(Path.GetFileName));
    }

    [Fact]
    public async Task Run_Sharded_TakesTheShardsOfTheIndex()
    {
        await using var hub = await FakeHub.StartAsync(Fixtures.Path("checkpoints/fp16_sharded"), ("model-99999-of-00010.safetensors", [1]));
        var result = await PullAsync(hub);
        Assert.Equal(10, Directory.GetFiles(Target, "*.safetensors").Length);
        Assert.Contains("tokenizer", result.Problem, StringComparison.OrdinalIgnoreCase);

        hub.Remove("model-00003-of-00010.safetensors");
        Directory.Delete(Target, recursive: true);
        Assert.Contains("lacks the shard model-00003-of-00010", (await Assert.ThrowsAsync<AsrException>(() => PullAsync(hub))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_IndexThatNamesAPath_IsRefused()
    {
        await using var hub = await FakeHub.StartAsync(Fixtures.Path("checkpoints/fp16_sharded"), ("model.safetensors.index.json", Encoding.UTF8.GetBytes("""{"weight_map": {"a": "../../x.safetensors"}}""")));
        Assert.Contains("which is no shard", (await Assert.ThrowsAsync<AsrException>(() => PullAsync(hub))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_TokenAsked_GoesToTheEndpointAlone()
    {
        await using var storage = await MicroAsync();
        await using var hub = await MicroAsync();
        hub.RequiredToken = "hf_secret";
        hub.StorageAddress = storage.Address.Replace("127.0.0.1", "localhost", StringComparison.Ordinal);
        await PullAsync(hub, token: "hf_secret");
        Assert.All(hub.Requests, request => Assert.Equal("Bearer hf_secret", request.Authorization));
        Assert.Null(Assert.Single(storage.Requests).Authorization);
    }

    [Theory]
    [InlineData(null, null, "set HF_TOKEN")]
    [InlineData(null, "GatedRepo", "is gated: accept its licence")]
    [InlineData("hf_wrong", null, "refuses the token in HF_TOKEN")]
    public async Task Run_NotAllowed_SaysWhatToDo(string? token, string? code, string message)
    {
        await using var hub = await MicroAsync();
        hub.RequiredToken = "hf_secret";
        hub.ErrorCode = code;
        var error = await Assert.ThrowsAsync<AsrException>(() => PullAsync(hub, token: token));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hf_wrong", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_NotThere_SaysWhatIsMissing()
    {
        await using var hub = await MicroAsync(("pytorch_model.bin", [1]));
        using var client = new HubClient(hub.Address, null);
        var download = new CheckpointDownload(client, _folder.Root);
        Assert.Contains("org/nothing is not at", (await Fail("org/nothing", "main")).Message, StringComparison.Ordinal);
        Assert.Contains("has no revision 'v9'", (await Fail(FakeHub.Model, "v9")).Message, StringComparison.Ordinal);
        Assert.Contains("give ORG/NAME", (await Fail("../../etc", "main")).Message, StringComparison.Ordinal);
        hub.Remove(Weights);
        Assert.Contains("only pytorch_model.bin", (await Fail(FakeHub.Model, "main")).Message, StringComparison.Ordinal);
        Task<AsrException> Fail(string model, string revision) => Assert.ThrowsAnyAsync<AsrException>(() => download.RunAsync(model, revision, CancellationToken.None));
    }

    [Fact]
    public async Task Run_OtherModel_IsRefusedBeforeItsWeights()
    {
        await using var hub = await MicroAsync(("config.json", Encoding.UTF8.GetBytes("""{"model_type": "bert"}""")));
        Assert.Contains("is a 'bert' model", (await Assert.ThrowsAsync<AsrException>(() => PullAsync(hub))).Message, StringComparison.Ordinal);
        Assert.Equal(0, hub.CountOf(Weights));
    }

    [Fact]
    public async Task Run_Offline_SaysSo()
    {
        string address;
        await using (var hub = await MicroAsync())
        {
            address = hub.Address;
        }

        using var client = new HubClient(address, null);
        var error = await Assert.ThrowsAsync<AsrException>(() => new CheckpointDownload(client, _folder.Root).RunAsync(FakeHub.Model, "main", CancellationToken.None));
        Assert.Contains("cannot be reached", error.Message, StringComparison.Ordinal);
        Assert.Throws<AsrException>(() => new HubClient("not an address", null));
    }

    [Fact]
    public async Task ModelsPull_CommandLine_PrintsTheFolderAndListsIt()
    {
        await using var hub = await MicroAsync();
        var output = AsrProcess.Run("models", "pull", FakeHub.Model, "--endpoint", hub.Address, "--data-dir", _folder.Root).ShouldSucceed();
        var folder = Path.Combine(_folder.Root, "models", "org", "whisper-micro");
        Assert.Equal(folder + "\n", output);
        Assert.Contains(folder, AsrProcess.Run("models", "list", "--data-dir", _folder.Root).ShouldSucceed(), StringComparison.Ordinal);
        AsrProcess.Run("models", "pull", "org/nothing", "--endpoint", hub.Address, "--data-dir", _folder.Root).ShouldFailWith("is not at");
    }

    private static Task<FakeHub> MicroAsync(params (string Name, byte[] Content)[] more) => FakeHub.StartAsync(Fixtures.Path("micro"), more);

    private async Task<DownloadResult> PullAsync(FakeHub hub, string? token = null, Action<DownloadProgress>? progress = null, CancellationToken cancellation = default)
    {
        using var client = new HubClient(hub.Address, token);
        var download = new CheckpointDownload(client, _folder.Root, progress, retryDelay: TimeSpan.Zero);
        return await download.RunAsync(FakeHub.Model, "main", cancellation);
    }
}
