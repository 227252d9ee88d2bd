using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Corrections;
using AsrPlatform.Host.Tests.Live;
using Microsoft.Extensions.Logging.Abstractions;

namespace AsrPlatform.Host.Tests.Data;

/// <summary>Whatever a host acknowledged or showed is there after it was killed.</summary>
public sealed class KillTests
{
    private const int SessionsAtATime = 3;

    /// <summary>About half a minute; ASR_TEST_KILLS says another number.</summary>
    private const int Kills = 40;

    /// <summary>What clients of one session were told before the kills.</summary>
    private sealed class Client
    {
        public long Heard { get; set; }

        public long Sequence { get; set; }

        public Dictionary<long, CaptionUpdate> Lasting { get; } = [];

        public HashSet<long> Corrected { get; } = [];

        public bool IsOver { get; set; }

        /// <summary>The error that it was told last.</summary>
        public string? Refused { get; set; }
    }

    [Fact]
    public async Task Host_KilledAtRandomPoints_LosesNothingThatItAcknowledgedOrShowed()
    {
        var kills = Environment.GetEnvironmentVariable("ASR_TEST_KILLS") is { Length: > 0 } given ? int.Parse(given, CultureInfo.InvariantCulture) : Kills;
        var folder = Directory.CreateTempSubdirectory("asr-kill-").FullName;
        var seed = Environment.TickCount;
        TestContext.Current.TestOutputHelper!.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var first = 0;
        var restarts = 0;
        Dictionary<int, Client> clients = NewClients(first);
        try
        {
            for (var kill = 0; kill < kills; kill++)
            {
                // Some while the host is starting and repairing, most while audio streams.
                await RunAsync(folder, clients, random.Next(10) == 0 ? -random.Next(1, 600) : random.Next(1, 700));
                Check(folder, clients);
                restarts++;
                if (clients.Values.All(client => client.IsOver))
                {
                    clients = NewClients(first += SessionsAtATime);
                }
            }

            await RunAsync(folder, clients, killAfter: null);
            Assert.All(clients.Values, client => Assert.True(client.IsOver));
            Check(folder, clients);
            TestContext.Current.TestOutputHelper!.WriteLine($"{restarts} kills, {first + SessionsAtATime} sessions, {clients.Values.Sum(client => client.Lasting.Count)} captions in the last ones");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        static Dictionary<int, Client> NewClients(int first) => Enumerable.Range(first, SessionsAtATime).ToDictionary(session => session, _ => new Client());
    }

    [Fact]
    public async Task Host_WhoseDiskIsFull_TellsItsSendersAndGoesOnOnceThereIsRoom()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "files are limited with ulimit");
        var folder = Directory.CreateTempSubdirectory("asr-full-").FullName;
        try
        {
            // One session: the log of the database, which grows with the captions of all, stays below the limit that its audio reaches.
            Dictionary<int, Client> clients = new() { [0] = new() };
            await RunAsync(folder, clients, killAfter: null, largestFileKiB: 600);
            Assert.All(clients.Values, client =>
            {
                Assert.False(client.IsOver);
                Assert.Equal("no more audio can be kept: the disk of the data folder is full", client.Refused);

                // 600 KiB of 2 bytes a sample, but for the header and a last chunk that did not fit.
                Assert.InRange(client.Heard, 300_000, 307_178);
            });
            Check(folder, clients);

            await RunAsync(folder, clients, killAfter: null);
            Assert.All(clients.Values, client => Assert.True(client.IsOver));
            Check(folder, clients);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Runs the host until it is done or killed.</summary>
    /// <param name="folder">The data folder.</param>
    /// <param name="clients">Told what the host says.</param>
    /// <param name="killAfter">Lines of output after which it is killed; negative: milliseconds after its start; null: never.</param>
    /// <param name="largestFileKiB">As of <see cref="KilledHost.Start"/>.</param>
    private static async Task RunAsync(string folder, Dictionary<int, Client> clients, int? killAfter, int? largestFileKiB = null)
    {
        using var host = KilledHost.Start(folder, clients.ToDictionary(client => client.Key, client => client.Value.Sequence), largestFileKiB);
        var killing = killAfter < 0
            ? Task.Delay(-killAfter.Value, TestContext.Current.CancellationToken).ContinueWith(_ => Kill(host), TaskScheduler.Default)
            : Task.CompletedTask;
        var lines = 0;
        var isDone = false;
        while (await host.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
        {
            // A line without its end was cut off by the kill: then it does not parse, and nobody was told.
            if (line == "done")
            {
                isDone = true;
                continue;
            }

            Note(clients, line);
            if (++lines == killAfter)
            {
                Kill(host);
            }
        }

        await killing;
        await host.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(isDone || (host.ExitCode == 128 + 9 && killAfter is not null), $"exit code {host.ExitCode}");
    }

    private static void Kill(Process host)
    {
        // SIGKILL on Unix.
        host.Kill();
    }

    private static void Note(Dictionary<int, Client> clients, string line)
    {
        var parts = line.Split(' ', 3);
        if (parts.Length < 2 || !int.TryParse(parts[1], CultureInfo.InvariantCulture, out var session) || !clients.TryGetValue(session, out var client))
        {
            return;
        }

        switch (parts[0])
        {
            case "heard" when long.TryParse(parts[2], CultureInfo.InvariantCulture, out var samples):
                client.Heard = Math.Max(client.Heard, samples);
                break;
            case "shown" when Parse(parts[2]) is { } update:
                // Rises across restarts, and so no committed caption comes twice.
                Assert.True(update.Sequence > client.Sequence, $"sequence {update.Sequence} after {client.Sequence}");
                client.Sequence = update.Sequence;
                if (update.State != CaptionState.Tentative)
                {
                    client.Lasting.Add(update.Sequence, update);
                }

                break;
            case "corrected" when Parse(parts[2]) is { } update:
                client.Corrected.Add(update.SegmentId);
                break;
            case "refused":
                client.Refused = parts[2];
                break;
            case "over":
                client.IsOver = true;
                break;
        }
    }

    private static CaptionUpdate? Parse(string json)
    {
        try
        {
            return JsonSerializer.Deserialize<CaptionUpdate>(json, JsonSerializerOptions.Web);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static void Check(string folder, Dictionary<int, Client> clients)
    {
        using var data = DataFolder.Open(folder, TimeProvider.System);
        var archive = new SessionArchive(data, Microsoft.Extensions.Options.Options.Create(new DataOptions()), TimeProvider.System, NullLogger<SessionArchive>.Instance);
        Assert.Equal("ok", data.Database.Read(connection => connection.Scalar("PRAGMA integrity_check")));
        Assert.Null(data.Database.Read(connection => connection.Scalar("PRAGMA foreign_key_check")));
        foreach (var (session, client) in clients)
        {
            if (archive.Find(KilledHost.Id(session)) is not { } record)
            {
                Assert.Equal(0, client.Sequence + client.Heard);
                continue;
            }

            var spoken = KilledHost.Audio(session);
            var expected = spoken.Samples;
            var kept = Kept(archive, record);
            Assert.InRange(kept.Length, client.Heard, expected.Length);
            Assert.Equal(expected[..kept.Length], kept);

            var captions = archive.Captions(record, 0, newestOnly: false, int.MaxValue);
            var bySequence = captions.ToDictionary(caption => caption.Sequence);
            Assert.All(client.Lasting, seen => Assert.Equivalent(seen.Value, bySequence[seen.Key], strict: true));
            var committed = captions.Where(caption => caption.State == CaptionState.Committed).ToList();
            Assert.Equal(Enumerable.Range(1, committed.Count).Select(segment => (long)segment), committed.Select(caption => caption.SegmentId));
            var text = string.Join(' ', committed.Select(caption => caption.Text).Where(text => text.Length > 0));
            var corrected = captions.Where(caption => caption.State == CaptionState.Corrected).Select(caption => caption.SegmentId).ToList();
            Assert.Equal(corrected.Distinct(), corrected);
            Assert.Subset(corrected.ToHashSet(), client.Corrected);
            Assert.Equal(corrected.Count, archive.CorrectionsOf(record));
            CheckClips(archive, record, client, kept);
            Assert.All(captions, caption => Assert.InRange(caption.EndSample, caption.StartSample, kept.Length));
            if (client.IsOver)
            {
                Assert.Equal(StoredState.Ended, record.State);
                Assert.Equal(expected.Length, kept.Length);
                Assert.Equal(Said(session), text);
                Assert.Equal(bySequence.Keys.Order(), client.Lasting.Keys.Order());
            }
            else
            {
                Assert.StartsWith(text, Said(session), StringComparison.Ordinal);
            }
        }
    }

    /// <summary>Each correction is there once, and the one of an utterance that counts has the utterance's audio.</summary>
    private static void CheckClips(SessionArchive archive, SessionRecord record, Client client, short[] kept)
    {
        var corrections = archive.Corrections.List(new CorrectionFilter(SessionId: record.Id), null, int.MaxValue);
        Assert.Equal(corrections.Count, corrections.Select(correction => correction.Id).Distinct().Count());
        Assert.Subset(corrections.Select(correction => correction.Id).ToHashSet(), client.Corrected.Select(segment => $"c{segment}").ToHashSet());
        foreach (var correction in corrections.Where(correction => client.Corrected.Contains(correction.SegmentId!.Value) && correction.State != CorrectionState.Superseded))
        {
            var clip = archive.Corrections.ReadClip(correction).Select(sample => (short)Math.Round(sample * 32768)).ToArray();
            Assert.Equal(kept[(int)correction.StartSample!.Value..(int)correction.EndSample!.Value], clip);
            Assert.Contains("corrected ", correction.Text, StringComparison.Ordinal);
            Assert.DoesNotContain("corrected", correction.Hypothesis, StringComparison.Ordinal);
        }
    }

    private static string Said(int session)
    {
        using var recognizer = new ToneRecognizer();
        var audio = KilledHost.Audio(session).Samples.Select(sample => sample / 32768f).ToArray();
        return recognizer.Transcribe(new AsrPlatform.Abstractions.Audio.MemoryAudioSource(audio, SpokenAudio.SampleRateHz), new()).Text.Trim();
    }

    private static short[] Kept(SessionArchive archive, SessionRecord record)
    {
        using var audio = archive.OpenAudio(record);
        if (audio is null)
        {
            return [];
        }

        var bytes = new byte[audio.Length];
        audio.ReadExactly(bytes);
        return System.Runtime.InteropServices.MemoryMarshal.Cast<byte, short>(bytes.AsSpan(44)).ToArray();
    }
}
