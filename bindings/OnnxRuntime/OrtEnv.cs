using AsrPlatform.OnnxRuntime.Diagnostics;
using AsrPlatform.OnnxRuntime.Interop;

namespace AsrPlatform.OnnxRuntime;

/// <summary>The runtime's one environment, which everything else needs: made at its first use, released never.</summary>
/// <remarks>Thread-safe.</remarks>
public sealed class OrtEnv : NativeObject
{
    private static readonly Lazy<OrtEnv> Singleton = new(() => new OrtEnv(), LazyThreadSafetyMode.PublicationOnly);
    private static readonly Lock Gate = new();

    private OrtEnv()
        : base(NativeKind.Environment)
    {
        // The runtime keeps one environment however often it is asked; the lock keeps the count of ours at one.
        Adopt(Ort.CreateEnvironment(OrtLoggingLevel.ORT_LOGGING_LEVEL_WARNING, "asr"));
    }

    /// <summary>Whether anything asked for the environment yet.</summary>
    public static bool IsCreated => Singleton.IsValueCreated;

    /// <summary>The environment.</summary>
    /// <exception cref="DllNotFoundException">ONNX Runtime is missing; the message says what to do.</exception>
    public static OrtEnv Instance()
    {
        lock (Gate)
        {
            return Singleton.Value;
        }
    }

    /// <summary>The runtime's version, such as <c>1.30.0</c>.</summary>
    public string GetVersionString() => OrtLibrary.Version!;

    /// <summary>The execution providers that this build of the runtime has, by its names (<c>CPUExecutionProvider</c>, <c>CUDAExecutionProvider</c> …).</summary>
    public string[] GetAvailableProviders() => Ort.AvailableProviders();

    /// <summary>Switches off what builds for Windows report to Microsoft.</summary>
    public void DisableTelemetryEvents()
    {
        using var self = new Lease(this);
        Ort.Call(6, self.Pointer);
    }

    private protected override void Release(nint native) => Ort.Release(92, native);
}
