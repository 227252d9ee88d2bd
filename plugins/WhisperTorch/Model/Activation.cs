namespace AsrPlatform.WhisperTorch.Model;

/// <summary>Whisper's activation: GELU with the exact error function.</summary>
internal static class Activation
{
    public static Tensor Gelu(Tensor values, ForwardMode mode) => mode.InPlace ? values.gelu_() : values.gelu();
}
