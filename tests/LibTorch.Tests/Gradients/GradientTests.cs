using static AsrPlatform.LibTorch.Tests.TensorAssert;
using F = AsrPlatform.LibTorch.torch.nn.functional;

namespace AsrPlatform.LibTorch.Tests.Gradients;

/// <summary>Gradients against finite differences, in doubles.</summary>
public sealed class GradientTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    private static readonly Dictionary<string, (long[][] Shapes, Func<Tensor[], Tensor> Operation)> Cases = new()
    {
        ["linear"] = ([[3, 4], [5, 4], [5]], t => F.linear(t[0], t[1], t[2])),
        ["linear of one row"] = ([[1, 4], [5, 4], [5]], t => F.linear(t[0], t[1], t[2])),
        ["conv1d"] = ([[2, 3, 8], [4, 3, 3], [4]], t => F.conv1d(t[0], t[1], t[2], stride: 2, padding: 1)),
        ["layer_norm"] = ([[3, 6], [6], [6]], t => F.layer_norm(t[0], [6], t[1], t[2])),
        ["gelu"] = ([[7]], t => F.gelu(t[0])),
        ["silu"] = ([[7]], t => F.silu(t[0])),
        ["softmax"] = ([[2, 5]], t => F.softmax(t[0], -1)),
        ["log_softmax"] = ([[2, 5]], t => F.log_softmax(t[0], -1)),
        ["attention"] = ([[1, 2, 3, 4], [1, 2, 5, 4], [1, 2, 5, 4]], t => F.scaled_dot_product_attention(t[0], t[1], t[2])),
        ["causal attention"] = ([[1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4]], t => F.scaled_dot_product_attention(t[0], t[1], t[2], is_casual: true)),
        ["attention with a learned mask"] = ([[1, 2, 3, 4], [1, 2, 5, 4], [1, 2, 5, 4], [3, 5]], t => F.scaled_dot_product_attention(t[0], t[1], t[2], t[3])),
        ["embedding"] = ([[5, 3]], t => t[0].index_select(0, tensor(new long[] { 4, 0, 4 }))),
        ["cross_entropy"] = ([[3, 5]], t => F.cross_entropy(t[0], tensor(new long[] { 1, -100, 4 }))),
        ["smoothed cross_entropy"] = ([[3, 5]], t => F.cross_entropy(t[0], tensor(new long[] { 1, -100, 4 }), label_smoothing: 0.1)),
        ["matmul"] = ([[2, 3, 4], [4, 5]], t => t[0].matmul(t[1])),
        ["addmm"] = ([[5], [3, 4], [4, 5]], t => addmm(t[0], t[1], t[2], 1, 0.5f)),
        ["norm over rows"] = ([[3, 4]], t => t[0].norm(1, keepdim: true)),
        ["indexing"] = ([[4, 5]], t => t[0][1..3, TensorIndex.Slice(0, null, 2)] * t[0][TensorIndex.Colon, 0].sum()),
        ["cat, gather, where"] = ([[2, 3], [2, 3]], t => where(cat([t[0], t[1]], 1) > 0, cat([t[1], t[0]], 1), cat([t[0], t[1]], 1) * 2).gather(1, tensor(new long[,] { { 0, 5 }, { 3, 3 } }))),
    };

    public static TheoryData<string> Names => [.. Cases.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Backward_IsTheSlope(string name)
    {
        const double step = 1e-6;
        var (shapes, operation) = Cases[name];
        var inputs = shapes.Select((shape, i) => tensor(Doubles(10 + i, shape), shape).requires_grad_()).ToArray();
        // A weighted sum, so that no two elements of the result are treated alike.
        double Loss(Tensor[] t)
        {
            using var scope = NewDisposeScope();
            using var off = no_grad();
            return Weighted(operation(t)).ToDouble();
        }
        Weighted(operation(inputs)).backward();
        foreach (var input in inputs)
        {
            var slopes = new double[input.numel()];
            var memory = input.data<double>();
            for (var i = 0; i < slopes.Length; i++)
            {
                var value = memory[i];
                memory[i] = value + step;
                var above = Loss(inputs);
                memory[i] = value - step;
                slopes[i] = (above - Loss(inputs)) / (2 * step);
                memory[i] = value;
            }
            Close(slopes, input.shape, input.grad!, 2e-8);
        }
    }

    private static Tensor Weighted(Tensor t) => (t * linspace(0.5, 1.5, t.numel(), float64).view_as(t)).sum();

    [Fact]
    public void PaddingIndex_ByDetaching_GetsNoGradientFromTheEmbedding()
    {
        const long pad = 1;
        var table = Numbers(1, 4, 3).requires_grad_();
        var ids = tensor(new long[] { 0, 1, 1, 3 });
        var rows = table.index_select(0, ids);
        rows = where(ids.eq(pad).unsqueeze(-1), rows.detach(), rows);
        Close(Values(table.index_select(0, ids)), rows, 0);
        rows.sum().backward();
        Close([1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1], table.grad!);
    }

    [Fact]
    public void Backward_Twice_AddsUp()
    {
        var x = tensor(new float[] { 2 }).requires_grad_();
        Assert.Null(x.grad);
        x.square().backward();
        x.square().backward();
        Close([8], x.grad!);
        x.grad!.zero_();
        Close([0], x.grad!);
        x.grad = full(1, 5f);
        Close([5], x.grad!);
        x.grad = null;
        Assert.Null(x.grad);
    }

    [Fact]
    public void Backward_OnAFreedGraph_Throws_UnlessItWasKept()
    {
        var x = tensor(new float[] { 2 }).requires_grad_();
        var y = x.square();
        y.backward(retain_graph: true);
        y.backward();
        Close([8], x.grad!);
        Assert.Contains("backward through the graph a second time", Assert.Throws<System.Runtime.InteropServices.ExternalException>(() => y.backward()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Grad_OfOutputs_LeavesLeavesAlone_AndGoesToSecondOrder()
    {
        var x = tensor(new float[] { 2, 3 }).requires_grad_();
        var unused = tensor(new float[] { 1 }).requires_grad_();
        var first = autograd.grad([x.pow(3).sum()], [x], create_graph: true)[0];
        Close([12, 27], first);
        Close([12, 18], autograd.grad([first], [x], [ones(2)])[0]);
        Assert.Null(x.grad);
        var none = autograd.grad([x.sum()], [x, unused], allow_unused: true)[1];
        Assert.True(none.IsInvalid);
    }

    [Fact]
    public void Modes_SwitchRecording_AndComeBack()
    {
        var x = ones(2).requires_grad_();
        Assert.True((x * 2).requires_grad);
        using (no_grad())
        {
            Assert.False((x * 2).requires_grad);
            using (enable_grad())
            {
                Assert.True((x * 2).requires_grad);
            }
            Assert.False(is_grad_enabled());
        }
        using (inference_mode())
        {
            Assert.True(is_inference_mode_enabled());
            Assert.False((x * 2).requires_grad);
        }
        Assert.True(is_grad_enabled());
        Assert.False(is_inference_mode_enabled());
        Assert.False(x.detach().requires_grad);
        Assert.True(x.is_leaf);
        Assert.False((x * 2).is_leaf);
    }

    [Fact]
    public void RetainGrad_KeepsInnerGradients()
    {
        var x = ones(2).requires_grad_();
        var y = x * 3;
        y.retain_grad();
        y.square().sum().backward();
        Close([6, 6], y.grad!);
        Close([18, 18], x.grad!);
    }

    [Fact]
    public void ManyIdenticalSteps_ByHand_FollowAdamW()
    {
        // Decoupled decay, then bias-corrected moments; what the trainer will do with these operations.
        const double rate = 0.1, b1 = 0.9, b2 = 0.999, eps = 1e-8, decay = 0.01;
        double p = 1.5, m = 0, v = 0;
        var parameter = tensor(new[] { p }).requires_grad_();
        Tensor first = zeros_like(parameter), second = zeros_like(parameter);
        for (var t = 1; t <= 20; t++)
        {
            var g = 2 * (p - 0.3);
            p *= 1 - (rate * decay);
            m = (b1 * m) + ((1 - b1) * g);
            v = (b2 * v) + ((1 - b2) * g * g);
            p -= rate / (1 - Math.Pow(b1, t)) * m / ((Math.Sqrt(v) / Math.Sqrt(1 - Math.Pow(b2, t))) + eps);

            using var step = NewDisposeScope();
            (parameter - 0.3).square().sum().backward();
            using var off = no_grad();
            var gradient = parameter.grad!;
            parameter.mul_(1 - (rate * decay));
            first.lerp_(gradient, 1 - b1);
            second.mul_(b2).addcmul_(gradient, gradient, 1 - b2);
            parameter.addcdiv_(first, second.sqrt().div_(Math.Sqrt(1 - Math.Pow(b2, t))).add_(eps), -rate / (1 - Math.Pow(b1, t)));
            parameter.grad = null;
            Close([p], parameter, 1e-12);
        }
    }
}
