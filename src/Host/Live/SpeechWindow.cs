using System.Numerics.Tensors;

namespace AsrPlatform.Host.Live;

/// <summary>Why a stretch of audio is to be decoded.</summary>
internal enum DecodeReason
{
    /// <summary>To show what was said so far; it will be decoded again.</summary>
    Update,

    /// <summary>To make final what can be by now; asked for at fixed places of the audio.</summary>
    Step,

    /// <summary>A pause or the end of the session closed it: its text is final.</summary>
    Complete,

    /// <summary>The utterance is as long as a window may be: its text is final up to where it is quietest in the last third of the window.</summary>
    Full,
}

/// <summary>A stretch of audio to decode, by position in the stream.</summary>
internal readonly record struct DecodeRequest(DecodeReason Reason, long Start, long End);

/// <summary>
/// Cuts a stream into utterances and says what to decode next: the growing utterance at each interval and each step, the whole of it
/// after a pause, the first part of it when it fills a window. Silence asks for nothing and is forgotten.
/// </summary>
/// <remarks>
/// Where it cuts depends on the audio alone, never on how fast it came or how far decoding lags. Not safe for concurrent calls.
/// </remarks>
internal sealed class SpeechWindow : IDisposable
{
    private readonly IVoiceActivityDetector _detector;
    private readonly SampleBuffer _buffer;
    private readonly List<Utterance> _complete = [];
    private readonly long _firstUpdate;
    private readonly long _updateInterval;
    private readonly long _pause;
    private readonly long _preRoll;
    private readonly long _minimumSpeech;
    private readonly long _commitInterval;
    private readonly int _quietStretch;
    private readonly int _sampleRateHz;
    private int _window;
    private bool _steps;

    private Utterance _open;
    private long _classified;
    private long _boundary;
    private long _silence;
    private long _decodedTo;

    /// <param name="options">When it asks for what.</param>
    /// <param name="sampleRateHz">Samples per second.</param>
    /// <param name="detector">Tells speech from silence; this one's from now on.</param>
    public SpeechWindow(LiveOptions options, int sampleRateHz, IVoiceActivityDetector detector)
    {
        _detector = detector;
        _firstUpdate = Samples(options.FirstUpdate);
        _updateInterval = Samples(options.UpdateInterval);
        _pause = Samples(options.PauseDuration);
        _preRoll = Samples(options.PreRoll);
        _minimumSpeech = Samples(options.MinimumSpeech);
        _commitInterval = Samples(options.CommitInterval);
        _sampleRateHz = sampleRateHz;
        _window = (int)Samples(options.MaximumWindow);
        _quietStretch = sampleRateHz / 10;
        _buffer = new SampleBuffer(_window + (int)Samples(options.MaximumAhead));

        long Samples(TimeSpan time) => (long)(time.TotalSeconds * sampleRateHz);
    }

    /// <summary>Position after the last sample received.</summary>
    public long Received => _buffer.End;

    /// <summary>Samples that can be appended now; decoding makes room.</summary>
    public int Free => _buffer.Free;

    /// <summary>Samples received that are not yet final or known to be silence.</summary>
    public int Pending => _buffer.Count;

    /// <summary>Position of the first sample held.</summary>
    public long Start => _buffer.Start;

    /// <summary>Whether somebody has begun to speak and not yet paused.</summary>
    public bool IsOpen => _open.Speech > 0;

    /// <summary>Longest window in samples.</summary>
    public int MaximumWindow => _window;

    /// <summary>Suits the window to a recogniser; to be called before anything is appended.</summary>
    /// <param name="steps">Whether words can become final while somebody speaks: only then <see cref="DecodeReason.Step"/> is asked for.</param>
    /// <param name="maximumSeconds">Longest window that it takes.</param>
    public void Configure(bool steps, double maximumSeconds)
    {
        _steps = steps;
        _window = (int)Math.Min(_window, maximumSeconds * _sampleRateHz);
    }

    /// <summary>Appends audio; at most <see cref="Free"/> samples.</summary>
    public void Append(ReadOnlySpan<float> samples)
    {
        _buffer.Append(samples);
        while (_buffer.End - _classified >= _detector.FrameSamples)
        {
            var frame = _buffer.Slice(_classified, _classified + _detector.FrameSamples);
            Classify(_detector.IsSpeech(frame));
        }

        Forget();
    }

    /// <summary>What to decode now, or null.</summary>
    /// <param name="flush">No more audio will come: what is open is complete.</param>
    /// <param name="stalled">No audio has come for an interval: show what there is, without waiting for a whole interval of audio.</param>
    public DecodeRequest? Next(bool flush, bool stalled)
    {
        Utterance utterance;
        var isComplete = _complete.Count > 0;
        if (isComplete)
        {
            utterance = _complete[0];
        }
        else
        {
            // At the end any speech counts: the audio may stop in the middle of the first sound.
            if (_open.Speech == 0 || (!flush && _open.Speech < _minimumSpeech))
            {
                return null;
            }

            utterance = _open with { End = _buffer.End };
        }

        if (_steps && utterance.NextStep <= utterance.End && utterance.NextStep - utterance.Start <= _window)
        {
            return new DecodeRequest(DecodeReason.Step, utterance.Start, utterance.NextStep);
        }

        if (utterance.End - utterance.Start > _window)
        {
            return new DecodeRequest(DecodeReason.Full, utterance.Start, QuietestPoint(utterance.Start, utterance.Start + _window));
        }

        if (isComplete || flush)
        {
            return new DecodeRequest(DecodeReason.Complete, utterance.Start, utterance.End);
        }

        var fresh = utterance.End - UpdateBase(utterance);
        return fresh >= (_decodedTo <= utterance.Start ? _firstUpdate : _updateInterval) || (stalled && fresh > 0)
            ? new DecodeRequest(DecodeReason.Update, utterance.Start, utterance.End)
            : null;
    }

    /// <summary>The sample whose coming made a request due.</summary>
    public long DueOf(DecodeRequest request) => request.Reason == DecodeReason.Update
        ? Math.Min(request.End, UpdateBase(_open) + (_decodedTo <= _open.Start ? _firstUpdate : _updateInterval))
        : request.End;

    /// <summary>Goes on with the last step that the audio at hand allows, where the usual one comes too late.</summary>
    public void SkipSteps()
    {
        var utterance = _complete.Count > 0 ? _complete[0] : _open with { End = _buffer.End };
        var last = Math.Min(utterance.End, utterance.Start + _window);
        var skipped = utterance.NextStep + (Math.Max(0, last - utterance.NextStep) / _commitInterval * _commitInterval);
        SetNextStep(skipped);
    }

    /// <summary>Lets the utterance at hand start later: what was said before is final.</summary>
    public void MoveStart(long position)
    {
        if (_complete.Count > 0)
        {
            _complete[0] = _complete[0] with { Start = position };
        }
        else
        {
            _open = _open with { Start = position };
        }

        _boundary = Math.Max(_boundary, position);
        Forget();
    }

    /// <summary>Tells that a step was decoded.</summary>
    public void MarkStepped(long end)
    {
        SetNextStep(end + _commitInterval);
        _decodedTo = end;
    }

    private void SetNextStep(long position)
    {
        if (_complete.Count > 0)
        {
            _complete[0] = _complete[0] with { NextStep = position };
        }
        else
        {
            _open = _open with { NextStep = position };
        }
    }

    /// <summary>From where new audio counts for an update.</summary>
    private long UpdateBase(Utterance utterance) => _decodedTo <= utterance.Start ? utterance.SpeechStart : _decodedTo;

    /// <summary>Ends what is open as a pause would: any speech in it counts, and what follows starts another utterance.</summary>
    public void Close()
    {
        if (_open.Speech > 0)
        {
            _complete.Add(_open with { End = _buffer.End });
            _open = default;
        }

        // The frame that is not whole yet belongs to what was closed.
        _boundary = _classified = _buffer.End;
        _silence = 0;
        Forget();
    }

    /// <summary>Whether anything before a position is still to be made final.</summary>
    public bool HasBefore(long position) => _complete.Count > 0 && _complete[0].Start < position;

    /// <summary>Copies audio that is asked for by <see cref="Next"/>.</summary>
    public void CopyTo(long start, long end, Span<float> destination) => _buffer.Slice(start, end).CopyTo(destination);

    /// <summary>Tells that an update was decoded.</summary>
    public void MarkDecoded(long end) => _decodedTo = end;

    /// <summary>Tells that everything up to <paramref name="end"/> is final: what is asked for next starts there or later.</summary>
    public void Commit(long end)
    {
        if (_complete.Count > 0)
        {
            // Of an utterance longer than a window the rest stays first in line.
            if (end < _complete[0].SpeechEnd)
            {
                _complete[0] = _complete[0] with { Start = end };
            }
            else
            {
                _complete.RemoveAt(0);
            }
        }
        else
        {
            _open = end < _open.SpeechEnd
                ? _open with { Start = end, SpeechStart = end, Speech = Math.Min(_open.Speech, _open.SpeechEnd - end) }
                : default;
        }

        _boundary = Math.Max(_boundary, end);
        Forget();

        // A cut may lie in a frame that is not whole yet: frames go on from what is left.
        _classified = Math.Max(_classified, _buffer.Start);
    }

    /// <summary>The middle of the quietest tenth of a second in the last third of a stretch: the best place for a cut that has to be.</summary>
    private long QuietestPoint(long start, long end)
    {
        var from = Math.Max(start, end - ((end - start) / 3));
        var samples = _buffer.Slice(from, end);
        var best = samples.Length / 2;
        var lowest = float.PositiveInfinity;
        for (var at = 0; at + _quietStretch <= samples.Length; at += _quietStretch / 4)
        {
            var power = TensorPrimitives.SumOfSquares(samples.Slice(at, _quietStretch));
            if (power < lowest)
            {
                lowest = power;
                best = at + (_quietStretch / 2);
            }
        }

        return from + best;
    }

    public void Dispose()
    {
        _buffer.Dispose();
        _detector.Dispose();
    }

    private void Classify(bool speech)
    {
        var frame = _detector.FrameSamples;
        var start = _classified;
        _classified += frame;
        if (speech)
        {
            if (_open.Speech == 0)
            {
                _open = new Utterance
                {
                    Start = Math.Max(Math.Max(_boundary, _buffer.Start), start - _preRoll),
                    SpeechStart = start,
                    NextStep = start + _commitInterval,
                };
            }

            _silence = 0;
            _open = _open with { Speech = _open.Speech + frame, SpeechEnd = _classified };
            return;
        }

        _silence += frame;
        if (_open.Speech > 0 && _silence >= _pause)
        {
            if (_open.Speech >= _minimumSpeech)
            {
                _complete.Add(_open with { End = _classified });
                _boundary = _classified;
            }

            _open = default;
        }
    }

    /// <summary>Lets go of audio that nothing will ask for: what is final, and silence but for the lead-in of a next word.</summary>
    private void Forget()
    {
        if (_complete.Count > 0)
        {
            _buffer.DiscardTo(_complete[0].Start);
        }
        else if (_open.Speech > 0)
        {
            _buffer.DiscardTo(_open.Start);
        }
        else
        {
            _buffer.DiscardTo(Math.Max(_boundary, _classified - _preRoll));
        }
    }

    /// <summary>A stretch with speech in it.</summary>
    private readonly record struct Utterance
    {
        public long Start { get; init; }

        /// <summary>Set when it is complete.</summary>
        public long End { get; init; }

        public long SpeechStart { get; init; }

        /// <summary>Samples in speech frames; 0: there is no utterance.</summary>
        public long Speech { get; init; }

        public long SpeechEnd { get; init; }

        /// <summary>Where the next step ends.</summary>
        public long NextStep { get; init; }
    }
}
