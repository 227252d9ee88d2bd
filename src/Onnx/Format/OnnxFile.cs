using System.Globalization;
using AsrPlatform.Abstractions;
using AsrPlatform.Whisper.Files;
using Google.Protobuf;

namespace AsrPlatform.Onnx.Format;

/// <summary>How a model's weights are laid out on disk.</summary>
public sealed record OnnxSaveOptions
{
    /// <summary>Largest size of the model's own file, in bytes; beyond it the weights go into a file beside it. A protobuf message ends at 2³¹ − 1.</summary>
    public long MaxInlineBytes { get; init; } = 2_000_000_000;
}

/// <summary>Reads and writes <c>.onnx</c> files and the external data beside them.</summary>
public static class OnnxFile
{
    /// <summary>What is appended to a model's file name for the file of its external data, as Optimum does.</summary>
    public const string ExternalSuffix = "_data";

    // Smaller tensors stay in the model: shapes and axes must be at hand when a graph is optimized.
    private const int SmallestExternal = 1024;

    // Lets the runtime map a tensor by itself.
    private const int ExternalAlignment = 4096;

    /// <summary>Writes a model, each file atomically, the external data first.</summary>
    /// <param name="path">The file; its folder must exist.</param>
    /// <param name="model">The model. Data that are computed are computed once, one tensor at a time.</param>
    /// <param name="options">The layout.</param>
    /// <exception cref="AsrException">A file cannot be written, or the model is too large even without its weights.</exception>
    public static void Save(string path, OnnxModel model, OnnxSaveOptions? options = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(model.Graph);
        options ??= new OnnxSaveOptions();
        var external = new List<OnnxTensor>();
        try
        {
            if (model.ByteSize() > Math.Min(options.MaxInlineBytes, int.MaxValue))
            {
                external.AddRange(Tensors(model.Graph).Where(tensor => tensor.Data?.Length >= SmallestExternal));
                WriteExternal(path + ExternalSuffix, external);
            }

            if (model.ByteSize() > int.MaxValue)
            {
                throw new AsrException($"{path} would be larger than a protobuf message can be (2 GiB).");
            }

            AtomicFile.Write(path, stream =>
            {
                using var output = new CodedOutputStream(stream, leaveOpen: true);
                ((IMessage)model).WriteTo(output);
                output.Flush();
            });
        }
        finally
        {
            external.ForEach(tensor => tensor.External.Clear());
        }
    }

    /// <summary>Reads and checks a model. Weights in its own file are in memory then; external ones are read when asked for.</summary>
    /// <exception cref="AsrException">The file or its external data are missing, truncated or malformed; the message names the file and what was expected.</exception>
    public static OnnxModel Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
        {
            throw new AsrException($"{path} is a folder: an ONNX file was expected.");
        }

        var model = new OnnxModel();
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan);
            if (stream.Length > int.MaxValue)
            {
                throw Malformed(path, "it is larger than a protobuf message can be (2 GiB)");
            }

            using var input = new CodedInputStream(stream, leaveOpen: true);
            ((IMessage)model).MergeFrom(input);
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new AsrException($"{path} does not exist.", error);
        }
        catch (Exception error) when (error is InvalidProtocolBufferException or InvalidDataException)
        {
            throw Malformed(path, error.Message.TrimEnd('.').ReplaceLineEndings(" "), error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"{path} cannot be read: {error.Message}", error);
        }

        Check(path, model);
        return model;
    }

    /// <summary>The initializers and constants of a graph and of the graphs in it.</summary>
    public static IEnumerable<OnnxTensor> Tensors(OnnxGraph graph)
    {
        ArgumentNullException.ThrowIfNull(graph);
        foreach (var tensor in graph.Initializers)
        {
            yield return tensor;
        }

        foreach (var attribute in graph.Nodes.SelectMany(node => node.Attributes))
        {
            if (attribute.TensorValue is { } tensor)
            {
                yield return tensor;
            }

            foreach (var inner in attribute.GraphValue is { } branch ? Tensors(branch) : [])
            {
                yield return inner;
            }
        }
    }

    private static void WriteExternal(string path, List<OnnxTensor> tensors) => AtomicFile.Write(path, stream =>
    {
        var name = Path.GetFileName(path);
        foreach (var tensor in tensors)
        {
            var padding = (int)(-stream.Position & (ExternalAlignment - 1));
            stream.Write(new byte[padding]);
            var (offset, length) = (stream.Position, tensor.Data!.Length);
            stream.Write(tensor.Data.Load().Span);
            tensor.External.Add(new OnnxEntry { Key = "location", Value = name });
            tensor.External.Add(new OnnxEntry { Key = "offset", Value = offset.ToString(CultureInfo.InvariantCulture) });
            tensor.External.Add(new OnnxEntry { Key = "length", Value = length.ToString(CultureInfo.InvariantCulture) });
        }
    });

    private static void Check(string path, OnnxModel model)
    {
        if (model.Graph is not { } graph)
        {
            throw Malformed(path, "it has no graph");
        }

        if (model.IrVersion < 1 || model.OperatorSets.Count == 0)
        {
            throw Malformed(path, "it names no format version or no operator set");
        }

        if (graph.Outputs.Count == 0)
        {
            throw Malformed(path, "its graph has no outputs");
        }

        CheckNodes(path, graph);
        foreach (var tensor in Tensors(graph))
        {
            tensor.PackNumbers();
            Check(path, tensor);
        }
    }

    private static void CheckNodes(string path, OnnxGraph graph)
    {
        foreach (var node in graph.Nodes)
        {
            if (node.OperatorType.Length == 0)
            {
                throw Malformed(path, $"the node {Quote(node.Name)} has no operator");
            }

            foreach (var branch in node.Attributes.Select(attribute => attribute.GraphValue).OfType<OnnxGraph>())
            {
                CheckNodes(path, branch);
            }
        }
    }

    private static void Check(string path, OnnxTensor tensor)
    {
        var size = tensor.ElementType.SizeBytes();
        if (size == 0)
        {
            return; // Texts, and types of newer formats: nothing that we compute with.
        }

        long bytes = size;
        foreach (var dimension in tensor.Shape)
        {
            if (dimension < 0 || (dimension > 0 && bytes > long.MaxValue / dimension))
            {
                throw Malformed(path, $"the tensor {Quote(tensor.Name)} has the dimension {dimension}");
            }

            bytes *= dimension;
        }

        if (tensor.External.Count > 0)
        {
            tensor.Data = Resolve(path, tensor, bytes);
        }
        else if (tensor.Data!.Length != bytes)
        {
            throw Malformed(path, $"the tensor {Quote(tensor.Name)} has {tensor.Data.Length} bytes; its shape and type need {bytes}");
        }
    }

    private static TensorData Resolve(string path, OnnxTensor tensor, long bytes)
    {
        string? Entry(string key) => tensor.External.Find(entry => entry.Key == key)?.Value;
        long Number(string key, long fallback) => Entry(key) is not { } text ? fallback
            : long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value
            : throw Malformed(path, $"the external data of {Quote(tensor.Name)} have the {key} {Quote(text)}, expected a number");

        // Data may lie beside the model or below it, never elsewhere.
        var location = Entry("location") ?? "";
        if (location.Length == 0 || location.Contains('\0') || Path.IsPathRooted(location) || location.Split('/', '\\').Contains(".."))
        {
            throw Malformed(path, $"the external data of {Quote(tensor.Name)} are said to lie in {Quote(location)}, expected a file beside the model");
        }

        var (offset, length) = (Number("offset", 0), Number("length", bytes));
        if (length != bytes)
        {
            throw Malformed(path, $"the external data of {Quote(tensor.Name)} have {length} bytes; its shape and type need {bytes}");
        }

        var file = new FileInfo(Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, location));
        if (!file.Exists)
        {
            throw new AsrException($"{file.FullName} is missing: {path} keeps its weights there. Fetch it too.");
        }

        return offset <= file.Length - length
            ? TensorData.InFile(file.FullName, offset, length)
            : throw new AsrException($"{file.FullName} is truncated: it has {file.Length} bytes; {path} expects {length} from {offset} on. Fetch it again.");
    }

    private static AsrException Malformed(string path, string what, Exception? inner = null) =>
        new($"{path} is no whole ONNX model: {what}. Export or fetch it again.", inner);

    private static string Quote(string text)
    {
        var clean = new string([.. text.Take(80).Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '\uFFFD' : c)]);
        return text.Length > 80 ? $"\"{clean}…\"" : $"\"{clean}\"";
    }
}
