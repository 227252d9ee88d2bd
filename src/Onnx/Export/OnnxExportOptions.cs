using System.Text.RegularExpressions;
using AsrPlatform.Abstractions.Adapters;

namespace AsrPlatform.Onnx.Export;

/// <summary>Which graphs an export has.</summary>
public enum OnnxLayout
{
    /// <summary>Optimum's: plain operators, for any program that runs ONNX.</summary>
    Optimum,

    /// <summary>This project's own: ONNX Runtime's operators, the cache in place, cross-attention as an output (<see cref="FastLayout"/>).</summary>
    Fast,
}

/// <summary>Type of an export's weights.</summary>
public enum OnnxPrecision
{
    /// <summary>float32.</summary>
    Float32,

    /// <summary>float16 inside, float32 inputs and outputs.</summary>
    Float16,

    /// <summary>Matrices as signed bytes with a scale for each output, their inputs quantized as they come; convolutions, norms and residuals in float32.</summary>
    Int8,
}

/// <summary>How a checkpoint is exported.</summary>
public sealed record OnnxExportOptions
{
    /// <summary>The graphs.</summary>
    public OnnxLayout Layout { get; init; }

    /// <summary>The weights' type.</summary>
    public OnnxPrecision Precision { get; init; }

    /// <summary>An adapter to merge into the weights; null for none. It stays the caller's.</summary>
    public ICheckpointMerger? Merger { get; init; }

    /// <summary>With <see cref="OnnxPrecision.Int8"/>: the layers that stay in float32, by their names in the checkpoint, such as <c>model.decoder.layers.0.fc2</c>.</summary>
    public Regex? Float32Layers { get; init; }

    /// <summary>
    /// With <see cref="OnnxPrecision.Int8"/> in the fast layout: the layers whose inputs are quantized row by row, so that a row with a
    /// large value does not coarsen the others and no row depends on its company. The others take one scale for all rows, which is faster.
    /// </summary>
    public Regex? RowScaledLayers { get; init; }

    /// <summary>
    /// In the fast layout: whether the low-rank factors of adapters are inputs of every linear layer, so that one model serves rows with
    /// different adapters. It costs three small operations a layer.
    /// </summary>
    public bool TakesAdapters { get; init; } = true;

    /// <summary>Largest size of an <c>.onnx</c> file in bytes before its weights go into a file beside it.</summary>
    public long MaxInlineBytes { get; init; } = 2_000_000_000;

    /// <summary>Told the share done (0…1) and the file that is being written, from the calling thread; null for nothing.</summary>
    public Action<double, string>? Progress { get; init; }
}
