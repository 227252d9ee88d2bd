using System.Numerics;
using static AsrPlatform.LibTorch.Tests.TensorAssert;

namespace AsrPlatform.LibTorch.Tests.Operations;

public sealed class MathTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    public static TheoryData<string> Functions => [.. Unary.Keys];

    private static readonly Dictionary<string, (Func<Tensor, Tensor> Operation, Func<Tensor, Tensor>? InPlace, Func<double, double> Expected)> Unary = new()
    {
        ["abs"] = (t => t.abs(), t => t.abs_(), Math.Abs),
        ["neg"] = (t => t.neg(), t => t.neg_(), x => -x),
        ["exp"] = (t => t.exp(), t => t.exp_(), Math.Exp),
        ["expm1"] = (t => t.expm1(), t => t.expm1_(), x => Math.Exp(x) - 1),
        ["log"] = (t => t.log(), t => t.log_(), Math.Log),
        ["log2"] = (t => t.log2(), t => t.log2_(), Math.Log2),
        ["log10"] = (t => t.log10(), t => t.log10_(), Math.Log10),
        ["log1p"] = (t => t.log1p(), t => t.log1p_(), x => Math.Log(1 + x)),
        ["sqrt"] = (t => t.sqrt(), t => t.sqrt_(), Math.Sqrt),
        ["rsqrt"] = (t => t.rsqrt(), t => t.rsqrt_(), x => 1 / Math.Sqrt(x)),
        ["reciprocal"] = (t => t.reciprocal(), t => t.reciprocal_(), x => 1 / x),
        ["sin"] = (t => t.sin(), t => t.sin_(), Math.Sin),
        ["cos"] = (t => t.cos(), t => t.cos_(), Math.Cos),
        ["tanh"] = (t => t.tanh(), t => t.tanh_(), Math.Tanh),
        ["sigmoid"] = (t => t.sigmoid(), t => t.sigmoid_(), x => 1 / (1 + Math.Exp(-x))),
        ["relu"] = (t => t.relu(), t => t.relu_(), x => Math.Max(0, x)),
        ["silu"] = (t => t.silu(), t => t.silu_(), x => x / (1 + Math.Exp(-x))),
        ["erf"] = (t => t.erf(), t => t.erf_(), Reference.Erf),
        ["gelu"] = (t => t.gelu(), t => t.gelu_(), Reference.Gelu),
        ["floor"] = (t => t.floor(), t => t.floor_(), Math.Floor),
        ["ceil"] = (t => t.ceil(), t => t.ceil_(), Math.Ceiling),
        ["round"] = (t => t.round(), t => t.round_(), x => Math.Round(x, MidpointRounding.ToEven)),
        ["trunc"] = (t => t.trunc(), t => t.trunc_(), Math.Truncate),
        ["sign"] = (t => t.sign(), t => t.sign_(), x => Math.Sign(x)),
        ["square"] = (t => t.square(), null, x => x * x),
    };

    [Theory]
    [MemberData(nameof(Functions))]
    public void Unary_OfNumbers_IsTheFunction(string name)
    {
        var (operation, inPlace, expected) = Unary[name];
        double[] values = [0.25, 0.5, 1.5, 2.5, 3.75, 0.125];
        if (name is not ("log" or "log2" or "log10" or "log1p" or "sqrt" or "rsqrt"))
        {
            values = [.. values, .. values.Select(x => -x)];
        }
        // More than one vector register, so that both the vectorised loop and its tail run.
        values = [.. Enumerable.Repeat(values, 5).SelectMany(x => x), 0.75];
        var input = tensor(values, dtype: float32);
        Close([.. values.Select(expected)], operation(input), 2e-6);
        Close(values, input, 0);
        if (inPlace is not null)
        {
            Assert.Same(input, inPlace(input));
            Close([.. values.Select(expected)], input, 2e-6);
        }
    }

    [Fact]
    public void Arithmetic_OfTensorsAndNumbers()
    {
        var a = tensor(new float[] { 1, -2, 3.5f });
        var b = tensor(new float[] { 4, 0.5f, -2 });
        Close([5, -1.5, 1.5], a + b);
        Close([-3, -2.5, 5.5], a - b);
        Close([4, -1, -7], a * b);
        Close([0.25, -4, -1.75], a / b);
        Close([3, 0, 5.5], a + 2);
        Close([1, 4, -1.5], 2 - a);
        Close([2, -4, 7], 2 * a);
        Close([0.5, -1, 1.75], a / 2);
        Close([2, -1, 2 / 3.5], 2 / a);
        Close([1, 0.5, -0.5], tensor(new float[] { 1, 0.5f, 3.5f }) % tensor(new float[] { 4, 3, -2 }));
        Close([-1, 2, -3.5], -a);
        Close([3, -1.75, 2.5], a.add(b, 0.5));
        Close([1, 4, 12.25], a.pow(2));
        Close([0, -4, -2], a.div(b, RoundingMode.floor));
        Close([0, -4, -1], a.div(b, RoundingMode.trunc));
        Close([1, -2, 3.5], a);
        Assert.Equal(ScalarType.Float32, (a * 2.0).dtype);
        Assert.Equal(ScalarType.Float32, (a * (Tensor)2.0).dtype);
        Close([3, -1.75, 2.5], a.add_(b, 0.5));
        Close([6, -3.5, 5], a.mul_(2));
        Close([5, -4.5, 4], a.sub_(1));
        Close([2.5, -2.25, 2], a.div_(2));
        Close([6.25, 5.0625, 4], a.pow_(2));
    }

    [Fact]
    public void Comparisons_GiveBools()
    {
        var a = tensor(new float[] { 1, 2, 3 });
        var b = tensor(new float[] { 3, 2, 1 });
        Assert.Equal(ScalarType.Bool, a.eq(b).dtype);
        Close([0, 1, 0], a == b);
        Close([1, 0, 1], a != b);
        Close([1, 0, 0], a < b);
        Close([1, 1, 0], a <= b);
        Close([0, 0, 1], a > b);
        Close([0, 1, 1], a >= b);
        Close([0, 0, 1], a > 2);
        Close([0, 1, 0], (a >= 2) & (b >= 2));
        Close([1, 1, 1], (a >= 2) | (b >= 2));
        Close([1, 0, 1], (a >= 2) ^ (b >= 2));
        Close([1, 0, 0], ~(a >= 2));
        Close([1, 0, 0], (a >= 2).logical_not());
        Close([0, 0, 1], tensor(new double[] { 1, double.NegativeInfinity, double.NaN }).isnan());
        Close([0, 1, 0], tensor(new double[] { 1, double.NegativeInfinity, double.NaN }).isinf());
        Close([1, 0, 0], tensor(new double[] { 1, double.NegativeInfinity, double.NaN }).isfinite());
        Assert.True(a.allclose(a + 1e-7));
        Assert.False(a.allclose(b));
        Assert.True(torch.equal(a, a.clone()).ToBoolean());
        Assert.False(torch.equal(a, b).ToBoolean());
    }

    [Fact]
    public void Combined_Steps_AreWhatTheirNamesSay()
    {
        var t = tensor(new float[] { 1, 2 });
        var a = tensor(new float[] { 3, 4 });
        var b = tensor(new float[] { 2, 8 });
        Close([4, 18], t.addcmul(a, b, 0.5));
        Close([4, 3], t.addcdiv(a, b, 2));
        Close([1.5, 2.5], t.lerp(a, 0.25f));
        Close([4, 18], t.clone().addcmul_(a, b, 0.5));
        Close([4, 3], t.clone().addcdiv_(a, b, 2));
        Close([1.5, 2.5], t.clone().lerp_(a, 0.25f));
        Close([1, 1.5], t.clamp(0, 1.5));
        Close([1.5, 2], t.clamp(min: 1.5));
        Close([1, 1.5], t.clone().clamp_(max: 1.5));
        Close([2, 4], t.clamp(b, a));
        Close([3, 8], a.maximum(b));
        Close([2, 4], a.minimum(b));
        Close([Math.Atan2(3, 2), Math.Atan2(4, 8)], a.atan2(b));
    }

    [Fact]
    public void Products_OfMatrices_AreTheSums()
    {
        double[] a = Doubles(1, 3, 4), b = Doubles(2, 4, 5);
        var expected = Reference.MatMul(a, b, 3, 4, 5);
        Tensor ta = tensor(a, [3, 4], float32), tb = tensor(b, [4, 5], float32);
        Close(expected, [3, 5], ta.matmul(tb));
        Close(expected, ta.mm(tb));
        Close(expected, ta.unsqueeze(0).bmm(tb.unsqueeze(0)));
        Close(expected, ta.expand(2, 3, 4).matmul(tb)[1]);
        Close([.. expected.Select(x => (2 * x) + 0.5)], addmm(ones(3, 5), ta, tb, 0.5f, 2));
        Close([.. expected.Select(x => x + 1)], ones(1, 3, 5).baddbmm(ta.unsqueeze(0), tb.unsqueeze(0)));
        Close(Reference.MatMul(a, b[..4], 3, 4, 1), ta.mv(tb.flatten()[..4]));
        Close([32], tensor(new float[] { 1, 2, 3 }).dot(tensor(new float[] { 4, 5, 6 })));
        Close([4, 5, 8, 10], [2, 2], tensor(new float[] { 1, 2 }).outer(tensor(new float[] { 4, 5 })));
    }

    [Fact]
    public void Reductions_OfAllAndOfDimensions()
    {
        var t = tensor(new float[] { 1, 2, 3, 4, 5, 9 }, [2, 3]);
        Close([24], [], t.sum());
        Close([5, 7, 12], t.sum(dim: 0));
        Assert.Contains("dim: 0", Assert.Throws<ArgumentException>(() => t.sum(0)).Message, StringComparison.Ordinal);
        Close([6, 18], [2, 1], t.sum([1], keepdim: true));
        Close([4], t.mean());
        Close([2, 6], t.mean([1]));
        Close([1080], t.prod());
        Close([Math.Sqrt(8)], t.std());
        Close([1, 7], t.var(1));
        Close([2.0 / 3, 14.0 / 3], t.var([1], unbiased: false));
        Close([Math.Sqrt(2.0 / 3), Math.Sqrt(14.0 / 3)], t.std(1, unbiased: false));
        Close([Math.Sqrt(136)], t.norm());
        Close([24], t.norm(1f));
        Close([Math.Sqrt(14), Math.Sqrt(122)], t.norm(1));
        Close([9], t.max());
        Close([1], t.min());
        Close([4, 5, 9], t.max(0).values);
        Close([1, 1, 1], t.max(0).indexes);
        Close([1, 4], t.min(1).values);
        Close([3, 9], t.amax(1));
        Close([1, 4], [2, 1], t.amin([1], keepdim: true));
        Close([5], t.argmax());
        Close([2, 2], t.argmax(1));
        Close([0, 0], t.argmin(-1));
        Close([1, 3, 6, 4, 9, 18], t.cumsum(1));
        Close([Math.Log(Math.Exp(1) + Math.Exp(2) + Math.Exp(3)), Math.Log(Math.Exp(4) + Math.Exp(5) + Math.Exp(9))], t.logsumexp(1));
        Close([0], (t > 8).all());
        Close([1], (t > 8).any());
        Close([0, 1], (t > 3).all(1));
        Close([1], (t > 8).count_nonzero());
        Assert.Equal(ScalarType.Int64, (t > 2).sum().dtype);
    }

    [Fact]
    public void Order_IsFound()
    {
        var t = tensor(new float[] { 3, 9, 1, 7 });
        var (values, indexes) = t.topk(2);
        Close([9, 7], values);
        Close([1, 3], indexes);
        Close([1, 3], t.topk(2, largest: false).values);
        Close([1, 3, 7, 9], t.sort().Values);
        Close([2, 0, 3, 1], t.sort().Indices);
        Close([1, 3, 0, 2], t.argsort(descending: true));
        // Equal ones keep their order when asked to.
        Close([0, 2, 4, 1, 3], tensor(new float[] { 0, 1, 0, 1, 0 }).sort(stable: true).Indices);
    }

    [Fact]
    public void Multinomial_DrawsByWeight()
    {
        manual_seed(5);
        var drawn = tensor(new float[] { 0, 1, 3 }).multinomial(8000, replacement: true);
        var counts = nn.functional.one_hot(drawn, 3).sum(dim: 0);
        Close([0], counts[0]);
        Assert.InRange(counts[2].ToInt64(), 5800, 6200);
        Close([1, 2], tensor(new float[] { 0, 1, 3 }).multinomial(2).sort().Values);
    }

    [Fact]
    public void RealTransform_IsTheFourierSum()
    {
        var x = Doubles(3, 12);
        var expected = Enumerable.Range(0, 7).Select(k => Enumerable.Range(0, 12)
            .Aggregate(Complex.Zero, (sum, n) => sum + (x[n] * Complex.Exp(-2 * Math.PI * Complex.ImaginaryOne * k * n / 12)))).ToArray();
        var transform = fft.rfft(tensor(x, dtype: float32));
        Assert.Equal(ScalarType.ComplexFloat32, transform.dtype);
        Close([.. expected.Select(c => c.Real)], transform.real);
        Close([.. expected.Select(c => c.Imaginary)], transform.imag);
        Close([.. expected.Select(c => c.Magnitude)], transform.abs());
        Close([.. expected.SelectMany(c => new[] { c.Real, c.Imaginary })], [7, 2], transform.view_as_real());
        Close(x, fft.irfft(transform, 12));
        Close([.. expected.Select(c => c.Real / Math.Sqrt(12))], fft.rfft(tensor(x), norm: FFTNormType.Ortho).real);
    }
}
