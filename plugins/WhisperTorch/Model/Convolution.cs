using AsrPlatform.Abstractions.Adapters;

namespace AsrPlatform.WhisperTorch.Model;

/// <summary>A convolution over time with kernel 3 and padding 1, followed by GELU.</summary>
/// <param name="name">Its name in the checkpoint.</param>
/// <param name="weight"><c>[out, in, 3]</c>.</param>
/// <param name="bias"><c>[out]</c>.</param>
/// <param name="stride">Frames from one output to the next.</param>
/// <param name="rows">Who uses which adapter.</param>
internal sealed class Convolution(string name, Tensor weight, Tensor bias, int stride, AdapterRows rows) : AdaptableLayer(name, weight, bias, rows)
{
    public const int Kernel = 3;

    /// <inheritdoc />
    public override AdaptableLayerKind Kind => AdaptableLayerKind.Convolution;

    /// <inheritdoc />
    public override Tensor Compute(Tensor input, Tensor weight, Tensor? bias) =>
        nn.functional.conv1d(input, weight, bias, stride: stride, padding: 1);

    /// <param name="input"><c>[batch, channel, frame]</c>.</param>
    /// <param name="mode">How to compute.</param>
    /// <returns><c>[batch, channel, frame / stride]</c>.</returns>
    public Tensor Forward(Tensor input, ForwardMode mode)
    {
        input = mode.ForProduct(input);
        return Activation.Gelu(Apply(input, Compute(input, mode.ForProduct(Weight), mode.ForProduct(Bias!))), mode);
    }
}
