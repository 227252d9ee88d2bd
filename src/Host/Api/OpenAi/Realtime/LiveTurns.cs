using System.Runtime.InteropServices;
using System.Text;
using System.Threading.Channels;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Security;
using AsrPlatform.Host.Transcripts;

namespace AsrPlatform.Host.Api.OpenAi.Realtime;

/// <summary>A turn of a Realtime conversation: the stretch of a live session's audio that one item stands for.</summary>
internal sealed class LiveTurn(string itemId, long start)
{
    public string ItemId => itemId;

    /// <summary>Its first sample in the session.</summary>
    public long Start => start;

    /// <summary>The sample after its last; unknown while somebody speaks.</summary>
    public long End { get; set; } = long.MaxValue;

    /// <summary>The client has cleared it: nothing more is told of it.</summary>
    public bool IsDiscarded { get; set; }

    /// <summary>What was committed of it.</summary>
    public StringBuilder Text { get; } = new();

    /// <summary>The words of <see cref="Text"/>.</summary>
    public List<TokenLogProbability> Words { get; } = [];
}

/// <summary>A live session whose captions are told turn by turn: committed text as deltas, then the whole of each turn.</summary>
/// <remarks>Audio and turns come from one caller; events are sent from any thread, in order.</remarks>
internal sealed class LiveTurns
{
    private readonly LiveSession _session;
    private readonly AudioMeter _meter;
    private readonly RealtimeSender _events;
    private readonly bool _logProbabilities;
    private readonly Lock _gate = new();
    private readonly List<LiveTurn> _turns = [];
    private readonly List<CaptionUpdate> _unclaimed = [];
    private readonly List<(long Sequence, TaskCompletionSource Seen)> _waiting = [];
    private readonly Task _watching;
    private Task _completing = Task.CompletedTask;
    private long _seen;
    private bool _isOver;

    private LiveTurns(LiveSession session, AudioMeter meter, RealtimeSender events, bool logProbabilities)
    {
        _session = session;
        _meter = meter;
        _events = events;
        _logProbabilities = logProbabilities;
        _watching = Task.Run(WatchAsync);
    }

    /// <summary>Samples of the session so far.</summary>
    public long Received { get; private set; }

    /// <summary>Whether the session goes on: it ends by itself after a long time without audio, or by an error.</summary>
    public bool TakesAudio => _session.State == SessionState.Active;

    /// <summary>Starts a session.</summary>
    /// <exception cref="AsrException">It cannot be started; the message says why.</exception>
    public static async Task<LiveTurns> StartAsync(
        RealtimeContext context,
        StartSessionRequest request,
        RealtimeSender events,
        bool logProbabilities,
        CancellationToken cancellationToken)
    {
        var position = await context.Quota.StartAsync(context.Caller, request, cancellationToken);
        return new LiveTurns(context.Sessions.Get(position.SessionId), context.Meter, events, logProbabilities);
    }

    /// <summary>Gives the session audio; waits while it lags.</summary>
    /// <exception cref="AsrException">The session has ended or failed.</exception>
    public async Task AppendAsync(ReadOnlyMemory<short> samples, CancellationToken cancellationToken)
    {
        const int ChunkSamples = LiveSession.MaximumChunkBytes / sizeof(short);
        for (; !samples.IsEmpty; samples = samples[Math.Min(ChunkSamples, samples.Length)..])
        {
            var chunk = samples[..Math.Min(ChunkSamples, samples.Length)];
            var chunks = Channel.CreateBounded<string>(1);
            chunks.Writer.TryWrite(Convert.ToBase64String(LittleEndian(chunk.Span)));
            chunks.Writer.Complete();
            await foreach (var _ in _session.ReceiveAsync(Received, _meter.Count(chunks.Reader, _session), cancellationToken))
            {
            }

            if (_session.Position.AcknowledgedSamples < Received + chunk.Length)
            {
                throw new AsrException("the session ended while it took audio");
            }

            Received += chunk.Length;
        }
    }

    /// <summary>Opens a turn: captions from its start on are its own. One at a time is open.</summary>
    public async Task<LiveTurn> BeginAsync(string itemId, long start)
    {
        var turn = new LiveTurn(itemId, start);
        List<CaptionUpdate> claimed;
        lock (_gate)
        {
            claimed = _unclaimed.FindAll(caption => Middle(caption) >= start);
            _unclaimed.Clear();
            _turns.Add(turn);
        }

        foreach (var caption in claimed)
        {
            await TellAsync(turn, caption);
        }

        return turn;
    }

    /// <summary>Ends the open turn at the end of the audio; its transcript is told as soon as it is final.</summary>
    public void Commit(LiveTurn turn)
    {
        lock (_gate)
        {
            turn.End = Received;
        }

        // What was acknowledged before this call is what it commits; turns are told in their order.
        var commit = _session.CommitAsync(CancellationToken.None);
        _completing = CompleteAsync(turn, commit, _completing);
    }

    /// <summary>Ends the session; what is still being decoded is told.</summary>
    public async Task EndAsync()
    {
        try
        {
            await _session.EndAsync(CancellationToken.None);
        }
        catch (AsrException)
        {
            // Its turns have said so.
        }

        await _completing;
        await _watching;
    }

    private static ReadOnlySpan<byte> LittleEndian(ReadOnlySpan<short> samples)
    {
        if (BitConverter.IsLittleEndian)
        {
            return MemoryMarshal.AsBytes(samples);
        }

        var swapped = new short[samples.Length];
        System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(samples, swapped);
        return MemoryMarshal.AsBytes<short>(swapped);
    }

    private static long Middle(CaptionUpdate caption) => caption.StartSample + ((caption.EndSample - caption.StartSample) / 2);

    private async Task CompleteAsync(LiveTurn turn, Task<SessionPosition> commit, Task previous)
    {
        string? error = null;
        try
        {
            var position = await commit;
            await SeenAsync(position.LastSequence);
        }
        catch (AsrException failure)
        {
            // A session that was ended in the meantime has decoded what it had.
            if (_session.State == SessionState.Failed)
            {
                error = failure.Message;
            }
            else
            {
                await _watching;
            }
        }

        await previous;
        lock (_gate)
        {
            _turns.Remove(turn);
        }

        if (turn.IsDiscarded)
        {
            return;
        }

        if (error is not null)
        {
            await _events.SendAsync(
                "conversation.item.input_audio_transcription.failed",
                ("item_id", turn.ItemId),
                ("content_index", 0),
                ("error", new { Type = "transcription_error", Code = "session_failed", Message = error }));
            return;
        }

        (string, object?)[] logProbabilities = _logProbabilities ? [("logprobs", turn.Words)] : [];
        await _events.SendAsync(
            "conversation.item.input_audio_transcription.completed",
            [
                ("item_id", turn.ItemId),
                ("content_index", 0),
                ("transcript", turn.Text.ToString()),
                .. logProbabilities,
                ("usage", DurationUsage.Of((double)(turn.End - turn.Start) / _session.Settings.SampleRateHz)),
            ]);
    }

    private async Task WatchAsync()
    {
        try
        {
            await foreach (var caption in _session.WatchAsync(0, CancellationToken.None))
            {
                // Only committed text: deltas are never taken back. Corrections stay on the hub.
                if (caption is { State: CaptionState.Committed, Text.Length: > 0 } && Claim(caption) is { } turn)
                {
                    await TellAsync(turn, caption);
                }

                Saw(caption.Sequence, isOver: false);
            }
        }
        catch (AsrException)
        {
            // The session has failed, as its turns say.
        }
        finally
        {
            Saw(long.MaxValue, isOver: true);
        }
    }

    /// <summary>The turn that a caption belongs to; null when it may be one's that is not open yet.</summary>
    private LiveTurn? Claim(CaptionUpdate caption)
    {
        lock (_gate)
        {
            var turn = _turns.Find(turn => Middle(caption) < turn.End);
            if (turn is null)
            {
                _unclaimed.Add(caption);
            }

            return turn;
        }
    }

    private async Task TellAsync(LiveTurn turn, CaptionUpdate caption)
    {
        if (turn.IsDiscarded)
        {
            return;
        }

        var delta = (turn.Text.Length > 0 ? CaptionJoin.Separator(caption) : "") + caption.Text;
        turn.Text.Append(delta);
        List<TokenLogProbability>? words = null;
        if (_logProbabilities)
        {
            words = [.. caption.Words.Select(word => TokenLogProbability.Of(word.Text, word.Confidence))];
            turn.Words.AddRange(words);
        }

        (string, object?)[] logProbabilities = words is null ? [] : [("logprobs", words)];
        await _events.SendAsync(
            "conversation.item.input_audio_transcription.delta",
            [("item_id", turn.ItemId), ("content_index", 0), ("delta", delta), .. logProbabilities]);
    }

    private async Task SeenAsync(long sequence)
    {
        TaskCompletionSource seen;
        lock (_gate)
        {
            if (_isOver || _seen >= sequence)
            {
                return;
            }

            seen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Add((sequence, seen));
        }

        await seen.Task;
    }

    private void Saw(long sequence, bool isOver)
    {
        lock (_gate)
        {
            _seen = sequence;
            _isOver = isOver;
            _waiting.RemoveAll(waiting =>
            {
                if (waiting.Sequence > sequence)
                {
                    return false;
                }

                waiting.Seen.SetResult();
                return true;
            });
        }
    }
}
