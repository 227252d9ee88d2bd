using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Tests;
using AsrPlatform.Whisper;
using AsrPlatform.Whisper.Streaming;
using AsrPlatform.Whisper.Tests.Decoding;
using static AsrPlatform.OnnxBackend.Tests.OnnxModels;

namespace AsrPlatform.OnnxBackend.Tests.Model;

public sealed class OptimumLayoutTests
{
    public static TheoryData<bool> Decoders => [true, false];

    [Theory]
    [MemberData(nameof(Decoders))]
    public void EncodeAndDecode_SmallExport_GiveTheRecordedValues(bool merged)
    {
        using var folder = new TemporaryFolder();
        using var model = Load(Small(folder, merged ? Merged : Pair));
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
    [MemberData(nameof(Decoders))]
    public void Decode_AnyRowsCountsAndRearrangements_EqualsTheReferenceModel(bool merged)
    {
        using var folder = new TemporaryFolder();
        using var model = Load(Small(folder, merged ? Merged : Pair));
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

    [Fact]
    public void Encode_MicroOnJfk_MatchesHuggingFaceAtEveryFrame()
    {
        using var folder = new TemporaryFolder();
        using var model = Load(Micro(folder, withAttention: false));
        using var states = model.Encode(FeatureFixture.Read("jfk"), 1, 3000);
        AssertClose(NpyArray.Read(Fixtures.Path("model/jfk_encoder.npy")).ToSingle(), Copy(states, model), 1e-5);
    }

    [Fact]
    public void Transcribe_GraphWithoutAttention_GivesTextAndRefusesWordTimes()
    {
        using var folder = new TemporaryFolder();
        using var recognizer = WhisperRecognizer.Load(Backend(), new ModelLoadOptions { ModelDirectory = Micro(folder, withAttention: false) });
        Assert.False(recognizer.Info.SupportsWordTimes);
        Assert.Equal("onnx (cpu)", recognizer.Info.Backend);
        Assert.Equal(" Guten Morgen, wie geht es Ihnen heute?", recognizer.Transcribe(MicroRecognizer.Audio("de"), new TranscriptionOptions()).Text);
        var error = Assert.Throws<AsrException>(() => recognizer.Transcribe(MicroRecognizer.Audio("de"), new TranscriptionOptions { WordTimestamps = true }));
        Assert.Contains("attention", error.Message, StringComparison.Ordinal);
        Assert.Contains("onnx", error.Message, StringComparison.Ordinal);
        using var states = recognizer.Parts.Model.Encode(new float[80 * 3000], 1, 3000);
        Assert.Throws<ArgumentException>("options", () => recognizer.Parts.Model.CreateCache(states, [0], new DecoderCacheOptions { AlignmentHeads = [new(0, 0)] }));
        Assert.Throws<ArgumentException>("frames", () => recognizer.Parts.Model.Encode(new float[80 * 100], 1, 100));
    }

    [Fact]
    public void StreamingDecoder_GraphWithoutAttention_SharesTheAudioAmongTheWords()
    {
        using var folder = new TemporaryFolder();
        using var recognizer = WhisperRecognizer.Load(Backend(), new ModelLoadOptions { ModelDirectory = Micro(folder, withAttention: false) });
        var decoder = new StreamingDecoder(recognizer.Parts, new StreamingOptions { ShortContext = true });
        Assert.False(decoder.HasAlignmentHeads);
        Assert.Equal(3000, decoder.FramesOf(16000));
        var samples = WavFixture.Read("audio/fox.wav");
        var heard = Assert.Single(decoder.Decode([new StreamPass { Samples = samples, Language = "en" }], TestContext.Current.CancellationToken));
        Assert.Equal(" The quick brown fox jumps over the lazy dog.", string.Concat(heard.Words.Select(word => word.Text)));
        Assert.All(heard.Words, word => Assert.False(word.IsTimed));
        Assert.Equal(heard.Words.Select(word => word.Start).Order(), heard.Words.Select(word => word.Start));
        Assert.Equal(0, heard.Words[0].Start);
        Assert.InRange(heard.Words[^1].End, 0.75 * samples.Length / 16000, samples.Length / 16000.0);
    }

    [Fact]
    public void Decode_GraphWithAttention_GivesTheRecordedWeights()
    {
        using var folder = new TemporaryFolder();
        Small(folder, Pair);
        foreach (var file in Pair[1..])
        {
            Change(folder.File(file), model => model.Change(OnnxMessage.ModelGraph, graph => WithAttention(graph, layers: 3)));
        }

        using var model = Load(folder.Root);
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
