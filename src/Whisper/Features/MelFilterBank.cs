namespace AsrPlatform.Whisper.Features;

/// <summary>Slaney's mel filters (Auditory Toolbox, 1998): triangles of equal area from 0 Hz to half the sample rate. Immutable.</summary>
public sealed class MelFilterBank
{
    /// <summary>Largest number of bins: one for each frequency of the transform.</summary>
    public const int MaxBins = PowerSpectrum.Frequencies;

    // Slaney's scale is linear below 1 kHz (15 mel) and logarithmic above, 27 mel for a factor of 6.4.
    private const double LinearHzPerMel = 200.0 / 3;
    private const double LogStartHz = 1000;
    private const double LogStartMel = 15;
    private static readonly double LogMelPerNeper = 27 / Math.Log(6.4);

    private readonly double _melPerBin;
    private readonly int[] _starts;
    private readonly double[][] _weights;

    /// <summary>Makes the filters.</summary>
    /// <param name="bins">Number of filters, 1…<see cref="MaxBins"/>.</param>
    /// <param name="sampleRateHz">Samples per second.</param>
    public MelFilterBank(int bins, int sampleRateHz = 16000)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bins);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bins, MaxBins);
        Bins = bins;
        _starts = new int[bins];
        _weights = new double[bins][];

        var top = ToMel(sampleRateHz / 2.0);
        _melPerBin = top / (bins + 1);
        var edges = new double[bins + 2];
        for (var i = 0; i < edges.Length; i++)
        {
            edges[i] = ToHz(top * i / (bins + 1));
        }

        for (var bin = 0; bin < bins; bin++)
        {
            var (low, centre, high) = (edges[bin], edges[bin + 1], edges[bin + 2]);
            var weights = new double[PowerSpectrum.Frequencies];
            for (var k = 0; k < weights.Length; k++)
            {
                var hz = sampleRateHz / 2.0 * k / (PowerSpectrum.Frequencies - 1);
                var slope = Math.Min((hz - low) / (centre - low), (high - hz) / (high - centre));
                weights[k] = Math.Max(0, slope) * 2 / (high - low);
            }

            // A filter narrower than the distance of two frequencies may be all zero.
            var start = Math.Max(0, Array.FindIndex(weights, weight => weight > 0));
            var end = Array.FindLastIndex(weights, weight => weight > 0) + 1;
            _starts[bin] = start;
            _weights[bin] = weights[start..Math.Max(start, end)];
        }
    }

    /// <summary>Number of filters.</summary>
    public int Bins { get; }

    /// <summary>The weights of one filter that are not zero, and the frequency index of the first of them.</summary>
    internal ReadOnlySpan<double> Filter(int bin, out int start)
    {
        start = _starts[bin];
        return _weights[bin];
    }

    /// <summary>The frequency at which a filter has its peak.</summary>
    internal double CentreHz(int bin) => ToHz((bin + 1) * _melPerBin);

    /// <summary>Where a frequency lies among the filters' peaks: the inverse of <see cref="CentreHz"/>, fractions between two of them.</summary>
    internal double BinOf(double hz) => (ToMel(hz) / _melPerBin) - 1;

    private static double ToMel(double hz) =>
        hz < LogStartHz ? hz / LinearHzPerMel : LogStartMel + (Math.Log(hz / LogStartHz) * LogMelPerNeper);

    private static double ToHz(double mel) =>
        mel < LogStartMel ? mel * LinearHzPerMel : LogStartHz * Math.Exp((mel - LogStartMel) / LogMelPerNeper);
}
