using AsrPlatform.Abstractions;
using AsrPlatform.OnnxBackend.Fast;

namespace AsrPlatform.OnnxBackend.Graphs;

/// <summary>An input or output of a graph, as the graph declares it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Type of its elements.</param>
/// <param name="Shape">Its dimensions; -1 where any size goes.</param>
internal sealed record GraphTensor(string Name, TensorElementType Type, int[] Shape)
{
    /// <summary>The shape for messages, such as <c>[?, 80, 3000]</c>.</summary>
    public string ShapeText => $"[{string.Join(", ", Shape.Select(size => size < 0 ? "?" : $"{size}"))}]";

    /// <summary>Whether tensors of a shape fit; -1 stands for any size.</summary>
    public bool Allows(params ReadOnlySpan<int> shape)
    {
        if (shape.Length != Shape.Length)
        {
            return false;
        }

        for (var i = 0; i < shape.Length; i++)
        {
            if (shape[i] >= 0 && Shape[i] >= 0 && shape[i] != Shape[i])
            {
                return false;
            }
        }

        return true;
    }
}

/// <summary>A file in ONNX Runtime: its session and what goes in and out.</summary>
/// <remarks>Its session may run on several threads at once, each with a binding of its own.</remarks>
internal sealed class Graph : IDisposable
{
    // What the releases up to 1.30 read; newer ones read more, so that this explains a refusal and causes none.
    private const int NewestKnownOpset = 26;
    private const int NewestKnownIr = 13;

    private readonly InferenceSession _session;

    private Graph(string path, InferenceSession session)
    {
        Path = path;
        _session = session;
        Inputs = Describe(session.InputMetadata);
        Outputs = Describe(session.OutputMetadata);
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>What goes in, by name.</summary>
    public IReadOnlyDictionary<string, GraphTensor> Inputs { get; }

    /// <summary>What comes out, by name.</summary>
    public IReadOnlyDictionary<string, GraphTensor> Outputs { get; }

    /// <summary>Reads a file into a session.</summary>
    /// <param name="path">The file.</param>
    /// <param name="threads">Threads of a run.</param>
    /// <param name="fixedShapes">Whether its tensors have the same shapes in every run, so that their places can be planned.</param>
    /// <param name="ownAttention">Whether it may have <see cref="OwnAttention"/>.</param>
    /// <exception cref="AsrException">It is missing, damaged or of a kind that ONNX Runtime does not run; the message says which.</exception>
    public static Graph Open(string path, int threads, bool fixedShapes, bool ownAttention = false)
    {
        var file = OnnxFile.Read(path);
        using var options = new SessionOptions
        {
            IntraOpNumThreads = threads,
            InterOpNumThreads = 1,
            ExecutionMode = ExecutionMode.ORT_SEQUENTIAL,
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,

            // Errors are thrown, and what a trial run finds out is no error.
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL,

            // A decoder's shapes grow with every token: a plan for each would only be kept, never used again.
            EnableMemoryPattern = fixedShapes,
        };

        // Threads that wait by spinning take the processor from the other sessions.
        options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
        options.AddSessionConfigEntry("session.inter_op.allow_spinning", "0");

        // Weights in the arena leave holes in it that nothing else fits into.
        options.AddSessionConfigEntry("session.use_device_allocator_for_initializers", "1");

        // It makes one operator of an addition and a normalisation, which is five times as slow on an encoder's many positions; graphs that want it have it.
        options.AddSessionConfigEntry("optimization.disable_specified_optimizers", "SkipLayerNormFusion");
        try
        {
            if (ownAttention)
            {
                OwnAttention.AddTo(options);
            }

            return new Graph(path, new InferenceSession(path, options));
        }
        catch (OnnxRuntimeException error)
        {
            throw new AsrException(Refusal(file, error), error);
        }
    }

    /// <summary>A place for the tensors of runs. The caller disposes it, before the graph.</summary>
    public OrtIoBinding Bind() => _session.CreateIoBinding();

    /// <summary>Computes what a binding wants.</summary>
    /// <exception cref="AsrException">It cannot be computed.</exception>
    public void Run(RunOptions options, OrtIoBinding binding)
    {
        try
        {
            _session.RunWithBinding(options, binding);
        }
        catch (OnnxRuntimeException error)
        {
            throw new AsrException($"{Path} cannot be computed: {OneLine(error.Message)}", error);
        }
    }

    /// <summary>The input of a name, of one of some types and a shape; -1 in the shape stands for any size.</summary>
    /// <exception cref="AsrException">There is none, or it is another one.</exception>
    public GraphTensor Input(string name, Func<TensorElementType, bool> types, params ReadOnlySpan<int> shape) =>
        Require(Inputs, "input", name, types, shape);

    /// <summary>As <see cref="Input"/>, of an output.</summary>
    /// <exception cref="AsrException">There is none, or it is another one.</exception>
    public GraphTensor Output(string name, Func<TensorElementType, bool> types, params ReadOnlySpan<int> shape) =>
        Require(Outputs, "output", name, types, shape);

    /// <summary>The error that a graph is not what it should be.</summary>
    public AsrException Wrong(string found, string expected) => new($"{Path} {found}; expected {expected}.");

    /// <inheritdoc />
    public void Dispose() => _session.Dispose();

    private static Dictionary<string, GraphTensor> Describe(IReadOnlyDictionary<string, NodeMetadata> nodes) =>
        nodes.ToDictionary(
            node => node.Key,
            node => node.Value.IsTensor
                ? new GraphTensor(node.Key, node.Value.ElementDataType, node.Value.Dimensions)
                : new GraphTensor(node.Key, default, []),
            StringComparer.Ordinal);

    private GraphTensor Require(IReadOnlyDictionary<string, GraphTensor> tensors, string kind, string name, Func<TensorElementType, bool> types, ReadOnlySpan<int> shape)
    {
        var expected = $"[{string.Join(", ", shape.ToArray().Select(size => size < 0 ? "?" : $"{size}"))}]";
        if (!tensors.TryGetValue(name, out var tensor))
        {
            throw Wrong($"has no {kind} {name} (it has {string.Join(", ", tensors.Keys)})", $"{name} {expected}");
        }

        if (!types(tensor.Type))
        {
            throw Wrong($"has the {kind} {name} of the type {tensor.Type}", types(TensorElementType.Float) ? "Float or Float16" : "Int64 or Int32");
        }

        return tensor.Allows(shape)
            ? tensor
            : throw Wrong($"has the {kind} {name} of the shape {tensor.ShapeText}", $"{expected}, as config.json says");
    }

    private static string Refusal(OnnxFile file, OnnxRuntimeException error)
    {
        var runtime = $"ONNX Runtime {OrtEnv.Instance().GetVersionString()}";
        if (file.Opset > NewestKnownOpset)
        {
            return $"{file.Path} uses opset {file.Opset}; expected one that {runtime} runs, up to {NewestKnownOpset}: export it again for an older opset.";
        }

        if (file.IrVersion > NewestKnownIr)
        {
            return $"{file.Path} is of IR version {file.IrVersion}; expected one that {runtime} reads, up to {NewestKnownIr}: export it again for an older opset.";
        }

        return $"{file.Path} cannot be loaded by {runtime} (opset {file.Opset}): {OneLine(error.Message)}";
    }

    private static string OneLine(string message) =>
        string.Join(' ', message.Split((char[])['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
}
