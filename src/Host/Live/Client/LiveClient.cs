using System.Net;
using System.Net.WebSockets;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Captions;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;

namespace AsrPlatform.Host.Live.Client;

/// <summary>A client of the caption hub, of this process or of another.</summary>
/// <remarks>Safe for concurrent calls. Errors that the host explains come as <see cref="AsrException"/> with its message.</remarks>
internal sealed class LiveClient : IAsyncDisposable
{
    /// <summary>The message of an <see cref="AsrException"/> after which another connection goes on.</summary>
    public const string ConnectionLost = "the connection to the host was lost";

    private readonly HubConnection _hub;

    private LiveClient(IConnectionFactory connections, EndPoint endpoint)
    {
        var builder = new HubConnectionBuilder();
        builder.Services.AddSingleton(connections);
        builder.Services.AddSingleton(endpoint);
        _hub = builder.Build();
    }

    /// <summary>Connects to a running host.</summary>
    /// <param name="host">Its address, such as <c>http://127.0.0.1:5080</c>.</param>
    /// <param name="cancellationToken">Stops connecting.</param>
    /// <param name="apiKey">The key of a host that asks for one.</param>
    /// <exception cref="AsrException">There is no host at that address, or it does not let the caller in.</exception>
    public static async Task<LiveClient> ConnectAsync(Uri host, CancellationToken cancellationToken, string? apiKey = null)
    {
        var address = new UriBuilder(new Uri(host, CaptionHub.Route)) { Scheme = host.Scheme == Uri.UriSchemeHttps ? "wss" : "ws" };
        var client = new LiveClient(new WebSocketConnectionFactory(apiKey), new UriEndPoint(address.Uri));
        await client.StartAsync(cancellationToken);
        return client;
    }

    /// <summary>Connects to the hub of an application in this process, which need not listen on any port.</summary>
    public static async Task<LiveClient> ConnectAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        var hub = services.GetRequiredService<HubConnectionHandler<CaptionHub>>();
        return await ConnectAsync(new InProcessConnectionFactory(hub), cancellationToken);
    }

    /// <summary>Connects through a connection of this process.</summary>
    internal static async Task<LiveClient> ConnectAsync(IConnectionFactory connections, CancellationToken cancellationToken)
    {
        var client = new LiveClient(connections, new DnsEndPoint("in-process", 1));

        // Pings come from the server's transport, and here is none: silence is no sign of a dead peer. (There is no "never".)
        client._hub.ServerTimeout = TimeSpan.FromDays(20);
        await client.StartAsync(cancellationToken);
        return client;
    }

    /// <summary><c>StartSession</c>.</summary>
    public Task<SessionPosition> StartSessionAsync(StartSessionRequest request, CancellationToken cancellationToken) =>
        Explain(() => _hub.InvokeAsync<SessionPosition>(nameof(CaptionHub.StartSession), request, cancellationToken), cancellationToken);

    /// <summary><c>EndSession</c>.</summary>
    public Task<SessionPosition> EndSessionAsync(string sessionId, CancellationToken cancellationToken) =>
        Explain(() => _hub.InvokeAsync<SessionPosition>(nameof(CaptionHub.EndSession), sessionId, cancellationToken), cancellationToken);

    /// <summary><c>StreamAudio</c>: sends chunks (base64 of PCM16) until the channel ends; gives acknowledgements.</summary>
    public IAsyncEnumerable<AudioAcknowledgement> StreamAudioAsync(
        string sessionId,
        long offsetSamples,
        ChannelReader<string> chunks,
        CancellationToken cancellationToken) =>
        Explain(_hub.StreamAsync<AudioAcknowledgement>(nameof(CaptionHub.StreamAudio), sessionId, offsetSamples, chunks, cancellationToken), cancellationToken);

    /// <summary><c>WatchCaptions</c>.</summary>
    public IAsyncEnumerable<CaptionUpdate> WatchCaptionsAsync(string sessionId, long afterSequence, CancellationToken cancellationToken) =>
        Explain(_hub.StreamAsync<CaptionUpdate>(nameof(CaptionHub.WatchCaptions), sessionId, afterSequence, cancellationToken), cancellationToken);

    /// <summary><c>SubmitCorrection</c>.</summary>
    public Task<CaptionUpdate> SubmitCorrectionAsync(Abstractions.Corrections.Correction correction, CancellationToken cancellationToken) =>
        Explain(() => _hub.InvokeAsync<CaptionUpdate>(nameof(CaptionHub.SubmitCorrection), correction, cancellationToken), cancellationToken);

    /// <summary>Listens to <c>AdapterPromoted</c> until the returned is disposed.</summary>
    public IDisposable OnAdapterPromoted(Action<AdapterPromotion> told) => _hub.On(AdapterEvents.Name, told);

    public ValueTask DisposeAsync() => _hub.DisposeAsync();

    private async Task<T> Explain<T>(Func<Task<T>> call, CancellationToken cancellationToken)
    {
        try
        {
            return await call();
        }
        catch (Exception error) when (Explanation(error, cancellationToken) is { } explanation)
        {
            throw new AsrException(explanation, error);
        }
    }

    private async IAsyncEnumerable<T> Explain<T>(IAsyncEnumerable<T> items, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var enumerator = items.GetAsyncEnumerator(cancellationToken);
        while (true)
        {
            try
            {
                if (!await enumerator.MoveNextAsync())
                {
                    yield break;
                }
            }
            catch (Exception error) when (Explanation(error, cancellationToken) is { } explanation)
            {
                throw new AsrException(explanation, error);
            }

            yield return enumerator.Current;
        }
    }

    /// <summary>What to tell the user of an error; null when it is a defect, or the user's own cancelling.</summary>
    private string? Explanation(Exception error, CancellationToken cancellationToken)
    {
        if (error is HubException)
        {
            // SignalR puts a sentence of its own before the host's message.
            const string Marker = "HubException: ";
            var at = error.Message.IndexOf(Marker, StringComparison.Ordinal);
            return at < 0 ? error.Message : error.Message[(at + Marker.Length)..];
        }

        // A reset socket ends a stream a moment before the connection knows.
        return !cancellationToken.IsCancellationRequested && (_hub.State != HubConnectionState.Connected || error is WebSocketException)
            ? ConnectionLost
            : null;
    }

    private async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _hub.StartAsync(cancellationToken);
        }
        catch
        {
            await _hub.DisposeAsync();
            throw;
        }
    }
}
