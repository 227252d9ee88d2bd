using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Security;

namespace AsrPlatform.Host.Api.OpenAi.Realtime;

/// <summary>What a Realtime connection works with.</summary>
/// <param name="Sessions">Live sessions.</param>
/// <param name="Quota">Starts sessions for the client.</param>
/// <param name="Caller">The client.</param>
/// <param name="Meter">Measures its audio.</param>
/// <param name="Recognizer">The active recogniser.</param>
/// <param name="Detectors">Voice activity.</param>
/// <param name="Live">How live sessions behave.</param>
/// <param name="Options">Limits.</param>
internal sealed record RealtimeContext(
    LiveSessionStore Sessions,
    SessionQuota Quota,
    Caller Caller,
    AudioMeter Meter,
    RecognizerInfo Recognizer,
    VoiceActivityDetectorFactory Detectors,
    LiveOptions Live,
    OpenAiOptions Options);

/// <summary>The input audio buffer of a Realtime connection: cuts what is appended into turns and gives it to a live session.</summary>
/// <remarks>
/// With turn detection audio goes to the session at once, so that long turns are told while they last. Without, it is held until the
/// client commits: what is cleared was never decoded. Not safe for concurrent calls.
/// </remarks>
internal sealed class RealtimeAudio(RealtimeContext context, RealtimeSender events, bool isBeta) : IAsyncDisposable
{
    /// <summary>OpenAI's shortest commit.</summary>
    private const int ShortestCommitMs = 100;

    /// <summary>Turn detection looks at audio in steps of 1/50 s: where a turn stops, no more than that of the next one is in it.</summary>
    private const int StepsPerSecond = 50;

    private readonly List<short> _held = [];
    private RealtimeSettings _settings = new();
    private string? _adapter;
    private LiveTurns? _live;
    private long _liveStart; // position of the session's first sample
    private SpeechTurns? _turns;
    private Resampler? _resampler; // from the client's rate to the recogniser's, for turn detection; null when they are the same
    private long _turnsStart; // position of the first sample that turn detection has heard
    private LiveTurn? _open;
    private string? _previousItemId;
    private long _received; // samples appended in the present format
    private long _bufferStart; // position after what was committed or cleared
    private double _earlierMs; // length of what was appended in other formats

    private int SampleRateHz => _settings.Format.SampleRateHz;

    /// <summary>Takes new settings; the next turn has them.</summary>
    /// <param name="settings">The settings.</param>
    /// <param name="adapter">The adapter that their model stands for; null for the recogniser's choice.</param>
    /// <exception cref="OpenAiException">The buffer holds audio that was said under the old ones.</exception>
    public void Configure(RealtimeSettings settings, string? adapter)
    {
        if (settings == _settings && adapter == _adapter)
        {
            return;
        }

        if (_open is not null || _held.Count > 0)
        {
            throw OpenAiException.Invalid("The input audio buffer holds audio: commit or clear it before the session is changed.", "session", "input_audio_buffer_not_empty");
        }

        if (settings.Format != _settings.Format)
        {
            _earlierMs += Milliseconds(_received);
            _received = _bufferStart = 0;
        }

        _settings = settings;
        _adapter = adapter;
        Leave();
    }

    /// <summary>Takes audio in; waits while the recogniser lags.</summary>
    /// <exception cref="OpenAiException">Without turn detection: the buffer is full.</exception>
    /// <exception cref="AsrException">There can be no live session, or it has failed.</exception>
    public async Task AppendAsync(ReadOnlyMemory<short> samples, CancellationToken cancellationToken)
    {
        if (_settings.TurnDetection is null)
        {
            var maximum = context.Options.MaximumBufferedAudio;
            if (_held.Count + samples.Length > maximum.TotalSeconds * SampleRateHz)
            {
                throw OpenAiException.Invalid($"The input audio buffer is full ({maximum} by OpenAi:MaximumBufferedAudio): commit or clear it.", "audio", "input_audio_buffer_full");
            }

            _held.AddRange(samples.Span);
            _received += samples.Length;
            return;
        }

        await RequireLiveAsync(cancellationToken);
        var step = SampleRateHz / StepsPerSecond;
        for (var rest = samples; !rest.IsEmpty;)
        {
            IReadOnlyList<TurnBoundary> boundaries = [];
            var count = 0;
            while (count < rest.Length && boundaries.Count == 0)
            {
                var next = Math.Min(step, rest.Length - count);
                boundaries = Listen(rest.Span.Slice(count, next));
                count += next;
            }

            await FeedAsync(rest[..count], cancellationToken);
            rest = rest[count..];
            foreach (var boundary in boundaries)
            {
                // Turn detection counts the recogniser's samples.
                var at = Math.Min(_turnsStart + (boundary.Position * SampleRateHz / context.Recognizer.SampleRateHz), _received);
                await (boundary.IsStart ? StartTurnAsync(at) : StopTurnAsync(at));
            }
        }
    }

    /// <summary>Makes an item of what was appended since the last one.</summary>
    /// <exception cref="OpenAiException">That is less than 100 ms.</exception>
    /// <exception cref="AsrException">There can be no live session, or it has failed.</exception>
    public async Task CommitAsync(CancellationToken cancellationToken)
    {
        var length = Milliseconds(_received - _bufferStart);
        if (length < ShortestCommitMs)
        {
            throw OpenAiException.Invalid(
                FormattableString.Invariant($"The input audio buffer is too small to commit: it holds {length:0.##} ms of audio, and must hold {ShortestCommitMs} ms."),
                code: "input_audio_buffer_commit_empty");
        }

        await RequireLiveAsync(cancellationToken);
        if (_settings.TurnDetection is null)
        {
            var samples = _held.ToArray();
            _held.Clear();
            _open = await _live!.BeginAsync(RealtimeSender.NewId("item"), _live.Received);
            await TellCommittedAsync(_open.ItemId);
            await _live.AppendAsync(samples, cancellationToken);
        }
        else
        {
            _open ??= await _live!.BeginAsync(RealtimeSender.NewId("item"), Math.Max(0, _bufferStart - _liveStart));
            _turns!.Cut();
            await TellCommittedAsync(_open.ItemId);
        }

        Finish();
    }

    /// <summary>Forgets what was appended since the last item. With turn detection a part of it may be in the session's captions already.</summary>
    public async Task ClearAsync()
    {
        _held.Clear();
        if (_open is not null)
        {
            _open.IsDiscarded = true;
            Finish();
        }

        _turns?.Cut();
        _bufferStart = _received;
        await events.SendAsync("input_audio_buffer.cleared");
    }

    /// <summary>Takes no more audio; what was said is decoded and committed.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_live is { } live)
        {
            if (_open is not null && live.TakesAudio)
            {
                Finish();
            }

            await live.EndAsync();
        }

        _turns?.Dispose();
        _turns = null;
    }

    private double Milliseconds(long samples) => samples * 1000.0 / SampleRateHz;

    private int AtMs(long position) => (int)Math.Round(_earlierMs + Milliseconds(position));

    /// <summary>Lets the session finish by itself; the next audio opens another one.</summary>
    private void Leave()
    {
        _ = _live?.EndAsync();
        _live = null;
        _turns?.Dispose();
        _turns = null;
        _open = null;
        _bufferStart = _received;
    }

    private async Task RequireLiveAsync(CancellationToken cancellationToken)
    {
        if (_live is { TakesAudio: true })
        {
            return;
        }

        Leave();
        var request = new StartSessionRequest
        {
            SampleRateHz = SampleRateHz,
            Language = _settings.Language,
            Prompt = _settings.Prompt,
            Hotwords = _settings.Hotwords,
            Adapter = _adapter,
        };
        _live = await LiveTurns.StartAsync(context, request, events, _settings.LogProbabilities, cancellationToken);
        _liveStart = _turnsStart = _received;
        if (_settings.TurnDetection is { } detection)
        {
            var rate = context.Recognizer.SampleRateHz;
            _resampler = rate == SampleRateHz ? null : new Resampler(SampleRateHz, rate);
            _turns = new SpeechTurns(
                context.Detectors(rate, detection.Threshold),
                rate,
                TimeSpan.FromMilliseconds(detection.PrefixPaddingMs),
                TimeSpan.FromMilliseconds(detection.SilenceDurationMs),
                context.Live.MinimumSpeech);
        }
    }

    private IReadOnlyList<TurnBoundary> Listen(ReadOnlySpan<short> samples)
    {
        var floats = new float[samples.Length];
        for (var i = 0; i < samples.Length; i++)
        {
            floats[i] = samples[i] / 32768f;
        }

        if (_resampler is null)
        {
            return _turns!.Write(floats);
        }

        _resampler.Write(floats);
        var resampled = new float[(int)Resampler.OutputLength(samples.Length, SampleRateHz, context.Recognizer.SampleRateHz) + 1];
        List<TurnBoundary> boundaries = [];
        while (_resampler.Read(resampled) is > 0 and var count)
        {
            boundaries.AddRange(_turns!.Write(resampled.AsSpan(0, count)));
        }

        return boundaries;
    }

    private async Task FeedAsync(ReadOnlyMemory<short> samples, CancellationToken cancellationToken)
    {
        await _live!.AppendAsync(samples, cancellationToken);
        _received += samples.Length;
    }

    private async Task StartTurnAsync(long position)
    {
        var itemId = RealtimeSender.NewId("item");
        await events.SendAsync("input_audio_buffer.speech_started", ("audio_start_ms", AtMs(position)), ("item_id", itemId));
        _open = await _live!.BeginAsync(itemId, Math.Max(0, position - _liveStart));
    }

    private async Task StopTurnAsync(long position)
    {
        if (_open is null)
        {
            return;
        }

        await events.SendAsync("input_audio_buffer.speech_stopped", ("audio_end_ms", AtMs(position)), ("item_id", _open.ItemId));
        await TellCommittedAsync(_open.ItemId);
        Finish();
    }

    private void Finish()
    {
        _live!.Commit(_open!);
        _open = null;
        _bufferStart = _received;
    }

    private async Task TellCommittedAsync(string itemId)
    {
        var previous = _previousItemId;
        _previousItemId = itemId;
        await events.SendAsync("input_audio_buffer.committed", ("previous_item_id", previous), ("item_id", itemId));
        object item = new
        {
            Id = itemId,
            Object = "realtime.item",
            Type = "message",
            Status = "completed",
            Role = "user",
            Content = new[] { new Dictionary<string, object?> { ["type"] = "input_audio", ["transcript"] = null } },
        };
        foreach (var type in isBeta ? (string[])["conversation.item.created"] : ["conversation.item.added", "conversation.item.done"])
        {
            await events.SendAsync(type, ("previous_item_id", previous), ("item", item));
        }
    }
}
