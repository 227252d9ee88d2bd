using AsrPlatform.Host.Data;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Plugins;
using AsrPlatform.Host.Settings;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Learning.Rounds;

/// <summary>Registers rounds of learning.</summary>
internal static class LearningServices
{
    /// <summary>Adds the jobs and the worker. Where the served model is not known there are no rounds.</summary>
    public static IServiceCollection AddLearning(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSettings<LearningOptions>(configuration, LearningOptions.Section);
        services.AddSingleton<LearningJobs>();
        services.AddSingleton<LearningRounds>();
        services.TryAddSingleton<RoundProgram>(provider => RoundProcess.SameProgram(
            provider.GetRequiredService<IOptions<LearningOptions>>().Value,
            provider.GetRequiredService<DataFolder>().Directory,
            provider.GetRequiredService<PluginCatalog>().Directory));
        services.TryAddSingleton<LiveLoadMeter>(provider =>
        {
            var sessions = provider.GetRequiredService<LiveSessionStore>();
            return () =>
            {
                LiveSession[] active = [.. sessions.Sessions.Where(session => session.State == SessionState.Active)];
                return new LiveLoad(TimeSpan.FromSeconds(active.Select(session => session.LagSeconds).DefaultIfEmpty().Max()), active.Length);
            };
        });
        services.AddHosted<LearningWorker>();
        return services;
    }
}
