using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Onnx.Export;
using AsrPlatform.Onnx.Format;
using AsrPlatform.Tests;
using static AsrPlatform.Onnx.Tests.Export.SmallModel;

namespace AsrPlatform.Onnx.Tests.Export;

/// <summary>The fast layout computes what the model computes, whatever stands in a batch together.</summary>
public sealed class FastLayoutTests
{
    private const float Tolerance = 1e-4f;

    // A step's tokens [row, width] and how many of each row count.
    private static readonly (long[] Tokens, int[] Counts)[] RaggedSteps =
    [
        ([257, 8, 35, 218, 257, 94, 0, 0, 257, 178, 75, 0], [4, 2, 3]),
        ([144, 32, 75, 0, 86, 69], [2, 1, 2]),
        ([120, 86, 179], [1, 1, 1]),
    ];

    [Theory]
    [InlineData(120)]
    [InlineData(44)]
    public void Encoder_OfAnyContext_GivesTheModelsStates(int frames)
    {
        using var folder = new TemporaryFolder();
        var features = Cut(Features, frames);
        using var model = ReferenceModel.Load(SmallModel.Directory);
        using var states = model.Encode(features, 2, frames);
        var expected = new float[2 * states.Positions * Width];
        states.CopyTo(expected);
        var found = Encode(Write(folder, Fast()), features, 2, frames);
        Assert.InRange(LargestDifference(expected, found["last_hidden_state"].Values), 0, Tolerance);
        Assert.Equal([2, Heads, HeadWidth, frames / 2], found["cross.2.key"].Shape);
        Assert.Equal([2, Heads, frames / 2, HeadWidth], found["cross.2.value"].Shape);
    }

    [Fact]
    public void Decoder_OfRowsThatStandAtDifferentPlaces_GivesTheModelsLogitsAndAlignment()
    {
        using var folder = new TemporaryFolder();
        var features = Features;
        float[] three = [.. features, .. features[..(features.Length / 2)]];
        var directory = Write(folder, Fast());
        CompareRows(directory, Encode(directory, three, 3, Frames), three, [60, 60, 60], sourceOfRow: [0, 1, 2]);
    }

    [Fact]
    public void Decoder_OfSourcesOfDifferentLengths_DoesNotSeeThePadding()
    {
        using var folder = new TemporaryFolder();
        var directory = Write(folder, Fast());
        var (longer, shorter) = (Features[..(80 * Frames)], Cut(Features[..(80 * Frames)], 44));
        var whole = Encode(directory, longer, 1, Frames);
        var part = Encode(directory, shorter, 1, 44);
        var memory = whole.Keys.Where(name => name.StartsWith("cross", StringComparison.Ordinal)).ToDictionary(
            name => name,
            name => Stack(whole[name], part[name], positionsLast: name.EndsWith("key", StringComparison.Ordinal)));
        using var model = ReferenceModel.Load(SmallModel.Directory);
        using var decoder = new FastDecoder(directory, memory, [60, 22], 2);
        var found = decoder.Feed([257, 8, 257, 8], [2, 2]);
        foreach (var (row, features, frames) in new[] { (0, longer, Frames), (1, shorter, 44) })
        {
            using var states = model.Encode(features, 1, frames);
            using var cache = model.CreateCache(states, [0], new DecoderCacheOptions());
            var logits = new float[2 * Vocabulary];
            model.Decode(cache, [257, 8], [], LogitPositions.All, logits, []);
            Assert.InRange(LargestDifference(logits, found.Logits.AsSpan(row * 2 * Vocabulary, 2 * Vocabulary)), 0, Tolerance);
        }
    }

    [Fact]
    public void Decoder_OfBeamsOverOneSource_GivesWhatTheirOwnCopiesGive()
    {
        using var folder = new TemporaryFolder();
        var directory = Write(folder, Fast());
        CompareRows(directory, Encode(directory, Features[..(80 * Frames)], 1, Frames), Features[..(80 * Frames)], [60], sourceOfRow: [0, 0, 0]);
    }

    [Fact]
    public void Decoder_OfOneRow_TakesSeveralTokensBehindItsCache()
    {
        using var folder = new TemporaryFolder();
        var directory = Write(folder, Fast());
        var features = Features[..(80 * Frames)];
        using var model = ReferenceModel.Load(SmallModel.Directory);
        using var states = model.Encode(features, 1, Frames);
        using var cache = model.CreateCache(states, [0], new DecoderCacheOptions());
        using var decoder = new FastDecoder(directory, Encode(directory, features, 1, Frames), [60], 1);
        foreach (var tokens in new long[][] { [257, 8], [35, 218, 144], [32] })
        {
            var expected = new float[tokens.Length * Vocabulary];
            model.Decode(cache, Array.ConvertAll(tokens, token => (int)token), [], LogitPositions.All, expected, []);
            Assert.InRange(LargestDifference(expected, decoder.Feed(tokens, [tokens.Length]).Logits), 0, Tolerance);
        }
    }

    [Theory]
    [InlineData(null, 0.05)]
    [InlineData("", 0.05)]
    [InlineData("^model.decoder", 0.05)]
    public void Int8_StaysClose(string? rowScaled, double relative)
    {
        using var folder = new TemporaryFolder();
        var directory = Write(folder, Fast() with { Precision = OnnxPrecision.Int8, RowScaledLayers = rowScaled is null ? null : new(rowScaled) });
        using var model = ReferenceModel.Load(SmallModel.Directory);
        using var states = model.Encode(Features, 2, Frames);
        using var cache = model.CreateCache(states, [0, 1], new DecoderCacheOptions());
        var expected = new float[2 * 4 * Vocabulary];
        model.Decode(cache, [257, 8, 35, 218, 257, 94, 178, 75], [], LogitPositions.All, expected, []);
        using var decoder = new FastDecoder(directory, Encode(directory, Features, 2, Frames), [60, 60], 2);
        var (found, _) = decoder.Feed([257, 8, 35, 218, 257, 94, 178, 75], [4, 4]);
        var error = Math.Sqrt(expected.Zip(found).Sum(pair => Math.Pow(pair.First - pair.Second, 2)) / expected.Sum(value => (double)value * value));
        Assert.InRange(error, 1e-7, relative);
    }

    /// <summary>What 8 bits in the encoder's keys and values cost, apart from what they cost in the weights.</summary>
    [Fact]
    public void Int8_OfTheKeysAndValuesAlone_GivesTheirAttentionToTwoDigits()
    {
        using var folder = new TemporaryFolder();
        var directory = Write(folder, Fast() with { Precision = OnnxPrecision.Int8, Float32Layers = new("") });
        var memory = Encode(directory, Features, 2, Frames);
        Assert.All(memory["cross.0.key"].Values, value => Assert.True(value is >= -63 and <= 63 && value == Math.Round(value)));
        AttentionHead[] heads = [new(0, 1), new(1, 2), new(2, 3)];
        using var model = ReferenceModel.Load(SmallModel.Directory);
        using var states = model.Encode(Features, 2, Frames);
        using var cache = model.CreateCache(states, [0, 1], new DecoderCacheOptions { AlignmentHeads = heads });
        var expected = new float[2 * 4 * Vocabulary];
        var expectedAttention = new float[2 * heads.Length * 4 * Positions];
        model.Decode(cache, [257, 8, 35, 218, 257, 94, 178, 75], [], LogitPositions.All, expected, expectedAttention);
        using var decoder = new FastDecoder(directory, memory, [60, 60], 2);
        var (found, attention) = decoder.Feed([257, 8, 35, 218, 257, 94, 178, 75], [4, 4]);
        Assert.InRange(Math.Sqrt(expected.Zip(found).Sum(pair => Math.Pow(pair.First - pair.Second, 2)) / expected.Sum(value => (double)value * value)), 1e-7, 0.005);
        for (var row = 0; row < 2; row++)
        {
            for (var head = 0; head < heads.Length; head++)
            {
                var weights = attention[heads[head].Layer].AsSpan(((row * Heads) + heads[head].Head) * 4 * Positions, 4 * Positions);
                Assert.InRange(LargestDifference(expectedAttention.AsSpan(((row * heads.Length) + head) * 4 * Positions, 4 * Positions), weights), 0, 5e-3);
            }
        }
    }

    [Fact]
    public void Int8_WithScaledRows_GivesARowTheSameWhateverItsCompany()
    {
        using var folder = new TemporaryFolder();
        var directory = Write(folder, Fast() with { Precision = OnnxPrecision.Int8, RowScaledLayers = new("") });
        var memory = Encode(directory, Features, 2, Frames);
        var alone = Encode(directory, Features[..(80 * Frames)], 1, Frames);
        foreach (var part in new FastLayout { Precision = "int8" }.CrossParts)
        {
            var name = $"cross.1.{part}";
            Assert.Equal(alone[name].Values, memory[name].Values[..alone[name].Values.Length]);
        }

        using var together = new FastDecoder(directory, memory, [60, 60], 2);
        using var single = new FastDecoder(directory, alone, [60], 1);
        var (expected, _) = single.Feed([257, 8], [2]);
        var (found, _) = together.Feed([257, 8, 5, 299], [2, 2]);
        Assert.Equal(expected, found[..expected.Length]);
    }

    [Fact]
    public void Description_ComesBack_AndAnotherVersionIsRefused()
    {
        using var folder = new TemporaryFolder();
        var layout = new FastLayout { Precision = "int8" };
        layout.Write(folder.Root);
        Assert.Equal(layout, FastLayout.Load(folder.Root));
        var path = folder.File(FastLayout.FileName);
        var text = File.ReadAllText(path);
        foreach (var (change, expected) in new[]
        {
            (text.Replace("\"version\": 3", "\"version\": 2", StringComparison.Ordinal), "is of version 2; this program knows 3"),
            (text.Replace("\"version\": 3", "\"version\": \"x\"", StringComparison.Ordinal), "is malformed"),
            (text[..^10], "is malformed"),
            ("[]", "does not say \"format\""),
            (text.Replace("\"precision\"", "\"accuracy\"", StringComparison.Ordinal), "\"precision\" is missing"),
        })
        {
            File.WriteAllText(path, change);
            var message = Assert.Throws<AsrException>(() => FastLayout.Load(folder.Root)).Message;
            Assert.Contains(path, message, StringComparison.Ordinal);
            Assert.Contains(expected, message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Export_OfWhatTheLayoutCannotHold_IsRefusedAndLeavesNothing()
    {
        using var folder = new TemporaryFolder();
        var error = Assert.Throws<AsrException>(() => Write(folder, Fast() with { Precision = OnnxPrecision.Float16 }));
        Assert.Contains("fp32 or int8", error.Message, StringComparison.Ordinal);
        folder.Write("file", "");
        error = Assert.Throws<AsrException>(() => OnnxExport.Write(SmallModel.Directory, folder.Root, Fast()));
        Assert.Contains("is not empty", error.Message, StringComparison.Ordinal);
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => OnnxExport.Write(SmallModel.Directory, folder.File("new"), Fast(), cancelled.Token));
        Assert.Single(System.IO.Directory.EnumerateFileSystemEntries(folder.Root));
    }

    [Fact]
    public void Decoder_KeepsTheQuantizedEmbeddingOnce()
    {
        using var folder = new TemporaryFolder();
        var graph = OnnxFile.Load(Path.Combine(Write(folder, Fast() with { Precision = OnnxPrecision.Int8 }), FastLayout.DecoderFile)).Graph!;
        Assert.Single(graph.Initializers, tensor => tensor.Shape.FirstOrDefault() == Vocabulary && tensor.ElementType == OnnxElementType.UInt8);
        Assert.DoesNotContain(graph.Initializers, tensor => tensor.Shape.SequenceEqual([Vocabulary, Width]));
    }

    private static OnnxExportOptions Fast() => new() { Layout = OnnxLayout.Fast, TakesAdapters = false };

    // Decodes the ragged steps by the graph in one batch, and row by row by the reference.
    private static void CompareRows(string directory, Dictionary<string, (float[] Values, long[] Shape)> memory, float[] features, long[] lengths, int[] sourceOfRow)
    {
        AttentionHead[] heads = [new(2, 3), new(0, 1), new(2, 0)];
        using var model = ReferenceModel.Load(SmallModel.Directory);
        using var states = model.Encode(features, lengths.Length, Frames);
        using var decoder = new FastDecoder(directory, memory, lengths, sourceOfRow.Length);
        var caches = Array.ConvertAll(sourceOfRow, source => model.CreateCache(states, [source], new DecoderCacheOptions { AlignmentHeads = heads }));
        foreach (var (tokens, counts) in RaggedSteps)
        {
            var width = tokens.Length / counts.Length;
            var (logits, attention) = decoder.Feed(tokens, counts);
            for (var row = 0; row < counts.Length; row++)
            {
                var count = counts[row];
                var expected = new float[count * Vocabulary];
                var expectedAlignment = new float[heads.Length * count * Positions];
                model.Decode(caches[row], Array.ConvertAll(tokens[(row * width)..((row * width) + count)], token => (int)token), [], LogitPositions.All, expected, expectedAlignment);
                Assert.InRange(LargestDifference(expected, logits.AsSpan(row * width * Vocabulary, expected.Length)), 0, Tolerance);
                for (var head = 0; head < heads.Length; head++)
                {
                    var found = attention[heads[head].Layer].AsSpan(((row * Heads) + heads[head].Head) * width * Positions, count * Positions);
                    Assert.InRange(LargestDifference(expectedAlignment.AsSpan(head * count * Positions, count * Positions), found), 0, Tolerance);
                }
            }
        }

        Array.ForEach(caches, cache => cache.Dispose());
    }

    private static Dictionary<string, (float[] Values, long[] Shape)> Encode(string directory, float[] features, int batch, int frames)
    {
        using var encoder = new Graph(Path.Combine(directory, FastLayout.EncoderFile));
        return encoder.Run(("input_features", Graph.Value(features, batch, 80, frames)));
    }

    // The first frames of each mel bin.
    private static float[] Cut(float[] features, int frames) =>
        [.. Enumerable.Range(0, features.Length / Frames).SelectMany(line => features.Skip(line * Frames).Take(frames))];

    // Two sources as one batch; the shorter one is filled with what must not be seen.
    private static (float[] Values, long[] Shape) Stack((float[] Values, long[] Shape) longer, (float[] Values, long[] Shape) shorter, bool positionsLast)
    {
        var filled = new float[longer.Values.Length];
        Array.Fill(filled, 1000f);
        var (inner, from, to) = positionsLast
            ? (1, (int)shorter.Shape[3], (int)longer.Shape[3])
            : ((int)shorter.Shape[3], (int)shorter.Shape[2], (int)longer.Shape[2]);
        for (var line = 0; line < shorter.Values.Length / (from * inner); line++)
        {
            shorter.Values.AsSpan(line * from * inner, from * inner).CopyTo(filled.AsSpan(line * to * inner));
        }

        return ([.. longer.Values, .. filled], [2, .. longer.Shape[1..]]);
    }
}
