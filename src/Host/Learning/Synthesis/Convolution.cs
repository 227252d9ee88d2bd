using System.Numerics;

namespace AsrPlatform.Host.Learning.Synthesis;

/// <summary>Convolution of two signals by way of their spectra: a room of half a second costs a fiftieth of what its taps one by one would.</summary>
internal static class Convolution
{
    /// <summary>The first samples of a signal's convolution with an impulse response, as many as the signal has.</summary>
    /// <param name="signal">At least one sample.</param>
    /// <param name="response">At least one sample.</param>
    public static float[] Apply(ReadOnlySpan<float> signal, ReadOnlySpan<float> response)
    {
        var size = (int)BitOperations.RoundUpToPowerOf2((uint)(signal.Length + response.Length));
        var values = new Complex[size];

        // One transform for both: the signal is the real part, the response the imaginary one.
        for (var i = 0; i < Math.Max(signal.Length, response.Length); i++)
        {
            values[i] = new Complex(i < signal.Length ? signal[i] : 0, i < response.Length ? response[i] : 0);
        }

        var roots = Roots(size);
        Transform(values, roots);
        for (var i = 0; i <= size / 2; i++)
        {
            // With z = x + iy: X = (Z[k] + Z*[-k]) / 2, Y = (Z[k] − Z*[-k]) / 2i; the product of two real signals' spectra is symmetric.
            var mirrored = Complex.Conjugate(values[(size - i) % size]);
            var product = (values[i] + mirrored) * (values[i] - mirrored) / new Complex(0, 4);
            values[i] = Complex.Conjugate(product);
            values[(size - i) % size] = product;
        }

        // The inverse is the transform of the conjugate; what comes out is real.
        Transform(values, roots);
        var result = new float[signal.Length];
        for (var i = 0; i < result.Length; i++)
        {
            result[i] = (float)(values[i].Real / size);
        }

        return result;
    }

    private static Complex[] Roots(int size)
    {
        var roots = new Complex[Math.Max(1, size / 2)];
        for (var i = 0; i < roots.Length; i++)
        {
            var (sine, cosine) = Math.SinCos(-2 * Math.PI * i / size);
            roots[i] = new Complex(cosine, sine);
        }

        return roots;
    }

    /// <summary>The discrete Fourier transform in place (Cooley and Tukey 1965, radix 2).</summary>
    private static void Transform(Complex[] values, Complex[] roots)
    {
        for (int i = 1, j = 0; i < values.Length; i++)
        {
            var bit = values.Length >> 1;
            for (; (j & bit) != 0; bit >>= 1)
            {
                j ^= bit;
            }

            j ^= bit;
            if (i < j)
            {
                (values[i], values[j]) = (values[j], values[i]);
            }
        }

        for (var half = 1; half < values.Length; half <<= 1)
        {
            var stride = roots.Length / half;
            for (var start = 0; start < values.Length; start += 2 * half)
            {
                for (var i = 0; i < half; i++)
                {
                    var odd = values[start + half + i] * roots[i * stride];
                    values[start + half + i] = values[start + i] - odd;
                    values[start + i] += odd;
                }
            }
        }
    }
}
