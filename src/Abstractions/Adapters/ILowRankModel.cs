namespace AsrPlatform.Abstractions.Adapters;

/// <summary>
/// A model that takes adapters as the low-rank factors of its linear layers, in plain numbers: for engines whose graphs are fixed, so that a
/// layer cannot call a delta.
/// </summary>
/// <remarks>Belongs to the model's thread, as the model does.</remarks>
public interface ILowRankModel : IMultiAdapterModel
{
    /// <summary>The layers that take factors.</summary>
    IReadOnlyList<LowRankLayer> LowRankLayers { get; }

    /// <summary>Lets rows of an adapter add B·A of their input to a layer's output. The numbers are copied.</summary>
    /// <param name="adapter">What <see cref="IMultiAdapterModel.AddAdapter"/> returned.</param>
    /// <param name="layer">The name of one of <see cref="LowRankLayers"/>.</param>
    /// <param name="first">A, <c>[rank, in]</c>, C order.</param>
    /// <param name="second">B, <c>[out, rank]</c>, C order, the adapter's scale in it.</param>
    /// <exception cref="ArgumentException">There is no such adapter or layer, or the numbers are no such matrices.</exception>
    /// <exception cref="InvalidOperationException">Encoder states that this adapter made exist.</exception>
    void SetFactors(int adapter, string layer, ReadOnlySpan<float> first, ReadOnlySpan<float> second);
}

/// <summary>A linear layer that takes low-rank factors.</summary>
/// <param name="Name">The module's name in the checkpoint, such as <c>model.encoder.layers.0.self_attn.q_proj</c>.</param>
/// <param name="Inputs">Width of what goes in.</param>
/// <param name="Outputs">Width of what comes out.</param>
public sealed record LowRankLayer(string Name, int Inputs, int Outputs);
