using System.Text;
using System.Text.Json.Nodes;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.Host.Tests.Cli;

/// <summary><c>--adapter</c>, <c>adapters merge</c> and <c>export hf</c> as a user runs them.</summary>
public sealed class AdapterTests : IDisposable
{
    private const string FoxText = "The quick brown fox jumps over the lazy dog.";
    private const string Tokens = "50258,50259,50359,50363,464,2068,7586";
    private const int Width = 64;
    private const int Rank = 2;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("asr-adapter-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Transcribe_WithAnAdapterThatChangesNothing_PrintsTheSameText()
    {
        var adapter = WriteAdapter("mine", size: 0);
        Assert.Equal(FoxText + "\n", AsrProcess.Run("transcribe", Audio, "--model", Model, "--adapter", adapter).ShouldSucceed());
    }

    [Fact]
    public void Transcribe_WithAnAdapterOfTheDataFolder_FindsItByItsId()
    {
        var data = Path.Combine(_folder.FullName, "data");
        WriteAdapter("data/adapters/mine", size: 0);
        Assert.Equal(FoxText + "\n", AsrProcess.Run("transcribe", Audio, "--model", Model, "--adapter", "mine", "--data-dir", data).ShouldSucceed());
        AsrProcess.Run("transcribe", Audio, "--model", Model, "--adapter", "yours", "--data-dir", data)
            .ShouldFailWith("adapter yours: there is no such folder, and no adapter of that id");
    }

    [Fact]
    public void Transcribe_WithAFolderThatIsNoAdapter_SaysSo() =>
        AsrProcess.Run("transcribe", Audio, "--model", Model, "--adapter", Model).ShouldFailWith("has no adapter_config.json");

    [Fact]
    public void Transcribe_WithAnAdapterOfAnotherModel_NamesTheTensor()
    {
        var adapter = WriteAdapter("wide", size: 0, width: 32);
        AsrProcess.Run("transcribe", Audio, "--model", Model, "--adapter", adapter).ShouldFailWith("q_proj.lora_A.weight has the shape [2, 32]; [2, 64]");
    }

    [Fact]
    public void Stream_WithAnAdapter_NamesItInEveryCaption()
    {
        var adapter = WriteAdapter("medical-v3", size: 0);
        var lines = AsrProcess.Run("stream", Audio, "--model", Model, "--adapter", adapter, "--pace", "0", "--language", "en", "--json").ShouldSucceed()
            .TrimEnd('\n').Split('\n').Select(line => JsonNode.Parse(line)!.ToJsonString()).Where(line => line.Contains("adapterVersion", StringComparison.Ordinal)).ToArray();
        Assert.NotEmpty(lines);
        Assert.All(lines, line => Assert.Contains("\"adapterVersion\":\"medical-v3\"", line, StringComparison.Ordinal));
    }

    [Fact]
    public void InspectLogits_WithAnAdapter_AreThoseOfTheMergedCheckpoint()
    {
        var adapter = WriteAdapter("strong", size: 0.3f);
        var merged = Path.Combine(_folder.FullName, "merged");
        Assert.Equal(merged + "\n", AsrProcess.Run("adapters", "merge", adapter, "--model", Model, "--output-dir", merged, "--precision", "fp32").ShouldSucceed());
        var plain = Logits("plain", "--model", Model);
        var adapted = Logits("adapted", "--model", Model, "--adapter", adapter);
        var expected = Logits("merged", "--model", merged);
        Assert.True(Distance(plain, adapted) > 0.05, "the adapter changes nothing");
        Assert.InRange(Distance(expected, adapted), 0, 1e-4);
        Assert.Equal(
            Directory.GetFiles(Model).Select(Path.GetFileName).Order(),
            Directory.GetFiles(merged).Select(Path.GetFileName).Order());
        Assert.NotEmpty(AsrProcess.Run("transcribe", Audio, "--model", merged, "--language", "en").ShouldSucceed());
    }

    [Fact]
    public void ExportHf_WithAndWithoutAnAdapter_WritesWhatTranscribeLoads()
    {
        var plain = Path.Combine(_folder.FullName, "plain");
        AsrProcess.Run("export", "hf", "--model", Model, "--output-dir", plain, "--precision", "bf16").ShouldSucceed();
        Assert.Equal("bfloat16", JsonNode.Parse(File.ReadAllText(Path.Combine(plain, "config.json")))!["dtype"]!.GetValue<string>());
        Assert.Equal(FoxText + "\n", AsrProcess.Run("transcribe", Audio, "--model", plain).ShouldSucceed());
        var adapted = Path.Combine(_folder.FullName, "adapted");
        AsrProcess.Run("export", "hf", "--model", Model, "--adapter", WriteAdapter("weak", size: 0), "--output-dir", adapted).ShouldSucceed();
        using var before = CheckpointWeights.Open(Model);
        using var after = CheckpointWeights.Open(adapted);
        Assert.All(before.Tensors.Values, tensor => Assert.Equal(tensor.Bytes.ToArray(), after[tensor.Name].Bytes.ToArray()));
    }

    [Fact]
    public void AdaptersMerge_IntoAFolderThatIsUsed_IsRefused() =>
        AsrProcess.Run("adapters", "merge", WriteAdapter("any", size: 0), "--model", Model, "--output-dir", _folder.FullName).ShouldFailWith("is not empty");

    [Fact]
    public void AdaptersMerge_WithABrokenAdapter_IsRefusedAndLeavesNothing()
    {
        var adapter = WriteAdapter("broken", size: float.NaN);
        var parent = _folder.CreateSubdirectory("out").FullName;
        AsrProcess.Run("adapters", "merge", adapter, "--model", Model, "--output-dir", Path.Combine(parent, "merged")).ShouldFailWith("not finite");
        Assert.Empty(Directory.GetFileSystemEntries(parent));
    }

    private static string Model => Fixtures.Path("micro");

    private static string Audio => Fixtures.Path("audio/fox.wav");

    private float[] Logits(string name, params string[] arguments)
    {
        var file = Path.Combine(_folder.FullName, name + ".npy");
        AsrProcess.Run(["inspect", "logits", Audio, "--tokens", Tokens, "--output", file, .. arguments]).ShouldSucceed();
        return NpyArray.Read(file).ToSingle();
    }

    private static double Distance(float[] left, float[] right) => left.Zip(right, (a, b) => (double)Math.Abs(a - b)).Max();

    /// <summary>A PEFT folder with factors on the queries of self-attention.</summary>
    private string WriteAdapter(string name, float size, int width = Width) => WriteAdapter(_folder, name, size, width);

    /// <summary>As the one above, under a folder.</summary>
    internal static string WriteAdapter(DirectoryInfo parent, string name, float size, int width = Width)
    {
        var folder = parent.CreateSubdirectory(name).FullName;
        File.WriteAllText(Path.Combine(folder, "adapter_config.json"), """{"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["self_attn.q_proj"]}""", Encoding.UTF8);
        var random = new Random(7);
        float[] Values(int count, float scale) => [.. Enumerable.Range(0, count).Select(_ => scale * ((float)random.NextDouble() - 0.5f))];
        SafetensorsWriter.Write(
            Path.Combine(folder, "adapter_model.safetensors"),
            from side in new[] { "encoder", "decoder" }
            from layer in new[] { 0, 1 }
            let prefix = $"base_model.model.model.{side}.layers.{layer}.self_attn.q_proj"
            from entry in new[]
            {
                SafetensorsEntry.FromSingle($"{prefix}.lora_A.weight", [Rank, width], Values(Rank * width, 1)),
                SafetensorsEntry.FromSingle($"{prefix}.lora_B.weight", [width, Rank], Values(Rank * width, size)),
            }
            select entry);
        return folder;
    }
}
