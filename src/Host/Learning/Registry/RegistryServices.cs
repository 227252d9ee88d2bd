using AsrPlatform.Host.Learning.Gate;
using AsrPlatform.Host.Settings;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace AsrPlatform.Host.Learning.Registry;

/// <summary>Registers the adapters' versions and what follows them.</summary>
internal static class RegistryServices
{
    public static IServiceCollection AddAdapters(this IServiceCollection services)
    {
        services.TryAddSingleton(new ServedModel());
        services.AddSingleton<AdapterRegistry>();
        services.TryAddSingleton<WatchRule>(static (before, after) => ProvisionalWatch.Decide(before, after));
        services.AddSingleton<AdapterWatch>();
        services.AddHosted<ActiveAdapters>();
        return services;
    }
}
