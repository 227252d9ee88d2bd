namespace AsrPlatform.OnnxShape;

/// <summary>
/// Every member of the binding, used the way that plugins use it. This compiles against bindings/OnnxRuntime and against
/// Microsoft.ML.OnnxRuntime; a member that is not here is not promised to plugins (OnnxRuntime.Tests holds the two lists together).
/// </summary>
public static class Shape
{
    public static string Runtime()
    {
        if (!OrtEnv.IsCreated)
        {
            OrtEnv.Instance().DisableTelemetryEvents();
        }
        OrtEnv environment = OrtEnv.Instance();
        string[] providers = environment.GetAvailableProviders();
        return environment.GetVersionString() + string.Join(' ', providers);
    }

    public static SessionOptions Options(OrtValue weight)
    {
        var options = new SessionOptions
        {
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
            ExecutionMode = ExecutionMode.ORT_SEQUENTIAL,
            IntraOpNumThreads = 1,
            InterOpNumThreads = 1,
            EnableMemoryPattern = false,
            EnableCpuMemArena = false,
            LogId = "asr",
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
            LogVerbosityLevel = 0,
            OptimizedModelFilePath = "optimized.onnx",
            ProfileOutputPathPrefix = "profile",
            EnableProfiling = true,
        };
        options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
        options.RegisterCustomOpLibraryV2("operators.so", out IntPtr operators);
        _ = operators;
        options.AddFreeDimensionOverride("DATA_BATCH", 1);
        options.AddFreeDimensionOverrideByName("batch_size", 1);
        options.AddInitializer("weight", weight);
        options.AppendExecutionProvider("XNNPACK");
        options.AppendExecutionProvider("XNNPACK", new Dictionary<string, string> { ["intra_op_num_threads"] = "1" });
        options.AppendExecutionProvider_CUDA();
        options.AppendExecutionProvider_CUDA(1);
        using (var cuda = new OrtCUDAProviderOptions())
        {
            cuda.UpdateOptions(new Dictionary<string, string> { ["device_id"] = "0" });
            _ = cuda.GetOptions();
            options.AppendExecutionProvider_CUDA(cuda);
        }
        _ = options.IsClosed || options.IsInvalid || (options.EnableMemoryPattern && options.EnableCpuMemArena && options.EnableProfiling);
        return options;
    }

    public static InferenceSession[] Sessions(byte[] model, SessionOptions options)
    {
        using var weights = new PrePackedWeightsContainer();
        return
        [
            new InferenceSession("model.onnx"), new InferenceSession("model.onnx", weights), new InferenceSession("model.onnx", options),
            new InferenceSession("model.onnx", options, weights), new InferenceSession(model), new InferenceSession(model, weights), new InferenceSession(model, options),
            new InferenceSession(model, options, weights),
        ];
    }

    public static string Describe(InferenceSession session)
    {
        IReadOnlyList<string> names = session.InputNames.Count > 0 ? session.InputNames : session.OutputNames;
        IReadOnlyDictionary<string, NodeMetadata> nodes = session.InputMetadata.Count > 0 ? session.InputMetadata : session.OutputMetadata;
        NodeMetadata node = nodes[names[0]];
        ModelMetadata model = session.ModelMetadata;
        Dictionary<string, string> custom = model.CustomMetadataMap;
        int[] dimensions = node.Dimensions;
        string[] symbols = node.SymbolicDimensions;
        Type element = node.ElementType;
        return node.OnnxValueType == OnnxValueType.ONNX_TYPE_TENSOR && node.IsTensor && !node.IsString && node.ElementDataType == TensorElementType.Float
            ? $"{dimensions[0]} {symbols[0]} {element} {custom.Count} {model.ProducerName} {model.GraphName} {model.Domain} {model.Description} {model.GraphDescription} {model.Version}"
            : session.EndProfiling() + session.ProfilingStartTimeNs;
    }

    public static OrtValue[] Values(InferenceSession session, IntPtr memory, float[] managed)
    {
        using var cuda = new OrtMemoryInfo("Cuda", OrtAllocatorType.DeviceAllocator, 0, OrtMemType.Default);
        using var device = new OrtAllocator(session, cuda);
        _ = cuda.Name + cuda.Id + cuda.GetMemoryType() + cuda.GetAllocatorType();
        return
        [
            OrtValue.CreateTensorValueFromMemory(managed, [2, 3]),
            OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, managed.AsMemory(1, 2), [2]),
            OrtValue.CreateTensorValueWithData(OrtMemoryInfo.DefaultInstance, TensorElementType.Int64, [1], memory, 8),
            OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, TensorElementType.Float16, [1]),
            OrtValue.CreateAllocatedTensorValue(device, TensorElementType.BFloat16, [1]),
        ];
    }

    public static long Read(OrtValue value)
    {
        OrtTensorTypeAndShapeInfo info = value.GetTensorTypeAndShape();
        long[] shape = info.Shape;
        ReadOnlySpan<float> numbers = value.GetTensorDataAsSpan<float>();
        Span<long> written = value.GetTensorMutableDataAsSpan<long>();
        Span<byte> raw = value.GetTensorMutableRawData();
        return info.ElementDataType == TensorElementType.Float && !info.IsString && value.IsTensor && value.OnnxType == OnnxValueType.ONNX_TYPE_TENSOR
            ? info.ElementCount + info.DimensionsCount + shape[0] + numbers.Length + written.Length + raw.Length
            : 0;
    }

    public static float Halves(float number)
    {
        var half = (Float16)number;
        var brain = (BFloat16)number;
        var bits = new Float16(half.value) == half && new BFloat16(brain.value) != brain ? 1f : 0f;
        return half.ToFloat() + brain.ToFloat() + (float)half + (float)brain + bits + (half.Equals(half) && brain.Equals(brain) ? 1 : 0);
    }

    public static void Run(InferenceSession session, OrtValue value)
    {
        using var options = new RunOptions { LogId = "run", LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR };
        options.AddRunConfigEntry("memory.enable_memory_arena_shrinkage", "cpu:0");
        string[] inputs = ["in"];
        string[] outputs = ["out"];
        OrtValue[] values = [value];
        using (IDisposableReadOnlyCollection<OrtValue> results = session.Run(options, inputs, values, outputs))
        {
            _ = results[0].IsTensor && results.Count == 1;
        }
        using (IDisposableReadOnlyCollection<OrtValue> results = session.Run(options, new Dictionary<string, OrtValue> { ["in"] = value }, outputs))
        {
            foreach (OrtValue result in results)
            {
                result.Dispose();
            }
        }
        session.Run(options, inputs, values, outputs, values);
        options.Terminate = !options.Terminate;
    }

    public static void Bind(InferenceSession session, OrtValue value, RunOptions options)
    {
        using OrtIoBinding binding = session.CreateIoBinding();
        binding.BindInput("in", value);
        binding.BindOutput("out", value);
        binding.BindOutputToDevice("out", OrtMemoryInfo.DefaultInstance);
        binding.SynchronizeBoundInputs();
        session.RunWithBinding(options, binding);
        binding.SynchronizeBoundOutputs();
        string[] names = binding.GetOutputNames();
        using (IDisposableReadOnlyCollection<OrtValue> values = binding.GetOutputValues())
        using (IDisposableReadOnlyCollection<OrtValue> results = session.RunWithBoundResults(options, binding))
        {
            _ = values.Count + results.Count + names.Length;
        }
        binding.ClearBoundInputs();
        binding.ClearBoundOutputs();
    }

    public static string Fail(string path)
    {
        try
        {
            using var session = new InferenceSession(path);
            return "";
        }
        catch (OnnxRuntimeException e)
        {
            return e.Message;
        }
    }
}
