using System.Runtime.InteropServices;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Abstractions.Plugins;
using AsrPlatform.LoraAdapter;
using AsrPlatform.Onnx.Export;
using AsrPlatform.OnnxBackend.Memory;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using static AsrPlatform.OnnxBackend.Tests.OnnxModels;

namespace AsrPlatform.OnnxBackend.Tests.Model;

/// <summary>Adapters in the fast layout: factors are inputs, and rows of one batch have their own. No LibTorch is loaded for any of it.</summary>
public sealed class AdapterTests
{
    private const string Checkpoint = "checkpoints/fp32";

    [Theory]
    [InlineData("rslora")]
    [InlineData("regex")]
    [InlineData("attn_ffn")]
    [InlineData("all_linear")]
    [InlineData("layers")]
    public void Logits_OfAPeftCase_ArePefts(string name)
    {
        using var folder = new TemporaryFolder();
        using var model = (ILowRankModel)Load(FastExport(folder, "trainer/init"));
        using var adapter = Provider().Load(model, name, Fixtures.Path($"trainer/peft/{name}"));
        AssertClose(Expected("base_logits"), TrainerLogits(model), 1e-5);
        model.ActiveAdapter = adapter.Id;
        var logits = TrainerLogits(model);
        AssertClose(Expected($"peft/{name}/logits"), logits, 1e-5);
        Assert.True(Distance(Expected("base_logits"), logits) > 1e-3);
        Assert.Equal(
            System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(Fixtures.Path($"trainer/peft/{name}/modules.json")))!.AsObject().Select(pair => pair.Key).Order(),
            adapter.Modules.Order());
    }

    [Fact]
    public void Logits_OfRowsWithDifferentPeftAdapters_ArePefts()
    {
        using var folder = new TemporaryFolder();
        using var model = (ILowRankModel)Load(FastExport(folder, "trainer/init"));
        using var one = Provider().Load(model, "one", Fixtures.Path("trainer/peft/mixed/one"));
        using var two = Provider().Load(model, "two", Fixtures.Path("trainer/peft/mixed/two"));
        AssertClose(Expected("peft/mixed/logits"), TrainerLogits(model, two.Id, IMultiAdapterModel.NoAdapter, one.Id), 1e-5);
    }

    [Theory]
    [InlineData("dora", "use_dora")]
    [InlineData("lora_bias", "lora_bias")]
    [InlineData("bias_all", "bias")]
    [InlineData("modules_to_save", "modules_to_save")]
    [InlineData("conv", "conv1")]
    [InlineData("embed", "embed_tokens")]
    public void Load_OfWhatIsMoreThanFactors_IsRefusedAndLeavesTheModelAsItWas(string name, string mentioned)
    {
        using var folder = new TemporaryFolder();
        using var model = (ILowRankModel)Load(FastExport(folder, "trainer/init"));
        var buffers = NativeBuffer.Live;
        var error = Assert.Throws<AsrException>(() => Provider().Load(model, name, Fixtures.Path($"trainer/peft/{name}")));
        Assert.Contains(mentioned, error.Message, StringComparison.Ordinal);
        Assert.Contains("use the backend torch", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => model.ActiveAdapter = 0);
        Assert.Equal(buffers, NativeBuffer.Live);
        Assert.Contains("trains no adapters", Assert.Throws<AsrException>(() => Provider().Load(model, name, Fixtures.Path("trainer/peft/rslora"), trainable: true)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Save_OfAnAdapter_IsTheSameAdapter()
    {
        using var folder = new TemporaryFolder();
        using var model = (ILowRankModel)Load(FastExport(folder, "trainer/init"));
        using var adapter = Provider().Load(model, "first", Fixtures.Path("trainer/peft/regex"));
        adapter.Save(folder.File("saved"));
        using var again = Provider().Load(model, "again", folder.File("saved"));
        Assert.Equal(adapter.Parameters, again.Parameters);
        Assert.Equal(TrainerLogits(model, adapter.Id, adapter.Id, adapter.Id), TrainerLogits(model, again.Id, again.Id, again.Id));
    }

    [Theory]
    [InlineData(OnnxPrecision.Float32, 5e-5)]
    [InlineData(OnnxPrecision.Int8, 0.2)]
    public void Decode_OfRowsWithDifferentAdapters_EqualsTheMergedModels(OnnxPrecision precision, double tolerance)
    {
        using var folder = new TemporaryFolder();
        using var model = (ILowRankModel)Load(FastExport(folder, Checkpoint, precision));
        int[] ranks = [3, 8];
        var numbers = ranks.Select(rank => Adapt(model, new Factors(rank), _ => true)).ToArray();

        // Rows of the encoder: the second adapter, none, the first; of the decoder: beams of each.
        int[] adapters = [numbers[1], IMultiAdapterModel.NoAdapter, numbers[0]];
        float[] features = [.. SmallFeatures(1), .. SmallFeatures(0), .. SmallFeatures(1)];
        using var states = model.Encode(features, 3, 120, adapters);
        using var cache = model.CreateCache(states, [0, 0, 1, 2], new DecoderCacheOptions { MaxRows = 6 });
        int[] tokens = [.. Enumerable.Range(0, 12).Select(i => (i * 37) % 300)];
        float[] found = [.. Decode(model, cache, tokens), .. Reordered(cache, model)];

        for (var source = 0; source < 3; source++)
        {
            var merger = adapters[source] < 0 ? null : new Factors(ranks[Array.IndexOf(numbers, adapters[source])]);
            using var merged = Load(FastExport(folder, Checkpoint, precision, merger));
            using var alone = merged.Encode(features.AsSpan(source * 80 * 120, 80 * 120), 1, 120);
            int[] rows = [.. new[] { 0, 0, 1, 2 }.Index().Where(row => row.Item == source).Select(row => row.Index)];
            foreach (var row in rows)
            {
                using var single = merged.CreateCache(alone, [0], new DecoderCacheOptions());
                AssertClose(Decode(merged, single, tokens[(row * 3)..((row * 3) + 3)]), found.AsSpan(row * 300, 300), tolerance);
            }

            // After the reorder the first row continues the last one, which is of the third source.
            if (source == 2)
            {
                using var single = merged.CreateCache(alone, [0], new DecoderCacheOptions());
                AssertClose(Decode(merged, single, [.. tokens[9..12], 5]), found.AsSpan(4 * 300, 300), tolerance);
            }
        }

        static float[] Reordered(IDecoderCache cache, ISeq2SeqModel model)
        {
            cache.Reorder([3, 1, 0]);
            return Decode(model, cache, [5, 6, 7]);
        }
    }

    [Fact]
    public void Swap_OfAdapters_TakesTheirFactorsAndNothingElse()
    {
        using var folder = new TemporaryFolder();
        var backend = Backend();
        using var model = (ILowRankModel)backend.Load(new ModelLoadOptions { ModelDirectory = FastExport(folder, Checkpoint), Threads = 1 });
        var plain = Run(model);
        var (graphs, buffers) = (backend.Graphs.Count, NativeBuffer.Live);
        var adapter = Adapt(model, new Factors(4), name => name.EndsWith("v_proj", StringComparison.Ordinal));
        Assert.Equal(buffers + (2 * model.LowRankLayers.Count(layer => layer.Name.EndsWith("v_proj", StringComparison.Ordinal))), NativeBuffer.Live);
        model.ActiveAdapter = adapter;
        var adapted = Run(model);
        Assert.True(Distance(plain, adapted) > 1e-2);

        // States keep the adapter that made them, even one that is removed meanwhile.
        var held = model.Encode(SmallFeatures(0), 1, 120, [adapter]);
        Assert.Throws<InvalidOperationException>(() => model.SetFactors(adapter, model.LowRankLayers[0].Name, new float[64], new float[64]));
        model.RemoveAdapter(adapter);
        Assert.Equal(IMultiAdapterModel.NoAdapter, model.ActiveAdapter);
        Assert.Equal(plain, Run(model));
        using (var cache = model.CreateCache(held, [0], new DecoderCacheOptions()))
        {
            AssertClose(adapted, Decode(model, cache, [1, 2, 3]), 1e-5);
        }

        held.Dispose();
        Assert.Throws<ArgumentException>(() => model.Encode(SmallFeatures(0), 1, 120, [adapter]));
        Assert.Throws<ArgumentException>(() => model.RemoveAdapter(adapter));
        Assert.Equal(graphs, backend.Graphs.Count);

        // What is left beyond the beginning are pooled buffers, which the next windows use again.
        var rest = NativeBuffer.Live;
        Run(model);
        Assert.Equal(rest, NativeBuffer.Live);

        static float[] Run(ISeq2SeqModel model)
        {
            using var states = model.Encode(SmallFeatures(0), 1, 120);
            using var cache = model.CreateCache(states, [0], new DecoderCacheOptions());
            return Decode(model, cache, [1, 2, 3]);
        }
    }

    [Fact]
    public void SetFactors_OfWrongNumbers_IsRefused()
    {
        using var folder = new TemporaryFolder();
        using var model = (ILowRankModel)Load(FastExport(folder, Checkpoint));
        var (adapter, layer) = (model.AddAdapter(), model.LowRankLayers[0]);
        Assert.Throws<ArgumentException>("layer", () => model.SetFactors(adapter, "model.decoder.layer_norm", new float[64], new float[64]));
        Assert.Throws<ArgumentException>("second", () => model.SetFactors(adapter, layer.Name, new float[layer.Inputs], new float[2 * layer.Outputs]));
        Assert.Throws<ArgumentException>("second", () => model.SetFactors(adapter, layer.Name, [], []));
        Assert.Throws<ArgumentException>("adapter", () => model.SetFactors(adapter + 1, layer.Name, new float[layer.Inputs], new float[layer.Outputs]));
        Assert.Throws<ArgumentException>("adapters", () => model.Encode(SmallFeatures(0), 1, 120, [adapter, adapter]));
    }

    [Fact]
    public void Load_OfGraphsWithoutFactors_TakesNoAdapters()
    {
        using var folder = new TemporaryFolder();
        var target = folder.File("plain");
        OnnxExport.Write(Fixtures.Path(Checkpoint), target, new OnnxExportOptions { Layout = OnnxLayout.Fast, TakesAdapters = false });
        using var model = Load(target);
        Assert.IsNotType<IMultiAdapterModel>(model, exactMatch: false);
        using var adaptable = Load(FastExport(folder, Checkpoint));
        using var states = EncodeSmall(model);
        using var other = EncodeSmall(adaptable);
        AssertClose(Copy(other, adaptable), Copy(states, model), 1e-5);
        Assert.Contains("takes no LoRA adapters", Assert.Throws<AsrException>(() => Provider().Load(model, "x", Fixtures.Path("trainer/peft/rslora"))).Message, StringComparison.Ordinal);
    }

    private static IAdapterProvider Provider()
    {
        var manifest = new PluginManifest { Id = LoraAdapterPlugin.Id, Version = "0.1.0", Contract = "1.0", Assembly = "AsrPlatform.LoraAdapter.dll", Kinds = [PluginKinds.Adapter] };
        var services = new ServiceCollection();
        new LoraAdapterPlugin().ConfigureServices(new PluginContext(manifest, AppContext.BaseDirectory, new ConfigurationBuilder().Build(), NullLoggerFactory.Instance), services);
        return services.BuildServiceProvider().GetRequiredService<IAdapterProvider>();
    }

    private static float[] SmallFeatures(int row) => NpyArray.Read(Fixtures.Path("checkpoints/input_features.npy")).ToSingle()[(row * 80 * 120)..((row + 1) * 80 * 120)];

    private static float[] Expected(string name) => NpyArray.Read(Fixtures.Path($"trainer/{name}.npy")).ToSingle();

    private static double Distance(float[] left, float[] right) => left.Zip(right, (one, other) => Math.Abs(one - other)).Max();

    private static int Adapt(ILowRankModel model, Factors factors, Func<string, bool> changes)
    {
        var adapter = model.AddAdapter();
        foreach (var layer in model.LowRankLayers.Where(layer => changes(layer.Name)))
        {
            var (first, second) = factors.Of(layer.Name, layer.Inputs, layer.Outputs);
            model.SetFactors(adapter, layer.Name, first, second);
        }

        return adapter;
    }

    /// <summary>Logits of the trainer fixtures' fixed batch, with an adapter for each of its three rows, or the active one.</summary>
    private static float[] TrainerLogits(ILowRankModel model, params int[] adapters)
    {
        using var batches = SafetensorsFile.Open(Fixtures.Path("trainer/batches.safetensors"));
        using var batch = SafetensorsFile.Open(Fixtures.Path("trainer/fixed_batch.safetensors"));
        var all = batches.Tensors["input_features"];
        var size = (int)(all.Shape[1] * all.Shape[2]);
        var rows = MemoryMarshal.Cast<byte, long>(batch.Tensors["example_index"].Bytes).ToArray();
        var features = new float[rows.Length * size];
        for (var row = 0; row < rows.Length; row++)
        {
            all.CopyTo(features.AsSpan(row * size, size), rows[row] * size);
        }

        using var states = model.Encode(features, rows.Length, (int)all.Shape[2], adapters);
        using var cache = model.CreateCache(states, [.. Enumerable.Range(0, rows.Length)], new DecoderCacheOptions());
        return Decode(model, cache, Array.ConvertAll(MemoryMarshal.Cast<byte, long>(batch.Tensors["decoder_input_ids"].Bytes).ToArray(), id => (int)id), LogitPositions.All);
    }

    /// <summary>Factors of every linear layer of the small checkpoint, and their merger.</summary>
    private sealed class Factors(int rank) : ICheckpointMerger
    {
        private static readonly string[] Endings = ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"];

        public IReadOnlyCollection<string> Changed { get; } =
            [.. WhisperTensors.Of(WhisperConfig.Load(Fixtures.Path(Checkpoint))).Select(tensor => tensor.Name).Where(name => Endings.Any(ending => name.EndsWith($"{ending}.weight", StringComparison.Ordinal)))];

        public IReadOnlyList<string> Warnings => [];

        public (float[] First, float[] Second) Of(string layer, int inputs, int outputs)
        {
            var random = new Random(rank + layer.Sum(letter => letter));
            return (Matrix(rank * inputs), Matrix(outputs * rank));

            float[] Matrix(int count) => [.. Enumerable.Range(0, count).Select(_ => (random.NextSingle() - 0.5f) * 0.3f)];
        }

        public void Merge(string tensor, Span<float> values)
        {
            var shape = WhisperTensors.Of(WhisperConfig.Load(Fixtures.Path(Checkpoint))).Single(one => one.Name == tensor).Shape;
            var (outputs, inputs) = ((int)shape[0], (int)shape[1]);
            var (first, second) = Of(tensor[..^".weight".Length], inputs, outputs);
            for (var row = 0; row < outputs; row++)
            {
                for (var column = 0; column < inputs; column++)
                {
                    for (var i = 0; i < rank; i++)
                    {
                        values[(row * inputs) + column] += second[(row * rank) + i] * first[(i * inputs) + column];
                    }
                }
            }
        }

        public void Dispose()
        {
        }
    }
}
