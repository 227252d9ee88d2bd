using System.Numerics.Tensors;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Whisper.Alignment;

namespace AsrPlatform.Whisper.Decoding.HuggingFace;

/// <summary>
/// Times of generated tokens by dynamic time warping over cross-attention (transformers' <c>_extract_token_timestamps</c>).
/// </summary>
/// <remarks>
/// The attention is that of the steps that read the generated tokens; the prefix takes no part, and the last token, which was never
/// read, has the time of the one before. Each head is normalised over the tokens at each position, smoothed over time and averaged.
/// transformers keeps the attention of every step and beam; here the chosen sequence is read once more, which gives the same weights
/// in bounded memory. Belongs to the model's thread.
/// </remarks>
internal sealed class TokenTimes(ISeq2SeqModel model, IReadOnlyList<AttentionHead> heads, int medianFilterWidth)
{
    /// <summary>Seconds between two encoder positions.</summary>
    public const double SecondsPerPosition = 0.02;

    // Tokens per decoder call; bounds the attention held beside the matrix.
    private const int TokensPerCall = 32;

    private float[] _attention = []; // [head, token of the call, position]
    private float[] _weights = []; // [head, token, position]
    private float[] _row = [];
    private double[] _cost = []; // [token, position]

    /// <summary>Finds the times.</summary>
    /// <param name="states">Encoder states.</param>
    /// <param name="source">The encoder row.</param>
    /// <param name="prefix">Tokens that the decoder was given.</param>
    /// <param name="generated">Tokens that it generated after them.</param>
    /// <param name="frames">Frames of the window that come from audio.</param>
    /// <param name="cancellationToken">Stops between two calls of the model.</param>
    /// <returns>Seconds from the start of the window for each generated token, never decreasing.</returns>
    public double[] Find(
        IEncoderStates states,
        int source,
        ReadOnlySpan<int> prefix,
        ReadOnlySpan<int> generated,
        int frames,
        CancellationToken cancellationToken)
    {
        var times = new double[generated.Length];
        var rows = generated.Length - 1;
        var columns = Math.Clamp(frames / 2, 1, states.Positions);
        if (rows < 1)
        {
            return times;
        }

        CollectWeights(states, source, prefix, generated[..rows], columns, cancellationToken);
        ComputeCost(rows, columns);
        var (pathRows, pathColumns) = DynamicTimeWarping.FindPath(_cost.AsSpan(0, rows * columns), rows, columns);
        for (var i = pathRows.Length - 1; i >= 0; i--)
        {
            times[pathRows[i]] = pathColumns[i] * SecondsPerPosition;
        }

        times[^1] = times[^2];
        return times;
    }

    private void CollectWeights(
        IEncoderStates states,
        int source,
        ReadOnlySpan<int> prefix,
        ReadOnlySpan<int> tokens,
        int columns,
        CancellationToken cancellationToken)
    {
        var positions = states.Positions;
        Grow(ref _attention, heads.Count * TokensPerCall * positions);
        Grow(ref _weights, heads.Count * tokens.Length * columns);
        using var cache = model.CreateCache(
            states, [source], new DecoderCacheOptions { Capacity = prefix.Length + tokens.Length, AlignmentHeads = heads });
        model.Decode(cache, prefix, [], LogitPositions.None, [], []);
        for (var start = 0; start < tokens.Length; start += TokensPerCall)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var count = Math.Min(TokensPerCall, tokens.Length - start);
            var attention = _attention.AsSpan(0, heads.Count * count * positions);
            model.Decode(cache, tokens.Slice(start, count), [], LogitPositions.None, [], attention);
            for (var head = 0; head < heads.Count; head++)
            {
                for (var i = 0; i < count; i++)
                {
                    attention.Slice(((head * count) + i) * positions, columns)
                        .CopyTo(_weights.AsSpan(((head * tokens.Length) + start + i) * columns));
                }
            }
        }
    }

    private void ComputeCost(int rows, int columns)
    {
        Grow(ref _row, 2 * columns);
        Grow(ref _cost, rows * columns);
        var cost = _cost.AsSpan(0, rows * columns);
        cost.Clear();
        var mean = _row.AsSpan(0, columns);
        var scale = _row.AsSpan(columns, columns);
        for (var head = 0; head < heads.Count; head++)
        {
            var weights = _weights.AsSpan(head * rows * columns, rows * columns);
            mean.Clear();
            for (var row = 0; row < rows; row++)
            {
                TensorPrimitives.Add(mean, weights.Slice(row * columns, columns), mean);
            }

            TensorPrimitives.Divide(mean, rows, mean);
            scale.Clear();
            for (var row = 0; row < rows; row++)
            {
                var values = weights.Slice(row * columns, columns);
                TensorPrimitives.Subtract(values, mean, values);
                TensorPrimitives.MultiplyAdd(values, values, scale, scale);
            }

            // Where all tokens attend alike there is nothing to normalise: the deviation of zero leaves zeros and no NaN.
            for (var column = 0; column < columns; column++)
            {
                scale[column] = scale[column] > 0 ? 1f / MathF.Sqrt(scale[column] / rows) : 0f;
            }

            for (var row = 0; row < rows; row++)
            {
                var values = weights.Slice(row * columns, columns);
                TensorPrimitives.Multiply(values, scale, values);
                MedianFilter.Apply(values, medianFilterWidth, mean);
                var costs = cost.Slice(row * columns, columns);
                for (var column = 0; column < columns; column++)
                {
                    costs[column] -= mean[column] / heads.Count;
                }
            }
        }
    }

    private static void Grow<T>(ref T[] buffer, int length)
    {
        if (buffer.Length < length)
        {
            buffer = new T[length];
        }
    }
}
