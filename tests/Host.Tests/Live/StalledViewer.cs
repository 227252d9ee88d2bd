using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Host.Live;

namespace AsrPlatform.Host.Tests.Live;

/// <summary>A viewer that asks for captions and then reads nothing from its socket, until it is told to.</summary>
internal sealed class StalledViewer : IDisposable
{
    private const char Separator = '\u001e';
    private const int ReceiveBuffer = 4096;

    private readonly Uri _address;
    private readonly string _session;
    private readonly List<CaptionUpdate> _seen = [];
    private ClientWebSocket? _socket;

    private StalledViewer(Uri host, string session)
    {
        _address = new UriBuilder(new Uri(host, CaptionHub.Route)) { Scheme = "ws" }.Uri;
        _session = session;
    }

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public static async Task<StalledViewer> WatchAsync(Uri host, string session)
    {
        var viewer = new StalledViewer(host, session);
        await viewer.AskAsync();
        return viewer;
    }

    /// <summary>
    /// Reads to the end of the captions; where the host has hung up on it meanwhile, it comes back, as clients do, and goes on after what it
    /// has. What it saw, in order.
    /// </summary>
    public async Task<IReadOnlyList<CaptionUpdate>> CatchUpAsync()
    {
        while (!await ReadAsync())
        {
            _socket?.Dispose();
            await AskAsync();
        }

        return _seen;
    }

    public void Dispose() => _socket?.Dispose();

    private async Task AskAsync()
    {
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = static async (context, cancellationToken) =>
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveBufferSize = ReceiveBuffer };
                await socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
        _socket = new ClientWebSocket();
        using var invoker = new HttpMessageInvoker(handler);
        await _socket.ConnectAsync(_address, invoker, Cancelled);
        await SendAsync("""{"protocol":"json","version":1}""");
        var after = _seen.Count > 0 ? _seen[^1].Sequence : 0;
        await SendAsync(JsonSerializer.Serialize(new { type = 4, invocationId = "1", target = "WatchCaptions", arguments = new object[] { _session, after } }));
    }

    private Task SendAsync(string message) =>
        _socket!.SendAsync(Encoding.UTF8.GetBytes(message + Separator), WebSocketMessageType.Text, endOfMessage: true, Cancelled);

    /// <summary>Reads until the stream of captions completes; false when the connection ends before.</summary>
    private async Task<bool> ReadAsync()
    {
        var buffer = new byte[16 * 1024];
        using var message = new MemoryStream();
        while (true)
        {
            ValueWebSocketReceiveResult part;
            try
            {
                part = await _socket!.ReceiveAsync(buffer.AsMemory(), Cancelled);
            }
            catch (WebSocketException)
            {
                return false;
            }

            if (part.MessageType == WebSocketMessageType.Close)
            {
                return false;
            }

            foreach (var one in buffer.AsSpan(0, part.Count))
            {
                if (one != Separator)
                {
                    message.WriteByte(one);
                    continue;
                }

                using var json = JsonDocument.Parse(message.ToArray());
                message.SetLength(0);
                switch (json.RootElement.TryGetProperty("type", out var type) ? type.GetInt32() : 0)
                {
                    case 2:
                        _seen.Add(json.RootElement.GetProperty("item").Deserialize<CaptionUpdate>(JsonSerializerOptions.Web)!);
                        break;
                    case 3:
                        Assert.False(json.RootElement.TryGetProperty("error", out var error), error.ToString());
                        return true;
                    case 7:
                        return false;
                    default:
                        break;
                }
            }
        }
    }
}
