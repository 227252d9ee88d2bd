using System.Runtime.InteropServices;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;
using static AsrPlatform.LoraAdapter.Tests.TrainerFixtures;

namespace AsrPlatform.LoraAdapter.Tests;

public sealed class AdapterTests
{
    [Theory]
    [InlineData("true")]
    [InlineData("\"gaussian\"")]
    public void Create_OfAnyKind_ChangesNothingAtTheStart(string start)
    {
        foreach (var json in new[] { "\"use_dora\": true", "\"use_rslora\": true", "\"bias\": \"all\"", "\"modules_to_save\": [\"layer_norm\"]" })
        {
            using var model = Model();
            var before = Logits(model);
            using var adapter = Provider.Create(model, "fresh", $$"""{"target_modules": ["q_proj", "conv1", "fc2"], "init_lora_weights": {{start}}, {{json}}}""", 3);
            model.ActiveAdapter = adapter.Id;
            AssertClose(before, Logits(model), 2e-6);
        }
    }

    /// <summary>PEFT's start values: A uniform in ±1/√(fan in) or normal with deviation 1/r, B zero.</summary>
    [Fact]
    public void Create_WithDefaults_StartsAUniformlyWithinItsBoundAndBAtZero()
    {
        using var model = Model();
        using var adapter = (PeftAdapter)Provider.Create(model, "fresh", """{"target_modules": ["fc2", "conv1"], "r": 16, "lora_bias": true}""", 3);
        foreach (var module in adapter.Contents)
        {
            var fanIn = module.Info.Name.EndsWith("conv1", StringComparison.Ordinal) ? 80 * 3 : 64;
            var first = Values(module.Factors!.A!);
            Assert.InRange(first.Max(Math.Abs), 0.95 / Math.Sqrt(fanIn), 1 / Math.Sqrt(fanIn));
            Assert.InRange(first.Average(), -0.1 / Math.Sqrt(fanIn), 0.1 / Math.Sqrt(fanIn));
            Assert.All(Values(module.Factors.B!), value => Assert.Equal(0, value));
            Assert.All(Values(module.Factors.BBias!), value => Assert.Equal(0, value));
        }
    }

    [Fact]
    public void Create_WithGaussianStart_HasTheDeviationOneOverTheRank()
    {
        using var model = Model();
        using var adapter = (PeftAdapter)Provider.Create(model, "fresh", """{"target_modules": ["fc2"], "r": 16, "init_lora_weights": "gaussian"}""", 3);
        var values = adapter.Contents.SelectMany(module => Values(module.Factors!.A!)).ToArray();
        Assert.Equal(1 / 16.0, Math.Sqrt(values.Average(value => (double)value * value)), 0.003);
        Assert.Contains(values, value => Math.Abs(value) > 0.13);
    }

    [Fact]
    public void Create_OfAnEmbedding_StartsAAtZeroAndBNormal()
    {
        using var model = Model();
        using var adapter = (PeftAdapter)Provider.Create(model, "fresh", """{"target_modules": ["embed_tokens"], "ensure_weight_tying": true}""", 3);
        Assert.Equal(["model.decoder.embed_tokens", "proj_out"], adapter.Modules);
        Assert.All(Values(adapter.Contents[0].Factors!.A!), value => Assert.Equal(0, value));
        Assert.Equal(1, Math.Sqrt(Values(adapter.Contents[0].Factors!.B!).Average(value => (double)value * value)), 0.2);
        Assert.Equal(2, adapter.Trainable.Count);
        Assert.Equal((8 * 257) + (8 * 32), adapter.Parameters);
    }

    [Fact]
    public void Create_WithTheSameSeed_GivesTheSameValues()
    {
        const string Json = """{"target_modules": ["q_proj"]}""";
        using var model = Model();
        using var one = (PeftAdapter)Provider.Create(model, "one", Json, 3);
        using var same = (PeftAdapter)Provider.Create(model, "same", Json, 3);
        using var other = (PeftAdapter)Provider.Create(model, "other", Json, 4);
        Assert.Equal(Values(one.Contents[0].Factors!.A!), Values(same.Contents[0].Factors!.A!));
        Assert.NotEqual(Values(one.Contents[0].Factors!.A!), Values(other.Contents[0].Factors!.A!));
        Assert.NotEqual(Values(one.Contents[0].Factors!.A!), Values(one.Contents[1].Factors!.A!));
    }

    [Fact]
    public void Merge_OfTheTrainedAdapter_ChangesTheWeightsThatPeftChangesToPefts()
    {
        using var model = Model();
        using var adapter = Load(model, "lora/final");
        var before = model.AdaptableLayers.ToDictionary(layer => layer.Name, layer => Copy(layer.Weight));
        adapter.Merge();
        using var expected = SafetensorsFile.Open(Path("lora/final_merged_changed.safetensors"));
        foreach (var layer in model.AdaptableLayers)
        {
            if (expected.Tensors.TryGetValue($"{layer.Name}.weight", out var merged))
            {
                AssertClose(merged.ToSingle(), Copy(layer.Weight), 5e-7);
            }
            else
            {
                Assert.Equal(before[layer.Name], Copy(layer.Weight));
            }
        }

        adapter.Merge();
        Assert.True(adapter.IsMerged);
        adapter.Dispose();
        Assert.All(model.AdaptableLayers, layer => Assert.Equal(before[layer.Name], Copy(layer.Weight)));
    }

    [Fact]
    public void Merge_WithValuesThatAreNotFinite_IsRefusedAndChangesNothing()
    {
        using var model = Model();
        var before = Weights(model);
        using var adapter = Load(model, "peft/attn_ffn");
        adapter.Contents[^1].Factors!.B!.Value.fill_(float.NaN);
        var error = Assert.Throws<AsrException>(adapter.Merge);
        Assert.Contains($"{adapter.Modules[^1]}.weight", error.Message, StringComparison.Ordinal);
        Assert.False(adapter.IsMerged);
        Assert.Equal(before, Weights(model));
    }

    [Fact]
    public void Merge_BesideAnotherAdapter_IsRefusedAndSoIsAnotherBesideAMergedOne()
    {
        using var model = Model();
        using var one = Load(model, "peft/mixed/one");
        using (var two = Load(model, "peft/mixed/two"))
        {
            Assert.Contains("two", Assert.Throws<AsrException>(one.Merge).Message, StringComparison.Ordinal);
        }

        one.Merge();
        Assert.Contains("one", Assert.Throws<AsrException>(() => Load(model, "peft/mixed/two")).Message, StringComparison.Ordinal);
        one.Unmerge();
        Load(model, "peft/mixed/two").Dispose();
    }

    [Fact]
    public void Merge_OfABiasWithoutABase_IsRefused()
    {
        using var model = Model();
        using var adapter = Provider.Create(model, "fresh", """{"target_modules": ["k_proj"], "lora_bias": true}""", 3);
        Assert.Contains("which has none (lora_bias)", Assert.Throws<AsrException>(adapter.Merge).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Merge_OfASavedProjectionThatSharesItsWeight_IsRefused()
    {
        using var model = Model();
        using var adapter = Provider.Create(model, "fresh", """{"target_modules": ["q_proj"], "modules_to_save": ["proj_out"]}""", 3);
        Assert.Contains("proj_out", Assert.Throws<AsrException>(adapter.Merge).Message, StringComparison.Ordinal);
    }

    /// <summary>Choosing another adapter is a number: no tensor is made, copied or freed for it.</summary>
    [Fact]
    public void ActiveAdapter_SwitchedManyTimes_TouchesNoTensorAndLeavesNone()
    {
        using var model = Model();
        var atStart = Tensor.TotalCount;
        var adapters = CaseNames.Select(name => Load(model, $"peft/{name}")).ToArray();
        foreach (var adapter in adapters)
        {
            model.ActiveAdapter = adapter.Id;
            Logits(model);
        }

        var resident = Tensor.TotalCount;
        var weights = Weights(model);
        for (var round = 0; round < 20; round++)
        {
            foreach (var adapter in adapters)
            {
                var before = Tensor.TotalCount;
                model.ActiveAdapter = adapter.Id;
                Assert.Equal(before, Tensor.TotalCount);
            }

            model.ActiveAdapter = adapters[round % adapters.Length].Id;
            Logits(model);
            Logits(model, adapters[0].Id, adapters[^1].Id, IMultiAdapterModel.NoAdapter);
            Assert.Equal(resident, Tensor.TotalCount);
        }

        Assert.Equal(weights, Weights(model));
        Array.ForEach(adapters, adapter => adapter.Dispose());
        Assert.Equal(atStart, Tensor.TotalCount);
    }

    [Fact]
    public void Dispose_OfAnActiveAdapter_LeavesTheBase()
    {
        using var model = Model();
        var before = Logits(model);
        var adapter = Load(model, "peft/dora");
        model.ActiveAdapter = adapter.Id;
        adapter.Dispose();
        adapter.Dispose();
        Assert.Equal(IMultiAdapterModel.NoAdapter, model.ActiveAdapter);
        Assert.Equal(before, Logits(model));
    }

    [Fact]
    public void Load_OnAModelWithoutAdaptableLayers_IsRefused()
    {
        var model = ReferenceModel.Load(Path("init"));
        var error = Assert.Throws<AsrException>(() => Provider.Load(model, "any", Path("peft/dora")));
        Assert.Contains("takes no LoRA adapters", error.Message, StringComparison.Ordinal);
    }

    private static float[] Values(Parameter parameter) => Copy(parameter.Value);

    private static float[] Copy(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return MemoryMarshal.Cast<byte, float>(tensor.detach().contiguous().bytes).ToArray();
    }
}
