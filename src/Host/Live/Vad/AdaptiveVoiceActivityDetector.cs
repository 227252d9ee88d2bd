using System.Numerics.Tensors;

namespace AsrPlatform.Host.Live;

/// <summary>Voice activity by spectrum: speech is what rises above the noise in many bands, by more than the noise itself does.</summary>
/// <remarks>
/// Frames of 16 ms, seen through windows of 32 ms in 18 bands of 120 Hz to 7 kHz. The score is the mean excess over the
/// <see cref="NoiseFloor"/> in dB, smoothed over some 150 ms; speech begins where it passes a threshold and ends where it falls below part
/// of that. The threshold follows the lower quartile of the score itself, since noise that fluctuates (voices in the background) scores
/// higher than steady noise. It hears nothing in DC and little in hum, which lie below the bands or are part of the floor; music and
/// voices that are as loud as the speaker are speech to it. The constants were found on synthetic voices in white, pink and babble noise,
/// and measured on other voices: <c>asr bench vad</c>.
/// </remarks>
internal sealed class AdaptiveVoiceActivityDetector : IVoiceActivityDetector
{
    private const double FrameSeconds = 0.016;

    private const int BandCount = 18;

    /// <summary>One band cannot say more than this.</summary>
    private const double HighestExcessDecibels = 15;

    /// <summary>Shares of a new frame in the score: speech is to be found sooner than lost.</summary>
    private const double Attack = 0.16;

    private const double Release = 0.11;

    /// <summary>The score stops at so many thresholds: the end of a loud word is found as soon as that of a quiet one.</summary>
    private const double Saturation = 3;

    /// <summary>Steady noise without speech has a lower quartile of 0.25 to 0.35, and is below 0.7 for 99 % of the time; eight distant voices have 0.7 to 1.</summary>
    private const double ThresholdOverQuartile = 2.7;

    private const double LowestThreshold = 0.75;

    /// <summary>Speech 10 dB above white noise has a median of 2.6: long speech must not make it deaf.</summary>
    private const double HighestThreshold = 3;

    private const double InitialQuartile = 0.4;

    /// <summary>Steps of the quartile a frame, up and down at 1 to 3: it follows a change within some seconds.</summary>
    private const double QuartileStep = 0.006;

    /// <summary>A user's threshold of 0 or 1 divides or multiplies the detector's own by this.</summary>
    private const double ThresholdRange = 4;

    /// <summary>What is ended below this part of the threshold.</summary>
    private const double EndShare = 0.7;

    /// <summary>What is so much quieter than the loudest of the last seconds is somebody else, or an echo.</summary>
    private const double BackgroundDecibels = 20;

    /// <summary>As <see cref="BackgroundDecibels"/>, within speech: words fade.</summary>
    private const double EndBackgroundDecibels = 22;

    /// <summary>The loudest is forgotten by so much a second.</summary>
    private const double LoudestDecay = 1.5;

    /// <summary>Louder counts as this: a slammed door hides no speech.</summary>
    private const double LoudestDecibels = -20;

    private const double LevelSmoothing = 0.4;

    private readonly BandSpectrum _spectrum;
    private readonly NoiseFloor _noise;
    private readonly float[] _window;
    private readonly double _thresholdScale;
    private readonly double[] _power;
    private readonly double[] _excess;
    private SpeechHangover _hangover = new(burst: 3, frames: 7);
    private double _score;
    private double _quartile = InitialQuartile;
    private double _level = -120;
    private double _loudest = -120;

    /// <summary>Begins a stream.</summary>
    /// <param name="sampleRateHz">Samples per second; 8000 or more.</param>
    /// <param name="threshold">As in <see cref="VoiceActivityDetectorFactory"/>.</param>
    public AdaptiveVoiceActivityDetector(int sampleRateHz, double threshold = 0.5)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(sampleRateHz, 8000);
        ArgumentOutOfRangeException.ThrowIfNegative(threshold);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(threshold, 1);
        _thresholdScale = Math.Pow(ThresholdRange, (2 * threshold) - 1);
        FrameSamples = (int)Math.Round(sampleRateHz * FrameSeconds);
        _window = new float[2 * FrameSamples];
        _spectrum = new BandSpectrum(_window.Length, sampleRateHz, BandCount);
        _noise = new NoiseFloor(_spectrum, 1 / FrameSeconds);
        _power = new double[_spectrum.Bands];
        _excess = new double[_spectrum.Bands];
    }

    /// <inheritdoc />
    public int FrameSamples { get; }

    /// <inheritdoc />
    public void Dispose()
    {
        // It holds memory alone.
    }

    public bool IsSpeech(ReadOnlySpan<float> frame)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(frame.Length, FrameSamples, nameof(frame));
        _window.AsSpan(FrameSamples).CopyTo(_window);
        for (var i = 0; i < frame.Length; i++)
        {
            // One bad sample must not stay in the floor for ever.
            _window[FrameSamples + i] = float.IsFinite(frame[i]) ? Math.Clamp(frame[i], -1, 1) : 0;
        }

        _spectrum.Compute(_window, _power);
        _noise.Track(_power, _excess);
        var threshold = _thresholdScale * Math.Clamp(ThresholdOverQuartile * _quartile, LowestThreshold, HighestThreshold);
        var score = 0.0;
        foreach (var excess in _excess)
        {
            score += Math.Clamp(excess, 0, HighestExcessDecibels);
        }

        score = Math.Min(score / _excess.Length, Saturation * threshold);
        _score += (score > _score ? Attack : Release) * (score - _score);
        var step = _score < _quartile ? -3 * QuartileStep / 4 : QuartileStep / 4;
        _quartile = Math.Clamp(_quartile + step, 0, HighestThreshold / ThresholdOverQuartile);

        _level += LevelSmoothing * ((10 * Math.Log10(TensorPrimitives.Sum<double>(_power) + 1e-12)) - _level);
        _loudest -= LoudestDecay * FrameSeconds;
        var (least, quietest) = _hangover.IsSpeech ? (EndShare * threshold, _loudest - EndBackgroundDecibels) : (threshold, _loudest - BackgroundDecibels);
        var certain = _score > least && _level > quietest;
        if (certain)
        {
            _loudest = Math.Max(_loudest, Math.Min(_level, LoudestDecibels));
        }

        return _hangover.Extend(certain);
    }
}
