using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.WhisperTorch.Weights;

namespace AsrPlatform.WhisperTorch.Model;

/// <summary>What the attention of decoder layers looks at: caches when tokens come one by one, whole sequences in training.</summary>
internal interface IDecoderContext
{
    /// <summary>Self-attention over this and all earlier tokens.</summary>
    /// <param name="layer">The layer, from 0.</param>
    /// <param name="projected">Queries, keys and values, <c>[batch·token, 3·width]</c>.</param>
    /// <returns><c>[batch·token, width]</c>.</returns>
    Tensor OverTarget(int layer, Tensor projected);

    /// <summary>Cross-attention over the encoder's states.</summary>
    /// <param name="layer">The layer, from 0.</param>
    /// <param name="queries"><c>[batch·token, width]</c>.</param>
    /// <returns>As long as <paramref name="queries"/>.</returns>
    Tensor OverSource(int layer, Tensor queries);
}

/// <summary>One layer of the decoder.</summary>
internal sealed class DecoderLayer
{
    private readonly int _index;
    private readonly LayerNorm _targetNorm;
    private readonly LayerNorm _sourceNorm;

    public DecoderLayer(ParameterStore parameters, WhisperConfig config, string name, int index)
    {
        long width = config.DModel;
        _index = index;
        _targetNorm = parameters.Norm($"{name}.self_attn_layer_norm", width);
        Projections = parameters.Group($"{name}.self_attn", width, ("q_proj", width), ("k_proj", width), ("v_proj", width));
        Output = parameters.Linear($"{name}.self_attn.out_proj", width, width);
        _sourceNorm = parameters.Norm($"{name}.encoder_attn_layer_norm", width);
        SourceQuery = parameters.Linear($"{name}.encoder_attn.q_proj", width, width);
        SourceMemory = parameters.Group($"{name}.encoder_attn", width, ("k_proj", width), ("v_proj", width));
        SourceOutput = parameters.Linear($"{name}.encoder_attn.out_proj", width, width);
        FeedForward = new FeedForward(parameters, name, width, config.DecoderFfnDim);
    }

    public LinearGroup Projections { get; }

    public Linear Output { get; }

    public Linear SourceQuery { get; }

    /// <summary>Keys and values of the encoder's states.</summary>
    public LinearGroup SourceMemory { get; }

    public Linear SourceOutput { get; }

    public FeedForward FeedForward { get; }

    /// <summary>The layers that accept deltas, in the order of the computation.</summary>
    public IEnumerable<AdaptableLayer> AdaptableLayers =>
    [
        _targetNorm, .. Projections.Members, Output,
        _sourceNorm, SourceQuery, .. SourceMemory.Members, SourceOutput,
        .. FeedForward.AdaptableLayers,
    ];

    /// <param name="states">The residual stream, <c>[batch·token, width]</c>; overwritten in inference.</param>
    /// <param name="batch">Batch rows.</param>
    /// <param name="context">What attention looks at.</param>
    /// <param name="mode">How to compute.</param>
    public Tensor Forward(Tensor states, int batch, IDecoderContext context, ForwardMode mode)
    {
        using var scope = NewDisposeScope();
        var projected = Projections.Forward(_targetNorm.Forward(states, batch), batch, mode);
        states = Output.AddTo(states, context.OverTarget(_index, projected), batch, mode);
        var queries = SourceQuery.Forward(_sourceNorm.Forward(states, batch), batch, mode);
        states = SourceOutput.AddTo(states, context.OverSource(_index, queries), batch, mode);
        states = FeedForward.Forward(states, batch, mode);
        return mode.InPlace ? states : states.MoveToOuterDisposeScope();
    }
}
