using AsrPlatform.Abstractions.Models;
using AsrPlatform.Tests;
using AsrPlatform.WhisperTorch.Model;

namespace AsrPlatform.WhisperTorch.Tests;

/// <summary>Models of the fixtures, and what tests do with any model.</summary>
internal static class TestModels
{
    public static WhisperModel Load(string fixture) =>
        (WhisperModel)new TorchBackend(new WhisperTorchOptions()).Load(new ModelLoadOptions { ModelDirectory = Fixtures.Path(fixture), Device = "cpu", Threads = 1 });

    /// <summary>The features of the small random checkpoints, <c>[2, 80, 120]</c>.</summary>
    public static (float[] Values, int Batch, int Frames) SmallFeatures()
    {
        var features = NpyArray.Read(Fixtures.Path("checkpoints/input_features.npy"));
        return (features.ToSingle(), features.Shape[0], features.Shape[2]);
    }

    public static int[] SmallTokens(int row)
    {
        var tokens = NpyArray.Read(Fixtures.Path("checkpoints/decoder_input_ids.npy"));
        var width = tokens.Shape[1];
        return [.. tokens.Values.Skip(row * width).Take(width).Select(value => (int)value)];
    }

    public static float[] Copy(IEncoderStates states, ISeq2SeqModel model)
    {
        var values = new float[states.Batch * states.Positions * model.Info.Width];
        states.CopyTo(values);
        return values;
    }

    /// <summary>Feeds tokens and returns the logits that are asked for.</summary>
    public static float[] Decode(ISeq2SeqModel model, IDecoderCache cache, int[] tokens, LogitPositions positions = LogitPositions.Last, int[]? counts = null)
    {
        var logits = new float[(positions == LogitPositions.All ? tokens.Length : cache.Rows) * model.Info.VocabularySize];
        model.Decode(cache, tokens, counts, positions, logits, []);
        return logits;
    }

    /// <summary>The last logits of a row that is decoded alone and at once.</summary>
    public static float[] Whole(ISeq2SeqModel model, IEncoderStates states, int source, params int[] tokens)
    {
        using var cache = model.CreateCache(states, [source], new DecoderCacheOptions());
        return Decode(model, cache, tokens);
    }

    public static void AssertClose(ReadOnlySpan<double> expected, ReadOnlySpan<float> actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        var worst = 0.0;
        for (var i = 0; i < expected.Length; i++)
        {
            worst = Math.Max(worst, double.IsNaN(actual[i]) ? double.PositiveInfinity : Math.Abs(expected[i] - actual[i]));
        }

        Assert.True(worst <= tolerance, $"The largest difference is {worst:g3}, the tolerance {tolerance:g3}.");
    }

    public static void AssertClose(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, double tolerance) =>
        AssertClose(Array.ConvertAll(expected.ToArray(), value => (double)value), actual, tolerance);

    /// <summary>Row <paramref name="row"/> of values with the given row length.</summary>
    public static ReadOnlySpan<float> Row(float[] values, int row, int length) => values.AsSpan(row * length, length);
}
