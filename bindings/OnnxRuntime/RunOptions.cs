using AsrPlatform.OnnxRuntime.Diagnostics;
using AsrPlatform.OnnxRuntime.Interop;

namespace AsrPlatform.OnnxRuntime;

/// <summary>How a run is to go, and the means to stop it.</summary>
/// <remarks>One object may serve several runs, also at once. <see cref="Terminate"/> may be set from any thread.</remarks>
public sealed class RunOptions : NativeObject
{
    private OrtLoggingLevel _logSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_WARNING;
    private string _logId = "";
    private volatile bool _terminate;

    public RunOptions()
        : base(NativeKind.RunOptions) => Adopt(Ort.Create(39));

    /// <summary>The least severe messages of runs that are written to stderr. Default: warnings.</summary>
    public OrtLoggingLevel LogSeverityLevel
    {
        get => _logSeverityLevel;
        set
        {
            using var self = new Lease(this);
            Ort.Call(41, self.Pointer, (int)value);
            _logSeverityLevel = value;
        }
    }

    /// <summary>What marks the messages of runs. Default: nothing.</summary>
    public string LogId
    {
        get => _logId;
        set
        {
            using var self = new Lease(this);
            Ort.Call(42, self.Pointer, value);
            _logId = value;
        }
    }

    /// <summary>
    /// Set to true, runs with these options end with an <see cref="OnnxRuntimeException"/> as soon as the operation that they compute is
    /// done, and others do not begin; set to false, they begin again.
    /// </summary>
    public bool Terminate
    {
        get => _terminate;
        set
        {
            using var self = new Lease(this);
            Ort.Call(value ? 46 : 47, self.Pointer);
            _terminate = value;
        }
    }

    /// <summary>Sets an option by the runtime's name, such as <c>memory.enable_memory_arena_shrinkage</c>.</summary>
    public void AddRunConfigEntry(string configKey, string configValue)
    {
        using var self = new Lease(this);
        Ort.Call(165, self.Pointer, configKey, configValue);
    }

    private protected override void Release(nint native) => Ort.Release(97, native);
}
