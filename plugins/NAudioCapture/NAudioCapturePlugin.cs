using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Plugins;
using Microsoft.Extensions.DependencyInjection;

namespace AsrPlatform.NAudioCapture;

/// <summary>Registers the capture <c>naudio</c>.</summary>
public sealed class NAudioCapturePlugin : IPlugin
{
    /// <summary>The plugin's id, as in its manifest.</summary>
    public const string Id = "naudio-capture";

    /// <inheritdoc />
    public void ConfigureServices(PluginContext context, IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (!OperatingSystem.IsWindows())
        {
            throw new PluginUnavailableException("NAudio captures from Windows' sound system, and this is not Windows", "speak into the page of a host, or stream a file");
        }

        services.AddSingleton<IAudioCapture, WasapiMicrophones>();
    }
}
