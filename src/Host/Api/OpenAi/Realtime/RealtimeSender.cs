using System.Diagnostics.CodeAnalysis;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text.Json;

namespace AsrPlatform.Host.Api.OpenAi.Realtime;

/// <summary>Sends a Realtime client its events, whole and one after the other.</summary>
/// <remarks>Safe for concurrent calls. What a client that is gone would have got is dropped; one that reads nothing makes senders wait.</remarks>
[SuppressMessage("Design", "CA1001", Justification = "The semaphore holds nothing to free, and turns are told after the connection's end.")]
internal sealed class RealtimeSender(WebSocket socket, CancellationToken gone)
{
    private readonly SemaphoreSlim _turn = new(1);

    /// <summary>A new id, such as <c>item_3f…</c>.</summary>
    public static string NewId(string kind) => $"{kind}_{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12))}";

    /// <summary>Sends an event.</summary>
    /// <param name="type">Its type.</param>
    /// <param name="members">Its other members, but for the id; null values are sent.</param>
    public async Task SendAsync(string type, params (string Name, object? Value)[] members)
    {
        var data = new Dictionary<string, object?>(members.Length + 2) { ["type"] = type, ["event_id"] = NewId("event") };
        foreach (var (name, value) in members)
        {
            data.Add(name, value);
        }

        var bytes = JsonSerializer.SerializeToUtf8Bytes(data, OpenAiJson.Options);
        try
        {
            await _turn.WaitAsync(gone);
        }
        catch (OperationCanceledException)
        {
            return;
        }

        try
        {
            await socket.SendAsync(bytes, WebSocketMessageType.Text, endOfMessage: true, gone);
        }
        catch (Exception error) when (error is WebSocketException or OperationCanceledException or InvalidOperationException or IOException)
        {
            // The socket is closed or closing; who reads from it notices.
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Sends an <c>error</c> event.</summary>
    /// <param name="error">What was wrong.</param>
    /// <param name="eventId">The client's id of the event that caused it; null when it has none.</param>
    public Task SendErrorAsync(OpenAiError error, string? eventId) =>
        SendAsync("error", ("error", new Dictionary<string, object?>
        {
            ["type"] = error.Type,
            ["code"] = error.Code,
            ["message"] = error.Message,
            ["param"] = error.Param,
            ["event_id"] = eventId,
        }));
}
