namespace AsrPlatform.Abstractions.Adapters;

/// <summary>A model whose layers accept deltas of adapters.</summary>
/// <typeparam name="TTensor">The tensor type of the engine that the model and the adapter share.</typeparam>
/// <remarks>Belongs to the model's thread, as the model does.</remarks>
public interface IAdaptableModel<TTensor> : IMultiAdapterModel
{
    /// <summary>
    /// The layers that accept a delta, under their checkpoint names, in the order of the forward pass. A projection that shares its
    /// weight with an embedding is a layer of its own with the same <see cref="IAdaptableLayer{TTensor}.Weight"/>.
    /// </summary>
    IReadOnlyList<IAdaptableLayer<TTensor>> AdaptableLayers { get; }
}

/// <summary>A layer with a weight and perhaps a bias that accepts deltas, one for each resident adapter.</summary>
/// <typeparam name="TTensor">The tensor type of the engine.</typeparam>
public interface IAdaptableLayer<TTensor>
{
    /// <summary>The module's name in the checkpoint, such as <c>model.encoder.layers.0.self_attn.q_proj</c>.</summary>
    string Name { get; }

    /// <summary>What it computes.</summary>
    AdaptableLayerKind Kind { get; }

    /// <summary>Whether its outputs are the model's, as those of the projection onto the vocabulary are.</summary>
    bool IsOutput { get; }

    /// <summary>The weight, shaped as in the checkpoint; owned by the model. Merging writes into it.</summary>
    TTensor Weight { get; }

    /// <summary>The bias, <c>[out]</c>, or null; owned by the model. Merging writes into it.</summary>
    TTensor? Bias { get; }

    /// <summary>Computes what the layer computes, with other parameters and without deltas: a convolution keeps its stride and padding.</summary>
    /// <param name="input">As in <see cref="ILayerDelta{TTensor}.Apply"/>; borrowed.</param>
    /// <param name="weight">As <see cref="Weight"/>; its first dimension (of an embedding: its last) may have another size. Borrowed.</param>
    /// <param name="bias">As <see cref="Bias"/>, or null; borrowed.</param>
    /// <returns>The caller's.</returns>
    TTensor Compute(TTensor input, TTensor weight, TTensor? bias);

    /// <summary>Sets the delta that later forward passes use for rows of an adapter, or null to remove it. The delta stays the caller's.</summary>
    /// <param name="adapter">What <see cref="IMultiAdapterModel.AddAdapter"/> returned.</param>
    /// <param name="delta">The delta.</param>
    void SetDelta(int adapter, ILayerDelta<TTensor>? delta);
}

/// <summary>What an adapter adds to one layer, or puts in its place.</summary>
/// <typeparam name="TTensor">The tensor type of the engine.</typeparam>
public interface ILayerDelta<TTensor>
{
    /// <summary>Returns the layer's new output.</summary>
    /// <param name="input">
    /// What the layer sees, batch rows outermost; borrowed. Linear and normalization: <c>[batch, position, in]</c>; convolution:
    /// <c>[batch, in, frame]</c>; embedding: ids <c>[batch, token]</c>, int64.
    /// </param>
    /// <param name="output">The layer's own output for it, <c>[batch, …, out]</c> (convolution: <c>[batch, out, frame]</c>).</param>
    /// <returns>
    /// As <paramref name="output"/>. Where no gradients are recorded it may be <paramref name="output"/> itself, overwritten; else it is a
    /// tensor of its own, in the scope of the caller, through which gradients reach input, output and the delta's own parameters.
    /// </returns>
    TTensor Apply(TTensor input, TTensor output);
}

/// <summary>What a layer computes.</summary>
public enum AdaptableLayerKind
{
    /// <summary><c>y = x Wᵀ + b</c>, weight <c>[out, in]</c>.</summary>
    Linear,

    /// <summary>A convolution over time, weight <c>[out, in, kernel]</c>.</summary>
    Convolution,

    /// <summary>Rows of a table, weight <c>[entry, out]</c>, no bias.</summary>
    Embedding,

    /// <summary>Layer normalization, weight and bias <c>[width]</c>. Only whole parameters can be replaced.</summary>
    Normalization,
}
