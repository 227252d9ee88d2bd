using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.WhisperTorch.Weights;

namespace AsrPlatform.WhisperTorch.Model;

/// <summary>Whisper's encoder: two convolutions, positions, pre-norm transformer layers.</summary>
/// <remarks>States are handled as <c>[batch·position, width]</c>, so that every product is one of two matrices.</remarks>
internal sealed class Encoder
{
    private readonly Convolution _first;
    private readonly Convolution _second;
    private readonly Tensor _positions; // [position, width]
    private readonly LayerNorm _norm;
    private readonly long _width;

    public Encoder(ParameterStore parameters, WhisperConfig config)
    {
        const string Name = "model.encoder";
        _width = config.DModel;
        _first = parameters.Convolution($"{Name}.conv1", _width, config.NumMelBins, stride: 1);
        _second = parameters.Convolution($"{Name}.conv2", _width, _width, stride: 2);
        _positions = parameters.Parameter($"{Name}.embed_positions.weight", config.MaxSourcePositions, _width);
        Layers = [.. Enumerable.Range(0, config.EncoderLayers).Select(i => new EncoderLayer(parameters, config, $"{Name}.layers.{i}"))];
        _norm = parameters.Norm($"{Name}.layer_norm", _width);
    }

    public IReadOnlyList<EncoderLayer> Layers { get; }

    /// <summary>The layers that accept deltas, in the order of the computation.</summary>
    public IEnumerable<AdaptableLayer> AdaptableLayers => [_first, _second, .. Layers.SelectMany(layer => layer.AdaptableLayers), _norm];

    /// <param name="features"><c>[batch, feature, frame]</c>.</param>
    /// <param name="mode">How to compute.</param>
    /// <returns><c>[batch, position, width]</c>.</returns>
    public Tensor Forward(Tensor features, ForwardMode mode)
    {
        using var scope = NewDisposeScope();
        var batch = (int)features.shape[0];
        var states = Embed(features, mode);
        foreach (var layer in Layers)
        {
            states = layer.Forward(states, batch, mode);
        }

        return Finish(states, batch).MoveToOuterDisposeScope();
    }

    /// <summary>The final norm of what the last layer returned: <c>[batch, position, width]</c>.</summary>
    public Tensor Finish(Tensor states, int batch) => _norm.Forward(states, batch).view(batch, -1, _width);

    /// <summary>What the first layer sees: <c>[batch·position, width]</c>.</summary>
    public Tensor Embed(Tensor features, ForwardMode mode)
    {
        using var scope = NewDisposeScope();
        var channels = _second.Forward(_first.Forward(features, mode), mode); // [batch, width, position]
        var positions = _positions.narrow(0, 0, channels.shape[2]);
        var states = channels.transpose(1, 2).contiguous();
        states = mode.InPlace ? states.add_(positions) : ForwardMode.Drop(states.add(positions), mode.Dropout);
        return states.view(-1, _width).MoveToOuterDisposeScope();
    }
}
