using System.Text;
using AsrPlatform.Abstractions;
using AsrPlatform.Onnx.Format;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Onnx.Export;

/// <summary>Writes a Whisper checkpoint as ONNX graphs.</summary>
public static class OnnxExport
{
    /// <summary>
    /// Writes the folder: graphs, configuration, tokenizer files. It is written aside and renamed, so that it is either whole or not there.
    /// </summary>
    /// <param name="source">The checkpoint folder to read.</param>
    /// <param name="target">The folder to write; it must be missing or empty.</param>
    /// <param name="options">Which graphs, and how.</param>
    /// <param name="cancellationToken">Stops between two tensors; nothing is left behind.</param>
    /// <exception cref="AsrException">
    /// The source is broken, its dimensions or weights do not fit the layout or the precision, or the target is in use or cannot be written.
    /// </exception>
    public static void Write(string source, string target, OnnxExportOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(source);
        ArgumentException.ThrowIfNullOrEmpty(target);
        ArgumentNullException.ThrowIfNull(options);
        if (options.Layout == OnnxLayout.Fast && options.Precision == OnnxPrecision.Float16)
        {
            throw new AsrException("The fast layout is fp32 or int8: float16 products are no faster on processors. Export fp16 in Optimum's layout.");
        }

        using var checkpoint = WhisperCheckpoint.Open(source);
        AtomicFolder.Write(target, aside =>
        {
            WriteGraphs(checkpoint, aside, options, cancellationToken);
            CheckpointExport.CopyCompanions(source, aside);
            AtomicFile.Write(Path.Combine(aside, WhisperConfig.FileName), stream => stream.Write(Encoding.UTF8.GetBytes(checkpoint.Config.Json)));
        });
    }

    /// <summary>What goes between a graph's name and <c>.onnx</c>, as transformers.js looks for it.</summary>
    public static string Suffix(OnnxPrecision precision) => precision switch
    {
        OnnxPrecision.Float16 => "_fp16",
        OnnxPrecision.Int8 => "_quantized",
        _ => "",
    };

    private static void WriteGraphs(WhisperCheckpoint checkpoint, string directory, OnnxExportOptions options, CancellationToken cancellationToken)
    {
        var (done, total, current) = (0L, 1L, "");
        var values = new CheckpointValues(checkpoint, options.Merger);
        var type = options.Precision == OnnxPrecision.Float16 ? OnnxElementType.Float16 : OnnxElementType.Float32;
        var weights = new GraphWeights(values, type, bytes =>
        {
            cancellationToken.ThrowIfCancellationRequested();
            done += bytes;
            options.Progress?.Invoke(Math.Min(1, (double)done / total), current);
        });
        bool Quantizes(string layer) => options.Precision == OnnxPrecision.Int8 && options.Float32Layers?.IsMatch(layer) != true;

        IEnumerable<(string Name, OnnxModel Model)> graphs;
        if (options.Layout == OnnxLayout.Optimum)
        {
            var suffix = Suffix(options.Precision);
            graphs = new OptimumLayout(values.Config, weights, Quantizes).Models.Select(graph => ($"{graph.Name}{suffix}.onnx", graph.Model));
        }
        else
        {
            var layout = FastGraphs.Description(options.Precision);
            graphs = new FastGraphs(
                values.Config, weights, Quantizes, layer => options.RowScaledLayers?.IsMatch(layer) == true, layout.QuantizesMemory, options.TakesAdapters).Models;
            layout.Write(directory);
        }

        var models = graphs.ToArray();
        total = Math.Max(1, models.Sum(model => OnnxFile.Tensors(model.Model.Graph!).Sum(tensor => tensor.Data?.Length ?? 0)));
        foreach (var (name, model) in models)
        {
            current = name;
            OnnxFile.Save(Path.Combine(directory, name), model, new OnnxSaveOptions { MaxInlineBytes = options.MaxInlineBytes });
        }
    }
}
