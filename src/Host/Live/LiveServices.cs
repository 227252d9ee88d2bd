using System.Text.Json.Serialization;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Diagnostics;
using AsrPlatform.Host.Learning.Confidence;
using AsrPlatform.Host.Learning.Corrections;
using AsrPlatform.Host.Learning.Memory;
using AsrPlatform.Host.Learning.Registry;
using AsrPlatform.Host.Security;
using AsrPlatform.Host.Serving;
using AsrPlatform.Host.Settings;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Live;

/// <summary>Registers the live path.</summary>
internal static class LiveServices
{
    /// <summary>Adds sessions, the recogniser's host and the hub.</summary>
    public static IServiceCollection AddLive(this IServiceCollection services, RecognizerFactory model, IConfiguration configuration)
    {
        services.AddSettings<LiveOptions>(configuration, LiveOptions.Section);
        services.AddLimits(configuration);
        services.TryAddSingleton(TimeProvider.System);
        services.AddMetrics();
        services.AddSingleton<LiveMetrics>();
        services.AddSingleton<ServingMetrics>();
        services.AddSingleton(model);
        services.AddData(configuration);
        services.AddMemory(configuration);

        // Hosted services stop in the opposite order: sessions are flushed while there is a recogniser.
        services.AddSingleton(provider => provider.GetRequiredService<IOptions<LiveOptions>>().Value.Streaming());
        services.AddHosted<ModelHost>();
        services.AddAdapters();
        services.AddSingleton<ConfidenceStore>();
        services.AddHosted<ConfidenceUpdates>();
        services.TryAddSingleton<VoiceActivityModel>();
        services.TryAddSingleton<VoiceActivityDetectorFactory>(static provider => provider.GetRequiredService<VoiceActivityModel>().Create);
        services.AddHosted<LiveSessionStore>();
        services.AddHostedService<AdapterEvents>();
        services.AddHostedService<NativeHeapUpkeep>();
        services.AddCorrections(configuration);

        services.AddOptions<HubOptions>().Configure<IOptions<LimitOptions>>(static (hub, limits) => hub.MaximumReceiveMessageSize = limits.Value.HubMessageBytes);
        services
            .AddSignalR(options =>
            {
                // EndSession takes as long as the last decoding: other calls of the connection need not wait for it.
                options.MaximumParallelInvocationsPerClient = 4;

                // What a client does wrong it is told; errors of the host itself reach no client (RoleFilter and the hub see to that).
                options.EnableDetailedErrors = true;
                options.AddFilter<RoleFilter>();
            })
            .AddJsonProtocol(options => options.PayloadSerializerOptions.NumberHandling = JsonNumberHandling.Strict);
        return services;
    }

    /// <summary>Maps the hub. Its methods say themselves who may call them.</summary>
    public static void MapLive(this WebApplication app) => app.MapHub<CaptionHub>(CaptionHub.Route).RequireRole(Role.Viewer);
}
