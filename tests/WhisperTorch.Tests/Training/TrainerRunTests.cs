using System.Text.Json.Nodes;
using AsrPlatform.Abstractions.Training;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Training;
using AsrPlatform.WhisperTorch.Training;

namespace AsrPlatform.WhisperTorch.Tests.Training;

/// <summary>The trainer as a whole, from arguments to trainer_state.json, against Hugging Face's runs.</summary>
public sealed class TrainerRunTests
{
    [Theory]
    [InlineData("full")]
    [InlineData("accum/hf_default")]
    [InlineData("accum/token_mean")]
    [InlineData("accum/remainder_hf_default")]
    [InlineData("accum/remainder_mean_of_means")]
    [InlineData("smoothing_accum")]
    [InlineData("cosine")]
    [InlineData("constant")]
    [InlineData("clip")]
    [InlineData("freeze")]
    [InlineData("ckpt")]
    [InlineData("lora")]
    [InlineData("lora_accum")]
    [InlineData("dora_train")]
    public void Train_TheArgumentsOfARun_LeavesItsLogAndWeights(string name)
    {
        var run = TrainerFixture.Json($"{name}/run.json");
        using var output = new TemporaryFolder();
        var request = TrainerRuns.Request(output.Root, TrainerRuns.Arguments(run));
        var initial = name is "lora_accum" ? "lora" : name;
        if (Directory.Exists(Path.Combine(Fixtures.Path("trainer"), initial, "initial")))
        {
            request = request with { Adapter = TrainerRuns.Adapter(Fixtures.Path($"trainer/{initial}/initial")) };
        }

        Check(name, run, request, output);
    }

    [Theory]
    [InlineData("accum/hf_default")]
    [InlineData("accum/token_mean")]
    [InlineData("accum/remainder_mean_of_means")]
    [InlineData("smoothing_accum")]
    public void Train_MicroBatchesAtOnce_LeavesTheSameLogAndWeights(string name)
    {
        var run = TrainerFixture.Json($"{name}/run.json");
        using var output = new TemporaryFolder();
        var arguments = TrainerRuns.Arguments(run);
        arguments["data-parallel"] = arguments.First(pair => pair.Key.Replace('_', '-') == "gradient-accumulation-steps").Value;
        Check(name, run, TrainerRuns.Request(output.Root, arguments), output);
    }

    private static void Check(string name, JsonNode run, TrainingRequest request, TemporaryFolder output)
    {
        TrainerRuns.Train(request);

        var state = TrainerState.Load(output.Root);
        var losses = TrainerFixture.Numbers(run["loss"]!);
        var norms = TrainerFixture.Numbers(run["grad_norm"]!);
        var rates = TrainerFixture.Numbers(run["learning_rate"]!);
        var epochs = TrainerFixture.Numbers(run["epoch"]!);
        Assert.Equal(losses.Length, state.GlobalStep);
        for (var i = 0; i < losses.Length; i++)
        {
            var line = state.LogHistory[i];
            Assert.Equal((i + 1, epochs[i]), (line.Step, line.Epoch));
            Assert.InRange(Math.Abs(line.Values["loss"] - losses[i]), 0, 1e-5 * (request.Arguments["accumulation-normalization"] == "sum" ? 5 : 1));
            Assert.InRange(Math.Abs(line.Values["grad_norm"] - norms[i]) / norms[i], 0, 3e-6);
            Assert.InRange(Math.Abs(line.Values["learning_rate"] - rates[i]), 0, 1e-12 * rates[i]);
        }

        if (File.Exists(Path.Combine(Fixtures.Path($"trainer/{name}"), "trainer_state.json")))
        {
            Assert.Equal(TrainerFixture.Json($"{name}/trainer_state.json")["total_flos"]!.GetValue<double>(), state.TotalFlos);
        }

        if (request.Adapter is not null)
        {
            if (Directory.Exists(Path.Combine(Fixtures.Path($"trainer/{name}"), "final")))
            {
                TrainerRuns.CheckAdapter(Fixtures.Path($"trainer/{name}/final"), output.Root, 5e-6);
            }
        }
        else if (File.Exists(Path.Combine(Fixtures.Path($"trainer/{name}"), "final_subset.safetensors")))
        {
            using var expected = SafetensorsFile.Open(Fixtures.Path($"trainer/{name}/final_subset.safetensors"));
            using var actual = SafetensorsFile.Open(output.File("model.safetensors"));
            foreach (var (parameter, values) in expected.Tensors)
            {
                var difference = values.ToSingle().Zip(actual[parameter].ToSingle(), (a, b) => Math.Abs(a - b)).Max();
                Assert.True(difference <= 5e-6, $"{parameter}: {difference:g3}");
            }
        }
    }

    [Theory]
    [InlineData("lora", false)]
    [InlineData("lora", true)]
    [InlineData("dora_train", false)]
    [InlineData("dora_train", true)]
    public void FirstGradients_OfAnAdapter_MatchTheTrainer(string name, bool checkpointing)
    {
        using var model = TrainerFixture.LoadModel();
        using var fixture = new TrainerFixture();
        using var output = new TemporaryFolder();
        var request = TrainerRuns.Request(output.Root, new Dictionary<string, string>()) with { Adapter = TrainerRuns.Adapter(Fixtures.Path($"trainer/{name}/initial")) };
        using var adapter = TrainedAdapter.Open(model, request, null, 0);
        using var parameters = new TrainableParameters(adapter.Parameters);
        adapter.Training = true;
        var pass = new GradientPass(
            model, TrainerFixture.Config(), new GradientPassOptions { Checkpointing = checkpointing }, TrainerFixture.StartToken, TrainerFixture.PaddingToken);
        var batch = fixture.Batch(0, 1, 2, 3);
        using var loss = pass.Accumulate(batch, new LossFactors(1.0 / batch.Tokens, 0));
        using var expected = SafetensorsFile.Open(Fixtures.Path($"trainer/{name}/grads_step1.safetensors"));
        Assert.Equal(expected.Tensors.Count, parameters.ByName.Count);
        foreach (var (parameter, gradient) in expected.Tensors)
        {
            // PEFT's parameters carry the adapter's name; its files do not.
            var stored = parameter.Replace(".default.weight", parameter.Contains("magnitude", StringComparison.Ordinal) ? "" : ".weight", StringComparison.Ordinal);
            using var ours = TrainableParameters.Part(parameters.Gradients, parameters.ByName[stored]);
            Assert.InRange(TrainerFixture.Difference(gradient, ours), 0, 3e-5 * gradient.ToSingle().Max(Math.Abs));
        }
    }
}
