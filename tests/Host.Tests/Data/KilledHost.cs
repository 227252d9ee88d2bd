using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Threading.Channels;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Abstractions.Corrections;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Tests.Live;

namespace AsrPlatform.Host.Tests.Data;

/// <summary>Sessions in a process of their own that says on its standard output what it acknowledged and showed, to be killed at any moment.</summary>
internal static class KilledHost
{
    /// <summary>Its arguments in the environment: the data folder, sessions, random seed, and for each session the last sequence seen.</summary>
    public const string Variable = "ASR_TEST_KILLED_HOST";

    private static readonly Lock Output = new();

    /// <summary>What a session says: utterances with pauses that end them.</summary>
    public static SpokenAudio Audio(int session)
    {
        var random = new Random(session);
        var audio = new SpokenAudio().Silence(0.3);
        for (var utterance = 0; utterance < 25; utterance++)
        {
            audio.Say([.. Enumerable.Range(0, random.Next(1, 6)).Select(_ => random.Next(SpokenAudio.Words))]).Silence(0.8);
        }

        return audio;
    }

    public static string Id(int session) => string.Create(CultureInfo.InvariantCulture, $"session-{session}");

    /// <summary>Starts one.</summary>
    /// <param name="folder">The data folder.</param>
    /// <param name="sessions">The sessions, and the last sequence that a viewer of each has seen.</param>
    /// <param name="largestFileKiB">The operating system lets no file grow beyond this, as a full disk would not; null: no limit.</param>
    public static Process Start(string folder, IReadOnlyDictionary<int, long> sessions, int? largestFileKiB = null)
    {
        // Ignored, the signal becomes an error of the write.
        string[] limit = largestFileKiB is null ? [] : ["bash", "-c", string.Create(CultureInfo.InvariantCulture, $"trap '' XFSZ; ulimit -f {largestFileKiB}; exec \"$@\""), "bash"];
        var start = StartupHook.Start(Variable, JsonSerializer.Serialize(new Arguments(folder, new(sessions))), limit);
        if (largestFileKiB is not null)
        {
            // The runtime's own memory is a file of gigabytes otherwise.
            start.Environment["DOTNET_EnableWriteXorExecute"] = "0";
        }

        return Process.Start(start)!;
    }

    /// <summary>What the process does instead of running tests.</summary>
    public static async Task RunAsync(string json)
    {
        var arguments = JsonSerializer.Deserialize<Arguments>(json)!;
        using var recognizer = new ToneRecognizer();
        await using var live = await LiveHarness.StartAsync(recognizer, directory: arguments.Folder);
        await Task.WhenAll(arguments.Sessions.Select(async session =>
        {
            try
            {
                await RunAsync(live, session.Key, session.Value);
            }
            catch (AsrException error)
            {
                Say($"refused {session.Key} {error.Message}");
            }
        }));
        Say("done");
    }

    private static async Task RunAsync(LiveHarness live, int session, long seen)
    {
        SessionPosition position;
        try
        {
            position = await live.Sessions.StartSessionAsync(new StartSessionRequest { SessionId = Id(session) }, CancellationToken.None);
        }
        catch (AsrException error) when (error.Message.Contains("has ended", StringComparison.Ordinal))
        {
            await WatchAsync(live, session, seen);
            Say($"over {session}");
            return;
        }

        var watching = Task.Run(() => WatchAsync(live, session, seen));
        var samples = Audio(session).Samples;
        var chunks = Channel.CreateBounded<string>(2);
        var sending = Task.Run(async () =>
        {
            var size = new Random(Environment.ProcessId).Next(200, 4000);
            foreach (var chunk in LiveHarness.Chunks(samples.AsSpan((int)position.AcknowledgedSamples), size))
            {
                await chunks.Writer.WriteAsync(chunk);
                await Task.Delay(1);
            }

            chunks.Writer.Complete();
        });
        await foreach (var acknowledgement in live.Sessions.Get(Id(session)).ReceiveAsync(position.AcknowledgedSamples, chunks.Reader, CancellationToken.None))
        {
            Say($"heard {session} {acknowledgement.AcknowledgedSamples}");
        }

        await sending;
        await live.Sessions.EndAsync(Id(session), CancellationToken.None);
        var last = await watching;

        // What was corrected when the session was over was not shown to who watched it live.
        while (await WatchAsync(live, session, last) is var more && more > last)
        {
            last = more;
        }

        Say($"over {session}");
    }

    /// <summary>Says what is shown, and corrects every third segment; the last sequence.</summary>
    private static async Task<long> WatchAsync(LiveHarness live, int session, long seen)
    {
        await foreach (var update in live.Sessions.WatchAsync(Id(session), seen, CancellationToken.None))
        {
            seen = update.Sequence;
            Say($"shown {session} {JsonSerializer.Serialize(update, JsonSerializerOptions.Web)}");
            if (update is { State: CaptionState.Committed, SegmentId: var segment } && segment % 3 == 0)
            {
                var corrected = await live.Sessions.CorrectAsync(new Correction
                {
                    Id = $"c{segment}",
                    SessionId = Id(session),
                    SegmentId = segment,
                    Sequence = update.Sequence,
                    Text = "corrected " + update.Text,
                });
                Say($"corrected {session} {JsonSerializer.Serialize(corrected, JsonSerializerOptions.Web)}");
            }
        }

        return seen;
    }

    /// <summary>A line that the other process has as soon as this returns, whatever happens to this one.</summary>
    private static void Say(string line)
    {
        lock (Output)
        {
            Console.Out.WriteLine(line);
            Console.Out.Flush();
        }
    }

    private sealed record Arguments(string Folder, Dictionary<int, long> Sessions);
}
