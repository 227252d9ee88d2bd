using System.Numerics;
using AsrPlatform.Host.Audio;

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

        var transform = new FourierTransform(size);
        transform.Apply(values);
        for (var i = 0; i <= size / 2; i++)
        {
            // With z = x + iy: X = (Z[k] + Z*[-k]) / 2, Y = (Z[k] − Z*[-k]) / 2i; the product of two real signals' spectra is symmetric.
            var mirrored = Complex.Conjugate(values[(size - i) % size]);
            var product = (values[i] + mirrored) * (values[i] - mirrored) / new Complex(0, 4);
            values[i] = Complex.Conjugate(product);
            values[(size - i) % size] = product;
        }

        // The inverse is the transform of the conjugate; what comes out is real.
        transform.Apply(values);
        var result = new float[signal.Length];
        for (var i = 0; i < result.Length; i++)
        {
            result[i] = (float)(values[i].Real / size);
        }

        return result;
    }
}
