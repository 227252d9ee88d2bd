using AsrPlatform.Abstractions.Adapters;

namespace AsrPlatform.LoraAdapter.Deltas;

/// <summary>Replaces a layer's parameters: its bias alone, or weight and bias.</summary>
internal sealed class ReplacingDelta(IAdaptableLayer<Tensor> layer, AdaptedModule module) : ILayerDelta<Tensor>
{
    /// <inheritdoc />
    public Tensor Apply(Tensor input, Tensor output)
    {
        using var scope = NewDisposeScope();
        var type = output.dtype;
        if (module.Weight is { } weight)
        {
            return layer.Compute(input, weight.As(type), module.Bias?.As(type)).MoveToOuterDisposeScope();
        }

        var change = module.Bias!.As(type).sub(layer.Bias!.to(type));
        if (layer.Kind == AdaptableLayerKind.Convolution)
        {
            change = change.view(1, -1, 1);
        }

        return is_grad_enabled() ? output.add(change).MoveToOuterDisposeScope() : output.add_(change);
    }
}
