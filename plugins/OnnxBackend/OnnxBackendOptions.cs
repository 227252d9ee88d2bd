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

    /// <summary>The layout of models of random weights, for benchmarks: <c>fast</c> (default) where it fits, or <c>optimum</c>.</summary>
    public string RandomLayout { get; set; } = "fast";

    /// <summary>Whether models of random weights in the fast layout take adapters (default), as exports do unless told otherwise.</summary>
    public bool RandomTakesAdapters { get; set; } = true;
}
