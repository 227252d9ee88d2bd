using AsrPlatform.Host.Data;
using AsrPlatform.Host.Settings;

namespace AsrPlatform.Host.Learning.Corrections;

/// <summary>Registers the corrections of a host.</summary>
internal static class CorrectionServices
{
    /// <summary>Adds the store, the limit per author, and the screening.</summary>
    public static IServiceCollection AddCorrections(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSettings<CorrectionOptions>(configuration, CorrectionOptions.Section);
        services.AddSingleton(provider => provider.GetRequiredService<SessionArchive>().Corrections);
        services.AddSingleton<CorrectionLimiter>();
        services.AddHostedService<CorrectionScreening>();
        return services;
    }
}
