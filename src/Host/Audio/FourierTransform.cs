using System.Numerics;

namespace AsrPlatform.Host.Audio;

/// <summary>The discrete Fourier transform in place (Cooley and Tukey 1965, radix 2). Immutable and safe for concurrent calls; allocates nothing.</summary>
internal sealed class FourierTransform
{
    private readonly Complex[] _roots;

    /// <summary>Prepares transforms of one size.</summary>
    /// <param name="size">Values of each; a power of two.</param>
    public FourierTransform(int size)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(size);
        ArgumentOutOfRangeException.ThrowIfNotEqual(BitOperations.IsPow2(size), true, nameof(size));
        Size = size;
        _roots = new Complex[Math.Max(1, size / 2)];
        for (var i = 0; i < _roots.Length; i++)
        {
            var (sine, cosine) = Math.SinCos(-2 * Math.PI * i / size);
            _roots[i] = new Complex(cosine, sine);
        }
    }

    /// <summary>Values of each transform.</summary>
    public int Size { get; }

    /// <summary>Replaces <see cref="Size"/> values by their spectrum, not scaled.</summary>
    public void Apply(Span<Complex> values)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(values.Length, Size, nameof(values));
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
            var stride = _roots.Length / half;
            for (var start = 0; start < values.Length; start += 2 * half)
            {
                for (var i = 0; i < half; i++)
                {
                    var odd = values[start + half + i] * _roots[i * stride];
                    values[start + half + i] = values[start + i] - odd;
                    values[start + i] += odd;
                }
            }
        }
    }
}
