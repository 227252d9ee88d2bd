using System.Text.Json.Serialization;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Serving;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Live;

/// <summary>Registers the live path.</summary>
internal static class LiveServices
{
    /// <summary>
    /// A chunk of 16 KiB is 21.8 KB in base64. Twice that lets a sender of larger ones be told so: beyond this limit SignalR can only
    /// drop the connection.
    /// </summary>
    private const int MaximumMessageBytes = 64 * 1024;

    /// <summary>Adds sessions, the recogniser's host and the hub.</summary>
    public static IServiceCollection AddLive(this IServiceCollection services, RecognizerFactory model, IConfiguration configuration)
    {
        services.AddOptions<LiveOptions>().Bind(configuration.GetSection(LiveOptions.Section)).ValidateOnStart();
        services.AddSingleton<IValidateOptions<LiveOptions>, LiveOptions>();
        services.TryAddSingleton(TimeProvider.System);
        services.AddMetrics();
        services.AddSingleton<LiveMetrics>();
        services.AddSingleton(model);
        services.AddData(configuration);

        // Hosted services stop in the opposite order: sessions are flushed while there is a recogniser.
        services.AddSingleton(provider => provider.GetRequiredService<IOptions<LiveOptions>>().Value.Streaming());
        services.AddSingleton<ModelHost>();
        services.AddHostedService(provider => provider.GetRequiredService<ModelHost>());
        services.TryAddSingleton<VoiceActivityDetectorFactory>(static sampleRateHz => new AdaptiveVoiceActivityDetector(sampleRateHz));
        services.AddSingleton<LiveSessionStore>();
        services.AddHostedService(provider => provider.GetRequiredService<LiveSessionStore>());

        services
            .AddSignalR(options =>
            {
                options.MaximumReceiveMessageSize = MaximumMessageBytes;

                // EndSession takes as long as the last decoding: other calls of the connection need not wait for it.
                options.MaximumParallelInvocationsPerClient = 4;
            })
            .AddJsonProtocol(options => options.PayloadSerializerOptions.NumberHandling = JsonNumberHandling.Strict);
        return services;
    }

    /// <summary>Maps the hub; pages of other origins than the host's own and <see cref="LiveOptions.AllowedOrigins"/> are refused.</summary>
    public static void MapLive(this WebApplication app)
    {
        var allowed = app.Services.GetRequiredService<IOptions<LiveOptions>>().Value.AllowedOrigins;
        app.Use((context, next) =>
        {
            // Browsers apply no same-origin rule to WebSockets: without this any page could drive a host on localhost.
            if ((context.Request.Path.StartsWithSegments("/hubs", StringComparison.OrdinalIgnoreCase)
                    || context.Request.Path.StartsWithSegments("/v1", StringComparison.OrdinalIgnoreCase))
                && context.Request.Headers.Origin.FirstOrDefault() is { } origin
                && !IsSameOrigin(origin, context.Request)
                && !allowed.Contains(origin, StringComparer.OrdinalIgnoreCase))
            {
                context.Response.StatusCode = StatusCodes.Status403Forbidden;
                return Task.CompletedTask;
            }

            return next(context);
        });
        app.MapHub<CaptionHub>(CaptionHub.Route);
    }

    private static bool IsSameOrigin(string origin, HttpRequest request) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var uri)
        && string.Equals(uri.Authority, request.Host.Value, StringComparison.OrdinalIgnoreCase);
}
