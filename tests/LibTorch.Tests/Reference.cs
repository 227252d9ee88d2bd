namespace AsrPlatform.LibTorch.Tests;

/// <summary>The mathematics in plain loops of doubles, to compare with.</summary>
internal static class Reference
{
    /// <summary>a [m, k] times b [k, n].</summary>
    public static double[] MatMul(double[] a, double[] b, int m, int k, int n)
    {
        var c = new double[m * n];
        for (var i = 0; i < m; i++)
        {
            for (var p = 0; p < k; p++)
            {
                for (var j = 0; j < n; j++)
                {
                    c[(i * n) + j] += a[(i * k) + p] * b[(p * n) + j];
                }
            }
        }
        return c;
    }

    /// <summary>The error function by the series whose terms are all of one sign, exact to the last digits.</summary>
    public static double Erf(double x)
    {
        if (Math.Abs(x) > 6)
        {
            return Math.Sign(x); // 1 to all digits of a double
        }
        double term = x, sum = x;
        for (var n = 1; n < 300; n++)
        {
            term *= 2 * x * x / ((2 * n) + 1);
            sum += term;
        }
        return 2 / Math.Sqrt(Math.PI) * Math.Exp(-x * x) * sum;
    }

    public static double Gelu(double x) => 0.5 * x * (1 + Erf(x / Math.Sqrt(2)));

    public static double GeluSlope(double x) => (0.5 * (1 + Erf(x / Math.Sqrt(2)))) + (x * Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI));

    public static double[] LogSoftmax(ReadOnlySpan<double> x)
    {
        var most = double.NegativeInfinity;
        foreach (var v in x)
        {
            most = Math.Max(most, v);
        }
        var sum = 0.0;
        foreach (var v in x)
        {
            sum += Math.Exp(v - most);
        }
        var result = new double[x.Length];
        for (var i = 0; i < x.Length; i++)
        {
            result[i] = x[i] - most - Math.Log(sum);
        }
        return result;
    }

    public static double[] Softmax(ReadOnlySpan<double> x) => [.. LogSoftmax(x).Select(Math.Exp)];

    /// <summary>x [batch, channels, time], w [out, channels, kernel] -> [batch, out, frames].</summary>
    public static double[] Conv1d(double[] x, double[] w, double[]? bias, int batch, int channels, int time, int outputs, int kernel, int stride, int padding)
    {
        var frames = ((time + (2 * padding) - kernel) / stride) + 1;
        var y = new double[batch * outputs * frames];
        for (var b = 0; b < batch; b++)
        {
            for (var o = 0; o < outputs; o++)
            {
                for (var f = 0; f < frames; f++)
                {
                    var sum = bias?[o] ?? 0;
                    for (var c = 0; c < channels; c++)
                    {
                        for (var k = 0; k < kernel; k++)
                        {
                            var t = (f * stride) + k - padding;
                            if (t >= 0 && t < time)
                            {
                                sum += x[(((b * channels) + c) * time) + t] * w[(((o * channels) + c) * kernel) + k];
                            }
                        }
                    }
                    y[(((b * outputs) + o) * frames) + f] = sum;
                }
            }
        }
        return y;
    }

    /// <summary>The gradients of <see cref="Conv1d"/> for x, w and the bias, given that of its result.</summary>
    public static (double[] X, double[] W, double[] Bias) Conv1dBackward(double[] x, double[] w, double[] dy, int batch, int channels, int time, int outputs, int kernel, int stride, int padding)
    {
        var frames = ((time + (2 * padding) - kernel) / stride) + 1;
        double[] dx = new double[x.Length], dw = new double[w.Length], db = new double[outputs];
        for (var b = 0; b < batch; b++)
        {
            for (var o = 0; o < outputs; o++)
            {
                for (var f = 0; f < frames; f++)
                {
                    var g = dy[(((b * outputs) + o) * frames) + f];
                    db[o] += g;
                    for (var c = 0; c < channels; c++)
                    {
                        for (var k = 0; k < kernel; k++)
                        {
                            var t = (f * stride) + k - padding;
                            if (t >= 0 && t < time)
                            {
                                dx[(((b * channels) + c) * time) + t] += g * w[(((o * channels) + c) * kernel) + k];
                                dw[(((o * channels) + c) * kernel) + k] += g * x[(((b * channels) + c) * time) + t];
                            }
                        }
                    }
                }
            }
        }
        return (dx, dw, db);
    }
}
