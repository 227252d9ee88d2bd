using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Api.OpenAi.Realtime;
using AsrPlatform.Host.Security;
using AsrPlatform.Host.Serving;
using AsrPlatform.Host.Settings;
using Microsoft.Extensions.AI;

namespace AsrPlatform.Host.Api.OpenAi;

/// <summary>Registers the API that OpenAI's clients speak.</summary>
internal static class OpenAiServices
{
    /// <summary>A peer that does not answer a ping for this long is gone.</summary>
    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(20);

    /// <summary>Adds the endpoints' services and <see cref="ISpeechToTextClient"/>. Wants the live services too.</summary>
    public static IServiceCollection AddOpenAi(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSettings<OpenAiOptions>(configuration, OpenAiOptions.Section);
        services.Configure<WebSocketOptions>(options =>
        {
            options.KeepAliveInterval = KeepAlive;
            options.KeepAliveTimeout = KeepAlive;
        });
        services.AddSingleton<FileTranscriber>();
        services.AddSingleton<AudioEndpoints>();
        services.AddSingleton<RealtimeEndpoint>();
        services.AddSingleton<ISpeechToTextClient, PlatformSpeechToTextClient>();
        return services;
    }

    /// <summary>Maps everything under <c>/v1</c>.</summary>
    public static void MapOpenAi(this WebApplication app)
    {
        app.UseWhen(context => context.Request.Path == RealtimeEndpoint.Route, static realtime => realtime.UseWebSockets());
        app.MapPost("/v1/audio/transcriptions", (HttpContext context, AudioEndpoints audio) => audio.HandleAsync(context, TranscriptionTask.Transcribe)).RequireRole(Role.Speaker);
        app.MapPost("/v1/audio/translations", (HttpContext context, AudioEndpoints audio) => audio.HandleAsync(context, TranscriptionTask.Translate)).RequireRole(Role.Speaker);
        app.MapGet("/v1/models", (ModelHost model) => OpenAiModels.List(model)).RequireRole(Role.Viewer);
        app.MapGet("/v1/models/{**id}", (string id, ModelHost model) => OpenAiModels.Get(id, model)).RequireRole(Role.Viewer);
        app.MapGet(RealtimeEndpoint.Route, (HttpContext context, RealtimeEndpoint realtime) => realtime.HandleAsync(context)).RequireRole(Role.Speaker);
        app.MapFallback("/v1/{**path}", (HttpContext context) => new OpenAiError(
            $"There is no {context.Request.Method} {context.Request.Path}.",
            OpenAiErrorTypes.InvalidRequest,
            Code: "unknown_url").ToResult(StatusCodes.Status404NotFound)).RequireRole(Role.Viewer);
    }
}
