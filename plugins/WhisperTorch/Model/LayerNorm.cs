using AsrPlatform.Abstractions.Adapters;

namespace AsrPlatform.WhisperTorch.Model;

/// <summary>Layer normalisation over the last dimension, ε = 1e-5 as in Whisper.</summary>
/// <param name="name">Its name in the checkpoint.</param>
/// <param name="weight"><c>[width]</c>.</param>
/// <param name="bias"><c>[width]</c>.</param>
/// <param name="rows">Who uses which adapter.</param>
internal sealed class LayerNorm(string name, Tensor weight, Tensor bias, AdapterRows rows) : AdaptableLayer(name, weight, bias, rows)
{
    private const double Epsilon = 1e-5;
    private readonly long[] _normalized = weight.shape;

    /// <inheritdoc />
    public override AdaptableLayerKind Kind => AdaptableLayerKind.Normalization;

    /// <inheritdoc />
    public override Tensor Compute(Tensor input, Tensor weight, Tensor? bias) => nn.functional.layer_norm(input, _normalized, weight, bias, Epsilon);

    /// <param name="input"><c>[row, width]</c>, where the rows are those of the batch one after the other.</param>
    /// <param name="batch">Batch rows in it.</param>
    public Tensor Forward(Tensor input, int batch)
    {
        var output = Compute(input, Weight, Bias);
        return Adapts ? Apply(input.view(batch, -1, _normalized[0]), output.view(batch, -1, _normalized[0])).view(-1, _normalized[0]) : output;
    }
}
