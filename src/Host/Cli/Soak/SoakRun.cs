using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Threading.Channels;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Abstractions.Corrections;
using AsrPlatform.Host.Diagnostics;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Live.Client;

namespace AsrPlatform.Host.Cli.Soak;

/// <summary>What a <see cref="SoakRun"/> does.</summary>
internal sealed record SoakOptions
{
    public required TimeSpan Duration { get; init; }

    /// <summary>Sessions at a time.</summary>
    public int Sessions { get; init; } = 8;

    /// <summary>Viewers at a time.</summary>
    public int Viewers { get; init; } = 16;

    /// <summary>Length of a session; the next one follows it.</summary>
    public (double Least, double Most) SessionSeconds { get; init; } = (10, 60);

    /// <summary>How long a viewer stays.</summary>
    public (double Least, double Most) ViewerSeconds { get; init; } = (1, 20);

    /// <summary>Share of sessions whose speaker loses the connection, some of them more than once.</summary>
    public double Drops { get; init; } = 0.4;

    /// <summary>Share of committed captions that a viewer corrects.</summary>
    public double Corrections { get; init; } = 0.05;

    public TimeSpan SampleInterval { get; init; } = TimeSpan.FromSeconds(30);

    public int Seed { get; init; } = 1;
}

/// <summary>What happened in a <see cref="SoakRun"/>.</summary>
internal sealed record SoakReport
{
    public required double Minutes { get; init; }

    /// <summary>Sessions that were ended, with all of their audio taken.</summary>
    public required int Sessions { get; init; }

    public required double AudioSeconds { get; init; }

    public required int Viewers { get; init; }

    public required long Updates { get; init; }

    public required int CommittedCaptions { get; init; }

    public required int Corrections { get; init; }

    public required int DroppedConnections { get; init; }

    public required IReadOnlyList<MemorySample> Samples { get; init; }

    public required MemoryTrend WorkingSet { get; init; }

    public required MemoryTrend Managed { get; init; }
}

/// <summary>
/// Uses a host of this process as many people would, over real sockets: speakers at the pace of time who lose their connection, viewers who come
/// and go and correct; and watches the memory.
/// </summary>
internal sealed class SoakRun(Uri host, IReadOnlyList<short[]> clips, SoakOptions options)
{
    private const int RateHz = 16_000;
    private const int ChunkSamples = RateHz / 10;

    /// <summary>Growth that is none: MiB an hour, and MiB however short the run.</summary>
    private const double ManagedPerHour = 12;
    private const double ManagedNoise = 20;
    private const double WorkingSetPerHour = 48;
    private const double WorkingSetNoise = 32;

    private readonly ConcurrentDictionary<int, string> _running = new();
    private int _ended;
    private long _samples;
    private int _viewers;
    private int _watching;
    private long _updates;
    private int _committed;
    private int _corrections;
    private int _drops;

    /// <summary>Runs to the end.</summary>
    /// <param name="onSample">Told each sample as it is taken. May be null.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="AsrException">The host refused or lost something; the message says what.</exception>
    public async Task<SoakReport> RunAsync(Action<MemorySample>? onSample, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var started = Stopwatch.GetTimestamp();
        var speakers = Enumerable.Range(0, options.Sessions).Select(index => Guarded(() => SpeakAsync(index, started, over.Token))).ToList();
        var viewers = Enumerable.Range(0, options.Viewers).Select(index => Guarded(() => WatchAsync(index, over.Token))).ToList();
        var samples = new List<MemorySample>();
        using (var process = Process.GetCurrentProcess())
        {
            while (Stopwatch.GetElapsedTime(started) < options.Duration && !over.IsCancellationRequested)
            {
                await Task.Delay(options.SampleInterval, over.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (over.IsCancellationRequested)
                {
                    break;
                }

                process.Refresh();
                var sample = new MemorySample(
                    Math.Round(Stopwatch.GetElapsedTime(started).TotalSeconds, 1),
                    Math.Round(process.WorkingSet64 / 1048576.0, 1),
                    Math.Round(GC.GetTotalMemory(forceFullCollection: true) / 1048576.0, 2),
                    NativeHeap.BytesInUse is { } native ? Math.Round(native / 1048576.0, 1) : null,
                    _running.Count,
                    _watching);
                samples.Add(sample);
                onSample?.Invoke(sample);
            }
        }

        // Speakers end their sessions; viewers leave.
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        await Task.WhenAll(speakers);
        await over.CancelAsync();
        await Task.WhenAll(viewers);
        cancellationToken.ThrowIfCancellationRequested();
        return new SoakReport
        {
            Minutes = Math.Round(seconds / 60, 2),
            Sessions = _ended,
            AudioSeconds = Math.Round((double)_samples / RateHz, 1),
            Viewers = _viewers,
            Updates = _updates,
            CommittedCaptions = _committed,
            Corrections = _corrections,
            DroppedConnections = _drops,
            Samples = samples,
            WorkingSet = MemoryTrend.Of(samples, sample => sample.WorkingSetMiB, WorkingSetPerHour, WorkingSetNoise),
            Managed = MemoryTrend.Of(samples, sample => sample.ManagedMiB, ManagedPerHour, ManagedNoise),
        };

        // Whoever fails ends the run for all.
        async Task Guarded(Func<Task> work)
        {
            try
            {
                await Task.Run(work, CancellationToken.None);
            }
            catch (OperationCanceledException) when (over.IsCancellationRequested)
            {
            }
            catch
            {
                await over.CancelAsync();
                throw;
            }
        }
    }

    private async Task SpeakAsync(int speaker, long started, CancellationToken cancellationToken)
    {
        var random = new Random(HashCode.Combine(options.Seed, speaker));

        // Speakers do not begin all at once.
        await Task.Delay(TimeSpan.FromSeconds(random.NextDouble() * Math.Min(5, options.SessionSeconds.Least)), cancellationToken);
        for (var number = 0; Stopwatch.GetElapsedTime(started) < options.Duration; number++)
        {
            var left = (options.Duration - Stopwatch.GetElapsedTime(started)).TotalSeconds;
            var audio = Say(random, Math.Min(left, Between(random, options.SessionSeconds)) + 1);
            var id = $"soak-{options.Seed}-{speaker}-{number}";
            await SpeakAsync(id, speaker, audio, random, cancellationToken);
            Interlocked.Increment(ref _ended);
            Interlocked.Add(ref _samples, audio.Length);
        }
    }

    /// <summary>One session to its end, over as many connections as it takes.</summary>
    private async Task SpeakAsync(string id, int speaker, short[] audio, Random random, CancellationToken cancellationToken)
    {
        try
        {
            while (true)
            {
                await using var client = await LiveClient.ConnectAsync(host, cancellationToken);
                var position = (await client.StartSessionAsync(new StartSessionRequest { SessionId = id, Language = "en" }, cancellationToken)).AcknowledgedSamples;
                _running[speaker] = id;
                var drop = random.NextDouble() < options.Drops ? TimeSpan.FromSeconds(random.NextDouble() * (audio.Length - position) / RateHz) : (TimeSpan?)null;
                if (await SendAsync(client, id, audio, position, drop, cancellationToken) is not { } acknowledged)
                {
                    Interlocked.Increment(ref _drops);
                    continue;
                }

                if (acknowledged != audio.Length)
                {
                    throw new AsrException($"session '{id}' was sent {audio.Length} samples, and took {acknowledged}");
                }

                await client.EndSessionAsync(id, cancellationToken);
                return;
            }
        }
        finally
        {
            _running.TryRemove(speaker, out _);
        }
    }

    /// <summary>Sends the rest of a session's audio.</summary>
    /// <returns>Samples that the session has then; null when the connection was dropped, as was asked for.</returns>
    private static async Task<long?> SendAsync(LiveClient client, string id, short[] audio, long from, TimeSpan? drop, CancellationToken cancellationToken)
    {
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var chunks = Channel.CreateBounded<string>(4);
        var writing = Task.Run(
            async () =>
            {
                var started = Stopwatch.GetTimestamp();
                for (var at = (int)from; at < audio.Length; at += ChunkSamples)
                {
                    var chunk = audio.AsMemory(at, Math.Min(ChunkSamples, audio.Length - at));
                    var due = TimeSpan.FromSeconds((double)(at - from + chunk.Length) / RateHz) - Stopwatch.GetElapsedTime(started);
                    if (due > TimeSpan.Zero)
                    {
                        await Task.Delay(due, gone.Token);
                    }

                    if (Stopwatch.GetElapsedTime(started) > drop)
                    {
                        // In the middle of it: whatever is on the way may arrive or not.
                        await gone.CancelAsync();
                        await client.DisposeAsync();
                        return;
                    }

                    await chunks.Writer.WriteAsync(Convert.ToBase64String(MemoryMarshal.AsBytes(chunk.Span)), gone.Token);
                }

                chunks.Writer.Complete();
            },
            CancellationToken.None);
        var acknowledged = from;
        try
        {
            await foreach (var acknowledgement in client.StreamAudioAsync(id, from, chunks.Reader, gone.Token))
            {
                acknowledged = acknowledgement.AcknowledgedSamples;
            }

            await writing;
            return gone.IsCancellationRequested ? null : acknowledged;
        }
        catch (Exception error) when (!cancellationToken.IsCancellationRequested && (gone.IsCancellationRequested || error is AsrException { Message: LiveClient.ConnectionLost }))
        {
            // Dropped, or too slow a machine for the connection's pings: the speaker comes back.
            await gone.CancelAsync();
            await Task.WhenAny(writing);
            return null;
        }
        catch
        {
            await gone.CancelAsync();
            await Task.WhenAny(writing);
            throw;
        }
    }

    private async Task WatchAsync(int viewer, CancellationToken cancellationToken)
    {
        var random = new Random(HashCode.Combine(options.Seed, viewer, "viewer"));
        while (!cancellationToken.IsCancellationRequested)
        {
            if (_running.Values.ToArray() is not { Length: > 0 } sessions)
            {
                await Task.Delay(TimeSpan.FromSeconds(0.2), cancellationToken);
                continue;
            }

            using var leaving = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            leaving.CancelAfter(TimeSpan.FromSeconds(Between(random, options.ViewerSeconds)));
            await WatchAsync(sessions[random.Next(sessions.Length)], random, leaving.Token);
            Interlocked.Increment(ref _viewers);
        }
    }

    /// <summary>Watches a session until it ends or the viewer leaves.</summary>
    private async Task WatchAsync(string session, Random random, CancellationToken leaving)
    {
        Interlocked.Increment(ref _watching);
        try
        {
            await using var client = await LiveClient.ConnectAsync(host, leaving);
            var (sequence, final) = (0L, new HashSet<long>());
            await foreach (var update in client.WatchCaptionsAsync(session, 0, leaving))
            {
                Interlocked.Increment(ref _updates);
                if (update.Sequence <= sequence)
                {
                    throw new AsrException($"session '{session}' showed update {update.Sequence} after {sequence}");
                }

                sequence = update.Sequence;
                if (update.State != CaptionState.Committed)
                {
                    continue;
                }

                Interlocked.Increment(ref _committed);
                if (!final.Add(update.SegmentId))
                {
                    throw new AsrException($"session '{session}' committed segment {update.SegmentId} twice");
                }

                if (random.NextDouble() < options.Corrections)
                {
                    var correction = new Correction { Id = Guid.NewGuid().ToString("N"), SessionId = session, SegmentId = update.SegmentId, Sequence = update.Sequence, Text = update.Text + " (seen)" };
                    await client.SubmitCorrectionAsync(correction, leaving);
                    Interlocked.Increment(ref _corrections);
                }
            }
        }
        catch (Exception) when (leaving.IsCancellationRequested)
        {
            // It has seen enough.
        }
        catch (AsrException error) when (error.Message == LiveClient.ConnectionLost)
        {
            // It comes back as another viewer.
        }
        finally
        {
            Interlocked.Decrement(ref _watching);
        }
    }

    /// <summary>Clips with pauses between them, of about a length.</summary>
    private short[] Say(Random random, double seconds)
    {
        var audio = new List<short>();
        while (audio.Count < seconds * RateHz)
        {
            audio.AddRange(clips[random.Next(clips.Count)]);
            audio.AddRange(new short[(int)(RateHz * Between(random, (0.3, 2)))]);
        }

        return [.. audio];
    }

    private static double Between(Random random, (double Least, double Most) range) => range.Least + (random.NextDouble() * (range.Most - range.Least));
}
