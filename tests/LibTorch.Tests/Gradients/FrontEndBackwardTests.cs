using static AsrPlatform.LibTorch.Tests.TensorAssert;
using F = AsrPlatform.LibTorch.torch.nn.functional;

namespace AsrPlatform.LibTorch.Tests.Gradients;

/// <summary>
/// Whisper's front end is conv1d, gelu, conv1d, gelu, transpose, so that the gradient that comes back is not contiguous.
/// With oneDNN, LibTorch 1.13.1 answers with garbage, another at each call: it is the backward of gelu that reads such a
/// gradient as if it were contiguous (convolutions alone are right). The binding switches oneDNN off there; these tests fail
/// when it is on (ASR_LIBTORCH_ONEDNN=1).
/// </summary>
public sealed class FrontEndBackwardTests : IDisposable
{
    private const int Rounds = 40;
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void FrontEnd_Backward40Times_IsTheReferenceEachTime()
    {
        const int batch = 4, mels = 16, width = 32, frames = 60, half = frames / 2;
        double[] x = Doubles(1, batch, mels, frames), w1 = Doubles(2, width, mels, 3), b1 = Doubles(3, width), w2 = Doubles(4, width, width, 3), b2 = Doubles(5, width);
        // The loss weighs [batch, frame, channel], as the transformer behind it does.
        var weights = Doubles(6, batch, half, width);

        var z1 = Reference.Conv1d(x, w1, b1, batch, mels, frames, width, 3, 1, 1);
        double[] y1 = [.. z1.Select(Reference.Gelu)];
        var z2 = Reference.Conv1d(y1, w2, b2, batch, width, frames, width, 3, 2, 1);
        var second = Reference.Conv1dBackward(y1, w2, Times(Turned(weights, batch, half, width), z2), batch, width, frames, width, 3, 2, 1);
        var first = Reference.Conv1dBackward(x, w1, Times(second.X, z1), batch, mels, frames, width, 3, 1, 1);

        Tensor Leaf(double[] values, params long[] shape) => tensor(values, shape, float32).requires_grad_();
        Tensor tx = Leaf(x, batch, mels, frames), tw1 = Leaf(w1, width, mels, 3), tb1 = Leaf(b1, width), tw2 = Leaf(w2, width, width, 3), tb2 = Leaf(b2, width);
        var weighing = tensor(weights, [batch, half, width], float32);
        Repeat([tx, tw1, tb1, tw2, tb2], [first.X, first.W, first.Bias, second.W, second.Bias], () =>
            (F.gelu(F.conv1d(F.gelu(F.conv1d(tx, tw1, tb1, padding: 1)), tw2, tb2, stride: 2, padding: 1)).transpose(1, 2) * weighing).sum());
    }

    [Fact]
    public void Gelu_BackwardOfATurnedGradient40Times_IsTheReferenceEachTime()
    {
        const int batch = 3, rows = 20, columns = 50;
        double[] x = Doubles(1, batch, rows, columns), weights = Doubles(2, batch, columns, rows);
        var tx = tensor(x, [batch, rows, columns], float32).requires_grad_();
        var weighing = tensor(weights, [batch, columns, rows], float32);
        Repeat([tx], [Times(Turned(weights, batch, columns, rows), x)], () => (F.gelu(tx).transpose(1, 2) * weighing).sum());
    }

    /// <summary>The gradient times that of gelu at z.</summary>
    private static double[] Times(double[] gradient, double[] z) => [.. gradient.Zip(z, (g, v) => g * Reference.GeluSlope(v))];

    /// <summary>[batch, a, b] as [batch, b, a].</summary>
    private static double[] Turned(double[] values, int batch, int a, int b)
    {
        var result = new double[values.Length];
        for (var n = 0; n < batch; n++)
        {
            for (var i = 0; i < a; i++)
            {
                for (var j = 0; j < b; j++)
                {
                    result[(((n * b) + j) * a) + i] = values[(((n * a) + i) * b) + j];
                }
            }
        }
        return result;
    }

    private static void Repeat(Tensor[] leaves, double[][] expected, Func<Tensor> loss)
    {
        List<Tensor>? before = null;
        for (var round = 0; round < Rounds; round++)
        {
            using var scope = NewDisposeScope();
            loss().backward();
            var gradients = leaves.Select(leaf => leaf.grad!).ToList();
            for (var i = 0; i < leaves.Length; i++)
            {
                var scale = expected[i].Max(Math.Abs);
                Close([.. expected[i].Select(v => v / scale)], gradients[i] / scale, 1e-5);
                Assert.True(before is null || torch.equal(before[i], gradients[i]).ToBoolean(), $"round {round}: the gradient of leaf {i} is another one");
                leaves[i].grad = null;
            }
            if (before is null)
            {
                before = gradients;
                scope.MoveToOuter(gradients);
            }
        }
    }
}
