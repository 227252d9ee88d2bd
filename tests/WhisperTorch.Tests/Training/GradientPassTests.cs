using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Training;
using AsrPlatform.WhisperTorch.Model;
using AsrPlatform.WhisperTorch.Training;

namespace AsrPlatform.WhisperTorch.Tests.Training;

public sealed class GradientPassTests
{
    [Fact]
    public void Losses_OfSingleExamples_MatchHuggingFace()
    {
        using var fixture = new TrainerFixture();
        using var model = TrainerFixture.LoadModel();
        using var parameters = new TrainableParameters(TrainerFixture.Trained(model));
        var pass = Pass(model, new GradientPassOptions());
        var losses = TrainerFixture.Json("forward/losses.json");
        var expected = TrainerFixture.Numbers(losses["loss_per_example_float64"]!);
        var tokens = TrainerFixture.Numbers(losses["tokens_per_example"]!);
        for (var row = 0; row < expected.Length; row++)
        {
            var batch = fixture.Batch(row);
            Assert.Equal(tokens[row], batch.Tokens);
            using var loss = pass.Accumulate(batch, new LossFactors(1.0 / batch.Tokens, 0));
            Assert.InRange(Math.Abs(loss.item<float>() - expected[row]), 0, 1e-5);
            Assert.InRange(Math.Abs((pass.Evaluate(batch) / batch.Tokens) - expected[row]), 0, 1e-5);
        }
    }

    [Fact]
    public void Gradient_PaddingTokenInsideALabel_ReachesItsEmbeddingFromTheProjectionOnly()
    {
        using var fixture = new TrainerFixture();
        using var model = TrainerFixture.LoadModel();
        using var parameters = new TrainableParameters(TrainerFixture.Trained(model));
        using var expected = SafetensorsFile.Open(Fixtures.Path("trainer/padidx/case.safetensors"));
        var labels = expected["labels"];
        var batch = fixture.Batch(0, 1) with { Labels = TrainerFixture.Integers(labels), LabelLength = (int)labels.Shape[1] };
        Assert.Contains(TrainerFixture.PaddingToken, batch.Labels);
        using var loss = Pass(model, new GradientPassOptions()).Accumulate(batch, new LossFactors(1.0 / batch.Tokens, 0));
        Assert.InRange(Math.Abs(loss.item<float>() - expected["loss"].ToSingle()[0]), 0, 1e-5);
        var gradient = expected["grad_embed_tokens"];
        using var ours = TrainableParameters.Part(parameters.Gradients, parameters.ByName[WhisperTensors.TokenEmbedding]);
        Assert.InRange(TrainerFixture.Difference(gradient, ours), 0, 3e-5 * gradient.ToSingle().Max(Math.Abs));
    }

    [Fact]
    public void Loss_WithHuggingFacesMasks_MatchesItsSpecAugment()
    {
        using var fixture = new TrainerFixture();
        using var model = TrainerFixture.LoadModel();
        using var parameters = new TrainableParameters(TrainerFixture.Trained(model));
        using var masks = SafetensorsFile.Open(Fixtures.Path("trainer/specaugment/masks.safetensors"));
        var time = masks["time_mask"].Bytes;
        var feature = masks["feature_mask"].Bytes;
        var batch = fixture.Batch(0, 1, 2, 3);
        var pass = Pass(model, new GradientPassOptions());
        Assert.InRange(Math.Abs((pass.Evaluate(batch) / batch.Tokens) - 5.6681433), 0, 1e-5);
        for (var i = 0; i < batch.Features.Length; i++)
        {
            var (row, at) = Math.DivRem(i, TrainerFixture.Mels * TrainerFixture.Frames);
            if (time[(row * TrainerFixture.Frames) + (at % TrainerFixture.Frames)] + feature[(row * TrainerFixture.Mels) + (at / TrainerFixture.Frames)] > 0)
            {
                batch.Features[i] = 0;
            }
        }

        Assert.InRange(Math.Abs((pass.Evaluate(batch) / batch.Tokens) - 5.6635523), 0, 1e-5);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.3)]
    public void Gradients_OfProductsInBFloat16_AreThoseOfFloat32UpToItsPrecision(double ctcWeight)
    {
        using var fixture = new TrainerFixture();
        var batch = fixture.Batch(0, 5, 9) with { Symbols = [[1, 2, 2, 3], [], [5]] };
        var (loss, gradients) = Run(null);
        var (rounded, roundedGradients) = Run(ScalarType.BFloat16);
        Assert.InRange(Math.Abs((rounded / loss) - 1), double.Epsilon, 2e-3); // eight bits of a number, rounded at every layer
        using (gradients)
        using (roundedGradients)
        {
            using var scope = NewDisposeScope();
            Assert.Equal(ScalarType.Float32, roundedGradients.dtype);
            var cosine = (gradients.dot(roundedGradients) / (gradients.norm() * roundedGradients.norm())).item<float>();
            Assert.InRange(cosine, 0.999, 1);
            Assert.InRange((roundedGradients.norm() / gradients.norm()).item<float>(), 0.97, 1.03);
        }

        (double Loss, Tensor Gradients) Run(ScalarType? type)
        {
            using var model = TrainerFixture.LoadModel();
            random.manual_seed(7);
            using var head = new CtcHead(model.Info.Width, 10, 0.02, CPU);
            using var parameters = new TrainableParameters([.. TrainerFixture.Trained(model), .. head.Parameters]);
            var pass = new GradientPass(
                model,
                TrainerFixture.Config(),
                new GradientPassOptions { CtcWeight = ctcWeight, ProductType = type },
                TrainerFixture.StartToken,
                TrainerFixture.PaddingToken,
                head);
            using var sum = pass.Accumulate(batch, new LossFactors(1.0 / batch.Tokens, 1.0 / batch.Batch));
            return (sum.item<float>(), parameters.Gradients.clone());
        }
    }

    [Theory]
    [InlineData(false, 0)]
    [InlineData(true, 0)]
    [InlineData(false, 0.3)]
    [InlineData(true, 0.3)]
    public void Gradients_WithCheckpointing_AreEqualToTheBit(bool freezeEncoder, double ctcWeight)
    {
        using var fixture = new TrainerFixture();
        var batch = fixture.Batch(0, 5, 9) with { Symbols = [[1, 2, 2, 3], [], [5]] };

        // Dropout and skipped layers draw the same random numbers again.
        var config = TrainerFixture.Config() with { Dropout = 0.1, AttentionDropout = 0.1, ActivationDropout = 0.2, EncoderLayerdrop = 0.3, DecoderLayerdrop = 0.2 };
        var results = new List<(float Loss, float[] Gradients)>();
        foreach (var checkpointing in new[] { false, true })
        {
            random.manual_seed(7);
            using var model = TrainerFixture.LoadModel();
            using var head = new CtcHead(model.Info.Width, 10, 0.02, CPU);
            using var parameters = new TrainableParameters([.. TrainerFixture.Trained(model, freezeEncoder), .. head.Parameters]);
            var pass = new GradientPass(
                model,
                config,
                new GradientPassOptions { FreezeEncoder = freezeEncoder, Checkpointing = checkpointing, CtcWeight = ctcWeight },
                TrainerFixture.StartToken,
                TrainerFixture.PaddingToken,
                head);
            random.manual_seed(11);
            using var loss = pass.Accumulate(batch, new LossFactors(1.0 / batch.Tokens, 1.0 / batch.Batch));
            results.Add((loss.item<float>(), Copy(parameters.Gradients)));
        }

        Assert.Equal(results[0].Loss, results[1].Loss);
        Assert.Equal(results[0].Gradients, results[1].Gradients);
        Assert.Contains(results[0].Gradients, value => value != 0);
    }

    [Fact]
    public void Gradients_OfCtc_FollowTheLoss()
    {
        // A step against the gradient lowers the loss by its square, for small steps: what finite differences would show, in one number.
        using var fixture = new TrainerFixture();
        using var model = TrainerFixture.LoadModel();
        random.manual_seed(3);
        using var head = new CtcHead(model.Info.Width, 6, 0.02, CPU);
        using var parameters = new TrainableParameters([.. TrainerFixture.Trained(model), .. head.Parameters]);
        var pass = new GradientPass(
            model, TrainerFixture.Config(), new GradientPassOptions { CtcWeight = 1 }, TrainerFixture.StartToken, TrainerFixture.PaddingToken, head);
        var batch = fixture.Batch(2, 4) with { Symbols = [[1, 2, 3], [4, 4, 5, 1]], FrameCounts = [200, 120] };
        Assert.Equal([100, 60], batch.Positions);
        var before = Loss();
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var square = Math.Pow(parameters.GradientNorm(), 2);
        var rate = 0.01 / square;
        parameters.Values.sub_(parameters.Gradients.mul(rate));
        var after = Loss();
        Assert.InRange((before - after) / (rate * square), 0.9, 1.1);

        float Loss()
        {
            using var loss = pass.Accumulate(batch, new LossFactors(0, 0.5));
            return loss.item<float>();
        }
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("repeats")]
    [InlineData("empty_target")]
    [InlineData("tight")]
    [InlineData("infeasible")]
    [InlineData("longer")]
    public void CtcLoss_OfAFixture_MatchesTorch(string name)
    {
        using var file = SafetensorsFile.Open(Fixtures.Path($"trainer/ctc/{name}.safetensors"));
        using var scope = NewDisposeScope();
        var logits = tensor(file["logits"].ToSingle(), file["logits"].Shape.ToArray(), requires_grad: true);
        var lengths = TrainerFixture.Integers(file["target_lengths"]);
        var padded = TrainerFixture.Integers(file["targets"]);
        var longest = (int)file["targets"].Shape[1];
        var targets = lengths.Select((length, row) => padded.AsSpan(row * longest, length).ToArray()).ToArray();
        var loss = CtcHead.Loss(logits.log_softmax(-1), TrainerFixture.Integers(file["input_lengths"]), targets).div(lengths.Length);
        loss.backward();
        var suffix = file.Tensors.ContainsKey("loss_mean_zero_infinity") ? "_zero_infinity" : "";
        var expected = file[$"loss_mean{suffix}"].ToSingle()[0];
        Assert.InRange(Math.Abs(loss.item<float>() - expected), 0, 2e-6 * Math.Max(1, Math.Abs(expected)));
        Assert.InRange(TrainerFixture.Difference(file[$"grad_logits_mean{suffix}"], logits.grad!), 0, 2e-5);
    }

    [Fact]
    public void ShorterFrames_TrainTheSameLayers()
    {
        using var fixture = new TrainerFixture();
        using var model = TrainerFixture.LoadModel();
        using var parameters = new TrainableParameters(TrainerFixture.Trained(model));
        var whole = fixture.Batch(0);
        var part = whole with { Frames = 60, Features = [.. Enumerable.Range(0, TrainerFixture.Mels).SelectMany(mel => whole.Features.Skip(mel * 200).Take(60))] };
        using var loss = Pass(model, new GradientPassOptions()).Accumulate(part, new LossFactors(1.0 / part.Tokens, 0));
        Assert.True(float.IsFinite(loss.item<float>()));
        Assert.True(parameters.GradientNorm() > 0);
    }

    [Fact]
    public void Steps_Repeated_KeepTheNumberOfTensors()
    {
        using var fixture = new TrainerFixture();
        using var model = TrainerFixture.LoadModel();
        using var parameters = new TrainableParameters(TrainerFixture.Trained(model));
        using var optimizer = new AdamW(parameters, new AdamWSettings(WeightDecay: 0.01));
        foreach (var checkpointing in new[] { false, true })
        {
            var step = new OptimizerStep(new ParallelPasses(Pass(model, new GradientPassOptions { Checkpointing = checkpointing }), parameters), parameters, optimizer, AccumulationNormalization.Token, 1);
            step.Take([fixture.Batch(0, 1), fixture.Batch(2)], 1e-4);
            GC.Collect();
            GC.WaitForPendingFinalizers();
            var live = Tensor.TotalCount;
            for (var i = 0; i < 10; i++)
            {
                step.Take([fixture.Batch(i), fixture.Batch(i + 1)], 1e-4);
                Assert.Equal(live, Tensor.TotalCount);
            }
        }
    }

    [Fact]
    public void Parameters_AfterTraining_AreFreeOfGradientsAndCountedOnce()
    {
        using var model = TrainerFixture.LoadModel();
        var live = Tensor.TotalCount;
        using (var parameters = new TrainableParameters(TrainerFixture.Trained(model, trainPositions: true)))
        {
            Assert.Equal(model.Info.Parameters, parameters.ByName.Values.Sum(entry => entry.Shape.Aggregate(1L, (product, size) => product * size)));
        }

        Assert.Equal(live, Tensor.TotalCount);
        Assert.DoesNotContain(model.Parameters, block => block.Tensor.requires_grad);
    }

    private static GradientPass Pass(WhisperModel model, GradientPassOptions options) =>
        new(model, TrainerFixture.Config(), options, TrainerFixture.StartToken, TrainerFixture.PaddingToken);

    private static float[] Copy(Tensor values)
    {
        var copy = new float[values.numel()];
        HostMemory.Copy(values, copy);
        return copy;
    }
}
