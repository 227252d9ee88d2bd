using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace AsrPlatform.Abstractions.Plugins;

/// <summary>The entry point of a plugin: the one public class of its assembly that implements this, with a constructor without parameters.</summary>
public interface IPlugin
{
    /// <summary>Registers what the manifest's kinds promise (see <see cref="PluginKinds"/>) in the plugin's own service provider.</summary>
    /// <remarks>Called once, at the host's start. Whatever it throws makes the plugin unavailable, with the message as the reason; the host goes on.</remarks>
    /// <exception cref="PluginUnavailableException">Something that the plugin needs is missing on this machine.</exception>
    void ConfigureServices(PluginContext context, IServiceCollection services);
}

/// <summary>What the host tells a plugin.</summary>
/// <param name="Manifest">Its manifest.</param>
/// <param name="Directory">Its folder, an absolute path.</param>
/// <param name="Configuration">The section <c>Plugins:&lt;id&gt;</c>.</param>
/// <param name="LoggerFactory">The host's loggers.</param>
public sealed record PluginContext(
    PluginManifest Manifest,
    string Directory,
    IConfiguration Configuration,
    ILoggerFactory LoggerFactory);

/// <summary>Thrown by a plugin that cannot work on this machine.</summary>
public class PluginUnavailableException : AsrException
{
    /// <summary>Creates the error.</summary>
    /// <param name="reason">What is missing.</param>
    /// <param name="remedy">The command or step that brings it, or null.</param>
    /// <param name="innerException">The cause, or null.</param>
    public PluginUnavailableException(string reason, string? remedy = null, Exception? innerException = null)
        : base(reason, innerException) => Remedy = remedy;

    /// <summary>The command or step that brings what is missing, or null.</summary>
    public string? Remedy { get; }
}
