namespace AsrPlatform.Host.Live;

/// <summary>The power of the noise in each band, from the sound itself: learnt where no speech is likely, and never far below what is always there.</summary>
/// <remarks>
/// Each frame moves the floor as far as it is likely to be noise (Gerkmann and Hendriks 2012: speech presence with a fixed prior SNR,
/// which cannot lock up as a hard decision can). The minimum over some seconds bounds it from below (Martin 2001), because speech has gaps
/// in every band: noise that sets in suddenly is known when the minimum has risen. Not safe for concurrent calls; allocates nothing per
/// frame.
/// </remarks>
internal sealed class NoiseFloor
{
    /// <summary>Share that a frame of certain noise has in the floor: a second of noise replaces two thirds of it.</summary>
    private const double Rate = 0.015;

    /// <summary>What speech has over the noise where it is present; the higher, the more of a fluctuating noise is followed.</summary>
    private const double PriorDecibels = 25;

    /// <summary>The smoothed minimum of steady noise lies about so far below its mean.</summary>
    private const double BiasDecibels = 4;

    private const double Smoothing = 0.4;

    /// <summary>The stretch whose minimum counts, in blocks that are forgotten as a whole.</summary>
    private const double MinimumSeconds = 2.5;

    private const int Blocks = 6;

    /// <summary>Until then no noise is taken to be above <see cref="InitialDecibels"/>: a stream may begin in the middle of a word.</summary>
    private const double LearningSeconds = 0.3;

    /// <summary>The floor of an unknown room, full band.</summary>
    private const double InitialDecibels = -50;

    /// <summary>The floor is never below this, full band: in gated and synthetic sound the gaps are digital silence, and its first hiss is no speech.</summary>
    private const double LowestDecibels = -70;

    private readonly double[] _floor;
    private readonly double[] _lowest;
    private readonly double[] _initial;
    private readonly double[] _smoothedDecibels;
    private readonly double[] _minima; // [block, band]
    private readonly double _prior = FromDecibels(PriorDecibels);
    private readonly int _framesPerBlock;
    private readonly int _learningFrames;
    private int _block;
    private int _frameOfBlock;
    private int _heard;

    /// <summary>Begins with a room that is not known.</summary>
    /// <param name="spectrum">Where the powers will come from.</param>
    /// <param name="framesPerSecond">How often.</param>
    public NoiseFloor(BandSpectrum spectrum, double framesPerSecond)
    {
        var bands = spectrum.Bands;
        _lowest = [.. Enumerable.Range(0, bands).Select(band => FromDecibels(LowestDecibels) * spectrum.ShareOfWhite(band))];
        _initial = [.. Enumerable.Range(0, bands).Select(band => FromDecibels(InitialDecibels) * spectrum.ShareOfWhite(band))];
        _floor = [.. _initial];
        _smoothedDecibels = new double[bands];
        _minima = new double[Blocks * bands];
        Array.Fill(_minima, double.PositiveInfinity);
        _framesPerBlock = Math.Max(1, (int)Math.Round(MinimumSeconds / Blocks * framesPerSecond));
        _learningFrames = Math.Max(1, (int)Math.Round(LearningSeconds * framesPerSecond));
    }

    /// <summary>Hears the next frame.</summary>
    /// <param name="power">Power in each band.</param>
    /// <param name="excessDecibels">Receives how far each band is above the floor, negative below.</param>
    public void Track(ReadOnlySpan<double> power, Span<double> excessDecibels)
    {
        _heard = Math.Min(_heard + 1, int.MaxValue - 1);
        var isNewBlock = ++_frameOfBlock > _framesPerBlock;
        if (isNewBlock)
        {
            _frameOfBlock = 1;
            _block = (_block + 1) % Blocks;
        }

        // At first each frame is a mean's share: the floor is found as fast as can be.
        var rate = Math.Max(Rate, 1.0 / _heard);
        for (var band = 0; band < power.Length; band++)
        {
            var heard = Math.Max(power[band], _lowest[band]);
            var minimum = TrackMinimum(band, ToDecibels(heard), isNewBlock);

            var ratio = heard / _floor[band];
            var speech = 1 / (1 + ((1 + _prior) * Math.Exp(-Math.Min(ratio, 100) * _prior / (1 + _prior))));
            var floor = _floor[band] + (rate * (1 - speech) * (heard - _floor[band]));
            floor = _heard > _learningFrames ? Math.Max(floor, FromDecibels(minimum + BiasDecibels)) : Math.Min(floor, _initial[band]);
            _floor[band] = floor;
            excessDecibels[band] = ToDecibels(heard / floor);
        }
    }

    /// <summary>The lowest smoothed level of the last seconds: single quiet frames of noise are far below its mean.</summary>
    private double TrackMinimum(int band, double decibels, bool isNewBlock)
    {
        ref var smoothed = ref _smoothedDecibels[band];
        smoothed = _heard == 1 ? decibels : smoothed + (Smoothing * (decibels - smoothed));
        ref var current = ref _minima[(_block * _lowest.Length) + band];
        current = isNewBlock ? smoothed : Math.Min(current, smoothed);
        var minimum = double.PositiveInfinity;
        for (var at = band; at < _minima.Length; at += _lowest.Length)
        {
            minimum = Math.Min(minimum, _minima[at]);
        }

        return minimum;
    }

    private static double FromDecibels(double decibels) => Math.Pow(10, decibels / 10);

    private static double ToDecibels(double power) => 10 * Math.Log10(power);
}
