namespace AsrPlatform.WhisperTorch.Model;

/// <summary>How layers compute: for inference, or so that gradients can follow.</summary>
/// <param name="InPlace">
/// Layers may overwrite the residual stream and their own intermediates. False wherever autograd records, which needs the old values.
/// </param>
/// <param name="Dropout">Probability for the outputs of sub-layers (Hugging Face's <c>dropout</c>).</param>
/// <param name="AttentionDropout">Probability for attention weights.</param>
/// <param name="ActivationDropout">Probability after the activation.</param>
/// <param name="ProductType">
/// Element type of matrix products and convolutions over float32 parameters; null computes in the parameters' own. Norms, the residual
/// stream and losses stay in float32, as under PyTorch's autocast.
/// </param>
internal readonly record struct ForwardMode(
    bool InPlace,
    double Dropout = 0,
    double AttentionDropout = 0,
    double ActivationDropout = 0,
    ScalarType? ProductType = null)
{
    /// <summary>No gradients, no dropout.</summary>
    public static ForwardMode Inference { get; } = new(InPlace: true);

    /// <summary>A tensor in the type of the products.</summary>
    public Tensor ForProduct(Tensor values) => ProductType is { } type ? values.to(type) : values;

    /// <summary>Applies dropout where there is any.</summary>
    public static Tensor Drop(Tensor values, double probability) =>
        probability > 0 ? nn.functional.dropout(values, probability) : values;
}
