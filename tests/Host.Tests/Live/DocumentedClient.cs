using Microsoft.AspNetCore.SignalR.Client;

namespace AsrPlatform.Host.Tests.Live;

/// <summary>The C# example of docs/live-protocol.md, word for word.</summary>
internal static class DocumentedClient
{
    public static async Task<string> CaptionAsync(HubConnection hub, IAsyncEnumerable<byte[]> pcm)
    {
        var session = await hub.InvokeAsync<Position>("StartSession", new { language = "en" });
        var watching = Task.Run(async () =>
        {
            var texts = new SortedDictionary<long, string>();
            await foreach (var update in hub.StreamAsync<Caption>("WatchCaptions", session.SessionId, 0))
            {
                texts[update.SegmentId] = update.Text;
            }

            return string.Join(' ', texts.Values);
        });

        // The stream of acknowledgements ends when the host has taken everything.
        await foreach (var position in hub.StreamAsync<Position>("StreamAudio", session.SessionId, session.AcknowledgedSamples, Base64(pcm)))
        {
            Console.WriteLine($"{position.AcknowledgedSamples} samples received");
        }

        await hub.InvokeAsync("EndSession", session.SessionId);
        return await watching;

        static async IAsyncEnumerable<string> Base64(IAsyncEnumerable<byte[]> chunks)
        {
            await foreach (var chunk in chunks)
            {
                yield return Convert.ToBase64String(chunk);
            }
        }
    }

    internal sealed record Position(string SessionId, long AcknowledgedSamples);

    internal sealed record Caption(long SegmentId, string Text);
}
