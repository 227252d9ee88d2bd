using AsrPlatform.Abstractions;

namespace AsrPlatform.WhisperTorch;

/// <summary>Settings of the plugin, from the section <c>Plugins:whisper-torch</c>.</summary>
internal sealed class WhisperTorchOptions
{
    /// <summary>
    /// Element type of weights and states: <c>float32</c>, <c>float16</c>, <c>bfloat16</c>, or <c>auto</c> (default): float32 on the
    /// processor, float16 on a card. The processor computes in float32 only.
    /// </summary>
    public string Precision { get; set; } = "auto";

    /// <summary>The element type for a device.</summary>
    /// <exception cref="AsrException">The setting cannot be used there.</exception>
    public ScalarType TypeFor(Device device)
    {
        var onProcessor = device.type == DeviceType.CPU;
        return (Precision.ToLowerInvariant(), onProcessor) switch
        {
            ("auto", true) or ("float32", _) => ScalarType.Float32,
            ("auto", false) or ("float16", false) => ScalarType.Float16,
            ("bfloat16", false) => ScalarType.BFloat16,
            ("float16" or "bfloat16", true) => throw new AsrException(
                $"Plugins:{WhisperTorchPlugin.Id}:Precision is {Precision}, which LibTorch multiplies on CUDA cards only: set it to auto or float32."),
            _ => throw new AsrException(
                $"Plugins:{WhisperTorchPlugin.Id}:Precision is {Precision}: expected auto, float32, float16 or bfloat16."),
        };
    }
}
