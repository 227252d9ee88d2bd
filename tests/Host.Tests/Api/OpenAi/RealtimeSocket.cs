using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace AsrPlatform.Host.Tests.Api.OpenAi;

/// <summary>A Realtime client that sends and reads raw events.</summary>
internal sealed class RealtimeSocket : IAsyncDisposable
{
    private readonly ClientWebSocket _socket = new();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public static async Task<RealtimeSocket> ConnectAsync(Uri url, string query = "intent=transcription", string? protocol = null, string? origin = null)
    {
        var client = new RealtimeSocket();
        if (protocol is not null)
        {
            client._socket.Options.AddSubProtocol(protocol);
        }

        if (origin is not null)
        {
            client._socket.Options.SetRequestHeader("Origin", origin);
        }

        try
        {
            await client._socket.ConnectAsync(new UriBuilder(url) { Scheme = "ws", Path = "/v1/realtime", Query = query }.Uri, Cancelled);
        }
        catch
        {
            client._socket.Dispose();
            throw;
        }

        return client;
    }

    public Task SendAsync(object data) => SendTextAsync(JsonSerializer.Serialize(data));

    public Task SendTextAsync(string text, WebSocketMessageType type = WebSocketMessageType.Text) =>
        _socket.SendAsync(Encoding.UTF8.GetBytes(text), type, endOfMessage: true, Cancelled);

    /// <summary>Appends audio in pieces of 100 ms.</summary>
    public async Task AppendAsync(byte[] audio, int bytesPerSecond)
    {
        foreach (var piece in audio.Chunk(bytesPerSecond / 10))
        {
            await SendAsync(new { type = "input_audio_buffer.append", audio = Convert.ToBase64String(piece) });
        }
    }

    /// <summary>The next event.</summary>
    public async Task<JsonNode> NextAsync()
    {
        using var message = new MemoryStream();
        var buffer = new byte[4096];
        while (true)
        {
            var part = await _socket.ReceiveAsync(buffer.AsMemory(), Cancelled);
            Assert.Equal(WebSocketMessageType.Text, part.MessageType);
            message.Write(buffer, 0, part.Count);
            if (part.EndOfMessage)
            {
                var data = JsonNode.Parse(message.ToArray())!;
                Assert.StartsWith("event_", (string)data["event_id"]!, StringComparison.Ordinal);
                return data;
            }
        }
    }

    /// <summary>The next event, which is of that type.</summary>
    public async Task<JsonNode> NextAsync(string type)
    {
        var data = await NextAsync();
        Assert.True(type == (string)data["type"]!, $"Not {type}: {data.ToJsonString()}");
        return data;
    }

    /// <summary>The events up to one of that type.</summary>
    public async Task<List<JsonNode>> UntilAsync(string type, int count = 1)
    {
        List<JsonNode> events = [];
        while (count > 0)
        {
            var data = await NextAsync();
            events.Add(data);
            Assert.NotEqual("error", (string)data["type"]!);
            count -= (string)data["type"]! == type ? 1 : 0;
        }

        return events;
    }

    public Task CloseAsync() => _socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, Cancelled);

    public ValueTask DisposeAsync()
    {
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }
}
