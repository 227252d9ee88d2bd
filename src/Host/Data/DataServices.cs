using AsrPlatform.Host.Settings;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace AsrPlatform.Host.Data;

/// <summary>Registers what is kept on disk.</summary>
internal static class DataServices
{
    /// <summary>Adds the data folder (opened when the host starts, closed when it is disposed) and what it holds.</summary>
    public static IServiceCollection AddData(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSettings<DataOptions>(configuration, DataOptions.Section);
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(provider => configuration[DataOptions.DirectoryKey] is { Length: > 0 } directory
            ? DataFolder.Open(directory, provider.GetRequiredService<TimeProvider>())
            : DataFolder.OpenTemporary(provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<SessionArchive>();
        services.AddHosted<DatabaseChanges>();
        return services;
    }
}
