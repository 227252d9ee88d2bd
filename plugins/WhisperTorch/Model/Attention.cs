namespace AsrPlatform.WhisperTorch.Model;

/// <summary>softmax(q kᵀ / √head) v.</summary>
internal static class Attention
{
    /// <summary>
    /// Queries that are computed at once: their scores (512 × 1500 floats, 3 MiB) stay in the cache and in memory that the allocator
    /// hands out again; whole score matrices of 30 s took twice the time, most of it for fresh pages.
    /// </summary>
    private const int QueryBlock = 512;

    /// <summary>The factor of the scores.</summary>
    public static float Scale(long headWidth) => 1f / MathF.Sqrt(headWidth);

    /// <summary>Self-attention of whole sequences without a mask.</summary>
    /// <param name="projected">Queries, keys and values <c>[batch·position, 3·width]</c>.</param>
    /// <param name="batch">Sequences.</param>
    /// <param name="heads">Heads.</param>
    /// <param name="mode">How to compute.</param>
    /// <returns><c>[batch·position, width]</c>.</returns>
    public static Tensor WithinSequence(Tensor projected, int batch, int heads, ForwardMode mode)
    {
        var size = projected.shape;
        var (positions, width) = (size[0] / batch, size[1] / 3);
        if (mode.InPlace && projected.device_type == DeviceType.CPU && projected.dtype == ScalarType.Float32)
        {
            return ByBlocks(projected, batch, heads, positions, width);
        }

        var parts = projected.view(batch, positions, 3, heads, width / heads).permute(2, 0, 3, 1, 4).unbind(0); // 3 × [batch, head, position, head width]
        return OfSequences(parts[0], parts[1], parts[2], mode).transpose(1, 2).reshape(batch * positions, width);
    }

    /// <summary>Attention of whole sequences that gradients can follow.</summary>
    /// <param name="queries"><c>[batch, head, query, head width]</c>.</param>
    /// <param name="keys"><c>[batch, head, position, head width]</c>.</param>
    /// <param name="values">As <paramref name="keys"/>.</param>
    /// <param name="mode">How to compute.</param>
    /// <param name="isCausal">Whether each query sees only the positions up to its own.</param>
    /// <param name="mask">Added to the scores, <c>[batch, 1, 1, position]</c>; null for nothing.</param>
    /// <returns>As <paramref name="queries"/>.</returns>
    public static Tensor OfSequences(Tensor queries, Tensor keys, Tensor values, ForwardMode mode, bool isCausal = false, Tensor? mask = null)
    {
        if (mode.ProductType is not { } type || queries.device_type != DeviceType.CPU)
        {
            return nn.functional.scaled_dot_product_attention(queries, keys, values, mask, mode.AttentionDropout, is_casual: isCausal);
        }

        // On the processor the fused attention is for float32 alone: with bfloat16 it takes fifteen times as long; plain products take half.
        using var scope = NewDisposeScope();
        var scores = queries.matmul(keys.transpose(-2, -1)).to(ScalarType.Float32).mul(Scale(queries.shape[^1]));
        if (isCausal)
        {
            scores = scores.add(full(scores.shape[^2], scores.shape[^1], float.NegativeInfinity).triu(1));
        }

        if (mask is not null)
        {
            scores = scores.add(mask);
        }

        var weights = ForwardMode.Drop(scores.softmax(-1), mode.AttentionDropout).to(type);
        return weights.matmul(values).MoveToOuterDisposeScope();
    }

    private static Tensor ByBlocks(Tensor projected, int batch, int heads, long positions, long width)
    {
        var headWidth = width / heads;
        var scale = Scale(headWidth);
        var output = empty(batch * positions, width);
        var scores = empty(Math.Min(positions, QueryBlock), positions);
        for (var row = 0; row < batch; row++)
        {
            using var scope = NewDisposeScope();
            var sequence = projected.narrow(0, row * positions, positions);
            var target = output.narrow(0, row * positions, positions);
            for (var head = 0; head < heads; head++)
            {
                var queries = sequence.narrow(1, head * headWidth, headWidth);
                var keys = sequence.narrow(1, width + (head * headWidth), headWidth).t();
                var values = sequence.narrow(1, (2 * width) + (head * headWidth), headWidth);
                var part = target.narrow(1, head * headWidth, headWidth);
                for (var start = 0L; start < positions; start += QueryBlock)
                {
                    var count = Math.Min(QueryBlock, positions - start);
                    var block = scores.narrow(0, 0, count);
                    block.addmm_(queries.narrow(0, start, count), keys, beta: 0, alpha: scale);
                    using var weights = block.softmax(1);
                    part.narrow(0, start, count).addmm_(weights, values, beta: 0);
                }
            }
        }

        return output;
    }
}
