using Microsoft.AspNetCore.SignalR.Client;

namespace AsrPlatform.Host.Tests.Live;

/// <summary>The C# examples of docs/live-protocol.md, word for word.</summary>
internal static class DocumentedClient
{
    public static async Task<string> CaptionAsync(HubConnection hub, IAsyncEnumerable<byte[]> pcm, Func<string, string> correct)
    {
        var session = await hub.InvokeAsync<SessionPosition>("StartSession", new StartSessionRequest(Language: "en"));
        var watching = Task.Run(async () =>
        {
            var newest = new SortedDictionary<long, CaptionUpdate>();
            await foreach (var update in hub.StreamAsync<CaptionUpdate>("WatchCaptions", session.SessionId, 0))
            {
                newest[update.SegmentId] = update;
            }

            return newest;
        });

        // The stream of acknowledgements ends when the host has taken everything.
        await foreach (var position in hub.StreamAsync<Acknowledgement>("StreamAudio", session.SessionId, session.AcknowledgedSamples, Base64(pcm)))
        {
            Console.WriteLine($"{position.AcknowledgedSamples} samples received, {position.LagSeconds:0.0} s behind");
        }

        await hub.InvokeAsync<SessionPosition>("EndSession", session.SessionId);
        var captions = await watching;
        var first = captions.Values.First();
        var correction = new Correction(Guid.NewGuid().ToString(), first.SessionId, first.SegmentId, first.Sequence, correct(first.Text));
        captions[first.SegmentId] = await hub.InvokeAsync<CaptionUpdate>("SubmitCorrection", correction);
        return string.Join(' ', captions.Values.Select(caption => caption.Text));

        static async IAsyncEnumerable<string> Base64(IAsyncEnumerable<byte[]> chunks)
        {
            await foreach (var chunk in chunks)
            {
                yield return Convert.ToBase64String(chunk);
            }
        }
    }

    public sealed record StartSessionRequest(
        string? SessionId = null, int SampleRateHz = 16000, string? Language = null, string? Task = null, string? Adapter = null,
        string? Prompt = null);

    public sealed record SessionPosition(string SessionId, long AcknowledgedSamples, long LastSequence);

    public sealed record Acknowledgement(long AcknowledgedSamples, double LagSeconds);

    public sealed record CaptionUpdate(
        string SessionId, long SegmentId, long Sequence, int Revision, string State, string Text, IReadOnlyList<Word> Words,
        string? Language, string AdapterVersion, long StartSample, long EndSample);

    public sealed record Word(string Text, double Start, double End, double Confidence);

    public sealed record Correction(
        string Id, string SessionId, long SegmentId, long Sequence, string Text, string? Author = null, string? Speaker = null, string? Domain = null);
}
