using System.Numerics;
using System.Runtime.InteropServices;

namespace AsrPlatform.Host.Audio;

/// <summary>Streaming conversion between sample rates: a polyphase bank of Kaiser-windowed sincs. Belongs to one thread.</summary>
/// <remarks>
/// With the lower of the two Nyquist frequencies as N: flat within 0.01 dB up to 0.875 · N, at least 80 dB down from N on (7 and 8 kHz
/// for 16 kHz). Without delay: output sample k is the input at time k / outputRate; before and after the input lies silence. n input
/// samples give ⌈n · outputRate / inputRate⌉ in all. Equal input gives equal output however it is cut into pieces.
/// </remarks>
public sealed class Resampler
{
    /// <summary>Stop-band attenuation that the window is designed for; 10 dB more than promised.</summary>
    private const double AttenuationDecibels = 90;

    /// <summary>Where the pass band ends, as a share of the lower Nyquist frequency.</summary>
    private const double PassBand = 0.875;

    /// <summary>
    /// Ratios of more phases interpolate linearly between this many, fewer where filters are long: the error is below −100 dB, and
    /// the tables stay small.
    /// </summary>
    private const int MaxPhases = 1024;

    private readonly int _up;
    private readonly int _down;
    private readonly int _phases;
    private readonly int _half;
    private readonly int _taps;
    private readonly float[] _filters; // [phase + 1, tap]
    private float[] _input;
    private int _filled;
    private int _next; // first input sample under the next output's filter, in _input
    private int _phase; // position of the next output between two input samples, in 1 / _up
    private long _received;
    private long _given;
    private bool _completed;

    /// <summary>Makes a converter.</summary>
    /// <param name="inputRateHz">Samples per second of what comes in, at least 1.</param>
    /// <param name="outputRateHz">Samples per second of what goes out, at least 1.</param>
    public Resampler(int inputRateHz, int outputRateHz)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(inputRateHz);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(outputRateHz);
        var divisor = (int)BigInteger.GreatestCommonDivisor(inputRateHz, outputRateHz);
        _up = outputRateHz / divisor;
        _down = inputRateHz / divisor;
        var ratio = Math.Min(1, (double)outputRateHz / inputRateHz);
        _phases = _up <= MaxPhases ? _up : Math.Max(64, (int)Math.Ceiling(MaxPhases * ratio));

        // Kaiser's formula for the length that a transition band needs.
        var nyquist = ratio * Math.PI;
        var length = (AttenuationDecibels - 8) / (2.285 * (1 - PassBand) * nyquist);
        _half = (int)Math.Ceiling(length / 2) + 1;
        var lanes = 4 * Vector<float>.Count;
        _taps = ((2 * _half) + lanes - 1) / lanes * lanes;
        _filters = Design((1 + PassBand) / 2 * ratio);

        // Silence before the first sample, so that it lies under the middle of its filter.
        _input = new float[_taps + 4096];
        _filled = _half - 1;
    }

    /// <summary>How many samples come of <paramref name="inputSamples"/> in all.</summary>
    public static long OutputLength(long inputSamples, int inputRateHz, int outputRateHz) =>
        (long)((((Int128)inputSamples * outputRateHz) + inputRateHz - 1) / inputRateHz);

    /// <summary>Takes samples in. Read what comes of them before giving more: what is not read is kept.</summary>
    public void Write(ReadOnlySpan<float> samples)
    {
        ObjectDisposedException.ThrowIf(_completed, this);
        Append(samples.Length);
        samples.CopyTo(_input.AsSpan(_filled));
        _filled += samples.Length;
        _received += samples.Length;
    }

    /// <summary>Says that no more samples come: the rest can be read.</summary>
    public void Complete()
    {
        if (!_completed)
        {
            Append(_taps);
            _input.AsSpan(_filled, _taps).Clear();
            _filled += _taps;
            _completed = true;
        }
    }

    /// <summary>Gives converted samples, as many as are ready and fit.</summary>
    /// <returns>Their number; 0 means that more input is needed or, after <see cref="Complete"/>, the end.</returns>
    public int Read(Span<float> destination)
    {
        var limit = destination.Length;
        if (_completed)
        {
            limit = (int)Math.Min(limit, OutputLength(_received, _down, _up) - _given);
        }

        var count = 0;
        while (count < limit && _next + _taps <= _filled)
        {
            destination[count++] = Next();
            _phase += _down % _up;
            _next += _down / _up;
            if (_phase >= _up)
            {
                _phase -= _up;
                _next++;
            }
        }

        _given += count;
        return count;
    }

    private float Next()
    {
        var samples = _input.AsSpan(_next, _taps);
        if (_phases == _up)
        {
            return Dot(samples, _filters.AsSpan(_phase * _taps, _taps));
        }

        var position = (double)_phase * _phases / _up;
        var below = (int)position;
        var a = Dot(samples, _filters.AsSpan(below * _taps, _taps));
        var b = Dot(samples, _filters.AsSpan((below + 1) * _taps, _taps));
        return a + ((b - a) * (float)(position - below));
    }

    /// <summary>
    /// The product of two spans of <see cref="_taps"/> values, a multiple of four vectors. Always in the same order of summation,
    /// whatever the alignment: borders of pieces must not show.
    /// </summary>
    private static float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        var width = Vector<float>.Count;
        ref var x = ref MemoryMarshal.GetReference(a);
        ref var y = ref MemoryMarshal.GetReference(b);
        Vector<float> s0 = default, s1 = default, s2 = default, s3 = default;
        for (nuint i = 0; i < (nuint)b.Length; i += (nuint)(4 * width))
        {
            s0 = Vector.MultiplyAddEstimate(Vector.LoadUnsafe(ref x, i), Vector.LoadUnsafe(ref y, i), s0);
            s1 = Vector.MultiplyAddEstimate(Vector.LoadUnsafe(ref x, i + (nuint)width), Vector.LoadUnsafe(ref y, i + (nuint)width), s1);
            s2 = Vector.MultiplyAddEstimate(Vector.LoadUnsafe(ref x, i + (nuint)(2 * width)), Vector.LoadUnsafe(ref y, i + (nuint)(2 * width)), s2);
            s3 = Vector.MultiplyAddEstimate(Vector.LoadUnsafe(ref x, i + (nuint)(3 * width)), Vector.LoadUnsafe(ref y, i + (nuint)(3 * width)), s3);
        }

        return Vector.Sum(s0 + s1 + (s2 + s3));
    }

    /// <summary>One filter for each position between two input samples, and one for the position after the last; each sums to 1.</summary>
    /// <param name="cutoff">Middle of the transition band as a share of the input's Nyquist frequency.</param>
    private float[] Design(double cutoff)
    {
        // Kaiser's formula for more than 50 dB.
        const double Beta = 0.1102 * (AttenuationDecibels - 8.7);
        var filters = new float[(_phases + 1) * _taps];
        var weights = new double[2 * _half];
        for (var phase = 0; phase <= _phases; phase++)
        {
            double sum = 0;
            for (var tap = 0; tap < weights.Length; tap++)
            {
                var time = tap - (_half - 1) - ((double)phase / _phases);
                var share = time / _half;
                var window = Math.Abs(share) < 1 ? Bessel(Beta * Math.Sqrt(1 - (share * share))) : 0;
                var x = Math.PI * cutoff * time;
                weights[tap] = window * (Math.Abs(x) < 1e-9 ? 1 : Math.Sin(x) / x);
                sum += weights[tap];
            }

            for (var tap = 0; tap < weights.Length; tap++)
            {
                filters[(phase * _taps) + tap] = (float)(weights[tap] / sum);
            }
        }

        return filters;
    }

    /// <summary>The modified Bessel function of the first kind and order 0, by its power series.</summary>
    private static double Bessel(double x)
    {
        double sum = 1, term = 1;
        for (var k = 1; term > 1e-17 * sum; k++)
        {
            term *= x / (2 * k) * (x / (2 * k));
            sum += term;
        }

        return sum;
    }

    /// <summary>Makes room for more samples: forgets those that no filter needs any more.</summary>
    private void Append(int count)
    {
        var used = Math.Min(_next, _filled);
        if (_filled + count > _input.Length)
        {
            var target = _filled - used + count <= _input.Length ? _input : new float[Math.Max(2 * _input.Length, _filled - used + count)];
            _input.AsSpan(used, _filled - used).CopyTo(target);
            _input = target;
            _filled -= used;
            _next -= used;
        }
    }
}
