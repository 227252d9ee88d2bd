namespace AsrPlatform.Abstractions.Adapters;

/// <summary>A model whose linear layers accept a low-rank or other delta.</summary>
/// <typeparam name="TTensor">The tensor type of the engine that the model and the adapter share.</typeparam>
/// <remarks>Belongs to the model's thread, as the model does.</remarks>
public interface IAdaptableModel<TTensor>
{
    /// <summary>The layers that accept a delta, under their checkpoint names, in the order of the forward pass.</summary>
    IReadOnlyList<IAdaptableLayer<TTensor>> AdaptableLayers { get; }
}

/// <summary>A layer that computes <c>y = W x + b</c> and accepts a delta.</summary>
/// <typeparam name="TTensor">The tensor type of the engine.</typeparam>
public interface IAdaptableLayer<TTensor>
{
    /// <summary>The module's name in the checkpoint, such as <c>model.encoder.layers.0.self_attn.q_proj</c>.</summary>
    string Name { get; }

    /// <summary>The frozen weight, <c>[out, in]</c>; owned by the model.</summary>
    TTensor Weight { get; }

    /// <summary>Sets the delta that later forward passes use, or null to remove it. The delta stays the caller's.</summary>
    void SetDelta(ILayerDelta<TTensor>? delta);
}

/// <summary>What an adapter adds to one layer.</summary>
/// <typeparam name="TTensor">The tensor type of the engine.</typeparam>
public interface ILayerDelta<TTensor>
{
    /// <summary>Returns the layer's new output.</summary>
    /// <param name="input"><c>[…, in]</c>; borrowed.</param>
    /// <param name="output"><c>[…, out]</c>, the layer's own; borrowed.</param>
    /// <returns><c>[…, out]</c>; the caller's.</returns>
    TTensor Apply(TTensor input, TTensor output);
}
