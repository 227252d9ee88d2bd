using System.Globalization;
using System.Runtime.InteropServices;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Abstractions.Plugins;
using AsrPlatform.OnnxBackend.Fast;
using AsrPlatform.OnnxBackend.VoiceActivity;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace AsrPlatform.OnnxBackend;

/// <summary>Registers the backend <c>onnx</c>, for models and for voice detectors.</summary>
public sealed partial class OnnxBackendPlugin : IPlugin
{
    /// <summary>The plugin's id, as in its manifest.</summary>
    public const string Id = "onnx-backend";

    /// <inheritdoc />
    public void ConfigureServices(PluginContext context, IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(context);
        RequireRuntime(() => OrtEnv.Instance().DisableTelemetryEvents());
        services.AddSingleton<ISeq2SeqBackend>(new OrtBackend(context.Configuration.Get<OnnxBackendOptions>() ?? new OnnxBackendOptions()));
        services.AddSingleton<IVoiceActivityBackend>(new SileroBackend());
        services.AddSingleton<IPluginDiagnostics, RuntimeDiagnostics>();
        AddBindingDiagnostics(services);
    }

    /// <summary>Adds what a binding can say of itself, where it can.</summary>
    static partial void AddBindingDiagnostics(IServiceCollection services);

    /// <summary>Loads ONNX Runtime, so that a missing library is known at the start and not in the middle of a caption.</summary>
    /// <param name="probe">Uses it.</param>
    /// <exception cref="PluginUnavailableException">It cannot be loaded.</exception>
    internal static void RequireRuntime(Action probe)
    {
        try
        {
            probe();
        }
        catch (Exception error) when (Missing(error) is { } cause)
        {
            throw new PluginUnavailableException($"ONNX Runtime cannot be used: {OneLine(cause.Message)}", Remedy, error);
        }
    }

    private static string Remedy =>
        OperatingSystem.IsWindows()
            ? "build with -p:OnnxBinding=OnnxRuntime, which brings the package Microsoft.ML.OnnxRuntime.Gpu"
            : "run eng/onnxruntime.sh (it needs npm) and build again, or set ASR_ONNXRUNTIME_DIR to the folder of another ONNX Runtime";

    /// <summary>The error that says what is missing, in what a binding throws when it cannot load its native library; else null.</summary>
    private static Exception? Missing(Exception error)
    {
        for (var cause = error; cause is not null; cause = cause.InnerException)
        {
            if (cause is DllNotFoundException or BadImageFormatException or EntryPointNotFoundException or FileNotFoundException or NotSupportedException)
            {
                return cause;
            }
        }

        return error is TypeInitializationException or ExternalException ? error : null;
    }

    private static string OneLine(string message) => string.Join(' ', message.Split((char[])['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));

    /// <summary>Which ONNX Runtime was found, for <c>asr doctor</c>.</summary>
    private sealed class RuntimeDiagnostics : IPluginDiagnostics
    {
        /// <inheritdoc />
        public IEnumerable<DiagnosticItem> Describe()
        {
            var runtime = OrtEnv.Instance();
            yield return new DiagnosticItem("ONNX Runtime", runtime.GetVersionString());
            yield return new DiagnosticItem("execution providers", string.Join(", ", runtime.GetAvailableProviders()));
            yield return new DiagnosticItem("encoder's attention", OwnAttention.Missing is { } why ? $"ONNX Runtime's: {why}" : "own, in bytes and bfloat16");
            yield return new DiagnosticItem("threads", string.Create(CultureInfo.InvariantCulture, $"{OrtBackend.ThreadsFor(0)} of a session, unless --threads says more"));
        }
    }
}
