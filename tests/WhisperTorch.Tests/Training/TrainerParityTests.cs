using System.Text.Json.Nodes;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Training;
using AsrPlatform.WhisperTorch.Model;
using AsrPlatform.WhisperTorch.Training;

namespace AsrPlatform.WhisperTorch.Tests.Training;

/// <summary>Real runs of Hugging Face's Seq2SeqTrainer, within the tolerances that their README recommends.</summary>
public sealed class TrainerParityTests
{
    private const double LossTolerance = 1e-5; // per summed micro-batch
    private const double NormTolerance = 3e-6; // relative
    private const double GradientTolerance = 3e-5; // of the tensor's largest
    private const double WeightTolerance = 5e-6;

    [Theory]
    [InlineData("full")]
    [InlineData("full_encpos")]
    [InlineData("accum/hf_default")]
    [InlineData("accum/mean_of_means")]
    [InlineData("accum/token_mean")]
    [InlineData("accum/remainder_hf_default")]
    [InlineData("accum/remainder_mean_of_means")]
    [InlineData("smoothing")]
    [InlineData("smoothing_accum")]
    [InlineData("smoothing_accum_mean")]
    [InlineData("cosine")]
    [InlineData("constant")]
    [InlineData("clip")]
    [InlineData("freeze")]
    [InlineData("ckpt")]
    public void Steps_OfARun_MatchTheTrainer(string name)
    {
        var run = TrainerFixture.Json($"{name}/run.json");
        var args = run["args"]!;
        var smoothing = args["label_smoothing_factor"]!.GetValue<double>();
        var frozen = run["freeze_encoder"]!.GetValue<bool>();
        using var fixture = new TrainerFixture();
        using var model = TrainerFixture.LoadModel();
        using var parameters = new TrainableParameters(TrainerFixture.Trained(model, frozen, run["encoder_positions_trained"]!.GetValue<bool>()));
        CheckGroups(name, parameters);
        using var optimizer = new AdamW(parameters, new AdamWSettings(Number("adam_beta1"), Number("adam_beta2"), Number("adam_epsilon"), Number("weight_decay")));
        var pass = new GradientPass(
            model,
            TrainerFixture.Config(),
            new GradientPassOptions { FreezeEncoder = frozen, LabelSmoothing = smoothing, Checkpointing = args["gradient_checkpointing"]!.GetValue<bool>() },
            TrainerFixture.StartToken,
            TrainerFixture.PaddingToken);
        var normalization = (run["normalization"]!.GetValue<string>(), smoothing) switch
        {
            ("token", _) or ("hf", > 0) => AccumulationNormalization.Token,
            ("hf", _) => AccumulationNormalization.Sum,
            _ => AccumulationNormalization.MeanOfMeans,
        };
        var step = new OptimizerStep(new ParallelPasses(pass, parameters), parameters, optimizer, normalization, Number("max_grad_norm"));

        CheckFirstGradients(name, run, fixture, pass, parameters, normalization);
        var examples = run["examples"]!.AsArray();
        var losses = TrainerFixture.Numbers(run["loss"]!);
        var norms = TrainerFixture.Numbers(run["grad_norm"]!);
        var rates = TrainerFixture.Numbers(run["learning_rate"]!);
        for (var i = 0; i < examples.Count; i++)
        {
            var batches = Batches(fixture, examples[i]!);
            var outcome = step.Take(batches, rates[i]);
            Assert.InRange(Math.Abs(outcome.Loss - losses[i]), 0, LossTolerance * (normalization == AccumulationNormalization.Sum ? batches.Count : 1));
            Assert.InRange(Math.Abs(outcome.GradientNorm - norms[i]) / norms[i], 0, NormTolerance);
        }

        CheckWeights(name, model, parameters, frozen);

        double Number(string key) => args[key]!.GetValue<double>();
    }

    private static List<MicroBatch> Batches(TrainerFixture fixture, JsonNode step) =>
        [.. step.AsArray().Select(micro => fixture.Batch(micro!.AsArray().Select(row => row!.GetValue<int>())))];

    private static void CheckGroups(string name, TrainableParameters parameters)
    {
        if (!File.Exists(Path.Combine(Fixtures.Path($"trainer/{name}"), "param_groups.json")))
        {
            return;
        }

        var groups = TrainerFixture.Json($"{name}/param_groups.json");
        Assert.Equal(Names("decay"), Ours(decays: true));
        Assert.Equal(Names("no_decay"), Ours(decays: false));

        IEnumerable<string> Names(string group) => groups[group]!.AsArray().Select(entry => entry!.GetValue<string>()).Order(StringComparer.Ordinal);

        IEnumerable<string> Ours(bool decays) =>
            parameters.ByName.Values.Where(entry => entry.Offset < parameters.DecayedLength == decays).Select(entry => entry.Name).Order(StringComparer.Ordinal);
    }

    private static void CheckFirstGradients(
        string name, JsonNode run, TrainerFixture fixture, GradientPass pass, TrainableParameters parameters, AccumulationNormalization normalization)
    {
        var path = Path.Combine(Fixtures.Path($"trainer/{name}"), "grads_step1.safetensors");
        if (!File.Exists(path))
        {
            return;
        }

        Assert.Equal(AccumulationNormalization.Sum, normalization);
        using var scope = NewDisposeScope();
        foreach (var batch in Batches(fixture, run["examples"]![0]!))
        {
            pass.Accumulate(batch, new LossFactors(1.0 / batch.Tokens, 0));
        }

        parameters.ClearHoles();
        using var expected = SafetensorsFile.Open(path);
        Assert.Equal(parameters.ByName.Count, expected.Tensors.Count);
        foreach (var (parameter, gradient) in expected.Tensors)
        {
            var largest = gradient.ToSingle().Max(Math.Abs);
            var difference = TrainerFixture.Difference(gradient, TrainableParameters.Part(parameters.Gradients, parameters.ByName[parameter]));
            Assert.True(difference <= GradientTolerance * largest, $"{parameter}: {difference:g3} of {largest:g3}");
        }

        parameters.Gradients.zero_();
    }

    private static void CheckWeights(string name, WhisperModel model, TrainableParameters parameters, bool frozen)
    {
        var folder = Fixtures.Path($"trainer/{name}");
        var path = Array.Find([Path.Combine(folder, "final.safetensors"), Path.Combine(folder, "final_subset.safetensors")], File.Exists);
        if (path is null)
        {
            return;
        }

        using var expected = SafetensorsFile.Open(path);
        using var initial = SafetensorsFile.Open(Path.Combine(TrainerFixture.ModelDirectory, "model.safetensors"));
        var slices = model.Parameters.SelectMany(block => block.Slices).ToDictionary(slice => slice.Name);
        foreach (var (parameter, weights) in expected.Tensors)
        {
            var difference = TrainerFixture.Difference(weights, slices[parameter].Tensor);
            Assert.True(difference <= WeightTolerance, $"{parameter}: {difference:g3}");
        }

        foreach (var (parameter, slice) in slices.Where(slice => !parameters.ByName.ContainsKey(slice.Key)))
        {
            Assert.Equal(0, TrainerFixture.Difference(initial[parameter], slice.Tensor));
        }

        Assert.Equal(frozen, !parameters.ByName.ContainsKey("model.encoder.conv1.weight"));
    }
}
