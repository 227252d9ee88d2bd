using AsrPlatform.WhisperTorch.Weights;

namespace AsrPlatform.WhisperTorch.Model;

/// <summary>The second half of every layer: norm, widen, GELU, narrow, add.</summary>
internal sealed class FeedForward(ParameterStore parameters, string name, long width, long inner)
{
    private readonly LayerNorm _norm = parameters.Norm($"{name}.final_layer_norm", width);

    public Linear Widen { get; } = parameters.Linear($"{name}.fc1", inner, width);

    public Linear Narrow { get; } = parameters.Linear($"{name}.fc2", width, inner);

    /// <summary>The layers that accept deltas, in the order of the computation.</summary>
    public IEnumerable<AdaptableLayer> AdaptableLayers => [_norm, Widen, Narrow];

    /// <param name="states">The residual stream, <c>[batch·position, width]</c>.</param>
    /// <param name="batch">Batch rows.</param>
    /// <param name="mode">How to compute.</param>
    public Tensor Forward(Tensor states, int batch, ForwardMode mode)
    {
        var active = Activation.Gelu(Widen.Forward(_norm.Forward(states, batch), batch, mode), mode);
        return Narrow.AddTo(states, ForwardMode.Drop(active, mode.ActivationDropout), batch, mode);
    }
}
