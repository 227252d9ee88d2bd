using System.Runtime.InteropServices;
using AsrPlatform.OnnxRuntime.Diagnostics;
using AsrPlatform.OnnxRuntime.Interop;

namespace AsrPlatform.OnnxRuntime;

/// <summary>A model that is ready to run.</summary>
/// <remarks>Thread-safe: several threads may run it at once. Disposing of it waits for nobody: it is released when the last run has ended.</remarks>
public sealed class InferenceSession : IDisposable
{
    private readonly SessionHandle _native;
    private readonly Lazy<ModelMetadata> _metadata;

    /// <param name="modelPath">The model's file.</param>
    /// <exception cref="OnnxRuntimeException">The file is missing, is no model, or one that the runtime cannot run.</exception>
    /// <exception cref="DllNotFoundException">ONNX Runtime is missing; the message says what to do.</exception>
    public InferenceSession(string modelPath)
        : this(modelPath, null, null)
    {
    }

    /// <inheritdoc cref="InferenceSession(string, SessionOptions, PrePackedWeightsContainer)" />
    public InferenceSession(string modelPath, PrePackedWeightsContainer prepackedWeightsContainer)
        : this(modelPath, null, prepackedWeightsContainer)
    {
    }

    /// <inheritdoc cref="InferenceSession(string, SessionOptions, PrePackedWeightsContainer)" />
    public InferenceSession(string modelPath, SessionOptions options)
        : this(modelPath, options, null)
    {
    }

    /// <param name="modelPath">The model's file.</param>
    /// <param name="options">How to make it; the caller disposes of them.</param>
    /// <param name="prepackedWeightsContainer">Where weights are shared with other sessions.</param>
    /// <inheritdoc cref="InferenceSession(string)" />
    public InferenceSession(string modelPath, SessionOptions? options, PrePackedWeightsContainer? prepackedWeightsContainer)
        : this(options, prepackedWeightsContainer, (environment, native, weights) => Ort.CreateSession(environment, modelPath, native, weights))
    {
    }

    /// <param name="model">The bytes of the model's file; not needed any more afterwards.</param>
    /// <inheritdoc cref="InferenceSession(string)" />
    public InferenceSession(byte[] model)
        : this(model, null, null)
    {
    }

    /// <inheritdoc cref="InferenceSession(byte[], SessionOptions, PrePackedWeightsContainer)" />
    public InferenceSession(byte[] model, PrePackedWeightsContainer prepackedWeightsContainer)
        : this(model, null, prepackedWeightsContainer)
    {
    }

    /// <inheritdoc cref="InferenceSession(byte[], SessionOptions, PrePackedWeightsContainer)" />
    public InferenceSession(byte[] model, SessionOptions options)
        : this(model, options, null)
    {
    }

    /// <param name="model">The bytes of the model's file; not needed any more afterwards.</param>
    /// <param name="options">How to make it; the caller disposes of them.</param>
    /// <param name="prepackedWeightsContainer">Where weights are shared with other sessions.</param>
    /// <inheritdoc cref="InferenceSession(string)" />
    public InferenceSession(byte[] model, SessionOptions? options, PrePackedWeightsContainer? prepackedWeightsContainer)
        : this(options, prepackedWeightsContainer, (environment, native, weights) =>
        {
            ArgumentNullException.ThrowIfNull(model);
            return Ort.CreateSession(environment, model, native, weights);
        })
    {
    }

    private InferenceSession(SessionOptions? options, PrePackedWeightsContainer? weights, Func<nint, nint, nint, nint> create)
    {
        _native = new SessionHandle(options, weights, create);
        _metadata = new Lazy<ModelMetadata>(ReadMetadata);
        try
        {
            using var self = new Lease(_native);
            (InputNames, InputMetadata) = ReadNodes(self.Pointer, count: 30, typeInfo: 33, name: 36);
            (OutputNames, OutputMetadata) = ReadNodes(self.Pointer, count: 31, typeInfo: 34, name: 37);
            foreach (var name in InputNames)
            {
                _native.AddName(name, input: true);
            }
            foreach (var name in OutputNames)
            {
                _native.AddName(name, input: false);
            }
        }
        catch
        {
            _native.Dispose();
            throw;
        }
    }

    /// <summary>The inputs, in the graph's order.</summary>
    public IReadOnlyList<string> InputNames { get; }

    /// <summary>What the graph says of its inputs, by their names.</summary>
    public IReadOnlyDictionary<string, NodeMetadata> InputMetadata { get; }

    /// <summary>The outputs, in the graph's order.</summary>
    public IReadOnlyList<string> OutputNames { get; }

    /// <summary>What the graph says of its outputs, by their names.</summary>
    public IReadOnlyDictionary<string, NodeMetadata> OutputMetadata { get; }

    /// <summary>What the model's file says of itself.</summary>
    public ModelMetadata ModelMetadata => _metadata.Value;

    /// <summary>When profiling began, in nanoseconds of a clock that only rises.</summary>
    public ulong ProfilingStartTimeNs
    {
        get
        {
            using var self = new Lease(_native);
            return (ulong)Ort.GetLong(146, self.Pointer);
        }
    }

    internal NativeObject Native => _native;

    /// <summary>Runs the model.</summary>
    /// <param name="runOptions">How to run it.</param>
    /// <param name="inputNames">The names of the values in the same order.</param>
    /// <param name="inputValues">The inputs; the caller's to dispose of.</param>
    /// <param name="outputNames">Which outputs are wanted.</param>
    /// <returns>The outputs in the order of their names; the caller disposes of them.</returns>
    /// <exception cref="OnnxRuntimeException">The model has no such input or output, an input has another type or rank, the run failed or was terminated.</exception>
    public IDisposableReadOnlyCollection<OrtValue> Run(
        RunOptions runOptions, IReadOnlyCollection<string> inputNames, IReadOnlyCollection<OrtValue> inputValues, IReadOnlyCollection<string> outputNames)
    {
        var results = new nint[CountOf(outputNames)];
        RunCore(runOptions, inputNames, inputValues, outputNames, results);
        return Adopt(results, _ => null);
    }

    /// <param name="runOptions">How to run it.</param>
    /// <param name="inputs">The inputs by name; the caller's to dispose of.</param>
    /// <param name="outputNames">Which outputs are wanted.</param>
    /// <inheritdoc cref="Run(RunOptions, IReadOnlyCollection{string}, IReadOnlyCollection{OrtValue}, IReadOnlyCollection{string})" />
    public IDisposableReadOnlyCollection<OrtValue> Run(RunOptions runOptions, IReadOnlyDictionary<string, OrtValue> inputs, IReadOnlyCollection<string> outputNames)
    {
        ArgumentNullException.ThrowIfNull(inputs);
        return Run(runOptions, [.. inputs.Keys], [.. inputs.Values], outputNames);
    }

    /// <summary>Runs the model and writes its outputs into tensors of the caller, which must have their types and shapes.</summary>
    /// <inheritdoc cref="Run(RunOptions, IReadOnlyCollection{string}, IReadOnlyCollection{OrtValue}, IReadOnlyCollection{string})" />
    public void Run(
        RunOptions runOptions, IReadOnlyCollection<string> inputNames, IReadOnlyCollection<OrtValue> inputValues,
        IReadOnlyCollection<string> outputNames, IReadOnlyCollection<OrtValue> outputValues)
    {
        ArgumentNullException.ThrowIfNull(outputValues);
        if (CountOf(outputNames) != outputValues.Count)
        {
            throw new ArgumentException($"There are {outputNames.Count} names of outputs and {outputValues.Count} values.", nameof(outputValues));
        }
        using var outputs = new Leases(outputValues);
        RunCore(runOptions, inputNames, inputValues, outputNames, outputs.Pointers);
    }

    /// <summary>Runs the model on what is bound.</summary>
    /// <exception cref="OnnxRuntimeException">An input is not bound or has another type or rank, an output does not fit, the run failed or was terminated.</exception>
    public void RunWithBinding(RunOptions runOptions, OrtIoBinding ioBinding)
    {
        using var self = new Lease(_native);
        using var options = new Lease(runOptions);
        using var binding = new Lease(ioBinding);
        Ort.RunWithBinding(self.Pointer, options.Pointer, binding.Pointer);
    }

    /// <summary>Runs the model on what is bound, and gives the outputs in the order in which they were bound; the caller disposes of them.</summary>
    /// <inheritdoc cref="RunWithBinding" />
    public IDisposableReadOnlyCollection<OrtValue> RunWithBoundResults(RunOptions runOptions, OrtIoBinding ioBinding)
    {
        RunWithBinding(runOptions, ioBinding);
        return ioBinding.GetOutputValues();
    }

    /// <summary>Something to bind inputs and outputs to.</summary>
    public OrtIoBinding CreateIoBinding() => new(this);

    /// <summary>Ends the profile and gives the file that it was written to.</summary>
    public string EndProfiling()
    {
        using var self = new Lease(_native);
        return Ort.GetAllocatedText(110, self.Pointer);
    }

    /// <inheritdoc />
    public void Dispose() => _native.Dispose();

    /// <summary>Makes values of native ones, of which none is lost when something fails on the way.</summary>
    internal static DisposableList<OrtValue> Adopt(nint[] natives, Func<int, SafeHandle?> keeps)
    {
        var values = new DisposableList<OrtValue>(natives.Length);
        try
        {
            for (var i = 0; i < natives.Length; i++)
            {
                values.Add(new OrtValue(natives[i], keeps(i)));
            }
            return values;
        }
        catch
        {
            // The one that failed belongs to its handle already, which is collected.
            foreach (var native in natives.AsSpan(Math.Min(values.Count + 1, natives.Length)))
            {
                Ort.Release(96, native);
            }
            values.Dispose();
            throw;
        }
    }

    private static int CountOf(IReadOnlyCollection<string> names)
    {
        ArgumentNullException.ThrowIfNull(names);
        return names.Count;
    }

    private static (List<string> Names, Dictionary<string, NodeMetadata> Metadata) ReadNodes(nint session, int count, int typeInfo, int name)
    {
        var total = (int)Ort.Get(count, session);
        var names = new List<string>(total);
        var metadata = new Dictionary<string, NodeMetadata>(total, StringComparer.Ordinal);
        for (var i = 0; i < total; i++)
        {
            names.Add(Ort.GetName(name, session, i));
            var type = Ort.GetTypeInfo(typeInfo, session, i);
            try
            {
                metadata[names[i]] = new NodeMetadata(type);
            }
            finally
            {
                Ort.Release(98, type);
            }
        }
        return (names, metadata);
    }

    private void RunCore(
        RunOptions runOptions, IReadOnlyCollection<string> inputNames, IReadOnlyCollection<OrtValue> inputValues, IReadOnlyCollection<string> outputNames, Span<nint> outputs)
    {
        ArgumentNullException.ThrowIfNull(inputValues);
        if (CountOf(inputNames) != inputValues.Count)
        {
            throw new ArgumentException($"There are {inputNames.Count} names of inputs and {inputValues.Count} values.", nameof(inputValues));
        }
        using var self = new Lease(_native);
        using var options = new Lease(runOptions);
        using var inputs = new Leases(inputValues);
        Ort.Run(self.Pointer, options.Pointer, _native.Names(inputNames, input: true), inputs.Pointers, _native.Names(outputNames, input: false), outputs);
    }

    private ModelMetadata ReadMetadata()
    {
        using var self = new Lease(_native);
        return new ModelMetadata(self.Pointer);
    }

    /// <summary>Keeps values alive for the length of a run.</summary>
    private readonly ref struct Leases
    {
        private readonly List<SafeHandle> _taken;

        public Leases(IReadOnlyCollection<OrtValue> values)
        {
            _taken = new List<SafeHandle>(values.Count);
            var pointers = new nint[values.Count];
            try
            {
                foreach (var value in values)
                {
                    ArgumentNullException.ThrowIfNull(value, nameof(values));
                    ObjectDisposedException.ThrowIf(value.Native.IsClosed, value);
                    var taken = false;
                    value.Native.DangerousAddRef(ref taken);
                    pointers[_taken.Count] = value.Native.DangerousGetHandle();
                    _taken.Add(value.Native);
                }
            }
            catch
            {
                Dispose();
                throw;
            }
            Pointers = pointers;
        }

        public Span<nint> Pointers { get; }

        public void Dispose()
        {
            foreach (var handle in _taken)
            {
                handle.DangerousRelease();
            }
        }
    }

    private sealed class SessionHandle : NativeObject
    {
        // Names as the runtime wants them, made once: a decoder's step has dozens.
        private readonly Dictionary<string, nint> _inputNames = new(StringComparer.Ordinal);
        private readonly Dictionary<string, nint> _outputNames = new(StringComparer.Ordinal);

        public SessionHandle(SessionOptions? options, PrePackedWeightsContainer? weights, Func<nint, nint, nint, nint> create)
            : base(NativeKind.Session)
        {
            using var environment = new Lease(OrtEnv.Instance());
            using var own = options is null ? new SessionOptions() : null;
            options ??= own!;
            using var native = new Lease(options);
            if (weights is null)
            {
                Adopt(create(environment.Pointer, native.Pointer, 0));
            }
            else
            {
                using var container = new Lease(weights);
                Adopt(create(environment.Pointer, native.Pointer, container.Pointer));
                Keep(weights);
            }
            foreach (var initializer in options.Initializers)
            {
                Keep(initializer);
            }
        }

        public void AddName(string name, bool input) => (input ? _inputNames : _outputNames)[name] = Marshal.StringToCoTaskMemUTF8(name);

        public nint[] Names(IReadOnlyCollection<string> names, bool input)
        {
            var known = input ? _inputNames : _outputNames;
            var result = new nint[names.Count];
            var i = 0;
            foreach (var name in names)
            {
                result[i++] = known.TryGetValue(name, out var text)
                    ? text
                    : throw new OnnxRuntimeException(ErrorCode.InvalidArgument,
                        $"The model has no {(input ? "input" : "output")} '{name}'; it has {string.Join(", ", known.Keys)}.");
            }
            return result;
        }

        private protected override void Release(nint native) => Ort.Release(95, native);

        private protected override void ReleaseKept()
        {
            foreach (var text in _inputNames.Values.Concat(_outputNames.Values))
            {
                Marshal.FreeCoTaskMem(text);
            }
            base.ReleaseKept();
        }
    }
}
