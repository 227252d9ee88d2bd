using AsrPlatform.Tests;
using static AsrPlatform.LibTorch.Tests.TensorAssert;
using F = AsrPlatform.LibTorch.torch.nn.functional;

namespace AsrPlatform.LibTorch.Tests.Operations;

public sealed class FunctionalTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(40)]
    public void Linear_OfAnyNumberOfRows_IsTheProductPlusBias(int rows)
    {
        // Widths that no vector register divides.
        const int inputs = 37, outputs = 29;
        double[] x = Doubles(1, rows, inputs), w = Doubles(2, outputs, inputs), b = Doubles(3, outputs);
        var transposed = new double[w.Length];
        for (var o = 0; o < outputs; o++)
        {
            for (var i = 0; i < inputs; i++)
            {
                transposed[(i * outputs) + o] = w[(o * inputs) + i];
            }
        }
        var expected = Reference.MatMul(x, transposed, rows, inputs, outputs);
        Tensor tx = tensor(x, [rows, inputs], float32), tw = tensor(w, [outputs, inputs], float32), tb = tensor(b, dtype: float32);
        var biased = expected.Select((v, i) => v + b[i % outputs]).ToArray();
        foreach (var recording in new[] { false, true })
        {
            using var mode = set_grad_enabled(recording);
            Close(expected, [rows, outputs], F.linear(tx, tw));
            Close(biased, [rows, outputs], F.linear(tx, tw, tb));
            Close(biased, [1, rows, outputs], F.linear(tx.unsqueeze(0), tw, tb));
            // Rows, weights and biases that are parts of something larger.
            Close(biased, F.linear(tx.repeat(1, 2)[TensorIndex.Colon, ..inputs], tw.repeat(1, 2)[TensorIndex.Colon, ..inputs], tb.repeat_interleave(2)[TensorIndex.Slice(0, null, 2)]));
            Close(biased, F.linear(tx.t().contiguous().t(), tw.t().contiguous().t(), tb));
        }
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(1, 0)]
    public void Conv1d_IsTheSlidingSum(int stride, int padding)
    {
        double[] x = Doubles(1, 2, 3, 11), w = Doubles(2, 4, 3, 3), b = Doubles(3, 4);
        var expected = Reference.Conv1d(x, w, b, 2, 3, 11, 4, 3, stride, padding);
        var y = F.conv1d(tensor(x, [2, 3, 11], float32), tensor(w, [4, 3, 3], float32), tensor(b, dtype: float32), stride, padding);
        Close(expected, [2, 4, ((11 + (2 * padding) - 3) / stride) + 1], y);
    }

    [Fact]
    public void LayerNorm_CentersAndScalesRows()
    {
        double[] x = Doubles(1, 3, 7), w = Doubles(2, 7), b = Doubles(3, 7);
        var expected = new double[21];
        for (var r = 0; r < 3; r++)
        {
            var row = x.AsSpan(r * 7, 7).ToArray();
            var mean = row.Average();
            var deviation = Math.Sqrt(row.Average(v => (v - mean) * (v - mean)) + 1e-5);
            for (var i = 0; i < 7; i++)
            {
                expected[(r * 7) + i] = ((row[i] - mean) / deviation * w[i]) + b[i];
            }
        }
        Close(expected, F.layer_norm(tensor(x, [3, 7], float32), [7], tensor(w, dtype: float32), tensor(b, dtype: float32)));
        Close([.. Enumerable.Repeat(0.0, 7)], F.layer_norm(ones(7), [7]));
    }

    [Fact]
    public void Softmax_OfRows_SumsToOne()
    {
        var x = Doubles(1, 2, 5);
        double[] soft = [.. Reference.Softmax(x.AsSpan(0, 5)), .. Reference.Softmax(x.AsSpan(5, 5))];
        var t = tensor(x, [2, 5], float32);
        Close(soft, F.softmax(t, -1));
        Close(soft, softmax(t, 1));
        Close([.. soft.Select(v => Math.Log(v))], F.log_softmax(t, -1));
        Close(soft, F.softmax(t, -1, float64), 1e-12);
        // A row that is masked but for one.
        Close([0, 1], F.softmax(tensor(new[] { double.NegativeInfinity, 3 }), 0));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(15)]
    [InlineData(16)]
    [InlineData(53)]
    [InlineData(1500)]
    public void Softmax_OfFloats_EqualsTheReferenceForAnyLength(int columns)
    {
        // Wide enough that most terms vanish; a row of large numbers must not overflow, a masked value weighs exactly nothing.
        var x = Doubles(1, 3, columns).Select((v, i) => (float)(40 * v) + (i < columns ? 1e4f : 0f)).Select(v => (double)v).ToArray();
        x[^1] = columns > 1 ? double.NegativeInfinity : x[^1];
        double[] expected = [.. Enumerable.Range(0, 3).SelectMany(row => Reference.Softmax(x.AsSpan(row * columns, columns)))];
        foreach (var recording in new[] { false, true })
        {
            using var mode = set_grad_enabled(recording);
            var t = tensor(x, [3, columns], float32);
            var soft = F.softmax(t, -1);
            Close(expected, [3, columns], soft, 1e-6);
            Close(expected, F.softmax(t.t().contiguous().t(), -1), 1e-6);
            if (columns > 1)
            {
                Assert.Equal(0, Values(soft)[^1]);
            }
        }

        x[1 % columns] = double.NaN;
        Assert.All(Values(F.softmax(tensor(x, [3, columns], float32), -1))[..columns], value => Assert.True(double.IsNaN(value)));
    }

    [Fact]
    public void Gelu_OfFloats_EqualsTheReference()
    {
        double[] x = [.. Enumerable.Range(-1213, 2427).Select(i => (double)(float)(i * 0.0049)), 50, -50, 1e4, -1e4];
        var expected = Array.ConvertAll(x, Reference.Gelu);
        foreach (var recording in new[] { false, true })
        {
            using var mode = set_grad_enabled(recording);
            var t = tensor(x, dtype: float32);
            Close(expected, F.gelu(t), 1.5e-6);
            Close(x, t);
            Assert.Same(t, t.gelu_());
            Close(expected, t, 1.5e-6);
            Close(expected, tensor(x, dtype: float32).repeat_interleave(2)[TensorIndex.Slice(0, null, 2)].gelu_(), 1.5e-6);
        }

        var odd = Values(F.gelu(tensor(new[] { float.NaN, float.PositiveInfinity })));
        Assert.True(double.IsNaN(odd[0]));
        Assert.Equal(double.PositiveInfinity, odd[1]);
    }

    public enum Mask
    {
        None,
        Causal,
        Bool,
        Additive,
    }

    [Theory]
    [InlineData(Mask.None)]
    [InlineData(Mask.Causal)]
    [InlineData(Mask.Bool)]
    [InlineData(Mask.Additive)]
    public void Attention_IsTheWeightedSumOfValues(Mask kind)
    {
        const int heads = 2, queries = 4, keys = 4, width = 3;
        double[] q = Doubles(1, heads, queries, width), k = Doubles(2, heads, keys, width), v = Doubles(3, heads, keys, width);
        var added = Doubles(4, queries, keys);
        bool Sees(int i, int j) => kind switch
        {
            Mask.Causal => j <= i,
            Mask.Bool => j == i || j == 0,
            _ => true,
        };
        var expected = new double[heads * queries * width];
        for (var h = 0; h < heads; h++)
        {
            for (var i = 0; i < queries; i++)
            {
                var scores = new double[keys];
                for (var j = 0; j < keys; j++)
                {
                    for (var d = 0; d < width; d++)
                    {
                        scores[j] += q[(((h * queries) + i) * width) + d] * k[(((h * keys) + j) * width) + d] / Math.Sqrt(width);
                    }
                    scores[j] += kind == Mask.Additive ? added[(i * keys) + j] : 0;
                    scores[j] = Sees(i, j) ? scores[j] : double.NegativeInfinity;
                }
                var weights = Reference.Softmax(scores);
                for (var j = 0; j < keys; j++)
                {
                    for (var d = 0; d < width; d++)
                    {
                        expected[(((h * queries) + i) * width) + d] += weights[j] * v[(((h * keys) + j) * width) + d];
                    }
                }
            }
        }
        Tensor Heads(double[] x) => tensor(x, [1, heads, queries, width], float32);
        var mask = kind switch
        {
            Mask.Bool => eye(queries, dtype: @bool).logical_or(arange(keys).eq(0)),
            Mask.Additive => tensor(added, [queries, keys], float32),
            _ => null,
        };
        Close(expected, [1, heads, queries, width], F.scaled_dot_product_attention(Heads(q), Heads(k), Heads(v), mask, is_casual: kind == Mask.Causal));
        // A mask for each of several batches and heads is broadcast the other way round too.
        if (mask is not null)
        {
            Close(expected, F.scaled_dot_product_attention(Heads(q), Heads(k), Heads(v), mask.expand(3, heads, queries, keys))[1]);
        }
    }

    [Theory]
    [InlineData(0.0)]
    [InlineData(0.1)]
    public void CrossEntropy_IgnoresAndSmooths(double smoothing)
    {
        const int rows = 4, classes = 5;
        var x = Doubles(1, rows, classes);
        long[] targets = [2, -100, 0, 4];
        var losses = new double[rows];
        for (var r = 0; r < rows; r++)
        {
            var log = Reference.LogSoftmax(x.AsSpan(r * classes, classes));
            losses[r] = targets[r] < 0 ? 0 : (-(1 - smoothing) * log[targets[r]]) - (smoothing * log.Average());
        }
        var logits = tensor(x, [rows, classes], float32);
        var labels = tensor(targets);
        Close(losses, F.cross_entropy(logits, labels, reduction: nn.Reduction.None, label_smoothing: smoothing));
        Close([losses.Sum()], F.cross_entropy(logits, labels, reduction: nn.Reduction.Sum, label_smoothing: smoothing));
        Close([losses.Sum() / 3], F.cross_entropy(logits, labels, label_smoothing: smoothing));
        labels[1] = 7;
        Close([losses.Sum() / 3], F.cross_entropy(logits, labels, ignore_index: 7, label_smoothing: smoothing));
        // [batch, classes, time]
        Close([losses[0], losses[2], losses[3]], F.cross_entropy(logits.index_select(0, tensor(new long[] { 0, 2, 3 })).t().unsqueeze(0), tensor(new long[,] { { 2, 0, 4 } }), reduction: nn.Reduction.None, label_smoothing: smoothing));
    }

    [Fact]
    public void Losses_OfPlainKinds()
    {
        Tensor a = tensor(new float[] { 1, 2 }), b = tensor(new float[] { 3, 1 });
        Close([2.5], F.mse_loss(a, b));
        Close([4, 1], F.mse_loss(a, b, nn.Reduction.None));
        var log = F.log_softmax(Numbers(1, 2, 3), -1);
        Close([-(Values(log)[1] + Values(log)[3]) / 2], F.nll_loss(log, tensor(new long[] { 1, 0 })));
        var target = F.log_softmax(Numbers(2, 2, 3), -1);
        var expected = Values(log).Zip(Values(target), (p, q) => Math.Exp(q) * (q - p)).ToArray();
        Close([expected.Sum()], F.kl_div(log, target, reduction: nn.Reduction.Sum));
        Close(expected, F.kl_div(log, target.exp(), log_target: false, nn.Reduction.None));
    }

    [Fact]
    public void Dropout_KeepsTheMean_AndIsOffOutsideTraining()
    {
        manual_seed(3);
        var x = ones(20000);
        var dropped = F.dropout(x, 0.25);
        Assert.InRange(dropped.mean().ToDouble(), 0.98, 1.02);
        Assert.InRange(dropped.eq(0).to(float32).mean().ToDouble(), 0.23, 0.27);
        Close([4.0 / 3], dropped.max());
        Close(Values(x), F.dropout(x, 0.25, training: false), 0);
    }

    [Fact]
    public void Padding_OfEveryMode()
    {
        var x = tensor(new float[] { 1, 2, 3 }).view(1, 1, 3);
        Close([0, 1, 2, 3, 0, 0], F.pad(x, [1, 2]));
        Close([7, 1, 2, 3], F.pad(x, (1, 0), value: 7));
        Close([3, 2, 1, 2, 3, 2], F.pad(x, (2, 1), PaddingModes.Reflect));
        Close([1, 1, 2, 3, 3], F.pad(x, (1, 1), PaddingModes.Replicate));
        Close([3, 1, 2, 3, 1], F.pad(x, (1, 1), PaddingModes.Circular));
        Assert.Equal([1L, 3L, 3L], F.pad(x, [0, 0, 2, 0]).shape);
    }

    [Fact]
    public void OneHot_AndEmbedding_AreRows()
    {
        var ids = tensor(new long[] { 2, 0 });
        Close([0, 0, 1, 1, 0, 0], [2, 3], F.one_hot(ids, 3));
        var table = Numbers(1, 3, 4);
        Close(Values(F.one_hot(ids, 3).to(float32).matmul(table)), [2, 4], table.index_select(0, ids));
    }

    public static TheoryData<string> CtcCases => ["plain", "repeats", "empty_target", "tight", "infeasible", "longer"];

    [Theory]
    [MemberData(nameof(CtcCases))]
    public void CtcLoss_AndItsGradients_AreTheReferences(string name)
    {
        var file = SafeTensorsFile.Read(Fixtures.Path($"trainer/ctc/{name}.safetensors"));
        var targets = file["targets"];
        var inputLengths = file["input_lengths"];
        var targetLengths = file["target_lengths"];
        foreach (var reduction in new[] { nn.Reduction.None, nn.Reduction.Sum, nn.Reduction.Mean })
        {
            foreach (var zeroInfinity in new[] { false, true })
            {
                var key = reduction.ToString().ToLowerInvariant();
                string Key(string kind) => file.ContainsKey($"{kind}_{key}_zero_infinity") && zeroInfinity ? $"{kind}_{key}_zero_infinity" : $"{kind}_{key}";
                var logits = file["logits"].clone().requires_grad_();
                var loss = F.ctc_loss(F.log_softmax(logits, 2), targets, inputLengths, targetLengths, blank: 0, zero_infinity: zeroInfinity, reduction: reduction);
                Close(Values(file[Key("loss")]), loss, 2e-6);
                var gradientKey = Key("grad_logits");
                if (reduction != nn.Reduction.None && file.TryGetValue(gradientKey, out var expected) && (zeroInfinity || loss.isfinite().ToBoolean()))
                {
                    loss.backward();
                    Close(Values(expected), logits.grad!, 2e-5);
                }
            }
        }
    }
}
