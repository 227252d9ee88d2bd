using AsrPlatform.OnnxRuntime.Tests.Lifetime;
using AsrPlatform.Tests;
using static AsrPlatform.LibTorch.torch;

namespace AsrPlatform.OnnxRuntime.Tests.Runtime;

/// <summary>LibTorch and ONNX Runtime in one process, as the host has them.</summary>
[Collection(nameof(Alone))]
public sealed class BothEnginesTests
{
    /// <summary>Both compute the same linear layer and norm, in turns, from several threads.</summary>
    [Fact]
    public async Task LibTorchAndOnnxRuntime_InTurns_AreBothRight()
    {
        const int rows = 7, width = 96;
        var random = new Random(5);
        float[] weight = [.. Enumerable.Range(0, width * width).Select(_ => (float)((random.NextDouble() * 2) - 1))];
        var model = new Graph()
            .Weight("w", [width, width], weight)
            .Node("MatMul", ["x", "w"], "m")
            .Node("Softmax", ["m"], "y")
            .Input("x", TensorElementType.Float, "rows", (long)width)
            .Output("y", TensorElementType.Float, "rows", (long)width).ToModel();
        using var options = new SessionOptions { IntraOpNumThreads = 1 };
        using var session = new InferenceSession(model, options);
        using var run = new RunOptions();
        using var w = tensor(weight, [width, width]);

        await Task.WhenAll(Enumerable.Range(0, 2).Select(worker => Task.Run(() =>
        {
            var numbers = new Random(worker);
            for (var call = 0; call < 500; call++)
            {
                float[] x = [.. Enumerable.Range(0, rows * width).Select(_ => (float)((numbers.NextDouble() * 2) - 1))];
                float[] expected;
                using (NewDisposeScope())
                using (no_grad())
                {
                    expected = nn.functional.softmax(tensor(x, [rows, width]).matmul(w), -1).data<float>().ToArray();
                }
                using var value = OrtValue.CreateTensorValueFromMemory(x, [rows, width]);
                using var results = session.Run(run, ["x"], [value], ["y"]);
                var actual = results[0].GetTensorDataAsSpan<float>();
                for (var i = 0; i < actual.Length; i++)
                {
                    Assert.Equal(expected[i], actual[i], 1e-5);
                }
            }
        })));
    }

    /// <summary>The same Whisper encoder, exported and as LibTorch has it, must not disturb each other's threads or kernels.</summary>
    [Fact]
    public void Encoder_BetweenLibTorchsCalls_StaysTheSame()
    {
        var features = NpyArray.Read(Fixtures.Path("checkpoints/input_features.npy"));
        var expected = NpyArray.Read(Fixtures.Path("onnx/small/encoder.npy"));
        using var options = new SessionOptions { IntraOpNumThreads = 2 };
        options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
        using var session = new InferenceSession(Fixtures.Path("onnx/small/encoder_model.onnx"), options);
        using var run = new RunOptions();
        using var input = OrtValue.CreateTensorValueFromMemory(features.ToSingle(), [.. features.Shape.Select(size => (long)size)]);
        for (var i = 0; i < 100; i++)
        {
            using var scope = NewDisposeScope();
            var a = full([64, 64], (float)i);
            Assert.Equal(i * 64f, a.matmul(eye(64)).sum().item<float>() / 64);
            using var results = session.Run(run, ["input_features"], [input], ["last_hidden_state"]);
            var actual = results[0].GetTensorDataAsSpan<float>();
            for (var k = 0; k < actual.Length; k += 13)
            {
                Assert.Equal(expected.Values[k], actual[k], 1e-5);
            }
        }
    }
}
