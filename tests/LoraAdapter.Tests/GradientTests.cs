using System.Runtime.InteropServices;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Whisper.Checkpoints;
using static AsrPlatform.LoraAdapter.Tests.TrainerFixtures;

namespace AsrPlatform.LoraAdapter.Tests;

/// <summary>Gradients reach an adapter's tensors through its deltas.</summary>
public sealed class GradientTests
{
    [Theory]
    [InlineData("lora")]
    [InlineData("dora_train")]
    public void Backward_OfTheFirstStep_GivesPeftsGradients(string run)
    {
        using var scope = NewDisposeScope();
        using var model = Model();
        using var adapter = Load(model, $"{run}/initial", trainable: true);
        using var expected = SafetensorsFile.Open(Path($"{run}/grads_step1.safetensors"));
        model.ActiveAdapter = adapter.Id;
        var record = Json($"{run}/run.json");
        using var loss = RecordedForward.Loss(model, [.. record["examples"]![0]![0]!.AsArray().Select(row => row!.GetValue<int>())]);
        Assert.Equal(record["loss"]![0]!.GetValue<double>(), loss.item<float>(), 1e-5);
        loss.backward();

        Assert.Equal(expected.Tensors.Keys.Order(), adapter.Trainable.Select(parameter => parameter.Name).Order());
        foreach (var parameter in adapter.Trainable)
        {
            var gradient = expected.Tensors[parameter.Name].ToSingle();
            AssertClose(gradient, Values(parameter.Value.grad!), 3e-5 * gradient.Max(Math.Abs));
        }
    }

    /// <summary>
    /// A step along the gradient changes the loss by what the gradient says, for every tensor of every kind of adapter. DoRA's norm counts
    /// as a constant, so that its factors' gradients are not those of the function: its magnitudes and biases are tested here, its factors
    /// against PEFT's own gradients above.
    /// </summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Gradient_OfEveryTensor_IsThatOfFiniteDifferences(string name)
    {
        using var scope = NewDisposeScope();
        using var model = Model();
        using var adapter = Load(model, $"peft/{name}", trainable: true);
        model.ActiveAdapter = adapter.Id;
        RecordedForward.Loss(model, [0, 3]).backward();
        foreach (var parameter in adapter.Trainable)
        {
            var gradient = parameter.Value.grad;
            Assert.True(gradient is not null, $"{parameter.Name} has no gradient.");
            var norm = gradient.norm().item<float>();
            Assert.True(float.IsFinite(norm), parameter.Name);
            if (name.StartsWith("dora", StringComparison.Ordinal) && parameter.Name.Contains(".lora_A.", StringComparison.Ordinal))
            {
                continue;
            }

            if (name.StartsWith("dora", StringComparison.Ordinal) && parameter.Name.Contains(".lora_B.", StringComparison.Ordinal))
            {
                continue;
            }

            // Small enough for the loss to be straight, large enough for float32 to show it; tensors without influence show nothing.
            var step = 0.02 / Math.Max(norm, 1e-3);
            var (up, down) = (Moved(parameter, step), Moved(parameter, -step));
            var (slope, expected) = ((up - down) / 2, step * norm * norm);
            Assert.True(Math.Abs(slope - expected) <= (0.02 * expected) + 4e-6, $"{parameter.Name}: {slope:g4}, expected {expected:g4}.");

            double Moved(AdapterParameter<Tensor> moving, double by)
            {
                using var inner = NewDisposeScope();
                using var noGrad = no_grad();
                var kept = moving.Value.clone();
                moving.Value.add_(gradient, by);
                var loss = RecordedForward.Loss(model, [0, 3]).item<float>();
                moving.Value.copy_(kept);
                return loss;
            }
        }
    }

    public static TheoryData<string> Cases => TrainerFixtures.Cases;

    [Fact]
    public void Trainable_OfAFrozenAdapter_IsEmptyAndRecordsNothing()
    {
        using var model = Model();
        using var adapter = Load(model, "lora/initial");
        Assert.Empty(adapter.Trainable);
        Assert.All(adapter.Contents.SelectMany(module => module.Parameters), parameter => Assert.False(parameter.Value.requires_grad));
    }

    [Theory]
    [InlineData("lora")]
    [InlineData("dora_train")]
    public void Trainable_OfATrainedAdapter_HasPeftsWeightDecayGroups(string run)
    {
        using var model = Model();
        using var adapter = Load(model, $"{run}/initial", trainable: true);
        var groups = Json($"{run}/param_groups.json");
        Assert.Equal(Names("decay"), adapter.Trainable.Where(parameter => parameter.Decays).Select(parameter => parameter.Name).Order(StringComparer.Ordinal));
        Assert.Equal(Names("no_decay"), adapter.Trainable.Where(parameter => !parameter.Decays).Select(parameter => parameter.Name).Order(StringComparer.Ordinal));

        IEnumerable<string> Names(string group) => groups[group]!.AsArray().Select(name => name!.GetValue<string>()).Order(StringComparer.Ordinal);
    }

    [Fact]
    public void Training_WithDropout_DropsAndScalesOnlyWhatTheFactorsSee()
    {
        using var model = Model();
        using var adapter = (PeftAdapter)Provider.Create(model, "dropped", """{"target_modules": ["fc1"], "lora_dropout": 0.5, "init_lora_weights": false}""", 1);
        var (layer, delta) = adapter.Deltas[0];
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var input = ones(1, 400, layer.Weight.shape[1]);
        var output = zeros(1, 400, layer.Weight.shape[0]);
        var plain = Values(delta.Apply(input, output.clone()));
        adapter.Training = true;
        var dropped = Values(delta.Apply(input, output.clone()));
        Assert.True(Distance(plain, dropped) > 1e-3);
        Assert.Equal(plain.Average(), dropped.Average(), 0.1 * plain.Average(Math.Abs));
        adapter.Training = false;
        Assert.Equal(plain, Values(delta.Apply(input, output.clone())));
    }

    private static float[] Values(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return MemoryMarshal.Cast<byte, float>(tensor.detach().contiguous().bytes).ToArray();
    }
}
