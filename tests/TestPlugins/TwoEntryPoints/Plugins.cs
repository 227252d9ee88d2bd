using AsrPlatform.Abstractions.Plugins;
using Microsoft.Extensions.DependencyInjection;

namespace AsrPlatform.TestPlugins.TwoEntryPoints;

public sealed class First : IPlugin
{
    public void ConfigureServices(PluginContext context, IServiceCollection services)
    {
    }
}

public sealed class Second : IPlugin
{
    public void ConfigureServices(PluginContext context, IServiceCollection services)
    {
    }
}
