using System.Net.WebSockets;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Security;
using AsrPlatform.Host.Serving;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Api.OpenAi.Realtime;

/// <summary>The WebSocket <c>/v1/realtime</c>: OpenAI's Realtime API for transcription.</summary>
internal sealed class RealtimeEndpoint(
    ModelHost model,
    LiveSessionStore sessions,
    VoiceActivityDetectorFactory detectors,
    IOptions<LiveOptions> live,
    IOptions<OpenAiOptions> options,
    SessionQuota quota,
    IOptions<LimitOptions> limits,
    TimeProvider time,
    IHostApplicationLifetime lifetime,
    ILogger<RealtimeConnection> logger)
{
    public const string Route = "/v1/realtime";

    /// <summary>Browsers cannot send headers with a WebSocket: OpenAI's clients put what they would hold into the subprotocols.</summary>
    private const string Protocol = "realtime";

    private const string BetaProtocol = "openai-beta.realtime-v1";

    /// <summary>Answers a client, for as long as it stays.</summary>
    public async Task HandleAsync(HttpContext context)
    {
        RealtimeContext work;
        var name = context.Request.Query["model"].FirstOrDefault();
        try
        {
            if (!context.WebSockets.IsWebSocketRequest)
            {
                throw OpenAiException.Invalid($"{Route} is a WebSocket: connect with ws:// or wss://.", code: "websocket_required");
            }

            if (context.Request.Query["intent"].FirstOrDefault() is { } intent and not "transcription")
            {
                throw OpenAiException.Invalid($"This host transcribes: intent is '{(intent.Length > 64 ? intent[..64] + "…" : intent)}', and must be transcription or left out.", "intent");
            }

            var (info, _) = await OpenAiModels.ResolveAsync(model, name, context.RequestAborted);
            work = new RealtimeContext(sessions, quota, Caller.Of(context)!, new AudioMeter(limits.Value, time), info, detectors, live.Value, options.Value);
        }
        catch (OpenAiException error)
        {
            await error.Error.ToResult(error.StatusCode).ExecuteAsync(context);
            return;
        }

        var protocols = context.WebSockets.WebSocketRequestedProtocols;
        var isBeta = protocols.Contains(BetaProtocol) || context.Request.Headers["OpenAI-Beta"].Any(value => value?.Contains("realtime=v1", StringComparison.Ordinal) == true);
        using var socket = await context.WebSockets.AcceptWebSocketAsync(protocols.Contains(Protocol) ? Protocol : null);
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifetime.ApplicationStopping);
        await using (var connection = new RealtimeConnection(socket, name, isBeta, model, work, logger, gone.Token))
        {
            await connection.RunAsync();
        }

        await CloseAsync(socket);
    }

    private async Task CloseAsync(WebSocket socket)
    {
        if (socket.State is not (WebSocketState.Open or WebSocketState.CloseReceived))
        {
            return;
        }

        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        try
        {
            var status = lifetime.ApplicationStopping.IsCancellationRequested ? WebSocketCloseStatus.EndpointUnavailable : WebSocketCloseStatus.NormalClosure;
            await socket.CloseOutputAsync(status, null, patience.Token);
        }
        catch (Exception error) when (error is WebSocketException or OperationCanceledException)
        {
            // It was quicker.
        }
    }
}
