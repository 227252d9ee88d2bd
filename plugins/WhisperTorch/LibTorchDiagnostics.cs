using System.Globalization;
using AsrPlatform.Abstractions.Plugins;
using AsrPlatform.LibTorch.Diagnostics;
using Microsoft.Extensions.DependencyInjection;

namespace AsrPlatform.WhisperTorch;

/// <summary>What LibTorch was found and how it is set, for <c>asr doctor</c>. Compiled with our own binding alone: TorchSharp tells none of it.</summary>
internal sealed class LibTorchDiagnostics : IPluginDiagnostics
{
    /// <inheritdoc />
    public IEnumerable<DiagnosticItem> Describe()
    {
        yield return new DiagnosticItem("LibTorch", $"{LibTorchRuntime.Version} ({LibTorchRuntime.LibTorchPath ?? "path unknown"})");
        yield return new DiagnosticItem("shim", LibTorchRuntime.ShimPath);
        yield return new DiagnosticItem("oneDNN", LibTorchRuntime.OneDnnEnabled ? "on" : "off");
        yield return new DiagnosticItem("threads", get_num_threads().ToString(CultureInfo.InvariantCulture));
        if (LibTorchRuntime.EnvironmentSet is { Count: > 0 } set)
        {
            yield return new DiagnosticItem("set for native libraries", string.Join(' ', set));
        }
    }
}

/// <content>The diagnosis of our own binding.</content>
public sealed partial class WhisperTorchPlugin
{
    static partial void AddBindingDiagnostics(IServiceCollection services) => services.AddSingleton<IPluginDiagnostics, LibTorchDiagnostics>();
}
