using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.WhisperTorch.Weights;

namespace AsrPlatform.WhisperTorch.Model;

/// <summary>Whisper's decoder: token and position embeddings, pre-norm transformer layers, projection onto the vocabulary.</summary>
internal sealed class Decoder
{
    private readonly Embedding _tokens; // [vocabulary, width]
    private readonly Linear _projection; // its weight is the embedding's where they are tied
    private readonly Tensor _positions; // [position, width]
    private readonly LayerNorm _norm;
    private readonly float? _scale;

    public Decoder(ParameterStore parameters, WhisperConfig config)
    {
        const string Name = "model.decoder";
        long width = config.DModel;
        _scale = config.ScaleEmbedding ? MathF.Sqrt(width) : null;
        _tokens = parameters.Embedding(WhisperTensors.TokenEmbedding, config.VocabSize, width);
        _projection = parameters.Projection(WhisperTensors.OutputProjection, config.VocabSize, width, config.TieWordEmbeddings ? _tokens.Weight : null);
        _positions = parameters.Parameter($"{Name}.embed_positions.weight", config.MaxTargetPositions, width);
        Layers = [.. Enumerable.Range(0, config.DecoderLayers).Select(i => new DecoderLayer(parameters, config, $"{Name}.layers.{i}", i))];
        _norm = parameters.Norm($"{Name}.layer_norm", width);
    }

    public IReadOnlyList<DecoderLayer> Layers { get; }

    /// <summary>The layers that accept deltas, in the order of the computation.</summary>
    public IEnumerable<AdaptableLayer> AdaptableLayers => [_tokens, .. Layers.SelectMany(layer => layer.AdaptableLayers), _norm, _projection];

    /// <summary>Embeds tokens.</summary>
    /// <param name="tokens"><c>[batch·token]</c> ids.</param>
    /// <param name="positions">The position of each.</param>
    /// <param name="batch">Batch rows.</param>
    /// <param name="mode">How to compute.</param>
    /// <param name="isPadding">Which of them is padding, <c>[batch·token, 1]</c> of bool: its embedding is used but gets no gradient.</param>
    /// <returns><c>[batch·token, width]</c>.</returns>
    public Tensor Embed(Tensor tokens, Tensor positions, int batch, ForwardMode mode, Tensor? isPadding = null)
    {
        var embeddings = _tokens.Forward(tokens, batch);
        if (isPadding is not null)
        {
            embeddings = where(isPadding, embeddings.detach(), embeddings);
        }

        if (_scale is { } scale)
        {
            embeddings = embeddings.mul(scale);
        }

        return ForwardMode.Drop(embeddings.add(_positions.index_select(0, positions)), mode.Dropout);
    }

    /// <summary>Runs all layers.</summary>
    /// <param name="states">Embeddings, <c>[batch·token, width]</c>; overwritten in inference.</param>
    /// <param name="batch">Batch rows.</param>
    /// <param name="context">What attention looks at.</param>
    /// <param name="mode">How to compute.</param>
    /// <returns>States before the final norm.</returns>
    public Tensor Forward(Tensor states, int batch, IDecoderContext context, ForwardMode mode)
    {
        foreach (var layer in Layers)
        {
            states = layer.Forward(states, batch, context, mode);
        }

        return states;
    }

    /// <summary>Logits of states that <see cref="Forward"/> returned, or of some of each batch row's.</summary>
    /// <param name="states"><c>[batch·token, width]</c>.</param>
    /// <param name="batch">Batch rows.</param>
    /// <param name="mode">How to compute.</param>
    /// <returns><c>[batch·token, vocabulary]</c>.</returns>
    public Tensor Project(Tensor states, int batch, ForwardMode mode) => _projection.Forward(_norm.Forward(states, batch), batch, mode);
}
