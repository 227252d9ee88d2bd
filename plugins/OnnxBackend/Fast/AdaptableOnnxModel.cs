using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.OnnxBackend.Model;

namespace AsrPlatform.OnnxBackend.Fast;

/// <summary>A model of the fast layout whose graphs take the factors of adapters.</summary>
internal sealed class AdaptableOnnxModel : OnnxModel, ILowRankModel
{
    private readonly FastGraphLayout _layout;

    public AdaptableOnnxModel(FastGraphLayout layout)
        : base(layout)
    {
        _layout = layout;
        LowRankLayers = [.. layout.EncoderLayers, .. layout.DecoderLayers];
    }

    /// <inheritdoc />
    public IReadOnlyList<LowRankLayer> LowRankLayers { get; }

    /// <inheritdoc />
    public int ActiveAdapter
    {
        get => _layout.Adapters.Active;
        set => _layout.Adapters.Active = value;
    }

    /// <inheritdoc />
    public int AddAdapter() => _layout.Adapters.Add();

    /// <inheritdoc />
    public void RemoveAdapter(int adapter) => _layout.Adapters.Remove(adapter);

    /// <inheritdoc />
    public IEncoderStates Encode(ReadOnlySpan<float> features, int batch, int frames, ReadOnlySpan<int> adapters)
    {
        if (!adapters.IsEmpty && adapters.Length != batch)
        {
            throw new ArgumentException($"{adapters.Length} adapters for {batch} rows.", nameof(adapters));
        }

        foreach (var adapter in adapters)
        {
            _layout.Adapters.Find(adapter);
        }

        _layout.Adapters.Chosen = adapters.IsEmpty ? null : adapters.ToArray();
        try
        {
            return Encode(features, batch, frames);
        }
        finally
        {
            _layout.Adapters.Chosen = null;
        }
    }

    /// <inheritdoc />
    public void SetFactors(int adapter, string layer, ReadOnlySpan<float> first, ReadOnlySpan<float> second)
    {
        var factors = _layout.Adapters.Find(adapter) ?? throw new ArgumentException("The base model takes no factors.", nameof(adapter));
        var taker = LowRankLayers.FirstOrDefault(one => one.Name == layer) ?? throw new ArgumentException($"No layer {layer} takes factors.", nameof(layer));
        var rank = first.Length / taker.Inputs;
        if (rank == 0 || first.Length != rank * taker.Inputs || second.Length != rank * taker.Outputs)
        {
            throw new ArgumentException($"{first.Length} and {second.Length} values are no factors [rank, {taker.Inputs}] and [{taker.Outputs}, rank].", nameof(second));
        }

        if (factors.IsHeld)
        {
            throw new InvalidOperationException($"The adapter {adapter} is in use: add another one.");
        }

        factors.Set(taker, rank, first, second);
    }
}
