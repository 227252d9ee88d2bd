using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Features;
using AsrPlatform.Abstractions.Training;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Training;
using AsrPlatform.WhisperTorch.Model;
using AsrPlatform.WhisperTorch.Training;
using AsrPlatform.WhisperTorch.Weights;

namespace AsrPlatform.WhisperTorch.Tests.Training;

/// <summary>Examples that keep what the model knows, and examples that count more than others.</summary>
public sealed class ReplayTests
{
    private const string Everywhere = """{"r": 4, "lora_alpha": 8, "lora_dropout": 0.2, "target_modules": ["q_proj", "v_proj", "fc1"]}""";

    [Fact]
    public void Divergence_OfReplayedRows_IsWhatItsDefinitionSays()
    {
        using var fixture = new TrainerFixture();
        using var model = TrainerFixture.LoadModel();
        using var adapter = Adapt(model, start: "false");
        var batch = fixture.Batch(3, 1, 7) with { Replay = [0, 2] };
        var expected = 0.0;
        using (NewDisposeScope())
        using (no_grad())
        {
            foreach (var row in batch.Replay)
            {
                var only = batch.Only([row]);
                model.ActiveAdapter = IMultiAdapterModel.NoAdapter;
                var kept = Logits(model, only).log_softmax(-1);
                model.ActiveAdapter = adapter.Id;
                var adapted = Logits(model, only).log_softmax(-1);
                expected += kept.exp().mul(kept.sub(adapted)).sum().ToDouble();
            }
        }

        using var parameters = Trainable(adapter);
        using var loss = Pass(model, klWeight: 3).Accumulate(batch, new LossFactors(0, 0, 0.01));
        Assert.True(expected > 1e-3);
        Assert.Equal(0.03 * expected, loss.item<float>(), 1e-4 * expected);
        Assert.Equal(adapter.Id, model.ActiveAdapter);

        // Rows that are not replayed, and a weight of 0, have none.
        using var none = Pass(model, klWeight: 3).Accumulate(batch with { Replay = [] }, new LossFactors(0, 0, 1));
        using var off = Pass(model, klWeight: 0).Accumulate(batch, new LossFactors(0, 0, 1));
        Assert.Equal((0, 0), (none.item<float>(), off.item<float>()));
    }

    [Fact]
    public void Divergence_OfAFreshAdapter_IsZeroAndPullsNowhere()
    {
        using var fixture = new TrainerFixture();
        using var model = TrainerFixture.LoadModel();
        using var adapter = Adapt(model, start: "true");
        using var parameters = Trainable(adapter);
        using var loss = Pass(model, klWeight: 1).Accumulate(fixture.Batch(0, 1) with { Replay = [0, 1] }, new LossFactors(0, 0, 1));
        Assert.Equal(0, loss.item<float>(), 1e-4);
        Assert.Equal(0, parameters.GradientNorm(), 1e-3);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Gradients_OfTheDivergence_FollowIt(bool checkpointing)
    {
        using var fixture = new TrainerFixture();
        using var model = TrainerFixture.LoadModel();
        using var adapter = Adapt(model, start: "false");
        using var parameters = Trainable(adapter);
        var pass = Pass(model, klWeight: 1, checkpointing);
        var batch = fixture.Batch(2, 4) with { Replay = [1], Weights = [1, 2.5] };
        var before = Loss();
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var square = Math.Pow(parameters.GradientNorm(), 2);
        var rate = 0.01 * before / square;
        parameters.Values.sub_(parameters.Gradients.mul(rate));
        Assert.InRange((before - Loss()) / (rate * square), 0.9, 1.1);

        double Loss()
        {
            using var loss = pass.Accumulate(batch, new LossFactors(0, 0, 1));
            return loss.ToDouble();
        }
    }

    [Fact]
    public void Gradients_WithCheckpointing_AreEqualToTheBit()
    {
        using var fixture = new TrainerFixture();
        var results = new List<(float Loss, float[] Gradients)>();
        foreach (var checkpointing in new[] { false, true })
        {
            using var model = TrainerFixture.LoadModel();
            using var adapter = Adapt(model, start: "false");
            adapter.Training = true;
            using var parameters = Trainable(adapter);
            random.manual_seed(5);
            using var loss = Pass(model, klWeight: 0.7, checkpointing).Accumulate(
                fixture.Batch(0, 5, 9) with { Replay = [0, 2], Weights = [1, 3, 0.5] }, new LossFactors(0.02, 0, 0.05));
            var gradients = new float[parameters.Gradients.numel()];
            HostMemory.Copy(parameters.Gradients, gradients);
            results.Add((loss.item<float>(), gradients));
        }

        Assert.Equal(results[0].Loss, results[1].Loss);
        Assert.Equal(results[0].Gradients, results[1].Gradients);
        Assert.Contains(results[0].Gradients, value => value != 0);
    }

    [Theory]
    [InlineData(0.0)]
    [InlineData(0.4)]
    public void AWeight_IsSoManyCopiesOfTheRow(double ctcWeight)
    {
        using var fixture = new TrainerFixture();
        var weighted = fixture.Batch(0, 5) with { Symbols = [[1, 2, 2, 3], [5]], Weights = [1, 3] };
        var copied = fixture.Batch(0, 5, 5, 5) with { Symbols = [[1, 2, 2, 3], [5], [5], [5]] };
        Assert.Equal((copied.WeightOfTokens, copied.WeightOfRows), (weighted.WeightOfTokens, weighted.WeightOfRows));
        var (loss, norm) = Step(weighted);
        var (expectedLoss, expectedNorm) = Step(copied);
        Assert.Equal(expectedLoss, loss, 1e-5);
        Assert.Equal(expectedNorm, norm, 1e-4 * expectedNorm);
        Assert.NotEqual(expectedLoss, Step(weighted with { Weights = [] }).Loss, 1e-3);

        (double Loss, double Norm) Step(MicroBatch batch)
        {
            using var model = TrainerFixture.LoadModel();
            random.manual_seed(3);
            using var head = new CtcHead(model.Info.Width, 10, 0.02, CPU);
            using var parameters = new TrainableParameters([.. TrainerFixture.Trained(model), .. head.Parameters]);
            using var optimizer = new AdamW(parameters, new AdamWSettings());
            var pass = new GradientPass(
                model, TrainerFixture.Config(), new GradientPassOptions { CtcWeight = ctcWeight }, TrainerFixture.StartToken, TrainerFixture.PaddingToken, head);
            var outcome = new OptimizerStep(new ParallelPasses(pass, parameters), parameters, optimizer, AccumulationNormalization.Token, 1).Take([batch], 0);
            return (outcome.Loss, outcome.GradientNorm);
        }
    }

    [Fact]
    public void KlWeight_InARun_KeepsTheAdapterNearerToTheBase()
    {
        double[] sizes = [.. new[] { "0", "1", "30" }.Select(weight =>
        {
            using var output = new TemporaryFolder();
            TrainerRuns.Train(Request(output.Root, ("kl-weight", weight)));
            using var file = SafetensorsFile.Open(output.File("adapter_model.safetensors"));
            return file.Tensors.Values.Where(tensor => tensor.Name.Contains("lora_B", StringComparison.Ordinal)).Sum(tensor => tensor.ToSingle().Sum(value => (double)value * value));
        })];
        Assert.True(sizes[0] > sizes[1] && sizes[1] > sizes[2], string.Join(' ', sizes));
    }

    /// <summary>How examples fall into micro-batches does not matter, though some of these have no replayed row at all.</summary>
    [Fact]
    public void KlWeightAndWeights_WithAccumulation_AreThoseOfOneLargeBatch()
    {
        var runs = new[] { ("4", "1"), ("1", "4") }.Select(split =>
        {
            using var output = new TemporaryFolder();
            TrainerRuns.Train(Request(
                output.Root, [("kl-weight", "2"), ("per-device-train-batch-size", split.Item1), ("gradient-accumulation-steps", split.Item2)], dropout: "0.0"));
            return Losses(output.Root);
        }).ToList();
        Assert.Equal(8, runs[0].Length);
        Assert.All(runs[0].Zip(runs[1]), pair => Assert.Equal(pair.First, pair.Second, 1e-4));
    }

    [Fact]
    public void Weights_WithDataParallel_AreThoseOfOneAfterAnother()
    {
        var runs = new[] { "1", "2" }.Select(parallel =>
        {
            using var output = new TemporaryFolder();
            TrainerRuns.Train(Request(output.Root, [("per-device-train-batch-size", "2"), ("gradient-accumulation-steps", "2"), ("data-parallel", parallel)]) with { Adapter = null });
            return Losses(output.Root);
        }).ToList();
        Assert.All(runs[0].Zip(runs[1]), pair => Assert.Equal(pair.First, pair.Second, 1e-5));
    }

    [Fact]
    public void Train_WithKlWeightResumed_IsTheUnbrokenRunToTheBit()
    {
        using var whole = new TemporaryFolder();
        TrainerRuns.Train(Request(whole.Root, ("kl-weight", "1")));
        using var parts = new TemporaryFolder();
        using var stop = new CancellationTokenSource();
        TrainerRuns.Train(
            Request(parts.Root, ("kl-weight", "1")),
            progress =>
            {
                if (progress is { Event: TrainingEvent.Step, Step: 3 })
                {
                    stop.Cancel();
                }
            },
            stop.Token);
        TrainerRuns.Train(Request(parts.Root, ("kl-weight", "1"), ("resume-from-checkpoint", "true")));
        Assert.Equal(Losses(whole.Root), Losses(parts.Root));
        Assert.Equal(File.ReadAllBytes(whole.File("adapter_model.safetensors")), File.ReadAllBytes(parts.File("adapter_model.safetensors")));
    }

    [Fact]
    public void KlWeight_WithoutAnAdapterOrReplayedExamples_IsRefused()
    {
        using var output = new TemporaryFolder();
        var request = Request(output.Root, ("kl-weight", "1"));
        Assert.Contains("needs an adapter", Assert.Throws<AsrException>(() => TrainerRuns.Train(request with { Adapter = null })).Message);
        Assert.Contains("replay or anchor", Assert.Throws<AsrException>(() => TrainerRuns.Train(request with { Train = TestDataset.OfTrainerFixture(0, 1) })).Message);
    }

    [Fact]
    public void AWeightThatIsNone_IsRefused()
    {
        using var output = new TemporaryFolder();
        var sample = TestDataset.OfTrainerFixture(0).Load(0) with { Weight = 0 };
        Assert.Contains("weight", Assert.Throws<AsrException>(() => TrainerRuns.Train(Request(output.Root) with { Train = new TestDataset([sample]) })).Message);
    }

    private static IAdapter<Tensor> Adapt(WhisperModel model, string start)
    {
        var adapter = (IAdapter<Tensor>)TrainerRuns.Provider().Create(
            model, "default", $$"""{"r": 4, "lora_alpha": 8, "lora_dropout": 0.1, "target_modules": ["q_proj", "fc1"], "init_lora_weights": {{start}}}""", seed: 4);
        model.ActiveAdapter = adapter.Id;
        return adapter;
    }

    private static TrainableParameters Trainable(IAdapter<Tensor> adapter) => new(
        [.. adapter.Trainable.Select(parameter => new ParameterBlock(
            parameter.Value, [new ParameterSlice(parameter.StoredName, parameter.Value, 0, parameter.Value.shape[0])]))]);

    private static GradientPass Pass(WhisperModel model, double klWeight, bool checkpointing = false) => new(
        model,
        TrainerFixture.Config(),
        new GradientPassOptions { KlWeight = klWeight, Checkpointing = checkpointing },
        TrainerFixture.StartToken,
        TrainerFixture.PaddingToken);

    /// <summary>The logits of a row's labels, by the layers themselves.</summary>
    private static Tensor Logits(WhisperModel model, MicroBatch batch)
    {
        var mode = ForwardMode.Inference;
        var features = tensor(batch.Features, [batch.Batch, TrainerFixture.Mels, batch.Frames]);
        var states = model.Encoder.Forward(features, mode);
        var tokens = DecoderTokens.Of(batch, TrainerFixture.StartToken, TrainerFixture.PaddingToken, CPU);
        var context = new SequenceContext(model.Decoder.Layers, states, TrainerFixture.Config().DecoderAttentionHeads, tokens.Length, mode);
        var hidden = model.Decoder.Forward(model.Decoder.Embed(tokens.Ids, tokens.Positions, batch.Batch, mode), batch.Batch, context, mode);
        return model.Decoder.Project(hidden.index_select(0, tokens.Counting), 1, mode);
    }

    private static TrainingRequest Request(string output, params (string Name, string Value)[] arguments) => Request(output, arguments, dropout: "0.2");

    /// <summary>Eight steps of four examples, half of them replayed; two count more, one counts less.</summary>
    private static TrainingRequest Request(string output, (string Name, string Value)[] arguments, string dropout = "0.2")
    {
        var all = new Dictionary<string, string>
        {
            ["per-device-train-batch-size"] = "4",
            ["max-steps"] = "8",
            ["learning-rate"] = "0.01",
            ["logging-steps"] = "1",
            ["save-strategy"] = "no",
            ["train-sampling-strategy"] = "sequential",
            ["report-to"] = "none",
        };
        foreach (var (name, value) in arguments)
        {
            all[name] = value;
        }

        var samples = TestDataset.OfTrainerFixture(Enumerable.Range(0, 12));
        return TrainerRuns.Request(output, all, new TestDataset([.. Enumerable.Range(0, 12).Select(index =>
        {
            var sample = samples.Load(index);
            return sample with
            {
                Features = new FeatureMatrix(sample.Features.Values, 80, 200, 100 + (8 * ((index * 5) % 12))),
                IsReplay = index % 4 is 1 or 2,
                Weight = index switch { 3 => 2.5, 6 => 2, 8 => 0.25, _ => 1 },
            };
        })])) with
        { Adapter = TrainerRuns.Adapter(null, Everywhere.Replace("0.2", dropout, StringComparison.Ordinal)) };
    }

    private static double[] Losses(string output) =>
        [.. TrainerState.Load(output).LogHistory.Where(line => line.Values.ContainsKey("loss")).Select(line => line.Values["loss"])];
}
