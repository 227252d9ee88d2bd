using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;
using static AsrPlatform.LoraAdapter.Tests.TrainerFixtures;

namespace AsrPlatform.LoraAdapter.Tests;

/// <summary>PEFT's folders, both ways.</summary>
public sealed class FolderTests
{
    private const string Config = "adapter_config.json";
    private const string Weights = "adapter_model.safetensors";

    public static TheoryData<string> Folders =>
    [
        .. CaseNames.Select(name => $"peft/{name}"), "peft/mixed/one", "peft/mixed/two", "lora/initial", "lora/final", "dora_train/initial", "dora_train/final",
    ];

    [Theory]
    [MemberData(nameof(Folders))]
    public void Save_OfWhatPeftSaved_HasTheSameTensorsAndConfiguration(string folder)
    {
        using var target = new TemporaryFolder();
        using (var model = Model())
        using (var adapter = Load(model, folder))
        {
            adapter.Save(target.Root);
        }

        using (var expected = SafetensorsFile.Open(Path($"{folder}/{Weights}")))
        using (var actual = SafetensorsFile.Open(target.File(Weights)))
        {
            Assert.Equal(expected.Metadata, actual.Metadata);
            Assert.Equal(expected.Tensors.Keys.Order(), actual.Tensors.Keys.Order());
            foreach (var (name, tensor) in expected.Tensors)
            {
                Assert.Equal(tensor.ElementType, actual.Tensors[name].ElementType);
                Assert.Equal(tensor.Shape.ToArray(), actual.Tensors[name].Shape.ToArray());
                Assert.Equal(tensor.Bytes.ToArray(), actual.Tensors[name].Bytes.ToArray());
            }
        }

        var (ours, theirs) = (Read(target.File(Config)), Json($"{folder}/{Config}").AsObject());
        Assert.Equal(theirs.Select(pair => pair.Key), ours.Select(pair => pair.Key));
        Assert.All(theirs, pair => Assert.True(JsonNode.DeepEquals(pair.Value, ours[pair.Key]), pair.Key));
    }

    [Fact]
    public void Save_OfAFreshAdapter_WritesEveryKeyOfPeftSortedAndLoadsAgain()
    {
        using var folder = new TemporaryFolder();
        var target = folder.File("new/adapter");
        using var model = Model();
        float[] logits;
        using (var adapter = Provider.Create(model, "fresh", """{"target_modules": "all-linear", "r": 3, "init_lora_weights": false, "lora_dropout": 0.1}""", 5))
        {
            model.ActiveAdapter = adapter.Id;
            logits = Logits(model);
            adapter.Save(target);
        }

        var config = Read(System.IO.Path.Combine(target, Config));
        Assert.Equal(Json($"peft/all_linear/{Config}").AsObject().Select(pair => pair.Key), config.Select(pair => pair.Key));
        Assert.Equal(["fc1", "fc2", "k_proj", "out_proj", "q_proj", "v_proj"], config["target_modules"]!.AsArray().Select(name => name!.GetValue<string>()));
        Assert.True(config["inference_mode"]!.GetValue<bool>());
        Assert.Equal(3, config["r"]!.GetValue<int>());
        using var again = Provider.Load(model, "again", target);
        model.ActiveAdapter = again.Id;
        Assert.Equal(logits, Logits(model));
    }

    [Fact]
    public void Save_OfAMergedEmbedding_StoresTheBasesMatrix()
    {
        using var target = new TemporaryFolder();
        using var model = Model();
        using var adapter = Load(model, "peft/embed");
        adapter.Merge();
        adapter.Save(target.Root);
        const string Name = "base_model.model.model.decoder.embed_tokens.base_layer.weight";
        using var expected = SafetensorsFile.Open(Path($"peft/embed/{Weights}"));
        using var actual = SafetensorsFile.Open(target.File(Weights));
        Assert.Equal(expected.Tensors[Name].ToSingle(), actual.Tensors[Name].ToSingle());
    }

    [Fact]
    public void Load_OfAFolderThatLacksATensor_NamesIt()
    {
        const string Missing = "base_model.model.model.encoder.layers.1.self_attn.q_proj.lora_B.weight";
        Refused("peft/rslora", Missing, tensors => tensors.Where(tensor => tensor.Name != Missing));
    }

    [Fact]
    public void Load_OfAFolderWithATensorThatNothingAsksFor_NamesIt()
    {
        const string Extra = "base_model.model.model.encoder.layers.1.fc1.lora_A.weight";
        Refused("peft/rslora", Extra, tensors => [.. tensors, SafetensorsEntry.FromSingle(Extra, [4, 32], new float[128])]);
    }

    [Fact]
    public void Load_OfAFolderForAnotherWidth_NamesTensorAndShapes()
    {
        const string Odd = "base_model.model.model.encoder.layers.1.self_attn.q_proj.lora_A.weight";
        Refused("peft/rslora", $"{Odd} has the shape [4, 16]; [4, 32]", tensors =>
            [.. tensors.Where(tensor => tensor.Name != Odd), SafetensorsEntry.FromSingle(Odd, [4, 16], new float[64])]);
    }

    [Fact]
    public void Load_OfAnEmbeddingOfAnotherModel_IsRefused()
    {
        const string Base = "base_model.model.model.decoder.embed_tokens.base_layer.weight";
        Refused("peft/embed", Base, tensors =>
            [.. tensors.Where(tensor => tensor.Name != Base), SafetensorsEntry.FromSingle(Base, [257, 32], new float[257 * 32])]);
    }

    [Fact]
    public void Load_OfATiedProjectionWithOtherFactors_IsRefused()
    {
        const string Factor = "base_model.model.proj_out.lora_A.weight";
        Refused("peft/embed_tied", Factor, tensors =>
            [.. tensors.Where(tensor => tensor.Name != Factor), SafetensorsEntry.FromSingle(Factor, [4, 32], new float[128])]);
    }

    [Theory]
    [InlineData(Config, Config)]
    [InlineData(Weights, Weights)]
    public void Load_OfAFolderWithoutAFile_NamesIt(string file, string expected)
    {
        using var folder = new TemporaryFolder().CopyOf(Path("peft/rslora"));
        File.Delete(folder.File(file));
        using var model = Model();
        Assert.Contains(expected, Assert.Throws<AsrException>(() => Provider.Load(model, "broken", folder.Root)).Message, StringComparison.Ordinal);
        Assert.False(Provider.CanLoad(folder.Root, out var reason));
        Assert.Contains(expected, reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_OfAFolderWithPickledWeights_IsRefused()
    {
        using var folder = new TemporaryFolder().CopyOf(Path("peft/rslora"));
        File.Move(folder.File(Weights), folder.File("adapter_model.bin"));
        using var model = Model();
        Assert.Contains("can run code", Assert.Throws<AsrException>(() => Provider.Load(model, "pickled", folder.Root)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CanLoad_OfAPeftFolder_IsTrue()
    {
        Assert.True(Provider.CanLoad(Path("peft/dora"), out var reason));
        Assert.Null(reason);
        Assert.False(Provider.CanLoad(Path("init"), out _));
    }

    private static void Refused(string fixture, string expected, Func<IEnumerable<SafetensorsEntry>, IEnumerable<SafetensorsEntry>> change)
    {
        using var folder = new TemporaryFolder();
        File.Copy(Path($"{fixture}/{Config}"), folder.File(Config));
        using (var file = SafetensorsFile.Open(Path($"{fixture}/{Weights}")))
        {
            SafetensorsWriter.Write(
                folder.File(Weights),
                change(file.Tensors.Values.Select(tensor => SafetensorsEntry.FromSingle(tensor.Name, tensor.Shape.ToArray(), tensor.ToSingle()))));
        }

        using var model = Model();
        var before = Tensor.TotalCount;
        var error = Assert.Throws<AsrException>(() => Provider.Load(model, "broken", folder.Root));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Equal(before, Tensor.TotalCount);
        AssertClose(Expected("base_logits.npy"), Logits(model));
    }

    private static JsonObject Read(string path) => JsonNode.Parse(File.ReadAllText(path))!.AsObject();
}
