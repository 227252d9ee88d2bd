using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.Whisper.Tests.Checkpoints;

public sealed class GrownCheckpointTests
{
    private static string Micro => Fixtures.Path("micro");

    [Theory]
    [InlineData(4, 6, "0 1 1+ 2 2+ 3")]
    [InlineData(2, 4, "0 0+ 1 1+")]
    [InlineData(4, 5, "0 1 1+ 2 3")]
    [InlineData(2, 3, "0 0+ 1")]
    [InlineData(4, 8, "0 0+ 1 1+ 2 2+ 3 3+")]
    [InlineData(2, 6, "0 0+ 0+ 1 1+ 1+")]
    [InlineData(1, 3, "0 0+ 0+")]
    [InlineData(3, 3, "0 1 2")]
    public void Plan_MoreLayers_SpreadsTheNewOnesBehindTrainedOnes(int trained, int layers, string expected) => Assert.Equal(
        expected, string.Join(' ', GrownCheckpoint.Plan(trained, layers).Select(layer => $"{layer.Source}{(layer.IsNew ? "+" : "")}")));

    [Theory]
    [InlineData("micro", 3, 5)]
    [InlineData("checkpoints/fp32", 4, 4)]
    [InlineData("checkpoints/fp16_sharded", 3, 3)]
    [InlineData("checkpoints/bf16", 2, 5)]
    public void Write_MoreLayers_ComputeTheSame(string source, int encoderLayers, int decoderLayers)
    {
        using var folder = new TemporaryFolder();
        var target = folder.File("grown");

        GrownCheckpoint.Write(Fixtures.Path(source), target, encoderLayers, decoderLayers);

        using var before = ReferenceModel.Load(Fixtures.Path(source));
        using var after = ReferenceModel.Load(target);
        Assert.Equal((encoderLayers, decoderLayers), (after.Info.EncoderLayers, after.Info.DecoderLayers));
        var places = GrownCheckpoint.Plan(before.Info.DecoderLayers, decoderLayers);
        AttentionHead[] heads = [new(0, 1), new(before.Info.DecoderLayers - 1, 0)];
        var (states, logits, attention) = Compute(before, heads);
        var (grownStates, grownLogits, grownAttention) = Compute(after, [.. heads.Select(head => head with { Layer = Array.IndexOf(places, (head.Layer, false)) })]);
        Assert.Equal(states, grownStates);
        Assert.Equal(logits, grownLogits);
        Assert.Equal(attention, grownAttention);
        Assert.True(logits.Distinct().Count() > logits.Length / 2); // it does compute something
    }

    [Fact]
    public void Write_NewLayer_CopiesTheLayerBeforeItButForItsOutputs()
    {
        using var folder = new TemporaryFolder();
        GrownCheckpoint.Write(Micro, folder.File("grown"), 3, 4);
        using var source = WhisperCheckpoint.Open(Micro);
        using var grown = WhisperCheckpoint.Open(folder.File("grown"));

        string[] outputs = ["self_attn.out_proj", "encoder_attn.out_proj", "fc2"];
        var zeros = 0;
        foreach (var (name, tensor) in grown.Weights.Tensors)
        {
            // Encoder 0, new, 1; decoder 0, new, 1, new.
            var origin = name.Replace("coder.layers.1.", "coder.layers.0.", StringComparison.Ordinal)
                .Replace("coder.layers.2.", "coder.layers.1.", StringComparison.Ordinal)
                .Replace("coder.layers.3.", "coder.layers.1.", StringComparison.Ordinal);
            Assert.Equal(source.Weights[origin].ElementType, tensor.ElementType);
            if ((name.Contains("coder.layers.1.", StringComparison.Ordinal) || name.Contains("coder.layers.3.", StringComparison.Ordinal))
                && Array.Exists(outputs, output => name.Contains(output, StringComparison.Ordinal)))
            {
                zeros++;
                Assert.All(tensor.Bytes.ToArray(), value => Assert.Equal(0, value));
                Assert.Contains(source.Weights[origin].ToSingle(), value => value != 0);
            }
            else
            {
                Assert.Equal(source.Weights[origin].Bytes.ToArray(), tensor.Bytes.ToArray());
            }
        }

        Assert.Equal((1 * 4) + (2 * 6), zeros);
    }

    [Fact]
    public void Write_Companions_AreTheSourcesWithHeadsUnderNewNumbers()
    {
        using var folder = new TemporaryFolder();
        var target = folder.File("grown");
        GrownCheckpoint.Write(Micro, target, null, 4);

        using var source = WhisperCheckpoint.Open(Micro);
        using var grown = WhisperCheckpoint.Open(target);
        Assert.NotEmpty(source.Generation.AlignmentHeads);
        Assert.Equal(source.Generation.AlignmentHeads.Select(head => head with { Layer = 2 * head.Layer }), grown.Generation.AlignmentHeads);
        Assert.Equal(source.Generation.SuppressTokens, grown.Generation.SuppressTokens);
        Assert.Equal(File.ReadAllBytes(Path.Combine(Micro, "tokenizer.json")), File.ReadAllBytes(Path.Combine(target, "tokenizer.json")));
        var expected = JsonNode.Parse(source.Config.Json)!.AsObject();
        expected["decoder_layers"] = 4;
        Assert.True(JsonNode.DeepEquals(expected, JsonNode.Parse(grown.Config.Json)));
    }

    [Fact]
    public void Write_OwnCheckpoint_CountsItsHiddenLayersAndTakesNoHeadsThatItLacked()
    {
        using var folder = new TemporaryFolder();
        var source = folder.File("fresh");
        FreshCheckpoint.Write(source, FreshCheckpointTests.Texts, FreshCheckpointTests.Small);
        GrownCheckpoint.Write(source, folder.File("plain"), 2, null);
        Assert.Equal(2, JsonNode.Parse(File.ReadAllText(folder.File("plain/config.json")))!["num_hidden_layers"]!.GetValue<int>());
        Assert.Null(JsonNode.Parse(File.ReadAllText(folder.File("plain/generation_config.json")))!["alignment_heads"]);

        // A teacher's, as distilled checkpoints have them: layer 2 is there only in the grown one.
        GenerationConfig.WriteAlignmentHeads(source, [new AttentionHead(2, 0)]);
        GrownCheckpoint.Write(source, folder.File("distilled"), null, 3);
        using var grown = WhisperCheckpoint.Open(folder.File("distilled"));
        Assert.Empty(grown.Generation.AlignmentHeads);
    }

    [Theory]
    [InlineData(1, null, "--encoder-layers 1: ", "has 2 encoder layers, and growing takes none away.")]
    [InlineData(null, 0, "--decoder-layers 0: ", "has 2 decoder layers, and growing takes none away.")]
    [InlineData(3, 257, "--decoder-layers 257: ", "expected a whole number up to 256.")]
    [InlineData(null, null, "", "has 2 encoder and 2 decoder layers, and is to have no more")]
    [InlineData(2, 2, "", "has 2 encoder and 2 decoder layers, and is to have no more")]
    public void Write_NumbersThatAreNoGrowth_AreRefused(int? encoderLayers, int? decoderLayers, string start, string fragment)
    {
        using var folder = new TemporaryFolder();
        var message = Assert.Throws<AsrException>(() => GrownCheckpoint.Write(Micro, folder.File("grown"), encoderLayers, decoderLayers)).Message;
        Assert.StartsWith(start, message, StringComparison.Ordinal);
        Assert.Contains(fragment, message, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder.Root));
    }

    [Fact]
    public void Write_FolderInUseOrNoCheckpoint_IsRefused()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("mine.txt"), "");
        Assert.Contains("is not empty", Assert.Throws<AsrException>(() => GrownCheckpoint.Write(Micro, folder.Root, 3, null)).Message, StringComparison.Ordinal);
        Assert.Contains("does not exist", Assert.Throws<AsrException>(() => GrownCheckpoint.Write(folder.File("none"), folder.File("new"), 3, null)).Message, StringComparison.Ordinal);
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        Assert.Throws<OperationCanceledException>(() => GrownCheckpoint.Write(Micro, folder.File("new"), 3, null, stop.Token));
        Assert.Equal([folder.File("mine.txt")], Directory.EnumerateFileSystemEntries(folder.Root));
    }

    private static (float[] States, float[] Logits, float[] Attention) Compute(ReferenceModel model, AttentionHead[] heads)
    {
        var frames = Math.Min(100, 2 * model.Info.MaxSourcePositions);
        var features = new float[model.Info.FeatureSize * frames];
        for (var i = 0; i < features.Length; i++)
        {
            features[i] = MathF.Sin(0.37f * i) * 0.5f;
        }

        int[] tokens = [1, 5, 2, 7];
        using var states = model.Encode(features, 1, frames);
        var values = new float[states.Positions * model.Info.Width];
        states.CopyTo(values);
        using var cache = model.CreateCache(states, [0], new DecoderCacheOptions { AlignmentHeads = heads });
        var logits = new float[tokens.Length * model.Info.VocabularySize];
        var attention = new float[heads.Length * tokens.Length * states.Positions];
        model.Decode(cache, tokens, [], LogitPositions.All, logits, attention);
        return (values, logits, attention);
    }
}
