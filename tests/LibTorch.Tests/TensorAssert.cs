namespace AsrPlatform.LibTorch.Tests;

/// <summary>Comparisons of tensors with plain numbers.</summary>
internal static class TensorAssert
{
    /// <summary>The elements in row-major order, as doubles, whatever their type.</summary>
    public static double[] Values(Tensor tensor)
    {
        using var wide = tensor.detach().to(float64).cpu();
        return wide.data<double>().ToArray();
    }

    public static void Close(IReadOnlyList<double> expected, Tensor actual, double tolerance = 1e-5)
    {
        var values = Values(actual);
        Assert.Equal(expected.Count, values.Length);
        for (var i = 0; i < values.Length; i++)
        {
            // Equal infinities are close; NaN is close to nothing.
            if (expected[i] != values[i])
            {
                Assert.True(Math.Abs(expected[i] - values[i]) <= tolerance * Math.Max(1, Math.Abs(expected[i])), $"element {i}: expected {expected[i]:R}, found {values[i]:R}");
            }
        }
    }

    public static void Close(IReadOnlyList<double> expected, long[] shape, Tensor actual, double tolerance = 1e-5)
    {
        Assert.Equal(shape, actual.shape);
        Close(expected, actual, tolerance);
    }

    /// <summary>A tensor of reproducible numbers in [-1, 1).</summary>
    public static Tensor Numbers(int seed, params long[] shape) => tensor(Doubles(seed, shape), shape, dtype: float32);

    public static double[] Doubles(int seed, params long[] shape)
    {
        var random = new Random(seed);
        var result = new double[shape.Aggregate(1L, (a, b) => a * b)];
        for (var i = 0; i < result.Length; i++)
        {
            // What float32 holds exactly, so that references start from the same numbers.
            result[i] = (float)((random.NextDouble() * 2) - 1);
        }
        return result;
    }
}
