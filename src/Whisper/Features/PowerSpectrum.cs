using System.Numerics;

namespace AsrPlatform.Whisper.Features;

/// <summary>
/// Squared magnitudes of Hann-windowed real Fourier transforms of 400 samples, as many frames at a time as a vector has lanes.
/// </summary>
/// <remarks>
/// A real transform of 400 is a complex one of 200 = 5 · 5 · 8 over pairs of samples, here by Stockham's self-sorting passes.
/// All in float64: features must agree within 5e-5 with an implementation whose own float32 is up to 3.8e-5 off.
/// </remarks>
internal static unsafe class PowerSpectrum
{
    /// <summary>Samples of a transform.</summary>
    public const int Length = 400;

    /// <summary>Frequencies of a transform of real samples.</summary>
    public const int Frequencies = (Length / 2) + 1;

    private const int Half = Length / 2;

    // cos and sin of 72° and 144°.
    private const double C1 = 0.30901699437494742410;
    private const double C2 = -0.80901699437494742410;
    private const double S1 = 0.95105651629515357212;
    private const double S2 = 0.58778525229247312917;
    private const double Sqrt1Over2 = 0.70710678118654752440;

    /// <summary>A periodic Hann window, halved (see <see cref="Magnitudes"/>).</summary>
    private static readonly double[] Window = Table(Length, n => 0.5 * (0.5 - (0.5 * Math.Cos(2 * Math.PI * n / Length))));

    // e^(−2πi·k/400) for the split into even and odd samples; twiddles of a pass of length n are every (400 / n)-th of them.
    private static readonly double[] Cosines = Table(Length, k => Math.Cos(2 * Math.PI * k / Length));
    private static readonly double[] Sines = Table(Length, k => -Math.Sin(2 * Math.PI * k / Length));

    /// <summary>Frames computed by one call.</summary>
    public static int Lanes => Vector<double>.Count;

    /// <summary>Doubles of scratch memory that a call needs.</summary>
    public static int ScratchLength => 4 * Half * Lanes;

    /// <summary>Computes <see cref="Lanes"/> frames.</summary>
    /// <param name="samples">The first frame's first sample; (<see cref="Lanes"/> − 1) · <paramref name="hop"/> + 400 samples are read.</param>
    /// <param name="hop">Samples between two frames.</param>
    /// <param name="scratch"><see cref="ScratchLength"/> doubles.</param>
    /// <param name="power">Receives <c>[frequency, lane]</c>, <see cref="Frequencies"/> · <see cref="Lanes"/> doubles.</param>
    public static void Compute(float* samples, int hop, double* scratch, double* power)
    {
        var size = Half * Lanes;
        double* re = scratch, im = re + size, otherRe = im + size, otherIm = otherRe + size;
        Load(samples, hop, re, im);
        Pass5(re, im, otherRe, otherIm, Half, 1);
        Pass5(otherRe, otherIm, re, im, Half / 5, 5);
        LastPass8(re, im, otherRe, otherIm);
        Magnitudes(otherRe, otherIm, power);
    }

    private static double[] Table(int length, Func<int, double> value) => [.. Enumerable.Range(0, length).Select(value)];

    /// <summary>Even samples become real parts, odd ones imaginary parts.</summary>
    private static void Load(float* samples, int hop, double* re, double* im)
    {
        var lanes = Lanes;
        for (var lane = 0; lane < lanes; lane++)
        {
            var frame = samples + (lane * hop);
            for (var n = 0; n < Half; n++)
            {
                re[(n * lanes) + lane] = frame[2 * n] * Window[2 * n];
                im[(n * lanes) + lane] = frame[(2 * n) + 1] * Window[(2 * n) + 1];
            }
        }
    }

    /// <summary>One radix-5 pass over interleaved sequences of length <paramref name="n"/> with the given stride.</summary>
    private static void Pass5(double* re, double* im, double* outRe, double* outIm, int n, int stride)
    {
        var lanes = Lanes;
        var m = n / 5;
        var step = stride * m * lanes;
        for (var p = 0; p < m; p++)
        {
            var w = p * (Length / n);
            Vector<double> w1r = new(Cosines[w]), w1i = new(Sines[w]), w2r = new(Cosines[2 * w]), w2i = new(Sines[2 * w]);
            Vector<double> w3r = new(Cosines[3 * w]), w3i = new(Sines[3 * w]), w4r = new(Cosines[4 * w]), w4i = new(Sines[4 * w]);
            for (var q = 0; q < stride; q++)
            {
                var source = (q + (stride * p)) * lanes;
                var target = (q + (stride * 5 * p)) * lanes;
                var offset = stride * lanes;

                var a0r = Vector.Load(re + source);
                var a0i = Vector.Load(im + source);
                var a1r = Vector.Load(re + source + step);
                var a1i = Vector.Load(im + source + step);
                var a2r = Vector.Load(re + source + (2 * step));
                var a2i = Vector.Load(im + source + (2 * step));
                var a3r = Vector.Load(re + source + (3 * step));
                var a3i = Vector.Load(im + source + (3 * step));
                var a4r = Vector.Load(re + source + (4 * step));
                var a4i = Vector.Load(im + source + (4 * step));

                Vector<double> t1r = a1r + a4r, t1i = a1i + a4i, t2r = a2r + a3r, t2i = a2i + a3i;
                Vector<double> t3r = a1r - a4r, t3i = a1i - a4i, t4r = a2r - a3r, t4i = a2i - a3i;
                Vector<double> m1r = a0r + (C1 * t1r) + (C2 * t2r), m1i = a0i + (C1 * t1i) + (C2 * t2i);
                Vector<double> m2r = a0r + (C2 * t1r) + (C1 * t2r), m2i = a0i + (C2 * t1i) + (C1 * t2i);
                Vector<double> n1r = (S1 * t3r) + (S2 * t4r), n1i = (S1 * t3i) + (S2 * t4i);
                Vector<double> n2r = (S2 * t3r) - (S1 * t4r), n2i = (S2 * t3i) - (S1 * t4i);

                (a0r + t1r + t2r).Store(outRe + target);
                (a0i + t1i + t2i).Store(outIm + target);
                StoreProduct(m1r + n1i, m1i - n1r, w1r, w1i, outRe + target + offset, outIm + target + offset);
                StoreProduct(m2r + n2i, m2i - n2r, w2r, w2i, outRe + target + (2 * offset), outIm + target + (2 * offset));
                StoreProduct(m2r - n2i, m2i + n2r, w3r, w3i, outRe + target + (3 * offset), outIm + target + (3 * offset));
                StoreProduct(m1r - n1i, m1i + n1r, w4r, w4i, outRe + target + (4 * offset), outIm + target + (4 * offset));
            }
        }
    }

    private static void StoreProduct(Vector<double> re, Vector<double> im, Vector<double> wr, Vector<double> wi, double* outRe, double* outIm)
    {
        ((re * wr) - (im * wi)).Store(outRe);
        ((re * wi) + (im * wr)).Store(outIm);
    }

    /// <summary>The last pass: 25 interleaved transforms of 8, without twiddles.</summary>
    private static void LastPass8(double* re, double* im, double* outRe, double* outIm)
    {
        const int Stride = Half / 8;
        var lanes = Lanes;
        var step = Stride * lanes;
        var root = new Vector<double>(Sqrt1Over2);
        for (var q = 0; q < Stride; q++)
        {
            var r = re + (q * lanes);
            var i = im + (q * lanes);
            Four(r, i, 2 * step, out var e0r, out var e0i, out var e1r, out var e1i, out var e2r, out var e2i, out var e3r, out var e3i);
            Four(r + step, i + step, 2 * step, out var o0r, out var o0i, out var o1r, out var o1i, out var o2r, out var o2i, out var o3r, out var o3i);

            // The odd half times e^(−iπk/4).
            var p1r = root * (o1r + o1i);
            var p1i = root * (o1i - o1r);
            var p3r = root * (o3i - o3r);
            var p3i = -root * (o3r + o3i);
            r = outRe + (q * lanes);
            i = outIm + (q * lanes);
            (e0r + o0r).Store(r);
            (e0i + o0i).Store(i);
            (e1r + p1r).Store(r + step);
            (e1i + p1i).Store(i + step);
            (e2r + o2i).Store(r + (2 * step));
            (e2i - o2r).Store(i + (2 * step));
            (e3r + p3r).Store(r + (3 * step));
            (e3i + p3i).Store(i + (3 * step));
            (e0r - o0r).Store(r + (4 * step));
            (e0i - o0i).Store(i + (4 * step));
            (e1r - p1r).Store(r + (5 * step));
            (e1i - p1i).Store(i + (5 * step));
            (e2r - o2i).Store(r + (6 * step));
            (e2i + o2r).Store(i + (6 * step));
            (e3r - p3r).Store(r + (7 * step));
            (e3i - p3i).Store(i + (7 * step));
        }
    }

    private static void Four(
        double* re,
        double* im,
        int step,
        out Vector<double> x0r,
        out Vector<double> x0i,
        out Vector<double> x1r,
        out Vector<double> x1i,
        out Vector<double> x2r,
        out Vector<double> x2i,
        out Vector<double> x3r,
        out Vector<double> x3i)
    {
        Vector<double> a0r = Vector.Load(re), a2r = Vector.Load(re + (2 * step)), a1r = Vector.Load(re + step), a3r = Vector.Load(re + (3 * step));
        Vector<double> a0i = Vector.Load(im), a2i = Vector.Load(im + (2 * step)), a1i = Vector.Load(im + step), a3i = Vector.Load(im + (3 * step));
        Vector<double> s0r = a0r + a2r, s0i = a0i + a2i, d0r = a0r - a2r, d0i = a0i - a2i;
        Vector<double> s1r = a1r + a3r, s1i = a1i + a3i, d1r = a1r - a3r, d1i = a1i - a3i;
        x0r = s0r + s1r;
        x0i = s0i + s1i;
        x1r = d0r + d1i;
        x1i = d0i - d1r;
        x2r = s0r - s1r;
        x2i = s0i - s1i;
        x3r = d0r - d1i;
        x3i = d0i + d1r;
    }

    /// <summary>
    /// Parts the transform Z of pairs into that of even samples E = Z[k] + Z*[200−k] and of odd ones O = −i·(Z[k] − Z*[200−k]), both
    /// doubled (which is why the window is halved), and joins them: X[k] = E + w·O and X[200−k] = (E − w·O)*.
    /// </summary>
    private static void Magnitudes(double* re, double* im, double* power)
    {
        var lanes = Lanes;
        for (var k = 0; k <= Half / 2; k++)
        {
            var mirrored = k == 0 ? 0 : Half - k;
            Vector<double> zr = Vector.Load(re + (k * lanes)), zi = Vector.Load(im + (k * lanes));
            Vector<double> cr = Vector.Load(re + (mirrored * lanes)), ci = -Vector.Load(im + (mirrored * lanes));
            Vector<double> er = zr + cr, ei = zi + ci, or = zi - ci, oi = cr - zr;
            Vector<double> wr = new(Cosines[k]), wi = new(Sines[k]);
            Vector<double> pr = (or * wr) - (oi * wi), pi = (or * wi) + (oi * wr);
            Vector<double> ar = er + pr, ai = ei + pi, br = er - pr, bi = ei - pi;
            ((ar * ar) + (ai * ai)).Store(power + (k * lanes));
            ((br * br) + (bi * bi)).Store(power + ((Half - k) * lanes));
        }
    }
}
