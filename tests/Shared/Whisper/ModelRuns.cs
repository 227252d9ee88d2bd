using AsrPlatform.Abstractions.Models;

namespace AsrPlatform.Tests;

/// <summary>What tests of a backend do with its models, whichever it is.</summary>
internal static class ModelRuns
{
    /// <summary>The features of the small random checkpoints, <c>[2, 80, 120]</c>.</summary>
    public static (float[] Values, int Batch, int Frames) SmallFeatures()
    {
        var features = NpyArray.Read(Fixtures.Path("checkpoints/input_features.npy"));
        return (features.ToSingle(), features.Shape[0], features.Shape[2]);
    }

    /// <summary>The tokens of the small random checkpoints' reference, nine a row.</summary>
    public static int[] SmallTokens(int row)
    {
        var tokens = NpyArray.Read(Fixtures.Path("checkpoints/decoder_input_ids.npy"));
        var width = tokens.Shape[1];
        return [.. tokens.Values.Skip(row * width).Take(width).Select(value => (int)value)];
    }

    /// <summary>The states, <c>[batch, position, width]</c>.</summary>
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

    /// <summary>Asserts that values differ by the tolerance at most; what is no number never passes.</summary>
    public static void AssertClose(ReadOnlySpan<double> expected, ReadOnlySpan<float> actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        var worst = 0.0;
        for (var i = 0; i < expected.Length; i++)
        {
            worst = Math.Max(worst, float.IsNaN(actual[i]) ? double.PositiveInfinity : Math.Abs(expected[i] - actual[i]));
        }

        Assert.True(worst <= tolerance, $"The largest difference is {worst:g3}, the tolerance {tolerance:g3}.");
    }

    /// <inheritdoc cref="AssertClose(ReadOnlySpan{double}, ReadOnlySpan{float}, double)"/>
    public static void AssertClose(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, double tolerance) =>
        AssertClose(Array.ConvertAll(expected.ToArray(), value => (double)value), actual, tolerance);
}
