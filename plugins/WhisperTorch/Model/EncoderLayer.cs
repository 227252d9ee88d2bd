using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.WhisperTorch.Weights;

namespace AsrPlatform.WhisperTorch.Model;

/// <summary>One layer of the encoder.</summary>
internal sealed class EncoderLayer
{
    // Hugging Face keeps float16 states this far from infinity.
    private const double Float16Limit = 65504 - 1000;

    private readonly int _heads;
    private readonly LayerNorm _norm;

    public EncoderLayer(ParameterStore parameters, WhisperConfig config, string name)
    {
        long width = config.DModel;
        _heads = config.EncoderAttentionHeads;
        _norm = parameters.Norm($"{name}.self_attn_layer_norm", width);
        Projections = parameters.Group($"{name}.self_attn", width, ("q_proj", width), ("k_proj", width), ("v_proj", width));
        Output = parameters.Linear($"{name}.self_attn.out_proj", width, width);
        FeedForward = new FeedForward(parameters, name, width, config.EncoderFfnDim);
    }

    public LinearGroup Projections { get; }

    public Linear Output { get; }

    public FeedForward FeedForward { get; }

    /// <summary>The layers that accept deltas, in the order of the computation.</summary>
    public IEnumerable<AdaptableLayer> AdaptableLayers => [_norm, .. Projections.Members, Output, .. FeedForward.AdaptableLayers];

    /// <param name="states">The residual stream, <c>[batch·position, width]</c>; overwritten in inference.</param>
    /// <param name="batch">Batch rows.</param>
    /// <param name="mode">How to compute.</param>
    public Tensor Forward(Tensor states, int batch, ForwardMode mode)
    {
        using var scope = NewDisposeScope();
        var projected = Projections.Forward(_norm.Forward(states, batch), batch, mode);
        states = Output.AddTo(states, Attention.WithinSequence(projected, batch, _heads, mode), batch, mode);
        states = FeedForward.Forward(states, batch, mode);
        if (states.dtype == ScalarType.Float16)
        {
            states = mode.InPlace ? states.clamp_(-Float16Limit, Float16Limit) : states.clamp(-Float16Limit, Float16Limit);
        }

        return mode.InPlace ? states : states.MoveToOuterDisposeScope();
    }
}
