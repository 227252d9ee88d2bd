using AsrPlatform.OnnxRuntime.Diagnostics;
using AsrPlatform.OnnxRuntime.Interop;

namespace AsrPlatform.OnnxRuntime;

/// <summary>The runtime's one environment, which everything else needs: there from the first use of the library to the end of the process.</summary>
/// <remarks>Thread-safe.</remarks>
public sealed class OrtEnv : NativeObject
{
    private static readonly Lazy<OrtEnv> Singleton = new(() => new OrtEnv(OrtLibrary.Environment));

    private OrtEnv(nint native)
        : base(NativeKind.Environment, owns: false) => Adopt(native);

    /// <summary>Whether anything used the library yet.</summary>
    public static bool IsCreated => OrtLibrary.Environment != 0;

    /// <summary>The environment.</summary>
    /// <exception cref="DllNotFoundException">ONNX Runtime is missing; the message says what to do.</exception>
    public static OrtEnv Instance()
    {
        OrtLibrary.EnsureLoaded();
        return Singleton.Value;
    }

    /// <summary>The runtime's version, such as <c>1.30.0</c>.</summary>
    public string GetVersionString() => OrtLibrary.Version!;

    /// <summary>
    /// The execution providers that this build of the runtime knows, by its names (<c>CPUExecutionProvider</c>, <c>CUDAExecutionProvider</c> …).
    /// Whether one can be used shows when it is appended: its own libraries may be missing.
    /// </summary>
    public string[] GetAvailableProviders() => Ort.AvailableProviders();

    /// <summary>Switches off what the runtime reports to Microsoft from here on.</summary>
    /// <remarks>
    /// Not what it has reported by then, the start of the process among it: on Linux and macOS, <c>ORT_DISABLE_TELEMETRY=1</c> in the environment
    /// before the library is loaded switches off all of it (tried with 1.30.0; its packages report since 1.29).
    /// </remarks>
    public void DisableTelemetryEvents()
    {
        using var self = new Lease(this);
        Ort.Call(6, self.Pointer);
    }

    private protected override void Release(nint native) => throw new InvalidOperationException("The environment is not owned.");
}
