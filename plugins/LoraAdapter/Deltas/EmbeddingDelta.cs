using AsrPlatform.Abstractions.Adapters;

namespace AsrPlatform.LoraAdapter.Deltas;

/// <summary>Adds s·(B·A) transposed to a table: each id adds its column of A times B.</summary>
internal sealed class EmbeddingDelta(IAdaptableLayer<Tensor> layer, AdaptedModule module) : ILayerDelta<Tensor>
{
    private readonly LowRankFactors _factors = module.Factors!;

    /// <inheritdoc />
    public Tensor Apply(Tensor input, Tensor output)
    {
        using var scope = NewDisposeScope();
        var type = output.dtype;
        var inner = layer.Compute(input, _factors.First(type).t(), null); // [batch, token, r]
        var low = nn.functional.linear(inner, _factors.Second(type));
        return is_grad_enabled() ? output.add(low, _factors.Scale).MoveToOuterDisposeScope() : output.add_(low, _factors.Scale);
    }
}
