using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Tests;
using AsrPlatform.Whisper;
using AsrPlatform.Whisper.Tests.Decoding;
using static AsrPlatform.OnnxBackend.Tests.OnnxModels;

namespace AsrPlatform.OnnxBackend.Tests.Model;

/// <summary>What every layout must do.</summary>
public sealed class LayoutTests
{
    public static TheoryData<SmallLayout> Layouts => [.. Enum.GetValues<SmallLayout>()];

    [Theory]
    [MemberData(nameof(Layouts))]
    public void EncodeAndDecode_SmallExport_GiveTheRecordedValues(SmallLayout layout)
    {
        using var folder = new TemporaryFolder();
        using var model = Load(Small(folder, layout));
        using var states = EncodeSmall(model);
        AssertClose(NpyArray.Read(Fixtures.Path("onnx/small/encoder.npy")).ToSingle(), Copy(states, model), 1e-5);

        using var cache = model.CreateCache(states, [0, 1], new DecoderCacheOptions());
        var prefill = Decode(model, cache, [.. SmallTokens(0)[..6], .. SmallTokens(1)[..6]], LogitPositions.All);
        AssertClose(NpyArray.Read(Fixtures.Path("onnx/small/prefill_logits.npy")).ToSingle(), prefill, 1e-5);

        var cached = NpyArray.Read(Fixtures.Path("onnx/small/cached_logits.npy")).ToSingle(); // [row, step, vocabulary]
        for (var step = 0; step < 3; step++)
        {
            var logits = Decode(model, cache, [SmallTokens(0)[6 + step], SmallTokens(1)[6 + step]]);
            for (var row = 0; row < 2; row++)
            {
                AssertClose(cached.AsSpan(((row * 3) + step) * 300, 300), logits.AsSpan(row * 300, 300), 1e-5);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Decode_AnyRowsCountsAndRearrangements_EqualsTheReferenceModel(SmallLayout layout)
    {
        using var folder = new TemporaryFolder();
        using var model = Load(Small(folder, layout));
        using var reference = ReferenceModel.Load(Fixtures.Path("checkpoints/fp32"));
        using var states = EncodeSmall(model);
        using var expectedStates = EncodeSmall(reference);
        var random = new Random(11);
        foreach (int[] sources in (int[][])[[0, 1], [1, 0], [1, 1, 1], [0, 1, 0]])
        {
            var options = new DecoderCacheOptions { Capacity = 30, MaxRows = 5 };
            using var cache = model.CreateCache(states, sources, options);
            List<(int Source, int[] Tokens)> rows = [.. sources.Select(source => (source, Array.Empty<int>()))];
            for (var round = 0; round < 8; round++)
            {
                var width = random.Next(1, 4);
                int[] counts = [.. rows.Select(_ => round % 2 == 0 ? width : random.Next(1, width + 1))];
                var tokens = Enumerable.Range(0, rows.Count * width).Select(_ => random.Next(300)).ToArray();
                var logits = Decode(model, cache, tokens, LogitPositions.Last, counts);
                for (var row = 0; row < rows.Count; row++)
                {
                    rows[row] = (rows[row].Source, [.. rows[row].Tokens, .. tokens.AsSpan(row * width, counts[row])]);
                    Assert.Equal(rows[row].Tokens.Length, cache.Length(row));
                    AssertClose(Whole(rows[row]), logits.AsSpan(row * 300, 300), 2e-5);
                }

                if (round % 3 == 1)
                {
                    var length = random.Next(1, 5);
                    cache.Truncate(length);
                    rows = [.. rows.Select(row => (row.Source, row.Tokens[..Math.Min(length, row.Tokens.Length)]))];
                }

                var order = Enumerable.Range(0, random.Next(1, 6)).Select(_ => random.Next(rows.Count)).ToArray();
                cache.Reorder(order);
                rows = [.. order.Select(row => rows[row])];
            }
        }

        float[] Whole((int Source, int[] Tokens) row)
        {
            using var cache = reference.CreateCache(expectedStates, [row.Source], new DecoderCacheOptions());
            return Decode(reference, cache, row.Tokens);
        }
    }

    [Theory]
    [InlineData(SmallLayout.Pair)]
    [InlineData(SmallLayout.Fast)]
    public void Decode_GraphWithAttention_GivesTheReferencesWeights(SmallLayout layout)
    {
        using var folder = new TemporaryFolder();
        var directory = Small(folder, layout);
        foreach (var file in layout == SmallLayout.Pair ? Pair[1..] : [])
        {
            Change(folder.File(file), model => model.Change(OnnxMessage.ModelGraph, graph => WithAttention(graph, layers: 3)));
        }

        using var model = Load(directory);
        Assert.True(model.Info.SupportsAlignment);
        using var reference = ReferenceModel.Load(Fixtures.Path("checkpoints/fp32"));
        using var states = EncodeSmall(model);
        using var expectedStates = EncodeSmall(reference);
        int[] sources = [1, 0, 1];
        var options = new DecoderCacheOptions { AlignmentHeads = [new(2, 3), new(0, 1), new(2, 0)] };
        using var cache = model.CreateCache(states, sources, options);
        using var expectedCache = reference.CreateCache(expectedStates, sources, options);
        foreach (var width in (int[])[3, 1, 2])
        {
            var tokens = Enumerable.Range(40, sources.Length * width).ToArray();
            var alignment = new float[sources.Length * 3 * width * states.Positions];
            var expected = (float[])alignment.Clone();
            model.Decode(cache, tokens, [], LogitPositions.None, [], alignment);
            reference.Decode(expectedCache, tokens, [], LogitPositions.None, [], expected);
            AssertClose(expected, alignment, 1e-5);
        }
    }

    [Fact]
    public void Transcribe_Cancelled_StopsAndLeavesTheModelUsable()
    {
        using var recognizer = WhisperRecognizer.Load(ParityBackend.Create(), new ModelLoadOptions { ModelDirectory = Fixtures.Path("micro") });
        using var cancellation = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => recognizer.Transcribe(
            MicroRecognizer.Audio("long_en"), new TranscriptionOptions(), _ => cancellation.Cancel(), cancellation.Token));
        Assert.Equal(" Guten Morgen, wie geht es Ihnen heute?", recognizer.Transcribe(MicroRecognizer.Audio("de"), new TranscriptionOptions { Language = "de" }).Text);
    }
}
