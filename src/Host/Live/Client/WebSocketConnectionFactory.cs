using System.IO.Pipelines;
using System.Net;
using System.Net.WebSockets;
using AsrPlatform.Abstractions;
using Microsoft.AspNetCore.Connections;

namespace AsrPlatform.Host.Live.Client;

/// <summary>Dials a hub over a WebSocket, without SignalR's negotiation: the HTTP connection package that would do it is not a dependency.</summary>
internal sealed class WebSocketConnectionFactory(string? apiKey = null) : IConnectionFactory
{
    /// <summary>Connects to a <see cref="UriEndPoint"/> with a <c>ws</c> or <c>wss</c> address.</summary>
    /// <exception cref="AsrException">Nobody answers there, or whoever does is no such hub.</exception>
    public async ValueTask<ConnectionContext> ConnectAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
    {
        var address = ((UriEndPoint)endpoint).Uri;
        var socket = new ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        if (apiKey is { Length: > 0 })
        {
            socket.Options.SetRequestHeader("Authorization", $"Bearer {apiKey}");
        }

        try
        {
            await socket.ConnectAsync(address, cancellationToken);
        }
        catch (WebSocketException error)
        {
            var status = socket.HttpStatusCode;
            socket.Dispose();
            throw new AsrException(
                status switch
                {
                    HttpStatusCode.Unauthorized => $"{address} asks for an API key{(apiKey is { Length: > 0 } ? ": the one given is not good there" : ": give one in ASR_API_KEY")}",
                    HttpStatusCode.Forbidden => $"{address} does not let this caller in: the key's role is too low, or there is no key and the host answers its own machine alone",
                    HttpStatusCode.TooManyRequests => $"{address} was asked too often: try again in a minute",
                    _ => $"no captions at {address}: {error.Message}",
                },
                error);
        }

        return new WebSocketConnection(socket);
    }

    /// <summary>Carries bytes between a pipe and a socket until either side ends.</summary>
    private sealed class WebSocketConnection : DefaultConnectionContext
    {
        private readonly WebSocket _socket;
        private readonly IDuplexPipe _pumped;
        private readonly CancellationTokenSource _stop = new();
        private readonly Task _pumping;

        public WebSocketConnection(WebSocket socket)
            : base(Guid.NewGuid().ToString("N"))
        {
            _socket = socket;
            (Transport, _pumped) = DuplexPipe.CreatePair();
            Application = _pumped;
            _pumping = Task.WhenAll(ReceiveAsync(), SendAsync());
        }

        public override async ValueTask DisposeAsync()
        {
            await Transport.Output.CompleteAsync();
            await Transport.Input.CompleteAsync();
            await _stop.CancelAsync();
            await _pumping;
            _socket.Dispose();
            _stop.Dispose();
            await base.DisposeAsync();
        }

        private async Task ReceiveAsync()
        {
            Exception? failure = null;
            try
            {
                while (true)
                {
                    var received = await _socket.ReceiveAsync(_pumped.Output.GetMemory(4096), _stop.Token);
                    if (received.MessageType == WebSocketMessageType.Close)
                    {
                        break;
                    }

                    _pumped.Output.Advance(received.Count);
                    if ((await _pumped.Output.FlushAsync(_stop.Token)).IsCompleted)
                    {
                        break;
                    }
                }
            }
            catch (Exception error) when (error is WebSocketException or OperationCanceledException)
            {
                failure = error is WebSocketException ? error : null;
            }

            await _pumped.Output.CompleteAsync(failure);
        }

        private async Task SendAsync()
        {
            try
            {
                while (true)
                {
                    var read = await _pumped.Input.ReadAsync(_stop.Token);
                    var left = read.Buffer.Length;
                    foreach (var segment in read.Buffer)
                    {
                        // One message a write: a character's bytes may lie in two segments.
                        left -= segment.Length;
                        await _socket.SendAsync(segment, WebSocketMessageType.Text, endOfMessage: left == 0, _stop.Token);
                    }

                    _pumped.Input.AdvanceTo(read.Buffer.End);
                    if (read.IsCompleted)
                    {
                        break;
                    }
                }

                await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, _stop.Token);
            }
            catch (Exception error) when (error is WebSocketException or OperationCanceledException)
            {
                // The receiving side tells the client.
            }

            await _pumped.Input.CompleteAsync();
        }
    }
}
