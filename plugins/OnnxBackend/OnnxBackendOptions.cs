namespace AsrPlatform.OnnxBackend;

/// <summary>Settings of the plugin, from the section <c>Plugins:onnx-backend</c>.</summary>
internal sealed class OnnxBackendOptions
{
    /// <summary>
    /// Which files of an export are loaded, where it holds several: <c>fp32</c> (without a suffix), <c>fp16</c>, <c>int8</c>,
    /// <c>quantized</c> or any other suffix of the files' names, or <c>auto</c> (default): the most exact that there is of each graph, in
    /// the order fp32, quantized, int8, fp16.
    /// </summary>
    public string Precision { get; set; } = "auto";

    /// <summary>
    /// Whether this backend makes graphs of the fast layout itself, of a checkpoint that nobody exported (default): in <c>int8</c>, or in fp32
    /// where <see cref="Precision"/> says so.
    /// </summary>
    public bool PreparesCheckpoints { get; set; } = true;

    /// <summary>Where it keeps them; null (default): <c>asr-platform/onnx</c> in the user's folder for caches.</summary>
    public string? CacheDirectory { get; set; }

    /// <summary>
    /// Whether the encoder's attention in int8 graphs of the fast layout is computed in bytes and bfloat16 where the processor has both (default), or in float32
    /// as ONNX Runtime does it, which takes twice as long.
    /// </summary>
    public bool OwnAttention { get; set; } = true;

    /// <summary>The layout of models of random weights, for benchmarks: <c>fast</c> (default) where it fits, or <c>optimum</c>.</summary>
    public string RandomLayout { get; set; } = "fast";

    /// <summary>Whether models of random weights in the fast layout take adapters (default), as exports do unless told otherwise.</summary>
    public bool RandomTakesAdapters { get; set; } = true;
}
