using System.Text.Json.Nodes;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Whisper.Tests.Training;

public sealed class LearningRateScheduleTests
{
    [Theory]
    [InlineData("linear")]
    [InlineData("cosine")]
    [InlineData("cosine_with_restarts")]
    [InlineData("polynomial")]
    [InlineData("constant")]
    [InlineData("constant_with_warmup")]
    [InlineData("inverse_sqrt")]
    [InlineData("cosine_with_min_lr")]
    [InlineData("warmup_stable_decay")]
    public void Rate_EveryScheduler_IsTransformers(string name)
    {
        var expected = JsonNode.Parse(File.ReadAllText(Fixtures.Path("trainer/schedules.json")))![name]!;
        var steps = expected["training_steps"]!.GetValue<int>();
        var arguments = TrainingArgumentsTests.Parse(
            ("learning-rate", expected["lr"]!.ToString()),
            ("warmup-steps", expected["warmup_steps"]!.ToString()),
            ("max-steps", $"{steps}"),
            ("lr-scheduler-type", name),
            ("lr-scheduler-kwargs", expected["kwargs"]!.ToJsonString()));
        var plan = new TrainingPlan(arguments, 8, hasEvaluation: false);
        var rates = expected["lr_of_step"]!.AsArray().Select(value => value!.GetValue<double>()).ToArray();
        Assert.Equal(steps, rates.Length);
        for (var step = 0; step < steps; step++)
        {
            Assert.Equal(rates[step], plan.LearningRate.Rate(step), 1e-12 * Math.Abs(rates[step]));
        }
    }

    [Fact]
    public void Types_AreThoseOfTheFixture() =>
        Assert.Equal(
            JsonNode.Parse(File.ReadAllText(Fixtures.Path("trainer/schedules.json")))!.AsObject().Select(pair => pair.Key).Order(StringComparer.Ordinal),
            Enum.GetValues<LrSchedulerType>().Select(Whisper.Training.Names.Of).Order(StringComparer.Ordinal));

    // What the fixture does not reach, from optimization.py by hand.
    [Theory]
    [InlineData("linear", "{}", 40, 0)]
    [InlineData("cosine_with_restarts", "{\"num_cycles\": 2}", 16, 0)]
    [InlineData("polynomial", "{\"lr_end\": 0.0001}", 40, 0.1)]
    [InlineData("warmup_stable_decay", "{\"num_decay_steps\": 4, \"decay_type\": \"linear\"}", 14, 0.5)]
    [InlineData("warmup_stable_decay", "{\"num_decay_steps\": 4, \"decay_type\": \"1-sqrt\", \"min_lr_ratio\": 0.2}", 13, 0.6)]
    [InlineData("warmup_stable_decay", "{\"num_decay_steps\": 4, \"min_lr_ratio\": 0.2}", 30, 0.2)]
    [InlineData("warmup_stable_decay", "{\"num_decay_steps\": 4, \"warmup_type\": \"cosine\"}", 2, 0.5)]
    [InlineData("cosine_with_min_lr", "{\"min_lr_rate\": 0.25}", 16, 0.25)]
    public void Factor_FurtherCases_AreTransformers(string name, string kwargs, int step, double expected)
    {
        var arguments = TrainingArgumentsTests.Parse(("learning-rate", "0.001"), ("lr-scheduler-type", name), ("lr-scheduler-kwargs", kwargs));
        Assert.Equal(expected, new LearningRateSchedule(arguments, maxSteps: 16, warmupSteps: 4).Factor(step), 1e-12);
    }
}
