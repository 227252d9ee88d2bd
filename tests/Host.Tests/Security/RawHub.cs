using System.Net.WebSockets;
using AsrPlatform.Host.Tests.Api;

namespace AsrPlatform.Host.Tests.Security;

/// <summary>SignalR's JSON protocol by hand: what no client library would send.</summary>
internal sealed class RawHub : IAsyncDisposable
{
    private const byte Separator = 0x1e;

    private readonly ClientWebSocket _socket = new();
    private readonly List<byte> _received = [];

    public static async Task<RawHub> OpenAsync(Uri address)
    {
        var hub = new RawHub();
        await hub._socket.ConnectAsync(address, TestHost.Cancelled);
        await hub.SendAsync("""{"protocol":"json","version":1}""");
        Assert.Equal("{}", await hub.ReceiveAsync());
        return hub;
    }

    public Task SendAsync(string message) => SendAsync([.. System.Text.Encoding.UTF8.GetBytes(message), Separator]);

    public Task SendAsync(byte[] bytes) => _socket.SendAsync(bytes, WebSocketMessageType.Text, endOfMessage: true, TestHost.Cancelled);

    /// <summary>The next message that is no ping; null when the host has closed the connection.</summary>
    public async Task<string?> ReceiveAsync()
    {
        var buffer = new byte[4096];
        while (true)
        {
            if (_received.IndexOf(Separator) is >= 0 and var end)
            {
                var message = System.Text.Encoding.UTF8.GetString([.. _received.Take(end)]);
                _received.RemoveRange(0, end + 1);
                if (message == """{"type":6}""")
                {
                    continue;
                }

                return message;
            }

            var part = await _socket.ReceiveAsync(buffer, TestHost.Cancelled);
            if (part.MessageType == WebSocketMessageType.Close)
            {
                return null;
            }

            _received.AddRange(buffer.AsSpan(0, part.Count));
        }
    }

    public ValueTask DisposeAsync()
    {
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }
}
