using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Tests;
using AsrPlatform.WhisperTorch.Model;
using static AsrPlatform.WhisperTorch.Tests.TestModels;

namespace AsrPlatform.WhisperTorch.Tests.Model;

public sealed class DecoderTests
{
    [Theory]
    [InlineData("fp32")]
    [InlineData("fp16_sharded")]
    [InlineData("bf16")]
    public void Decode_RandomCheckpoint_MatchesHuggingFace(string name)
    {
        using var model = Load($"checkpoints/{name}");
        var (features, batch, frames) = SmallFeatures();
        using var states = model.Encode(features, batch, frames);
        using var cache = model.CreateCache(states, [0, 1], new DecoderCacheOptions());
        var logits = Decode(model, cache, [.. SmallTokens(0), .. SmallTokens(1)], LogitPositions.All);
        AssertClose(NpyArray.Read(Fixtures.Path($"checkpoints/{name}_logits.npy")).Values, logits, 1e-4);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Decode_MicroOnJfk_MatchesHuggingFace(bool stepByStep)
    {
        using var model = Load("micro");
        using var states = model.Encode(FeatureFixture.Read("jfk"), 1, 3000);
        var expected = JsonNode.Parse(File.ReadAllText(Fixtures.Path("model/jfk_logits.json")))!;
        var tokens = expected["decoder_input_ids"]!.AsArray().Select(id => id!.GetValue<int>()).ToArray();
        var heads = expected["alignment_heads"]!.AsArray().Select(head => new AttentionHead(head![0]!.GetValue<int>(), head[1]!.GetValue<int>())).ToArray();
        using var cache = model.CreateCache(states, [0], new DecoderCacheOptions { AlignmentHeads = heads });
        var vocabulary = model.Info.VocabularySize;
        var positions = states.Positions;
        var logits = new float[tokens.Length * vocabulary];
        var alignment = new float[heads.Length * tokens.Length * positions]; // [head, token, position]
        if (stepByStep)
        {
            var one = new float[heads.Length * positions];
            for (var i = 0; i < tokens.Length; i++)
            {
                model.Decode(cache, [tokens[i]], [], LogitPositions.Last, logits.AsSpan(i * vocabulary, vocabulary), one);
                for (var head = 0; head < heads.Length; head++)
                {
                    Row(one, head, positions).CopyTo(alignment.AsSpan(((head * tokens.Length) + i) * positions));
                }
            }
        }
        else
        {
            model.Decode(cache, tokens, [], LogitPositions.All, logits, alignment);
        }

        var columns = expected["columns"]!.AsArray().Select(id => id!.GetValue<int>()).ToArray();
        var columnValues = NpyArray.Read(Fixtures.Path("model/jfk_logits_columns.npy"));
        for (var i = 0; i < tokens.Length; i++)
        {
            var row = Row(logits, i, vocabulary);
            for (var column = 0; column < columns.Length; column++)
            {
                Assert.Equal(columnValues.Values[(i * columns.Length) + column], row[columns[column]], 1e-4);
            }

            var top = expected["top_ids"]![i]!.AsArray();
            Assert.Equal(top[0]!.GetValue<int>(), TensorPrimitives.IndexOfMax(row));
            for (var rank = 0; rank < top.Count; rank++)
            {
                Assert.Equal(expected["top_logits"]![i]![rank]!.GetValue<double>(), row[top[rank]!.GetValue<int>()], 1e-4);
            }

            var maximum = TensorPrimitives.Max(row);
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
            Assert.Equal(attention.Values[i], alignment[(row * positions) + position], 1e-3);
        }
    }

    [Theory]
    [InlineData("jfk", "en")]
    [InlineData("fox", "en")]
    public void Decode_Greedily_FindsTheTextOfTheClip(string clip, string language)
    {
        var expected = Fixtures.Lines("decode/short.jsonl").Single(line =>
            line["case"]!.GetValue<string>() == "greedy" && line["audio"]!.GetValue<string>() == clip
            && line["options"]!["language"]!.GetValue<string>() == language)["ids"]!.AsArray().Select(id => id!.GetValue<int>()).ToArray();
        using var model = Load("micro");
        using var states = model.Encode(FeatureFixture.Read(clip), 1, 3000);
        using var cache = model.CreateCache(states, [0], new DecoderCacheOptions());
        List<int> ids = [.. expected[..4]];
        var logits = Decode(model, cache, [.. ids]);
        while (true)
        {
            ids.Add(TensorPrimitives.IndexOfMax<float>(logits));
            if (ids.Count >= expected.Length || ids[^1] == expected[^1])
            {
                break;
            }

            logits = Decode(model, cache, [ids[^1]]);
        }

        Assert.Equal(expected, ids);
    }

    [Fact]
    public void Decode_TokenByToken_EqualsAllAtOnce()
    {
        using var model = Load("checkpoints/fp32");
        using var states = Encode(model);
        using var whole = model.CreateCache(states, [1], new DecoderCacheOptions());
        var tokens = SmallTokens(1);
        var expected = Decode(model, whole, tokens, LogitPositions.All);
        using var cache = model.CreateCache(states, [1], new DecoderCacheOptions());
        var actual = new List<float>();
        foreach (var token in tokens)
        {
            actual.AddRange(Decode(model, cache, [token]));
        }

        Assert.Equal(tokens.Length, cache.Length(0));
        AssertClose(expected, CollectionsMarshal.AsSpan(actual), 2e-5);
    }

    [Fact]
    public void Decode_LastAndNone_AreTheEndOfAll()
    {
        using var model = Load("checkpoints/fp32");
        using var states = Encode(model);
        using var all = model.CreateCache(states, [0, 1], new DecoderCacheOptions());
        using var last = model.CreateCache(states, [0, 1], new DecoderCacheOptions());
        using var none = model.CreateCache(states, [0, 1], new DecoderCacheOptions());
        int[] tokens = [3, 4, 5, 6, 7, 8];
        var vocabulary = model.Info.VocabularySize;
        var everything = Decode(model, all, tokens, LogitPositions.All);
        var ends = Decode(model, last, tokens);
        AssertClose(Row(everything, 2, vocabulary), Row(ends, 0, vocabulary), 1e-5);
        AssertClose(Row(everything, 5, vocabulary), Row(ends, 1, vocabulary), 1e-5);
        model.Decode(none, tokens, [], LogitPositions.None, [], []);
        AssertClose(Decode(model, last, [9, 10]), Decode(model, none, [9, 10]), 1e-6);
    }

    [Fact]
    public void Decode_RowsAtDifferentPositions_EqualRowsAlone()
    {
        using var model = Load("checkpoints/fp32");
        using var states = Encode(model);
        var vocabulary = model.Info.VocabularySize;
        using var cache = model.CreateCache(states, [0, 1, 0], new DecoderCacheOptions());

        // −1 is padding: its value must not matter.
        var logits = Decode(model, cache, [5, 6, 7, 8, -1, -1, 11, 12, -1], counts: [3, 1, 2]);
        Check(logits, [5, 6, 7], [8], [11, 12]);
        logits = Decode(model, cache, [20, 21, 22, 23, 24, -1], counts: [2, 2, 1]);
        Check(logits, [5, 6, 7, 20, 21], [8, 22, 23], [11, 12, 24]);
        logits = Decode(model, cache, [30, 31, 32]);
        Check(logits, [5, 6, 7, 20, 21, 30], [8, 22, 23, 31], [11, 12, 24, 32]);
        Assert.Equal([6, 4, 4], Enumerable.Range(0, 3).Select(cache.Length));

        void Check(float[] actual, params int[][] rows)
        {
            int[] sources = [0, 1, 0];
            for (var row = 0; row < rows.Length; row++)
            {
                AssertClose(Whole(model, states, sources[row], rows[row]), Row(actual, row, vocabulary), 2e-5);
            }
        }
    }

    [Fact]
    public void Decode_RowsOfAnySources_EqualTheReferenceModel()
    {
        using var model = Load("checkpoints/fp32");
        using var reference = ReferenceModel.Load(Fixtures.Path("checkpoints/fp32"));
        using var states = Encode(model);
        using var expectedStates = Encode(reference);
        foreach (int[] sources in (int[][])[[0, 1], [1, 0], [0, 0, 1, 1], [1, 1, 1], [0, 1, 0, 1], [0, 0, 1], [1, 0, 0]])
        {
            var options = new DecoderCacheOptions { AlignmentHeads = [new(2, 3), new(0, 1), new(2, 0)] };
            using var cache = model.CreateCache(states, sources, options);
            using var expectedCache = reference.CreateCache(expectedStates, sources, options);
            foreach (var width in (int[])[3, 1, 2])
            {
                var tokens = Enumerable.Range(40, sources.Length * width).ToArray();
                var logits = new float[sources.Length * width * model.Info.VocabularySize];
                var alignment = new float[sources.Length * 3 * width * states.Positions];
                var expectedLogits = (float[])logits.Clone();
                var expectedAlignment = (float[])alignment.Clone();
                model.Decode(cache, tokens, [], LogitPositions.All, logits, alignment);
                reference.Decode(expectedCache, tokens, [], LogitPositions.All, expectedLogits, expectedAlignment);
                AssertClose(expectedLogits, logits, 5e-5);
                AssertClose(expectedAlignment, alignment, 1e-5);
            }
        }
    }

    [Fact]
    public void Reorder_AnyRearrangement_ContinuesTheRowsItNames()
    {
        using var model = Load("checkpoints/fp32");
        using var states = Encode(model);
        var random = new Random(7);
        var vocabulary = model.Info.VocabularySize;
        using var cache = model.CreateCache(states, [0, 1, 0], new DecoderCacheOptions { MaxRows = 5 });
        List<(int Source, int[] Tokens)> rows = [(0, []), (1, []), (0, [])];

        // Cycles, swaps, repeats, fewer and more rows: 12 random rearrangements and three chosen ones.
        int[][] chosen = [[1, 2, 0], [1, 0, 2, 2, 1], [4, 3, 2, 1, 0]];
        for (var round = 0; round < 15; round++)
        {
            var fresh = rows.Select(_ => random.Next(vocabulary)).ToArray();
            var logits = Decode(model, cache, fresh);
            rows = [.. rows.Select((row, i) => (row.Source, (int[])[.. row.Tokens, fresh[i]]))];
            for (var i = 0; i < rows.Count; i++)
            {
                AssertClose(Whole(model, states, rows[i].Source, rows[i].Tokens), Row(logits, i, vocabulary), 2e-5);
            }

            var order = round < chosen.Length ? chosen[round] : [.. Enumerable.Range(0, random.Next(1, 6)).Select(_ => random.Next(rows.Count))];
            cache.Reorder(order);
            rows = [.. order.Select(row => rows[row])];
            Assert.Equal(rows.Count, cache.Rows);
        }
    }

    [Fact]
    public void Reorder_RowsOfDifferentLengths_KeepTheirs()
    {
        using var model = Load("checkpoints/fp32");
        using var states = Encode(model);
        var vocabulary = model.Info.VocabularySize;
        using var cache = model.CreateCache(states, [0, 1], new DecoderCacheOptions { MaxRows = 3, Capacity = 10 });
        Decode(model, cache, [5, 6, 7, 8, 0, 0], counts: [3, 1]);
        cache.Reorder([1, 0, 0]);
        var logits = Decode(model, cache, [9, 10, 11]);
        AssertClose(Whole(model, states, 1, 8, 9), Row(logits, 0, vocabulary), 2e-5);
        AssertClose(Whole(model, states, 0, 5, 6, 7, 10), Row(logits, 1, vocabulary), 2e-5);
        cache.Truncate(3);
        Assert.Equal([2, 3, 3], Enumerable.Range(0, 3).Select(cache.Length));
        logits = Decode(model, cache, [12, 13, 14]);
        AssertClose(Whole(model, states, 1, 8, 9, 12), Row(logits, 0, vocabulary), 2e-5);
        AssertClose(Whole(model, states, 0, 5, 6, 7, 14), Row(logits, 2, vocabulary), 2e-5);
    }

    [Fact]
    public void CreateCache_BeamsAndLaterCaches_ShareTheKeysOfOneSource()
    {
        using var model = Load("checkpoints/fp32");
        using var states = Encode(model);
        using var beams = (DecoderCache)model.CreateCache(states, [1, 1, 1, 1, 1], new DecoderCacheOptions());
        using var one = (DecoderCache)model.CreateCache(states, [1], new DecoderCacheOptions());
        Assert.Equal(new SourceRun(0, 1, 1, 5), Assert.Single(beams.Runs));
        for (var layer = 0; layer < model.Info.DecoderLayers; layer++)
        {
            Assert.Equal([4, 16, states.Positions], beams.SourceKeys(0, layer).shape);
            Assert.True(SameMemory(beams.SourceKeys(0, layer), one.SourceKeys(0, layer)));
            Assert.True(SameMemory(beams.SourceValues(0, layer), one.SourceValues(0, layer)));
        }

        var logits = Decode(model, beams, [1, 2, 3, 4, 5]);
        AssertClose(Whole(model, states, 1, 4), Row(logits, 3, model.Info.VocabularySize), 2e-5);

        static bool SameMemory(torch.Tensor left, torch.Tensor right) =>
            Unsafe.AreSame(ref MemoryMarshal.GetReference(left.bytes), ref MemoryMarshal.GetReference(right.bytes));
    }

    [Fact]
    public void Decode_RowInABatch_EqualsTheRowAlone()
    {
        using var model = Load("micro");
        using var states = model.Encode([.. FeatureFixture.Read("jfk"), .. FeatureFixture.Read("fox")], 2, 3000);
        using var alone = model.Encode(FeatureFixture.Read("fox"), 1, 3000);
        using var both = model.CreateCache(states, [0, 1], new DecoderCacheOptions());
        int[] prefix = [50258, 50259, 50359, 50363];
        var logits = Decode(model, both, [.. prefix, .. prefix]);
        AssertClose(Whole(model, alone, 0, prefix), Row(logits, 1, model.Info.VocabularySize), 2e-5);
    }

    [Fact]
    public void Decode_WrongArguments_AreRefusedBeforeNativeCode()
    {
        using var model = Load("checkpoints/fp32");
        using var other = Load("checkpoints/fp32");
        using var states = Encode(model);
        using var foreign = Encode(other);
        var options = new DecoderCacheOptions();
        Assert.Throws<ArgumentException>("states", () => model.CreateCache(foreign, [0], options));
        Assert.Throws<ArgumentException>("sourceRows", () => model.CreateCache(states, [], options));
        Assert.Throws<ArgumentException>("sourceRows", () => model.CreateCache(states, [0, 2], options));
        Assert.Throws<ArgumentException>("sourceRows", () => model.CreateCache(states, [-1], options));
        Assert.Throws<ArgumentException>("options", () => model.CreateCache(states, [0], options with { Capacity = 33 }));
        Assert.Throws<ArgumentException>("options", () => model.CreateCache(states, [0], options with { Capacity = -1 }));
        Assert.Throws<ArgumentException>("options", () => model.CreateCache(states, [0, 1], options with { MaxRows = 1 }));
        Assert.Throws<ArgumentException>("options", () => model.CreateCache(states, [0], options with { AlignmentHeads = [new(3, 0)] }));
        Assert.Throws<ArgumentException>("options", () => model.CreateCache(states, [0], options with { AlignmentHeads = [new(0, -1)] }));

        using var cache = model.CreateCache(states, [0, 1], options with { Capacity = 4, MaxRows = 3, AlignmentHeads = [new(0, 0)] });
        var logits = new float[2 * 4 * 300];
        var none = LogitPositions.None;
        Assert.Throws<ArgumentException>("cache", () => other.Decode(cache, [1, 2], [], none, [], []));
        Assert.Throws<ArgumentException>("tokens", () => model.Decode(cache, [], [], none, [], []));
        Assert.Throws<ArgumentException>("tokens", () => model.Decode(cache, [1, 2, 3], [], none, [], []));
        Assert.Throws<ArgumentException>("tokens", () => model.Decode(cache, [1, 300], [], none, [], []));
        Assert.Throws<ArgumentException>("tokens", () => model.Decode(cache, [-1, 1], [], none, [], []));
        Assert.Throws<ArgumentException>("tokens", () => model.Decode(cache, new int[10], [], none, [], []));
        Assert.Throws<ArgumentException>("counts", () => model.Decode(cache, [1, 2], [1], none, [], []));
        Assert.Throws<ArgumentException>("counts", () => model.Decode(cache, [1, 2], [0, 1], none, [], []));
        Assert.Throws<ArgumentException>("counts", () => model.Decode(cache, [1, 2], [2, 1], none, [], []));
        Assert.Throws<ArgumentException>("logits", () => model.Decode(cache, [1, 2], [], LogitPositions.Last, logits.AsSpan(1, 599), []));
        Assert.Throws<ArgumentException>("logits", () => model.Decode(cache, [1, 2, 3, 4], [], LogitPositions.All, logits.AsSpan(1, 1199), []));
        Assert.Throws<ArgumentException>("alignment", () => model.Decode(cache, [1, 2], [], none, [], new float[(2 * 60) - 1]));
        Assert.Throws<ArgumentException>("rows", () => cache.Reorder([]));
        Assert.Throws<ArgumentException>("rows", () => cache.Reorder([0, 1, 0, 1]));
        Assert.Throws<ArgumentException>("rows", () => cache.Reorder([2]));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Length(2));
        Assert.Throws<ArgumentOutOfRangeException>(() => cache.Truncate(-1));

        // Nothing of that has left a trace.
        Assert.Equal([0, 0], [cache.Length(0), cache.Length(1)]);
        AssertClose(Whole(model, states, 1, 7), Row(Decode(model, cache, [6, 7]), 1, 300), 2e-5);
        cache.Dispose();
        Assert.Throws<ObjectDisposedException>(() => model.Decode(cache, [1, 2], [], none, [], []));
    }

    private static IEncoderStates Encode(ISeq2SeqModel model)
    {
        var (features, batch, frames) = SmallFeatures();
        return model.Encode(features, batch, frames);
    }
}
