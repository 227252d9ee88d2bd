using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Plugins;
using Microsoft.Extensions.DependencyInjection;

namespace AsrPlatform.LoraAdapter;

/// <summary>Registers the adapter family <c>lora</c>.</summary>
public sealed class LoraAdapterPlugin : IPlugin
{
    /// <summary>The plugin's id, as in its manifest.</summary>
    public const string Id = "lora-adapter";

    /// <inheritdoc />
    public void ConfigureServices(PluginContext context, IServiceCollection services)
    {
        ArgumentNullException.ThrowIfNull(context);
        services.AddSingleton<IAdapterProvider, LoraProvider>();
    }
}
