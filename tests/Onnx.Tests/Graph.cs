namespace AsrPlatform.Onnx.Tests;

/// <summary>A graph loaded into ONNX Runtime, fed and read by name.</summary>
internal sealed class Graph : IDisposable
{
    private readonly SessionOptions _options = new() { IntraOpNumThreads = 1, InterOpNumThreads = 1 };
    private readonly RunOptions _run = new();

    public Graph(string path)
    {
        // A warning of the runtime, such as of a weight that nobody uses, is worth seeing.
        _options.LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_WARNING;
        Session = new InferenceSession(path, _options);
    }

    public InferenceSession Session { get; }

    /// <summary>Runs it; the numbers of outputs of 8 bits and of whole numbers come as float32, which holds them exactly here.</summary>
    public Dictionary<string, (float[] Values, long[] Shape)> Run(params (string Name, OrtValue Value)[] inputs)
    {
        try
        {
            using var outputs = Session.Run(_run, inputs.ToDictionary(input => input.Name, input => input.Value), Session.OutputNames);
            return Session.OutputNames.Zip(outputs).ToDictionary(
                pair => pair.First,
                pair => (Numbers(pair.Second), pair.Second.GetTensorTypeAndShape().Shape));
        }
        finally
        {
            foreach (var (_, value) in inputs)
            {
                value.Dispose();
            }
        }
    }

    public static OrtValue Value<T>(T[] values, params long[] shape)
        where T : unmanaged => OrtValue.CreateTensorValueFromMemory(values, shape);

    public static OrtValue Value((float[] Values, long[] Shape) tensor) => Value(tensor.Values, tensor.Shape);

    /// <summary>Numbers as an input of this name wants them.</summary>
    public OrtValue InputOf(string name, (float[] Values, long[] Shape) tensor) => Session.InputMetadata[name].ElementDataType switch
    {
        TensorElementType.Int8 => Value(Array.ConvertAll(tensor.Values, value => checked((sbyte)value)), tensor.Shape),
        TensorElementType.Int32 => Value(Array.ConvertAll(tensor.Values, value => checked((int)value)), tensor.Shape),
        _ => Value(tensor.Values, tensor.Shape),
    };

    private static float[] Numbers(OrtValue value) => value.GetTensorTypeAndShape().ElementDataType switch
    {
        TensorElementType.Int8 => Array.ConvertAll(value.GetTensorDataAsSpan<sbyte>().ToArray(), number => (float)number),
        TensorElementType.Int32 => Array.ConvertAll(value.GetTensorDataAsSpan<int>().ToArray(), number => (float)number),
        _ => value.GetTensorDataAsSpan<float>().ToArray(),
    };

    public void Dispose()
    {
        Session.Dispose();
        _options.Dispose();
        _run.Dispose();
    }
}
