using AsrPlatform.Abstractions.Plugins;
using Microsoft.Extensions.DependencyInjection;

namespace AsrPlatform.TestPlugins.ThrowsInConstructor;

public sealed class Plugin : IPlugin
{
    public Plugin() => throw new InvalidOperationException("no licence\nfor this machine");

    public void ConfigureServices(PluginContext context, IServiceCollection services)
    {
    }
}
