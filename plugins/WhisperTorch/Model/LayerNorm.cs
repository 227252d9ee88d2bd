namespace AsrPlatform.WhisperTorch.Model;

/// <summary>Layer normalisation over the last dimension, ε = 1e-5 as in Whisper.</summary>
internal sealed class LayerNorm(Tensor weight, Tensor bias)
{
    private const double Epsilon = 1e-5;
    private readonly long[] _normalized = weight.shape;

    public Tensor Forward(Tensor input) => nn.functional.layer_norm(input, _normalized, weight, bias, Epsilon);
}
