using System.Text.Json.Nodes;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Whisper.Tests.Training;

/// <summary>One real run of the fixtures' Trainer.</summary>
internal sealed record TrainerRun(TrainingArguments Arguments, int WarmupSteps, int[][][] Examples, double[] LearningRates, double[] Epochs)
{
    /// <summary>Examples of an epoch in all runs.</summary>
    public const int DatasetSize = 24;

    public static readonly string[] Names =
    [
        "accum/hf_default", "accum/mean_of_means", "accum/remainder_hf_default", "accum/remainder_mean_of_means", "accum/token_mean", "ckpt",
        "clip", "constant", "cosine", "dora_train", "freeze", "full", "full_encpos", "lora", "lora_accum", "smoothing", "smoothing_accum",
        "smoothing_accum_mean",
    ];

    public static TrainerRun Read(string name)
    {
        var run = JsonNode.Parse(File.ReadAllText(Fixtures.Path($"trainer/{name}/run.json")))!;
        var arguments = run["args"]!.AsObject().ToDictionary(pair => pair.Key, pair => pair.Value!.ToString());
        arguments["train_sampling_strategy"] = "sequential";
        return new TrainerRun(
            TrainingArguments.Parse(arguments),
            run["warmup_steps_resolved"]!.GetValue<int>(),
            [.. run["examples"]!.AsArray().Select(step => step!.AsArray().Select(micro => micro!.AsArray().Select(row => row!.GetValue<int>()).ToArray()).ToArray())],
            [.. run["learning_rate"]!.AsArray().Select(value => value!.GetValue<double>())],
            [.. run["epoch"]!.AsArray().Select(value => value!.GetValue<double>())]);
    }
}
