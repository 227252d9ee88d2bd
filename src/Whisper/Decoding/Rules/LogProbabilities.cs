using System.Numerics.Tensors;

namespace AsrPlatform.Whisper.Decoding.Rules;

/// <summary>Softmax in the log domain over a row of logits; a masked token is negative infinity. Nothing here allocates.</summary>
/// <remarks>Exponentials are float32, their sum is kept in double: a sum over 51,866 tokens stays within 1e-6 of the exact one.</remarks>
public static class LogProbabilities
{
    private const int Block = 1024;

    /// <summary>Logarithm of the sum of exponentials; negative infinity for an empty or wholly masked row.</summary>
    public static double LogSumExp(ReadOnlySpan<float> logits)
    {
        if (logits.IsEmpty)
        {
            return double.NegativeInfinity;
        }

        var max = TensorPrimitives.Max(logits);
        return float.IsNegativeInfinity(max) ? double.NegativeInfinity : max + Math.Log(SumOfExponentials(logits, max));
    }

    /// <summary>Writes the log-softmax of a row.</summary>
    /// <param name="logits"><c>[vocabulary]</c>, at least one of them finite.</param>
    /// <param name="destination"><c>[vocabulary]</c>; may be <paramref name="logits"/> itself.</param>
    /// <remarks>Rounds where PyTorch does, first the distance from the maximum and then the result, so that sums over beams rank alike.</remarks>
    public static void LogSoftmax(ReadOnlySpan<float> logits, Span<float> destination)
    {
        var max = TensorPrimitives.Max(logits);
        var sum = (float)Math.Log(SumOfExponentials(logits, max));
        TensorPrimitives.Subtract(logits, max, destination);
        TensorPrimitives.Subtract(destination, sum, destination);
    }

    /// <summary>The log-probability of one token.</summary>
    /// <param name="logits"><c>[vocabulary]</c>.</param>
    /// <param name="token">Token id.</param>
    public static double OfToken(ReadOnlySpan<float> logits, int token) => logits[token] - LogSumExp(logits);

    /// <summary>Draws a token from softmax(logits / temperature).</summary>
    /// <param name="logits"><c>[vocabulary]</c>, at least one of them finite.</param>
    /// <param name="temperature">Above 0.</param>
    /// <param name="uniform">A number drawn from 0 (inclusive) to 1 (exclusive).</param>
    public static int Sample(ReadOnlySpan<float> logits, double temperature, double uniform)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(temperature);
        var max = TensorPrimitives.Max(logits);
        var scale = (float)(1 / temperature);
        Span<float> block = stackalloc float[Block];
        var total = 0.0;
        for (var start = 0; start < logits.Length; start += Block)
        {
            total += Sum(Exponentials(logits[start..Math.Min(start + Block, logits.Length)], max, scale, block));
        }

        // Walk the same sums again up to the block, then the token, in which the drawn point lies.
        var rest = uniform * total;
        var last = -1;
        for (var start = 0; start < logits.Length; start += Block)
        {
            var weights = Exponentials(logits[start..Math.Min(start + Block, logits.Length)], max, scale, block);
            var sum = Sum(weights);
            if (rest >= sum && start + Block < logits.Length)
            {
                rest -= sum;
                last = sum > 0 ? start + TensorPrimitives.IndexOfMax(weights) : last;
                continue;
            }

            for (var i = 0; i < weights.Length; i++)
            {
                if (weights[i] > 0)
                {
                    last = start + i;
                    rest -= weights[i];
                    if (rest < 0)
                    {
                        return last;
                    }
                }
            }
        }

        // Rounding can leave the drawn point just behind the last possible token.
        return last >= 0 ? last : TensorPrimitives.IndexOfMax(logits);
    }

    private static double SumOfExponentials(ReadOnlySpan<float> logits, float max)
    {
        Span<float> block = stackalloc float[Block];
        var sum = 0.0;
        for (var start = 0; start < logits.Length; start += Block)
        {
            sum += Sum(Exponentials(logits[start..Math.Min(start + Block, logits.Length)], max, 1, block));
        }

        return sum;
    }

    private static ReadOnlySpan<float> Exponentials(ReadOnlySpan<float> logits, float max, float scale, Span<float> block)
    {
        var weights = block[..logits.Length];
        TensorPrimitives.Subtract(logits, max, weights);
        if (scale != 1)
        {
            TensorPrimitives.Multiply(weights, scale, weights);
        }

        TensorPrimitives.Exp(weights, weights);
        return weights;
    }

    private static double Sum(ReadOnlySpan<float> weights) => TensorPrimitives.Sum(weights);
}
