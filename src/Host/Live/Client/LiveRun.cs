using System.Buffers.Binary;
using System.Threading.Channels;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Captions;

namespace AsrPlatform.Host.Live.Client;

/// <summary>A caption update as a viewer of a <see cref="LiveRun"/> saw it.</summary>
/// <param name="Update">The update.</param>
/// <param name="At">Time since the first audio was sent.</param>
/// <param name="Latency">Time since the end of its last word (of its audio, where there are no words) was sent.</param>
internal sealed record SeenCaption(CaptionUpdate Update, TimeSpan At, TimeSpan Latency);

/// <summary>How a <see cref="LiveRun"/> ended.</summary>
/// <param name="SessionId">Its session.</param>
/// <param name="Captions">Every segment's newest revision, in order; a caption that was taken back has no text.</param>
/// <param name="Seen">Every update seen, in order.</param>
internal sealed record LiveRunResult(string SessionId, IReadOnlyList<CaptionUpdate> Captions, IReadOnlyList<SeenCaption> Seen);

/// <summary>Plays audio into a live session and watches its captions, as a speaker and a viewer would.</summary>
internal sealed class LiveRun
{
    /// <summary>What is sent at once: 100 ms, as a microphone's page sends it.</summary>
    private const double ChunkSeconds = 0.1;

    private readonly LiveClient _client;
    private readonly TimeProvider _time;
    private readonly List<long> _sentAt = [];
    private int _chunkSamples;
    private long _started;

    public LiveRun(LiveClient client, TimeProvider time)
    {
        _client = client;
        _time = time;
    }

    /// <summary>Runs to the end of the audio and of its captions.</summary>
    /// <param name="audio">What is said.</param>
    /// <param name="request">The session; its sample rate is the audio's.</param>
    /// <param name="pace">Seconds of audio sent a second: 1 is real time; 0 is as fast as the host takes it.</param>
    /// <param name="onStarted">Told the session's position, before audio is sent.</param>
    /// <param name="onCaption">Told each update as it comes, on any one thread at a time.</param>
    /// <param name="cancellationToken">Stops it; the session stays.</param>
    /// <exception cref="AsrException">The host refuses something, or the session fails.</exception>
    public async Task<LiveRunResult> RunAsync(
        IAudioSource audio,
        StartSessionRequest request,
        double pace,
        Action<SessionPosition>? onStarted,
        Action<SeenCaption>? onCaption,
        CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(pace);
        _chunkSamples = Math.Max(1, (int)(audio.SampleRateHz * ChunkSeconds));
        var session = await _client.StartSessionAsync(request with { SampleRateHz = audio.SampleRateHz }, cancellationToken);
        onStarted?.Invoke(session);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var watching = WatchAsync(session, audio.SampleRateHz, onCaption, either.Token);
        try
        {
            await SendAsync(audio, session, pace, either.Token);
            await _client.EndSessionAsync(session.SessionId, either.Token);
            return await watching;
        }
        catch
        {
            await either.CancelAsync();
            await Task.WhenAny(watching);
            throw;
        }
    }

    private async Task SendAsync(IAudioSource audio, SessionPosition session, double pace, CancellationToken cancellationToken)
    {
        // A chunk waits in the pipe only while the host holds the sender back: then reading the file should wait too.
        var chunks = Channel.CreateBounded<string>(new BoundedChannelOptions(4) { FullMode = BoundedChannelFullMode.Wait, SingleReader = true });
        _started = _time.GetTimestamp();
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);

        // Reading a microphone waits for what is said.
        var reading = Task.Run(() => ReadAsync(audio, chunks.Writer, session.AcknowledgedSamples, pace, either.Token), CancellationToken.None);
        var acknowledged = session.AcknowledgedSamples;
        try
        {
            await foreach (var acknowledgement in _client.StreamAudioAsync(session.SessionId, acknowledged, chunks.Reader, cancellationToken))
            {
                acknowledged = acknowledgement.AcknowledgedSamples;
            }
        }
        catch
        {
            await either.CancelAsync();
            await Task.WhenAny(reading);
            throw;
        }

        var sent = await reading;
        if (acknowledged < sent)
        {
            throw new AsrException($"the host took only {acknowledged} of {sent} samples: the session was ended by someone else");
        }
    }

    private async Task<long> ReadAsync(IAudioSource audio, ChannelWriter<string> chunks, long skip, double pace, CancellationToken cancellationToken)
    {
        Exception? failure = null;
        var position = 0L;
        try
        {
            using var reader = audio.OpenReader();
            var samples = new float[_chunkSamples];
            var bytes = new byte[2 * _chunkSamples];
            while (true)
            {
                var count = Fill(reader, samples);
                if (count == 0)
                {
                    break;
                }

                position += count;
                if (pace > 0)
                {
                    // A chunk is there when its last sample was said.
                    var due = TimeSpan.FromSeconds((position - skip) / (audio.SampleRateHz * pace)) - _time.GetElapsedTime(_started);
                    if (due > TimeSpan.Zero)
                    {
                        await Task.Delay(due, _time, cancellationToken);
                    }
                }

                var from = (int)Math.Clamp(skip - (position - count), 0, count);
                if (from < count)
                {
                    for (var i = from; i < count; i++)
                    {
                        BinaryPrimitives.WriteInt16LittleEndian(bytes.AsSpan(2 * i), (short)Math.Clamp(MathF.Round(samples[i] * 32768f), short.MinValue, short.MaxValue));
                    }

                    await chunks.WriteAsync(Convert.ToBase64String(bytes.AsSpan(2 * from, 2 * (count - from))), cancellationToken);
                }

                lock (_sentAt)
                {
                    _sentAt.Add(_time.GetTimestamp());
                }
            }
        }
        catch (Exception error)
        {
            failure = error;
            throw;
        }
        finally
        {
            chunks.TryComplete(failure);
        }

        return position;
    }

    private async Task<LiveRunResult> WatchAsync(SessionPosition session, int sampleRateHz, Action<SeenCaption>? onCaption, CancellationToken cancellationToken)
    {
        List<SeenCaption> seen = [];
        SortedDictionary<long, CaptionUpdate> newest = [];
        await foreach (var update in _client.WatchCaptionsAsync(session.SessionId, session.LastSequence, cancellationToken))
        {
            var now = _time.GetTimestamp();
            var end = update.Words.Count > 0 ? (long)(update.Words[^1].End * sampleRateHz) : update.EndSample;
            var caption = new SeenCaption(update, _time.GetElapsedTime(_started, now), _time.GetElapsedTime(SentAt(end), now));
            newest[update.SegmentId] = update;
            seen.Add(caption);
            onCaption?.Invoke(caption);
        }

        return new LiveRunResult(session.SessionId, [.. newest.Values], seen);
    }

    private long SentAt(long sample)
    {
        lock (_sentAt)
        {
            return _sentAt.Count == 0 ? _started : _sentAt[(int)Math.Clamp((sample - 1) / _chunkSamples, 0, _sentAt.Count - 1)];
        }
    }

    private static int Fill(IAudioReader reader, Span<float> samples)
    {
        var count = 0;
        while (count < samples.Length && reader.Read(samples[count..]) is > 0 and var read)
        {
            count += read;
        }

        return count;
    }
}
