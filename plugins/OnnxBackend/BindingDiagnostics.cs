using AsrPlatform.Abstractions.Plugins;
using AsrPlatform.OnnxRuntime.Diagnostics;
using Microsoft.Extensions.DependencyInjection;

namespace AsrPlatform.OnnxBackend;

/// <summary>Where ONNX Runtime's library was found, for <c>asr doctor</c>. Compiled with our own binding alone: the package tells none of it.</summary>
internal sealed class BindingDiagnostics : IPluginDiagnostics
{
    /// <inheritdoc />
    public IEnumerable<DiagnosticItem> Describe()
    {
        yield return new DiagnosticItem("library", OnnxRuntimeLibrary.Path);
    }
}

/// <content>The diagnosis of our own binding.</content>
public sealed partial class OnnxBackendPlugin
{
    static partial void AddBindingDiagnostics(IServiceCollection services) => services.AddSingleton<IPluginDiagnostics, BindingDiagnostics>();
}
