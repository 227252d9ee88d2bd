using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Live.Client;
using AsrPlatform.Host.Serving;
using AsrPlatform.Host.Settings;
using AsrPlatform.Whisper.Text;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr bench stream</c>: live sessions over the hub, in this process; one JSON object on stdout.</summary>
internal static class BenchStream
{
    /// <summary>Silence between two files of a session.</summary>
    private const double GapSeconds = 1;

    /// <summary>How often sessions are asked for their lag.</summary>
    private static readonly TimeSpan LagInterval = TimeSpan.FromMilliseconds(200);

    public static Command Create()
    {
        var data = new Option<string>("--data") { Description = "manifest with word times, as synthesize --word-times writes it", HelpName = "MANIFEST", Required = true };
        var sessions = new Option<int>("--sessions") { Description = "sessions at the same time, each with files of its own", HelpName = "N", DefaultValueFactory = _ => 1 };
        var seconds = new Option<double>("--seconds") { Description = "plays further files, a second apart, until a session has heard so much; default: one file each", HelpName = "S" };
        var pace = new Option<double>("--pace") { Description = "seconds of audio played a second; 0: as fast as it is recognised, for error rates alone", HelpName = "X", DefaultValueFactory = _ => 1 };
        var apart = new Option<bool>("--apart") { Description = "a session for each file, N at a time, all files of the manifest" };
        var differences = new Option<bool>("--differences") { Description = "lists the files (with --apart) whose captions are not what is heard offline" };
        var language = new Option<string?>("--language") { Description = "language code; default: detected", HelpName = "xx" };
        var model = new ModelOptions();
        var command = new Command("stream", "Plays files into live sessions: latency of words, lag, error rates, erasure, processor time and memory.");
        foreach (var option in (Option[])[data, sessions, seconds, pace, apart, differences, language])
        {
            command.Options.Add(option);
        }

        model.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var (count, length) = (parsed.GetValue(sessions), parsed.GetValue(seconds));
            if (count < 1)
            {
                throw new AsrException($"--sessions {count}: give 1 or more");
            }

            if (!(length >= 0 && length <= 86_400))
            {
                throw new AsrException(FormattableString.Invariant($"--seconds {length}: give 0 … 86400"));
            }

            if (!(parsed.GetValue(pace) is >= 0 and <= 100 and var speed))
            {
                throw new AsrException(FormattableString.Invariant($"--pace {parsed.GetValue(pace)}: give 0 … 100"));
            }

            if (parsed.GetValue(differences) && !parsed.GetValue(apart))
            {
                throw new AsrException("--differences compares single files: give --apart too");
            }

            var manifest = Manifest.Read(parsed.GetValue(data)!);
            var tracks = parsed.GetValue(apart) ? Tracks(manifest, Math.Max(count, manifest.Entries.Count(entry => entry.Words.Count > 0)), 0) : Tracks(manifest, count, length);
            var loading = model.Read(parsed) with { IsLive = true };
            await using var plugins = model.Plugins.Load(parsed);
            var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(null);
            builder.Configuration.AddEnvironmentVariables("ASR_");
            builder.Services.AddSingleton(plugins);
            builder.Services.AddLive(() => RecognizerLoader.Load(plugins, loading, cancellationToken), builder.Configuration);
            SettingsCheck.Require(builder.Services, builder.Configuration);
            builder.Services.PostConfigure<LiveOptions>(options =>
            {
                options.MaximumSessions = Math.Max(options.MaximumSessions, count);
                if (speed == 0)
                {
                    // Everything is late then, and the text is to be that of a host which keeps up: steps are not joined.
                    options.MaximumLag = TimeSpan.FromSeconds(60);
                }
            });
            using var live = builder.Build();
            await live.StartAsync(cancellationToken);
            try
            {
                var result = await RunAsync(live.Services, tracks, new Playing(count, speed, parsed.GetValue(language), parsed.GetValue(differences)), cancellationToken);
                Console.Out.WriteLine(JsonSerializer.Serialize(result, BenchStreamJsonContext.Readable.BenchStreamResult));
            }
            finally
            {
                await live.StopAsync(CancellationToken.None);
            }

            return 0;
        });
        return command;
    }

    /// <summary>What each session plays: different files for each.</summary>
    private static List<Track> Tracks(Manifest manifest, int sessions, double seconds)
    {
        var entries = manifest.Entries.Where(entry => entry.Words.Count > 0).ToList();
        if (entries.Count < sessions)
        {
            throw new AsrException($"{manifest.Path}: {entries.Count} rows have word times, and --sessions {sessions} needs as many: synthesize --word-times makes them");
        }

        var tracks = new List<Track>();
        for (var session = 0; session < sessions; session++)
        {
            var track = new Track();
            for (var index = session; index < entries.Count && (track.Files.Count == 0 || track.Seconds < seconds); index += sessions)
            {
                track.Add(entries[index]);
            }

            tracks.Add(track);
        }

        return tracks;
    }

    private static async Task<BenchStreamResult> RunAsync(IServiceProvider services, List<Track> tracks, Playing playing, CancellationToken cancellationToken)
    {
        var language = playing.Language;
        var model = services.GetRequiredService<ModelHost>();
        var info = await model.ReadyAsync(cancellationToken);
        using var process = Process.GetCurrentProcess();
        var processor = Environment.CpuUsage.TotalTime;
        var started = Stopwatch.GetTimestamp();
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var lags = WatchLagAsync(services.GetRequiredService<LiveSessionStore>(), over.Token);
        using var places = new SemaphoreSlim(playing.Sessions);
        var results = await Task.WhenAll(tracks.Select(async (track, index) =>
        {
            // Speakers do not begin all at once.
            await Task.Delay(TimeSpan.FromSeconds((double)index / tracks.Count), cancellationToken);
            await places.WaitAsync(cancellationToken);
            using var place = new Place(places);
            await using var client = await LiveClient.ConnectAsync(services, cancellationToken);
            var run = new LiveRun(client, TimeProvider.System);
            var audio = new MemoryAudioSource(track.Samples.ToArray(), AudioFile.TargetRateHz);
            return await run.RunAsync(audio, new StartSessionRequest { Language = language }, playing.Pace, null, null, cancellationToken);
        }));
        var elapsed = Stopwatch.GetElapsedTime(started).TotalSeconds;
        var used = (Environment.CpuUsage.TotalTime - processor).TotalSeconds;
        await over.CancelAsync();
        var lag = await lags;

        List<double> tentative = [], committed = [];
        var (unseen, erased, words) = (0, 0, 0);
        var streaming = ErrorCounts.None;
        foreach (var (track, result) in tracks.Zip(results))
        {
            var latencies = StreamMeasures.Latencies(track.Words, result.Seen);
            tentative.AddRange(latencies.Tentative);
            committed.AddRange(latencies.Committed);
            unseen += track.Words.Count - latencies.Committed.Count;
            erased += StreamMeasures.ErasedWords(result.Seen);
            var text = string.Join(' ', result.Captions.Select(caption => caption.Text));
            words += text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length;
            streaming += Compare(track.Text, text);
        }

        var offline = ErrorCounts.None;
        var differences = new List<BenchStreamDifference>();
        foreach (var (entry, samples, live) in tracks.Zip(results).SelectMany(pair => pair.First.Files.Select(file => (file.Entry, file.Samples, pair.Second))))
        {
            var options = new TranscriptionOptions { Algorithm = "hf", Language = language, ConditionOnPreviousText = false };
            var heard = await model.TranscribeAsync(new MemoryAudioSource(samples, AudioFile.TargetRateHz), options, cancellationToken);
            offline += Compare(entry.Text, heard.Text);
            var shown = string.Join(' ', live.Captions.Where(caption => caption.Text.Length > 0).Select(caption => caption.Text));
            if (playing.ListsDifferences && Compare(heard.Text, shown) is { WordErrorRate: > 0 })
            {
                differences.Add(new BenchStreamDifference(Path.GetFileName(entry.AudioPath), entry.Text, heard.Text.Trim(), shown));
            }
        }

        return new BenchStreamResult
        {
            Model = info.Name,
            Backend = info.Backend,
            Policy = model.Streaming.NewPolicy().Name,
            Sessions = Math.Min(playing.Sessions, tracks.Count),
            Pace = playing.Pace,
            Files = tracks.Sum(track => track.Files.Count),
            AudioSeconds = Math.Round(tracks.Sum(track => track.Seconds), 1),
            Seconds = Math.Round(elapsed, 1),
            TentativeLatencySeconds = playing.Pace == 1 ? Quantiles.Of(tentative) : null,
            CommittedLatencySeconds = playing.Pace == 1 ? Quantiles.Of(committed) : null,
            WordsNotFound = unseen,
            LagSeconds = playing.Pace == 0 ? null : Quantiles.Of(lag),
            StreamingWer = Math.Round(streaming.WordErrorRate, 4),
            OfflineWer = Math.Round(offline.WordErrorRate, 4),
            Erasure = Math.Round(erased / (double)Math.Max(1, words), 3),
            Processors = Math.Round(used / elapsed, 2),
            TimesRealTimePerProcessor = Math.Round(tracks.Sum(track => track.Seconds) / Math.Max(used, 1e-9), 1),
            PeakMemoryMiB = Math.Round(process.PeakWorkingSet64 / 1048576.0, 1),
            ManagedMemoryMiB = Math.Round(GC.GetTotalMemory(forceFullCollection: true) / 1048576.0, 1),
            Differences = playing.ListsDifferences ? differences : null,
        };
    }

    private static async Task<List<double>> WatchLagAsync(LiveSessionStore sessions, CancellationToken cancellationToken)
    {
        var lags = new List<double>();
        while (!cancellationToken.IsCancellationRequested)
        {
            lags.AddRange(sessions.Sessions.Where(session => session.State == SessionState.Active).Select(session => session.LagSeconds));
            await Task.Delay(LagInterval, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return lags;
    }

    private static ErrorCounts Compare(string reference, string hypothesis)
    {
        var form = new BasicTextNormalizer();
        return WordErrorRate.Measure(form.Normalize(reference), form.Normalize(hypothesis));
    }

    /// <summary>How files are played.</summary>
    /// <param name="Sessions">Sessions at a time.</param>
    /// <param name="Pace">Seconds of audio a second; 0: as fast as it is taken.</param>
    /// <param name="Language">Code; null: detected.</param>
    /// <param name="ListsDifferences">Whether files are listed that are heard differently offline.</param>
    private sealed record Playing(int Sessions, double Pace, string? Language, bool ListsDifferences);

    private sealed class Place(SemaphoreSlim places) : IDisposable
    {
        public void Dispose() => places.Release();
    }

    /// <summary>What one session plays.</summary>
    private sealed class Track
    {
        public List<float> Samples { get; } = [];

        public List<TimedWord> Words { get; } = [];

        public List<(ManifestEntry Entry, float[] Samples)> Files { get; } = [];

        public double Seconds => Samples.Count / (double)AudioFile.TargetRateHz;

        public string Text => string.Join(' ', Files.Select(file => file.Entry.Text));

        public void Add(ManifestEntry entry)
        {
            using var reader = new UtteranceReader(entry.AudioPath);
            var samples = reader.Read(entry.StartSeconds, entry.EndSeconds, int.MaxValue - 1);
            if (Files.Count > 0)
            {
                Samples.AddRange(new float[(int)(GapSeconds * AudioFile.TargetRateHz)]);
            }

            var start = Seconds;
            Words.AddRange(entry.Words.Select(word => word with { Start = word.Start + start, End = word.End + start }));
            Samples.AddRange(samples);
            Files.Add((entry, samples));
        }
    }
}

/// <summary>What is measured of the captions of a session.</summary>
internal static class StreamMeasures
{
    /// <summary>How far the model's time of a word may be from the manifest's for the two to be the same word.</summary>
    private const double TimeTolerance = 1;

    /// <summary>
    /// Time from the end of each word in the audio until a viewer saw it for the first time, and until it was final; in seconds, for the words
    /// that were heard right.
    /// </summary>
    /// <param name="words">What was said, with times from the session's start.</param>
    /// <param name="seen">What a viewer saw.</param>
    public static (List<double> Tentative, List<double> Committed) Latencies(IReadOnlyList<TimedWord> words, IReadOnlyList<SeenCaption> seen)
    {
        var form = new BasicTextNormalizer();
        var first = new Dictionary<string, List<(double Start, double At, bool Final)>>(StringComparer.Ordinal);
        foreach (var caption in seen)
        {
            foreach (var word in caption.Update.Words)
            {
                var text = form.Normalize(word.Text).Trim();
                if (!first.TryGetValue(text, out var places))
                {
                    first.Add(text, places = []);
                }

                places.Add((word.Start, caption.At.TotalSeconds, caption.Update.State != CaptionState.Tentative));
            }
        }

        List<double> tentative = [], committed = [];
        foreach (var word in words)
        {
            var places = first.GetValueOrDefault(form.Normalize(word.Word).Trim(), []).Where(place => Math.Abs(place.Start - word.Start) <= TimeTolerance).ToList();
            if (places.Exists(place => place.Final))
            {
                // A word that is guessed before it ends is there when it ends.
                tentative.Add(Math.Max(0, places.Min(place => place.At) - word.End));
                committed.Add(Math.Max(0, places.Where(place => place.Final).Min(place => place.At) - word.End));
            }
        }

        return (tentative, committed);
    }

    /// <summary>Words that a viewer saw and that were taken away or changed afterwards, those behind a changed one included.</summary>
    public static int ErasedWords(IReadOnlyList<SeenCaption> seen)
    {
        var segments = new SortedDictionary<long, string[]>();
        var erased = 0;
        foreach (var caption in seen)
        {
            // A segment that is made final takes some of its words; the rest follows at once in the next: it is that one that tells.
            var before = segments.Values.SelectMany(words => words).ToArray();
            var (id, update) = (caption.Update.SegmentId, caption.Update);
            var words = update.Text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (update.State == CaptionState.Committed && segments.TryGetValue(id, out var shown) && shown.Length > words.Length && shown.AsSpan().StartsWith(words))
            {
                segments[id + 1] = shown[words.Length..];
            }

            segments[id] = words;
            var after = segments.Values.SelectMany(words => words).ToArray();
            erased += before.Length - before.AsSpan().CommonPrefixLength(after);
        }

        return erased;
    }
}

/// <summary>How values are spread.</summary>
internal sealed record Quantiles(int Count, double? P50, double? P95, double? Max)
{
    public static Quantiles Of(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length == 0 ? new Quantiles(0, null, null, null) : new Quantiles(sorted.Length, At(0.5), At(0.95), Math.Round(sorted[^1], 3));

        double At(double share) => Math.Round(sorted[Math.Max(0, (int)Math.Ceiling(share * sorted.Length) - 1)], 3);
    }
}

/// <summary>What <c>asr bench stream</c> prints.</summary>
internal sealed record BenchStreamResult
{
    public string Benchmark { get; init; } = "stream";

    public required string Model { get; init; }

    public required string Backend { get; init; }

    public required string Policy { get; init; }

    /// <summary>At a time.</summary>
    public required int Sessions { get; init; }

    public required double Pace { get; init; }

    public required int Files { get; init; }

    /// <summary>Of all sessions together, gaps included.</summary>
    public required double AudioSeconds { get; init; }

    public required double Seconds { get; init; }

    /// <summary>From the end of a word in the audio, by the manifest, until a viewer sees it; words heard right alone. Null at another pace than time's.</summary>
    public required Quantiles? TentativeLatencySeconds { get; init; }

    /// <summary>The same until it is final.</summary>
    public required Quantiles? CommittedLatencySeconds { get; init; }

    /// <summary>Words of the manifest that no final caption has at their time: misheard ones.</summary>
    public required int WordsNotFound { get; init; }

    /// <summary>Time by which captions were later than they should be, of all sessions five times a second.</summary>
    public required Quantiles? LagSeconds { get; init; }

    /// <summary>Word error rate of the final captions, both sides in the basic normal form.</summary>
    public required double StreamingWer { get; init; }

    /// <summary>The same of each file as a whole.</summary>
    public required double OfflineWer { get; init; }

    /// <summary>Words shown and taken away again, for each final word.</summary>
    public required double Erasure { get; init; }

    /// <summary>Processors that were busy on average, client and server together.</summary>
    public required double Processors { get; init; }

    public required double TimesRealTimePerProcessor { get; init; }

    public required double PeakMemoryMiB { get; init; }

    /// <summary>At the end, after a collection.</summary>
    public required double ManagedMemoryMiB { get; init; }

    /// <summary>Files whose captions are not what is heard offline; null unless asked for.</summary>
    public IReadOnlyList<BenchStreamDifference>? Differences { get; init; }
}

/// <summary>A file that is heard differently live and offline.</summary>
/// <param name="File">Its name.</param>
/// <param name="Text">What was said.</param>
/// <param name="Offline">What is heard of the whole file.</param>
/// <param name="Live">What the captions say.</param>
internal sealed record BenchStreamDifference(string File, string Text, string Offline, string Live);

[JsonSerializable(typeof(BenchStreamResult))]
internal sealed partial class BenchStreamJsonContext : JsonSerializerContext
{
    public static BenchStreamJsonContext Readable { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
    });
}
