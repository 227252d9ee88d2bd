namespace AsrPlatform.Host.Live;

/// <summary>Where somebody starts or stops speaking.</summary>
/// <param name="IsStart">Whether it is a start.</param>
/// <param name="Position">Sample of the stream: of a start with the padding before it, of a stop with the silence that ended it.</param>
internal readonly record struct TurnBoundary(bool IsStart, long Position);

/// <summary>Cuts a stream into turns: stretches of speech with no longer silence in them than a given one.</summary>
/// <remarks>Depends on the audio alone, not on how it is cut into pieces. Not safe for concurrent calls.</remarks>
internal sealed class SpeechTurns : IDisposable
{
    private readonly IVoiceActivityDetector _detector;
    private readonly float[] _frame;
    private readonly long _padding;
    private readonly long _silence;
    private readonly long _minimum;
    private int _filled;
    private long _position; // end of the last whole frame
    private long _turnStart;
    private long _speech; // in speech frames of what may become a turn, or is one
    private long _speechEnd;
    private long _lastStop;

    /// <param name="detector">Tells speech from silence; this one's from now on.</param>
    /// <param name="sampleRateHz">Samples per second.</param>
    /// <param name="padding">Audio before the first speech that belongs to a turn.</param>
    /// <param name="silence">Silence that ends a turn.</param>
    /// <param name="minimumSpeech">Speech that makes a turn; less is a click.</param>
    public SpeechTurns(IVoiceActivityDetector detector, int sampleRateHz, TimeSpan padding, TimeSpan silence, TimeSpan minimumSpeech)
    {
        _detector = detector;
        _frame = new float[detector.FrameSamples];
        _padding = Samples(padding);
        _silence = Samples(silence);
        _minimum = Samples(minimumSpeech);

        long Samples(TimeSpan time) => (long)(time.TotalSeconds * sampleRateHz);
    }

    /// <summary>Whether somebody is speaking: a start was told, and no stop yet.</summary>
    public bool IsOpen { get; private set; }

    /// <summary>Samples written.</summary>
    public long Received => _position + _filled;

    /// <summary>Takes audio in and tells where turns start and stop in it, in order.</summary>
    public IReadOnlyList<TurnBoundary> Write(ReadOnlySpan<float> samples)
    {
        List<TurnBoundary>? boundaries = null;
        while (!samples.IsEmpty)
        {
            var count = Math.Min(samples.Length, _frame.Length - _filled);
            samples[..count].CopyTo(_frame.AsSpan(_filled));
            samples = samples[count..];
            _filled += count;
            if (_filled == _frame.Length)
            {
                if (Classify(_detector.IsSpeech(_frame)) is { } boundary)
                {
                    (boundaries ??= []).Add(boundary);
                }
            }
        }

        return boundaries ?? (IReadOnlyList<TurnBoundary>)[];
    }

    /// <summary>Ends the turn that is open here, and lets the next one start no earlier.</summary>
    public void Cut()
    {
        IsOpen = false;
        _speech = 0;
        _lastStop = Received;
    }

    public void Dispose() => _detector.Dispose();

    private TurnBoundary? Classify(bool speech)
    {
        var start = _position;
        _position += _frame.Length;
        _filled = 0;
        if (speech)
        {
            if (_speech == 0)
            {
                _turnStart = Math.Max(_lastStop, start - _padding);
            }

            _speech += _frame.Length;
            _speechEnd = _position;
            if (!IsOpen && _speech >= _minimum)
            {
                IsOpen = true;
                return new TurnBoundary(true, _turnStart);
            }
        }
        else if (_speech > 0 && _position - _speechEnd >= _silence)
        {
            _speech = 0;
            if (IsOpen)
            {
                IsOpen = false;
                _lastStop = _position;
                return new TurnBoundary(false, _position);
            }
        }

        return null;
    }
}
