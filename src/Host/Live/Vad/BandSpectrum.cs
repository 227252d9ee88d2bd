using System.Numerics;
using AsrPlatform.Host.Audio;

namespace AsrPlatform.Host.Live;

/// <summary>Power of a short stretch of sound in bands that are equally wide to the ear.</summary>
/// <remarks>Not safe for concurrent calls; a call allocates nothing.</remarks>
internal sealed class BandSpectrum
{
    /// <summary>Below is hum, wind and DC, and no formant.</summary>
    private const double LowestHz = 120;

    /// <summary>Above, speech is but the tail of its hiss.</summary>
    private const double HighestHz = 7000;

    private readonly int _length;
    private readonly float[] _window;
    private readonly FourierTransform _transform;
    private readonly Complex[] _pairs;
    private readonly Complex[] _roots;
    private readonly int[] _edges;
    private readonly double _scale;

    /// <summary>Prepares a spectrum.</summary>
    /// <param name="length">Samples of a stretch.</param>
    /// <param name="sampleRateHz">Samples per second.</param>
    /// <param name="bands">Bands; those for which the transform has no line are left out.</param>
    public BandSpectrum(int length, int sampleRateHz, int bands)
    {
        _length = length;
        var size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(4, length));
        _transform = new FourierTransform(size / 2);
        _pairs = new Complex[size / 2];
        _roots = new Complex[(size / 2) + 1];
        for (var k = 0; k < _roots.Length; k++)
        {
            var (sine, cosine) = Math.SinCos(-2 * Math.PI * k / size);
            _roots[k] = new Complex(cosine, sine);
        }

        _window = new float[length];
        var energy = 0.0;
        for (var i = 0; i < length; i++)
        {
            _window[i] = (float)(0.5 - (0.5 * Math.Cos(2 * Math.PI * (i + 0.5) / length)));
            energy += _window[i] * _window[i];
        }

        // So scaled that all bands together have the mean square of the samples (Parseval; two halves of the spectrum are one here).
        _scale = 2 / (energy * size);
        double lowest = Mel(LowestHz), highest = Mel(Math.Min(HighestHz, 0.45 * sampleRateHz));
        List<int> edges = [];
        for (var band = 0; band <= bands; band++)
        {
            var hertz = 700 * (Math.Exp((lowest + ((highest - lowest) * band / bands)) / 1127) - 1);
            var line = (int)Math.Round(hertz * size / sampleRateHz);
            if (edges.Count == 0 || line > edges[^1])
            {
                edges.Add(line);
            }
        }

        _edges = [.. edges];

        static double Mel(double hertz) => 1127 * Math.Log(1 + (hertz / 700));
    }

    /// <summary>Bands of a spectrum.</summary>
    public int Bands => _edges.Length - 1;

    /// <summary>The share of white noise's power that lies in a band.</summary>
    public double ShareOfWhite(int band) => (_edges[band + 1] - _edges[band]) / (double)_transform.Size;

    /// <summary>Computes the mean square of the samples in each band.</summary>
    /// <param name="samples">As many as a stretch has; finite.</param>
    /// <param name="power">Receives <see cref="Bands"/> values; full scale is 1.</param>
    public void Compute(ReadOnlySpan<float> samples, Span<double> power)
    {
        for (var i = 0; i < _pairs.Length; i++)
        {
            var even = 2 * i < _length ? samples[2 * i] * _window[2 * i] : 0;
            var odd = (2 * i) + 1 < _length ? samples[(2 * i) + 1] * _window[(2 * i) + 1] : 0;
            _pairs[i] = new Complex(even, odd);
        }

        _transform.Apply(_pairs);
        for (var band = 0; band < Bands; band++)
        {
            var sum = 0.0;
            for (var k = _edges[band]; k < _edges[band + 1]; k++)
            {
                // The spectrum of pairs, parted into that of even and odd samples and joined: X[k] = E[k] + w·O[k].
                var value = _pairs[k];
                var mirrored = Complex.Conjugate(_pairs[_pairs.Length - k]);
                var even = (value + mirrored) * 0.5;
                var odd = (value - mirrored) * new Complex(0, -0.5);
                var line = even + (_roots[k] * odd);
                sum += (line.Real * line.Real) + (line.Imaginary * line.Imaginary);
            }

            power[band] = sum * _scale;
        }
    }
}
