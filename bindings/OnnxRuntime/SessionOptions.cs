using AsrPlatform.OnnxRuntime.Diagnostics;
using AsrPlatform.OnnxRuntime.Interop;

namespace AsrPlatform.OnnxRuntime;

/// <summary>How sessions are to be made. They keep a copy: changing the options later does not change them.</summary>
/// <remarks>Not thread-safe while it is changed; several sessions may be made with it at once.</remarks>
public sealed class SessionOptions : NativeObject
{
    private readonly List<NativeObject> _initializers = [];
    private bool _enableMemoryPattern = true;
    private bool _enableCpuMemArena = true;
    private bool _enableProfiling;
    private string _optimizedModelFilePath = "";
    private string _logId = "";
    private OrtLoggingLevel _logSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_WARNING;
    private int _logVerbosityLevel;
    private int _intraOpNumThreads;
    private int _interOpNumThreads;
    private GraphOptimizationLevel _graphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL;
    private ExecutionMode _executionMode = ExecutionMode.ORT_SEQUENTIAL;

    /// <exception cref="DllNotFoundException">ONNX Runtime is missing; the message says what to do.</exception>
    public SessionOptions()
        : base(NativeKind.SessionOptions) => Adopt(Ort.Create(10));

    /// <summary>Whether the memory of a run is planned from the runs before it with inputs of the same shapes. Default: true.</summary>
    public bool EnableMemoryPattern
    {
        get => _enableMemoryPattern;
        set => Set(value ? 16 : 17, value, ref _enableMemoryPattern);
    }

    /// <summary>Whether freed processor memory is kept for later runs. Default: true.</summary>
    public bool EnableCpuMemArena
    {
        get => _enableCpuMemArena;
        set => Set(value ? 18 : 19, value, ref _enableCpuMemArena);
    }

    /// <summary>What the name of the file begins with that <see cref="EnableProfiling"/> writes. To be set before it.</summary>
    public string ProfileOutputPathPrefix { get; set; } = "onnxruntime_profile_";

    /// <summary>Whether each operation's time is written down, until <see cref="InferenceSession.EndProfiling"/>. Default: false.</summary>
    public bool EnableProfiling
    {
        get => _enableProfiling;
        set
        {
            using var self = new Lease(this);
            if (value)
            {
                Ort.CallWithPath(14, self.Pointer, ProfileOutputPathPrefix);
            }
            else
            {
                Ort.Call(15, self.Pointer);
            }
            _enableProfiling = value;
        }
    }

    /// <summary>Where the rewritten graph is saved; nowhere by default.</summary>
    public string OptimizedModelFilePath
    {
        get => _optimizedModelFilePath;
        set
        {
            using var self = new Lease(this);
            Ort.CallWithPath(11, self.Pointer, value);
            _optimizedModelFilePath = value;
        }
    }

    /// <summary>What marks the messages of sessions. Default: nothing.</summary>
    public string LogId
    {
        get => _logId;
        set
        {
            using var self = new Lease(this);
            Ort.Call(20, self.Pointer, value);
            _logId = value;
        }
    }

    /// <summary>The least severe messages of sessions that are written to stderr. Default: warnings.</summary>
    public OrtLoggingLevel LogSeverityLevel
    {
        get => _logSeverityLevel;
        set => Set(22, (int)value, value, ref _logSeverityLevel);
    }

    /// <summary>How much there is of the most verbose messages. Default: 0.</summary>
    public int LogVerbosityLevel
    {
        get => _logVerbosityLevel;
        set => Set(21, value, value, ref _logVerbosityLevel);
    }

    /// <summary>Threads that share an operation; 0, the default: one for each core.</summary>
    public int IntraOpNumThreads
    {
        get => _intraOpNumThreads;
        set => Set(24, value, value, ref _intraOpNumThreads);
    }

    /// <summary>Threads that run branches of the graph beside each other (<see cref="ExecutionMode.ORT_PARALLEL"/>); 0, the default: one for each core.</summary>
    public int InterOpNumThreads
    {
        get => _interOpNumThreads;
        set => Set(25, value, value, ref _interOpNumThreads);
    }

    /// <summary>How much the graph is rewritten. Default: all there is.</summary>
    public GraphOptimizationLevel GraphOptimizationLevel
    {
        get => _graphOptimizationLevel;
        set => Set(23, (int)value, value, ref _graphOptimizationLevel);
    }

    /// <summary>Whether branches of the graph run beside each other. Default: one after the other.</summary>
    public ExecutionMode ExecutionMode
    {
        get => _executionMode;
        set => Set(13, (int)value, value, ref _executionMode);
    }

    internal IReadOnlyList<NativeObject> Initializers => _initializers;

    /// <summary>Sets an option by the runtime's name, such as <c>session.intra_op.allow_spinning</c>.</summary>
    public void AddSessionConfigEntry(string configKey, string configValue)
    {
        using var self = new Lease(this);
        Ort.Call(130, self.Pointer, configKey, configValue);
    }

    /// <summary>Loads a library and lets its function <c>RegisterCustomOps</c> add operators for sessions.</summary>
    /// <param name="libraryPath">The library, as the system's loader finds it.</param>
    /// <param name="libraryHandle">The loaded library; the caller may free it when no session uses its operators any more.</param>
    /// <exception cref="OnnxRuntimeException">It does not load, or has no such function.</exception>
    public void RegisterCustomOpLibraryV2(string libraryPath, out nint libraryHandle)
    {
        using var self = new Lease(this);
        libraryHandle = Ort.RegisterOperators(self.Pointer, libraryPath);
    }

    /// <summary>Fixes a dimension that the graph leaves open, by what it denotes there.</summary>
    public void AddFreeDimensionOverride(string dimDenotation, long dimValue)
    {
        using var self = new Lease(this);
        Ort.Call(79, self.Pointer, dimDenotation, dimValue);
    }

    /// <summary>Fixes a dimension that the graph leaves open, by its name there.</summary>
    public void AddFreeDimensionOverrideByName(string dimName, long dimValue)
    {
        using var self = new Lease(this);
        Ort.Call(124, self.Pointer, dimName, dimValue);
    }

    /// <summary>
    /// Gives sessions a weight instead of the one of that name in the file. The value must lie over the caller's memory; the options and
    /// the sessions keep it alive, not the memory.
    /// </summary>
    public void AddInitializer(string name, OrtValue ortValue)
    {
        ArgumentNullException.ThrowIfNull(ortValue);
        using var self = new Lease(this);
        using var value = new Lease(ortValue.Native);
        Ort.Call(150, self.Pointer, name, value.Pointer);
        Keep(ortValue.Native);
        _initializers.Add(ortValue.Native);
    }

    /// <summary>Adds an execution provider. Those that were added first are preferred; the processor's is always there, last.</summary>
    /// <param name="providerName">The runtime's short name, such as <c>XNNPACK</c>, <c>QNN</c> or <c>WebGPU</c>.</param>
    /// <param name="providerOptions">The provider's options.</param>
    /// <exception cref="OnnxRuntimeException">This build of the runtime does not have it.</exception>
    public void AppendExecutionProvider(string providerName, Dictionary<string, string>? providerOptions = null)
    {
        using var self = new Lease(this);
        Ort.AppendProvider(self.Pointer, providerName, providerOptions ?? []);
    }

    /// <summary>Adds the CUDA execution provider.</summary>
    /// <exception cref="OnnxRuntimeException">This build of the runtime does not have it, or CUDA's own libraries are missing.</exception>
    public void AppendExecutionProvider_CUDA(OrtCUDAProviderOptions cudaProviderOptions)
    {
        using var self = new Lease(this);
        using var options = new Lease(cudaProviderOptions);
        Ort.Call(204, self.Pointer, options.Pointer);
    }

    /// <summary>Adds the CUDA execution provider with its default options.</summary>
    /// <inheritdoc cref="AppendExecutionProvider_CUDA(OrtCUDAProviderOptions)" />
    public void AppendExecutionProvider_CUDA(int deviceId = 0)
    {
        using var options = new OrtCUDAProviderOptions();
        options.UpdateOptions(new Dictionary<string, string> { ["device_id"] = deviceId.ToString(System.Globalization.CultureInfo.InvariantCulture) });
        AppendExecutionProvider_CUDA(options);
    }

    private void Set(int position, bool value, ref bool field)
    {
        using var self = new Lease(this);
        Ort.Call(position, self.Pointer);
        field = value;
    }

    private void Set<T>(int position, int native, T value, ref T field)
    {
        using var self = new Lease(this);
        Ort.Call(position, self.Pointer, native);
        field = value;
    }

    private protected override void Release(nint native) => Ort.Release(100, native);
}
