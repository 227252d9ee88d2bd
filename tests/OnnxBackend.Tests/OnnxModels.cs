using System.Globalization;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Onnx.Export;
using AsrPlatform.Tests;

namespace AsrPlatform.OnnxBackend.Tests;

/// <summary>Layouts of the small random checkpoint's export.</summary>
public enum SmallLayout
{
    /// <summary>Optimum's, one decoder.</summary>
    Merged,

    /// <summary>Optimum's, two decoders.</summary>
    Pair,

    /// <summary>This project's own.</summary>
    Fast,
}

/// <summary>Folders of exports made of the fixtures, and their models.</summary>
internal static class OnnxModels
{
    /// <summary>The small random checkpoint's graphs.</summary>
    public static readonly string[] Pair = ["encoder_model.onnx", "decoder_model.onnx", "decoder_with_past_model.onnx"];

    /// <summary>The same with one decoder.</summary>
    public static readonly string[] Merged = ["encoder_model.onnx", "decoder_model_merged.onnx"];

    public static OrtBackend Backend(string precision = "auto") => new(new OnnxBackendOptions { Precision = precision });

    /// <summary>Puts the small export's configuration and some of its graphs into a folder.</summary>
    public static string Small(TemporaryFolder folder, params string[] graphs)
    {
        Copy("checkpoints/fp32", folder.Root, "config.json", "generation_config.json");
        Copy("onnx/small", folder.Root, graphs);
        return folder.Root;
    }

    /// <summary>The small checkpoint's export in a layout, in a folder.</summary>
    public static string Small(TemporaryFolder folder, SmallLayout layout) => layout switch
    {
        SmallLayout.Merged => Small(folder, Merged),
        SmallLayout.Pair => Small(folder, Pair),
        _ => FastExport(folder, "checkpoints/fp32"),
    };

    /// <summary>Exports a fixture's checkpoint to the fast layout, into a folder of its own in a folder.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="checkpoint">The fixture.</param>
    /// <param name="precision">The weights' type.</param>
    /// <param name="merger">What is merged into the weights.</param>
    public static string FastExport(TemporaryFolder folder, string checkpoint, OnnxPrecision precision = OnnxPrecision.Float32, ICheckpointMerger? merger = null)
    {
        var target = folder.File($"fast-{Directory.GetDirectories(folder.Root).Length}");
        OnnxExport.Write(Fixtures.Path(checkpoint), target, new OnnxExportOptions { Layout = OnnxLayout.Fast, Precision = precision, Merger = merger });
        return target;
    }

    /// <summary>Puts the micro checkpoint's small files and its graphs, these into <c>onnx</c>, into a folder.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="withAttention">Whether the decoder's cross-attention becomes an output, as exporters can make it.</param>
    public static string Micro(TemporaryFolder folder, bool withAttention)
    {
        var files = Directory.GetFiles(Fixtures.Path("micro")).Select(path => Path.GetFileName(path)).Where(name => !name.EndsWith(".safetensors", StringComparison.Ordinal));
        Copy("micro", folder.Root, [.. files]);
        var graphs = Directory.CreateDirectory(Path.Combine(folder.Root, "onnx")).FullName;
        Copy("onnx/micro", graphs, Merged);
        if (withAttention)
        {
            Change(Path.Combine(graphs, "decoder_model_merged.onnx"), model => model.Change(OnnxMessage.ModelGraph, graph => WithAttention(graph, layers: 2)));
        }

        return folder.Root;
    }

    /// <summary>Changes a graph's file.</summary>
    public static void Change(string path, Action<OnnxMessage> change)
    {
        var model = OnnxMessage.Read(File.ReadAllBytes(path));
        change(model);
        File.WriteAllBytes(path, model.ToArray());
    }

    /// <summary>Adds the cross-attention of every layer as an output, in the branches of a merged decoder too.</summary>
    public static OnnxMessage WithAttention(OnnxMessage graph, int layers)
    {
        var isMerged = false;
        graph.Change(OnnxMessage.GraphNode, node =>
        {
            if (node.Text(OnnxMessage.NodeOperator) != "If")
            {
                return node;
            }

            isMerged = true;
            node.Change(OnnxMessage.NodeAttribute, attribute =>
            {
                attribute.Change(OnnxMessage.AttributeGraph, branch => AddOutputs(AddCopies(branch, layers), layers));
                return attribute;
            });
            for (var layer = 0; layer < layers; layer++)
            {
                node.With(OnnxMessage.NodeOutput, Attention(layer));
            }

            return node;
        });
        return AddOutputs(isMerged ? graph : AddCopies(graph, layers), layers);
    }

    public static ISeq2SeqModel Load(string directory, string precision = "auto") =>
        Backend(precision).Load(new ModelLoadOptions { ModelDirectory = directory, Threads = 1 });

    /// <summary>The features of the small random checkpoints, <c>[2, 80, 120]</c>.</summary>
    public static IEncoderStates EncodeSmall(ISeq2SeqModel model)
    {
        var (values, batch, frames) = SmallFeatures();
        return model.Encode(values, batch, frames);
    }

    private static void Copy(string fixture, string directory, params string[] files)
    {
        foreach (var file in files)
        {
            // Fixtures are read-only; a copy of a test is not.
            var copy = Path.Combine(directory, file);
            File.WriteAllBytes(copy, File.ReadAllBytes(Fixtures.Path($"{fixture}/{file}")));
        }
    }

    private static OnnxMessage AddCopies(OnnxMessage graph, int layers)
    {
        for (var layer = 0; layer < layers; layer++)
        {
            graph.With(
                OnnxMessage.GraphNode,
                new OnnxMessage()
                    .With(OnnxMessage.NodeInput, string.Create(CultureInfo.InvariantCulture, $"/model/decoder/layers.{layer}/encoder_attn/Softmax_output_0"))
                    .With(OnnxMessage.NodeOutput, Attention(layer))
                    .With(OnnxMessage.NodeOperator, "Identity")
                    .ToArray());
        }

        return graph;
    }

    private static OnnxMessage AddOutputs(OnnxMessage graph, int layers)
    {
        // A tensor of floats [?, ?, ?, ?].
        var shape = new OnnxMessage();
        for (var i = 0; i < 4; i++)
        {
            shape.With(1, Array.Empty<byte>());
        }

        var type = new OnnxMessage().With(1, new OnnxMessage().With(1, 1UL).With(2, shape.ToArray()).ToArray()).ToArray();
        for (var layer = 0; layer < layers; layer++)
        {
            graph.With(OnnxMessage.GraphOutput, new OnnxMessage().With(OnnxMessage.ValueName, Attention(layer)).With(OnnxMessage.ValueType, type).ToArray());
        }

        return graph;
    }

    private static string Attention(int layer) => string.Create(CultureInfo.InvariantCulture, $"cross_attentions.{layer}");
}
