using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.WhisperTorch.Model;
using static AsrPlatform.WhisperTorch.Tests.TestModels;

namespace AsrPlatform.WhisperTorch.Tests.Model;

public sealed class AdaptationTests
{
    [Fact]
    public void AdaptableLayers_OfAModel_AreAllButPositionsInTheOrderOfTheComputation()
    {
        using var model = Load("checkpoints/fp32");
        var names = model.AdaptableLayers.Select(layer => layer.Name).ToArray();
        Assert.Equal(
            [
                "model.encoder.conv1", "model.encoder.conv2",
                .. Enumerable.Range(0, 2).SelectMany(layer => Named(
                    $"model.encoder.layers.{layer}",
                    "self_attn_layer_norm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj",
                    "final_layer_norm", "fc1", "fc2")),
                "model.encoder.layer_norm", "model.decoder.embed_tokens",
                .. Enumerable.Range(0, 3).SelectMany(layer => Named(
                    $"model.decoder.layers.{layer}",
                    "self_attn_layer_norm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj",
                    "encoder_attn_layer_norm", "encoder_attn.q_proj", "encoder_attn.k_proj", "encoder_attn.v_proj", "encoder_attn.out_proj",
                    "final_layer_norm", "fc1", "fc2")),
                "model.decoder.layer_norm", "proj_out",
            ],
            names);

        static IEnumerable<string> Named(string prefix, params string[] names) => names.Select(name => $"{prefix}.{name}");
    }

    [Fact]
    public void Kind_OfEveryLayer_FollowsFromItsName()
    {
        using var model = Load("checkpoints/fp32");
        Assert.All(model.AdaptableLayers, layer => Assert.Equal(
            layer.Name switch
            {
                var name when name.EndsWith("norm", StringComparison.Ordinal) => AdaptableLayerKind.Normalization,
                var name when name.Contains("conv", StringComparison.Ordinal) => AdaptableLayerKind.Convolution,
                "model.decoder.embed_tokens" => AdaptableLayerKind.Embedding,
                _ => AdaptableLayerKind.Linear,
            },
            layer.Kind));
        Assert.Equal(["proj_out"], model.AdaptableLayers.Where(layer => layer.IsOutput).Select(layer => layer.Name));
    }

    [Fact]
    public void Weight_OfEveryLayer_IsTheCheckpoints()
    {
        using var model = Load("checkpoints/bf16");
        using var checkpoint = WhisperCheckpoint.Open(Fixtures.Path("checkpoints/bf16"));
        foreach (var layer in model.AdaptableLayers)
        {
            var stored = checkpoint.Weights[layer.IsOutput ? WhisperTensors.TokenEmbedding : $"{layer.Name}.weight"];
            Assert.Equal(stored.Shape.ToArray(), layer.Weight.shape);
            var values = new float[stored.ElementCount];
            HostMemory.Copy(layer.Weight, values);
            Assert.Equal(stored.ToSingle(), values);
        }
    }

    /// <summary>
    /// Adding a multiple of what a layer's weight alone makes of its input is the same as a model whose weight is that multiple larger:
    /// every layer is tested against such a model, by an independent implementation.
    /// </summary>
    [Theory]
    [InlineData("model.encoder.layers.0.self_attn.q_proj")]
    [InlineData("model.encoder.layers.0.self_attn.k_proj")]
    [InlineData("model.encoder.layers.1.self_attn.v_proj")]
    [InlineData("model.encoder.layers.1.self_attn.out_proj")]
    [InlineData("model.encoder.layers.0.fc1")]
    [InlineData("model.encoder.layers.1.fc2")]
    [InlineData("model.decoder.layers.0.self_attn.q_proj")]
    [InlineData("model.decoder.layers.1.self_attn.k_proj")]
    [InlineData("model.decoder.layers.2.self_attn.v_proj")]
    [InlineData("model.decoder.layers.2.self_attn.out_proj")]
    [InlineData("model.decoder.layers.0.encoder_attn.q_proj")]
    [InlineData("model.decoder.layers.1.encoder_attn.k_proj")]
    [InlineData("model.decoder.layers.2.encoder_attn.v_proj")]
    [InlineData("model.decoder.layers.0.encoder_attn.out_proj")]
    [InlineData("model.decoder.layers.1.fc1")]
    [InlineData("model.decoder.layers.2.fc2")]
    public void SetDelta_OnALayer_ChangesTheOutputAsAChangedWeightDoes(string name)
    {
        using var model = Load("checkpoints/fp32");
        using var folder = new TemporaryFolder();
        using var reference = ChangedReference(folder, $"{name}.weight", 1.25f);
        var before = Run(model);
        var layer = model.AdaptableLayers.Single(layer => layer.Name == name);
        using var delta = new Share(layer.Weight, 0.25f);
        var adapter = model.AddAdapter();
        layer.SetDelta(adapter, delta);
        Assert.Equal(before, Run(model));
        model.ActiveAdapter = adapter;
        var adapted = Run(model);
        Assert.True(delta.Calls > 0);
        AssertClose(Run(reference), adapted, 1e-4);
        Assert.True(before.Zip(adapted, (left, right) => Math.Abs(left - right)).Max() > 1e-2);
        model.RemoveAdapter(adapter);
        Assert.Equal(IMultiAdapterModel.NoAdapter, model.ActiveAdapter);
        Assert.Equal(before, Run(model));
    }

    [Fact]
    public void SetDelta_AfterACache_LeavesItsSourceKeysAndChangesThoseOfTheNext()
    {
        using var model = Load("checkpoints/fp32");
        var (features, batch, frames) = SmallFeatures();
        model.ActiveAdapter = model.AddAdapter();
        using var states = model.Encode(features, batch, frames);
        using var before = (DecoderCache)model.CreateCache(states, [0], new DecoderCacheOptions());
        var layer = model.AdaptableLayers.Single(layer => layer.Name == "model.decoder.layers.0.encoder_attn.k_proj");
        using var delta = new Share(layer.Weight, 1f);
        layer.SetDelta(model.ActiveAdapter, delta);
        using var after = (DecoderCache)model.CreateCache(states, [0], new DecoderCacheOptions());
        var plain = new float[before.SourceKeys(0, 0).numel()];
        var doubled = new float[plain.Length];
        HostMemory.Copy(before.SourceKeys(0, 0), plain);
        HostMemory.Copy(after.SourceKeys(0, 0), doubled);
        AssertClose(Array.ConvertAll(plain, value => 2 * value), doubled, 1e-5);
    }

    /// <summary>A row that is computed beside rows of other adapters is the row computed with its own adapter alone.</summary>
    [Fact]
    public void Encode_WithAnAdapterForEachRow_GivesEachRowItsOwn()
    {
        using var model = Load("checkpoints/fp32");
        var (features, batch, frames) = SmallFeatures();
        var deltas = new List<Share>();
        var adapters = Enumerable.Range(0, 2).Select(_ => model.AddAdapter()).ToArray();
        foreach (var (adapter, ending) in adapters.Zip(["_proj", "fc1"]))
        {
            foreach (var layer in model.AdaptableLayers.Where(layer => layer.Name.EndsWith(ending, StringComparison.Ordinal)))
            {
                deltas.Add(new Share(layer.Weight, 0.25f));
                layer.SetDelta(adapter, deltas[^1]);
            }
        }

        var row = features.AsSpan(0, features.Length / batch);
        int[] chosen = [adapters[1], IMultiAdapterModel.NoAdapter, adapters[0], adapters[0], adapters[1]];
        using var states = model.Encode(Enumerable.Repeat(row.ToArray(), chosen.Length).SelectMany(values => values).ToArray(), chosen.Length, frames, chosen);
        int[] sources = [4, 2, 2, 1, 0];
        using var cache = model.CreateCache(states, sources, new DecoderCacheOptions());
        int[] prompt = [1, 2, 3];
        var logits = Decode(model, cache, [.. sources.SelectMany(_ => prompt)], LogitPositions.All);
        cache.Reorder([3, 1, 0]);
        var next = Decode(model, cache, [7, 7, 7]);

        var seen = new HashSet<float>();
        for (var place = 0; place < sources.Length; place++)
        {
            model.ActiveAdapter = chosen[sources[place]];
            using var alone = model.Encode(row, 1, frames);
            using var single = model.CreateCache(alone, [0], new DecoderCacheOptions());
            var expected = Decode(model, single, prompt, LogitPositions.All);
            AssertClose(expected, Row(logits, place, expected.Length), 1e-5);
            seen.Add(MathF.Round(expected[0], 3));
            if (Array.IndexOf([3, 1, 0], place) is >= 0 and var moved)
            {
                AssertClose(Decode(model, single, [7]), Row(next, moved, model.Info.VocabularySize), 1e-5);
            }
        }

        Assert.Equal(3, seen.Count);
        deltas.ForEach(delta => delta.Dispose());
    }

    [Fact]
    public void Encode_WithAnAdapterThatThereIsNot_IsRefused()
    {
        using var model = Load("checkpoints/fp32");
        var (features, batch, frames) = SmallFeatures();
        Assert.Throws<ArgumentException>(() => model.Encode(features, batch, frames, [0, 0]));
        Assert.Throws<ArgumentException>(() => model.Encode(features, batch, frames, [IMultiAdapterModel.NoAdapter]));
        Assert.Throws<ArgumentException>(() => model.ActiveAdapter = 3);
        var removed = model.AddAdapter();
        model.RemoveAdapter(removed);
        Assert.Throws<ArgumentException>(() => model.ActiveAdapter = removed);
        Assert.NotEqual(removed, model.AddAdapter());
    }

    private static ReferenceModel ChangedReference(TemporaryFolder folder, string tensor, float factor)
    {
        using (var checkpoint = WhisperCheckpoint.Open(folder.CopyOf(Fixtures.Path("checkpoints/fp32")).Root))
        {
            SafetensorsWriter.Write(folder.File("changed"), checkpoint.Weights.Tensors.Values.Select(entry => SafetensorsEntry.FromSingle(
                entry.Name,
                entry.Shape.ToArray(),
                entry.Name == tensor ? Array.ConvertAll(entry.ToSingle(), value => factor * value) : entry.ToSingle())));
        }

        File.Move(folder.File("changed"), folder.File(CheckpointWeights.SingleFile), overwrite: true);
        return ReferenceModel.Load(folder.Root);
    }

    // Encoder states and the logits of prefilled, single and batched steps.
    private static float[] Run(ISeq2SeqModel model)
    {
        var (features, batch, frames) = SmallFeatures();
        using var states = model.Encode(features, batch, frames);
        using var two = model.CreateCache(states, [0, 1], new DecoderCacheOptions());
        using var one = model.CreateCache(states, [1], new DecoderCacheOptions());
        return
        [
            .. Copy(states, model),
            .. Decode(model, two, [1, 2, 3, 4], LogitPositions.All),
            .. Decode(model, two, [5, 6]),
            .. Decode(model, one, [7]),
            .. Decode(model, one, [8]),
        ];
    }

    /// <summary>Adds a share of <c>W x</c> to the output.</summary>
    private sealed class Share(Tensor weight, float share) : ILayerDelta<Tensor>, IDisposable
    {
        private readonly Tensor _scaled = Transposed(weight, share); // [in, out]

        public int Calls { get; private set; }

        public Tensor Apply(Tensor input, Tensor output)
        {
            Calls++;
            Assert.Equal(3, input.dim());
            Assert.Equal(input.shape[..2], output.shape[..2]);
            return output + input.matmul(_scaled);
        }

        public void Dispose() => _scaled.Dispose();

        private static Tensor Transposed(Tensor weight, float share)
        {
            using var scope = NewDisposeScope();
            return weight.t().mul(share).contiguous().MoveToOuterDisposeScope();
        }
    }
}
