using System.Numerics.Tensors;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Tests;

namespace AsrPlatform.Whisper.Tests.Models;

/// <summary>The oracle itself against Hugging Face's values: whatever is tested with it stands on these.</summary>
public sealed class ReferenceModelTests
{
    [Theory]
    [InlineData("fp32")]
    [InlineData("fp16_sharded")]
    [InlineData("bf16")]
    public void Forward_RandomCheckpoint_MatchesHuggingFace(string name)
    {
        using var model = ReferenceModel.Load(Fixtures.Path($"checkpoints/{name}"));
        var features = NpyArray.Read(Fixtures.Path("checkpoints/input_features.npy"));
        var tokens = Array.ConvertAll(NpyArray.Read(Fixtures.Path("checkpoints/decoder_input_ids.npy")).Values, value => (int)value);
        using var states = model.Encode(features.ToSingle(), features.Shape[0], features.Shape[2]);
        AssertClose(NpyArray.Read(Fixtures.Path($"checkpoints/{name}_encoder.npy")).Values, Copy(states, model.Info.Width), 2e-5);

        using var cache = model.CreateCache(states, [0, 1], new DecoderCacheOptions());
        var logits = new float[tokens.Length * model.Info.VocabularySize];
        model.Decode(cache, tokens, [], LogitPositions.All, logits, []);
        AssertClose(NpyArray.Read(Fixtures.Path($"checkpoints/{name}_logits.npy")).Values, logits, 5e-5);
    }

    [Fact]
    public void Forward_MicroOnJfk_MatchesHuggingFace()
    {
        using var model = ReferenceModel.Load(Fixtures.Path("micro"));
        var hidden = new List<float[]>();
        using var states = model.Encode(FeatureFixture.Read("jfk"), 1, 3000, (_, _, values) => hidden.Add([.. values]));
        AssertClose(NpyArray.Read(Fixtures.Path("model/jfk_encoder_input.npy")).Values, EveryFiftieth(hidden[0], model.Info.Width), 5e-5);
        AssertClose(NpyArray.Read(Fixtures.Path("model/jfk_encoder_layer1.npy")).Values, EveryFiftieth(hidden[1], model.Info.Width), 1e-4);
        AssertClose(NpyArray.Read(Fixtures.Path("model/jfk_encoder.npy")).Values, Copy(states, model.Info.Width), 1e-4);

        var expected = JsonNode.Parse(File.ReadAllText(Fixtures.Path("model/jfk_logits.json")))!;
        var tokens = expected["decoder_input_ids"]!.AsArray().Select(id => id!.GetValue<int>()).ToArray();
        var heads = expected["alignment_heads"]!.AsArray().Select(head => new AttentionHead(head![0]!.GetValue<int>(), head[1]!.GetValue<int>())).ToArray();
        using var cache = model.CreateCache(states, [0], new DecoderCacheOptions { AlignmentHeads = heads });
        var logits = new float[tokens.Length * model.Info.VocabularySize];
        var alignment = new float[heads.Length * tokens.Length * states.Positions];
        model.Decode(cache, tokens, [], LogitPositions.All, logits, alignment);

        var columns = expected["columns"]!.AsArray().Select(id => id!.GetValue<int>()).ToArray();
        var columnValues = NpyArray.Read(Fixtures.Path("model/jfk_logits_columns.npy"));
        for (var i = 0; i < tokens.Length; i++)
        {
            var row = logits.AsSpan(i * model.Info.VocabularySize, model.Info.VocabularySize);
            for (var column = 0; column < columns.Length; column++)
            {
                Assert.Equal(columnValues.Values[(i * columns.Length) + column], row[columns[column]], 1e-4);
            }

            var top = expected["top_ids"]![i]!.AsArray();
            for (var rank = 0; rank < top.Count; rank++)
            {
                Assert.Equal(expected["top_logits"]![i]![rank]!.GetValue<double>(), row[top[rank]!.GetValue<int>()], 1e-4);
            }

            var maximum = TensorPrimitives.Max<float>(row);
            var sum = 0.0;
            foreach (var value in row)
            {
                sum += Math.Exp(value - maximum);
            }

            Assert.Equal(expected["logsumexp"]![i]!.GetValue<double>(), maximum + Math.Log(sum), 1e-4);
        }

        // The fixture keeps the first 600 positions in half precision.
        var attention = NpyArray.Read(Fixtures.Path("model/jfk_cross_attention.npy"));
        for (var i = 0; i < attention.Values.Length; i++)
        {
            var (row, position) = Math.DivRem(i, attention.Shape[2]);
            Assert.Equal(attention.Values[i], alignment[(row * states.Positions) + position], 1e-3);
        }
    }

    [Fact]
    public void Decode_RaggedReorderedTruncated_EqualsOneRowAtOnce()
    {
        using var model = ReferenceModel.Load(Fixtures.Path("checkpoints/fp32"));
        var features = NpyArray.Read(Fixtures.Path("checkpoints/input_features.npy"));
        using var states = model.Encode(features.ToSingle(), 2, features.Shape[2]);
        var vocabulary = model.Info.VocabularySize;

        using var cache = model.CreateCache(states, [0, 1], new DecoderCacheOptions { MaxRows = 3, Capacity = 10 });
        var logits = new float[3 * vocabulary];
        model.Decode(cache, [5, 6, 7, 8, 0, 0], [3, 1], LogitPositions.Last, logits, []);
        Assert.Equal(Whole(0, 5, 6, 7), logits[..vocabulary]);
        Assert.Equal(Whole(1, 8), logits[vocabulary..(2 * vocabulary)]);

        cache.Reorder([1, 0, 0]);
        model.Decode(cache, [9, 10, 11], [], LogitPositions.Last, logits, []);
        Assert.Equal(Whole(1, 8, 9), logits[..vocabulary]);
        Assert.Equal(Whole(0, 5, 6, 7, 10), logits[vocabulary..(2 * vocabulary)]);
        Assert.Equal(Whole(0, 5, 6, 7, 11), logits[(2 * vocabulary)..]);

        cache.Truncate(3);
        Assert.Equal([2, 3, 3], Enumerable.Range(0, 3).Select(cache.Length));
        model.Decode(cache, [12, 13, 14], [], LogitPositions.Last, logits, []);
        Assert.Equal(Whole(1, 8, 9, 12), logits[..vocabulary]);
        Assert.Equal(Whole(0, 5, 6, 7, 14), logits[(2 * vocabulary)..]);

        float[] Whole(int source, params int[] tokens)
        {
            using var fresh = model.CreateCache(states, [source], new DecoderCacheOptions());
            var result = new float[vocabulary];
            model.Decode(fresh, tokens, [], LogitPositions.Last, result, []);
            return result;
        }
    }

    private static float[] Copy(IEncoderStates states, int width)
    {
        var values = new float[states.Batch * states.Positions * width];
        states.CopyTo(values);
        return values;
    }

    private static float[] EveryFiftieth(float[] values, int width) =>
        [.. Enumerable.Range(0, values.Length / width / 50).SelectMany(i => values.AsSpan(i * 50 * width, width).ToArray())];

    private static void AssertClose(double[] expected, float[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        var worst = 0.0;
        for (var i = 0; i < expected.Length; i++)
        {
            worst = Math.Max(worst, Math.Abs(expected[i] - actual[i]));
        }

        Assert.True(worst <= tolerance, $"The largest difference is {worst:g3}, the tolerance {tolerance:g3}.");
    }
}
