using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Onnx;
using AsrPlatform.Onnx.Export;
using AsrPlatform.Tests;
using static AsrPlatform.OnnxBackend.Tests.OnnxModels;

namespace AsrPlatform.OnnxBackend.Tests.Model;

/// <summary>What the fast layout can do beyond others, and what it refuses.</summary>
public sealed class FastLayoutTests
{
    [Fact]
    public void Encode_OfAShortContext_EqualsTheReferenceModel()
    {
        using var folder = new TemporaryFolder();
        using var model = Load(FastExport(folder, "checkpoints/fp32"));
        using var reference = ReferenceModel.Load(Fixtures.Path("checkpoints/fp32"));
        Assert.True(model.Info.SupportsShortContext);
        foreach (var frames in (int[])[2, 44, 120])
        {
            float[] features = [.. Enumerable.Range(0, 2 * 80 * frames).Select(i => MathF.Sin(i))];
            using var states = model.Encode(features, 2, frames);
            using var expected = reference.Encode(features, 2, frames);
            AssertClose(Copy(expected, reference), Copy(states, model), 2e-5);
            using var cache = model.CreateCache(states, [1, 0], new DecoderCacheOptions());
            using var expectedCache = reference.CreateCache(expected, [1, 0], new DecoderCacheOptions());
            AssertClose(Decode(reference, expectedCache, [7, 8, 9, 1, 2, 3]), Decode(model, cache, [7, 8, 9, 1, 2, 3]), 5e-5);
        }
    }

    [Fact]
    public void Decode_OfSeveralCachesByTurns_KeepsThemApart()
    {
        using var folder = new TemporaryFolder();
        using var model = Load(FastExport(folder, "checkpoints/fp32"));
        using var states = EncodeSmall(model);
        int[][] texts = [[1, 2, 3, 4, 5], [101, 102, 103, 104, 105], [250, 4, 250, 4, 9]];
        var alone = Array.ConvertAll(texts, text =>
        {
            using var cache = model.CreateCache(states, [1], new DecoderCacheOptions());
            return Decode(model, cache, text, LogitPositions.All);
        });
        var caches = Array.ConvertAll(texts, _ => model.CreateCache(states, [1], new DecoderCacheOptions()));
        for (var step = 0; step < texts[0].Length; step++)
        {
            for (var i = 0; i < texts.Length; i++)
            {
                AssertClose(alone[i].AsSpan(step * 300, 300), Decode(model, caches[i], [texts[i][step]]), 2e-5);
            }
        }

        Array.ForEach(caches, cache => cache.Dispose());
    }

    [Fact]
    public void Decode_OfAFullRowBesideOthers_LeavesItWhole()
    {
        using var folder = new TemporaryFolder();
        using var model = Load(FastExport(folder, "checkpoints/fp32"));
        using var states = EncodeSmall(model);
        var options = new DecoderCacheOptions { Capacity = 6 };
        using var cache = model.CreateCache(states, [0, 1, 0], options);
        Decode(model, cache, [.. Enumerable.Range(1, 15)], counts: [5, 2, 3]);

        // The first row is full after one token, the others take two more.
        var logits = Decode(model, cache, [20, 0, 0, 21, 22, 23, 24, 25, 0], LogitPositions.Last, [1, 3, 2]);
        using var single = model.CreateCache(states, [0], options);
        AssertClose(Decode(model, single, [1, 2, 3, 4, 5, 20]), logits.AsSpan(0, 300), 2e-5);
        Assert.Equal([6, 5, 5], Enumerable.Range(0, 3).Select(cache.Length));

        // What the others wrote meanwhile is not in it.
        cache.Truncate(5);
        AssertClose(logits.AsSpan(0, 300), Decode(model, cache, [20, 30, 31]).AsSpan(0, 300), 2e-5);
    }

    [Fact]
    public void Int8_StaysCloseToFloat32()
    {
        using var folder = new TemporaryFolder();
        using var exact = Load(FastExport(folder, "checkpoints/fp32"));
        using var model = Load(FastExport(folder, "checkpoints/fp32", OnnxPrecision.Int8));
        var (expected, found) = (Run(exact), Run(model));
        var error = Math.Sqrt(expected.Zip(found).Sum(pair => Math.Pow(pair.First - pair.Second, 2)) / expected.Sum(value => (double)value * value));
        Assert.InRange(error, 1e-7, 0.05);

        static float[] Run(ISeq2SeqModel model)
        {
            using var states = EncodeSmall(model);
            using var cache = model.CreateCache(states, [0, 1, 1], new DecoderCacheOptions());
            int[] tokens = [.. SmallTokens(0)[..4], .. SmallTokens(1)[..4], .. SmallTokens(0)[2..6]];
            return [.. Decode(model, cache, tokens, LogitPositions.All), .. Decode(model, cache, [1, 2, 3])];
        }
    }

    [Theory]
    [InlineData(FastLayout.EncoderFile)]
    [InlineData(FastLayout.DecoderFile)]
    public void Load_WithoutAGraph_NamesIt(string file)
    {
        using var folder = new TemporaryFolder();
        var directory = FastExport(folder, "checkpoints/fp32");
        File.Delete(Path.Combine(directory, file));
        Fails(directory, file, "missing");
    }

    [Theory]
    [InlineData("\"d_model\": 64", "\"d_model\": 32", FastLayout.EncoderFile, "last_hidden_state", "32")]
    [InlineData("\"vocab_size\": 300", "\"vocab_size\": 301", FastLayout.DecoderFile, "logits", "301")]
    [InlineData("\"num_mel_bins\": 80", "\"num_mel_bins\": 128", FastLayout.EncoderFile, "input_features", "128")]
    [InlineData("\"decoder_layers\": 3", "\"decoder_layers\": 4", FastLayout.EncoderFile, "cross.3.key")]
    [InlineData("\"decoder_layers\": 3", "\"decoder_layers\": 2", FastLayout.EncoderFile, "more than 2 layers", "decoder_layers")]
    [InlineData("\"decoder_attention_heads\": 4", "\"decoder_attention_heads\": 8", FastLayout.EncoderFile, "cross.0.key", "8")]
    public void Load_GraphOfOtherDimensions_NamesTensorAndExpectation(string said, string instead, params string[] mentioned)
    {
        using var folder = new TemporaryFolder();
        var directory = FastExport(folder, "checkpoints/fp32");
        var path = Path.Combine(directory, "config.json");
        var config = File.ReadAllText(path);
        Assert.Contains(said, config, StringComparison.Ordinal);
        File.WriteAllText(path, config.Replace(said, instead, StringComparison.Ordinal));
        Fails(directory, mentioned);
    }

    [Fact]
    public void CanLoad_OfAnotherVersion_SaysSo()
    {
        using var folder = new TemporaryFolder();
        var directory = FastExport(folder, "checkpoints/fp32");
        Assert.True(Backend().CanLoad(directory, out var reason), reason);
        var path = Path.Combine(directory, FastLayout.FileName);
        File.WriteAllText(path, File.ReadAllText(path).Replace($"\"version\": {FastLayout.CurrentVersion}", "\"version\": 99", StringComparison.Ordinal));
        Assert.False(Backend().CanLoad(directory, out reason));
        Assert.Contains("version 99", reason, StringComparison.Ordinal);
        Fails(directory, "version 99", FastLayout.FileName);
    }

    [Fact]
    public void Load_OfAGraphCutAnywhere_IsOneClearError()
    {
        using var folder = new TemporaryFolder();
        var directory = FastExport(folder, "checkpoints/fp32");
        var path = Path.Combine(directory, FastLayout.DecoderFile);
        var whole = File.ReadAllBytes(path);
        var random = new Random(5);
        for (var i = 0; i < 10; i++)
        {
            File.WriteAllBytes(path, whole[..random.Next(whole.Length)]);
            Fails(directory, FastLayout.DecoderFile);
        }
    }

    private static void Fails(string directory, params string[] mentioned)
    {
        var error = Assert.Throws<AsrException>(() => Load(directory).Dispose());
        Assert.All(mentioned, text => Assert.Contains(text, error.Message, StringComparison.Ordinal));
        Assert.DoesNotContain('\n', error.Message);
    }
}
