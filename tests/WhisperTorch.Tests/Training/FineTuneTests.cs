using System.Text.Json.Nodes;
using AsrPlatform.Abstractions.Training;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Training;
using AsrPlatform.WhisperTorch.Training;

namespace AsrPlatform.WhisperTorch.Tests.Training;

/// <summary>The whole path from audio files, against a real run of Hugging Face's trainer.</summary>
public sealed class FineTuneTests
{
    [Theory]
    [InlineData("full")]
    [InlineData("lora")]
    public void Train_TheMicroModelFromAudio_LogsAndWritesWhatHuggingFaceDoes(string name)
    {
        var expected = JsonNode.Parse(File.ReadAllText(Fixtures.Path($"finetune/{name}/expected.json")))!;
        var given = expected["arguments"]!;
        var model = Fixtures.Path("micro");
        using var output = new TemporaryFolder();
        var request = new TrainingRequest
        {
            ModelDirectory = model,
            OutputDirectory = output.Root,
            Train = TestDataset.OfManifest("finetune/train.jsonl", model),
            Evaluation = TestDataset.OfManifest("finetune/eval.jsonl", model),
            Language = given["language"]!.GetValue<string>(),
            Task = given["task"]!.GetValue<string>(),
            Device = "cpu",
            Threads = 1,
            Adapter = name == "lora" ? TrainerRuns.Adapter(Fixtures.Path("finetune/lora/initial")) : null,
            Arguments = new Dictionary<string, string>
            {
                ["per-device-train-batch-size"] = Text("per_device_train_batch_size"),
                ["gradient-accumulation-steps"] = Text("gradient_accumulation_steps"),
                ["learning-rate"] = Text("learning_rate"),
                ["warmup-steps"] = Text("warmup_steps"),
                ["max-steps"] = Text("max_steps"),
                ["weight-decay"] = Text("weight_decay"),
                ["generation-max-length"] = Text("generation_max_length"),
                ["train-sampling-strategy"] = Text("sampling"),
                ["predict-with-generate"] = "true",
                ["eval-strategy"] = "steps",
                ["eval-steps"] = Text("max_steps"),
                ["save-strategy"] = "no",
                ["logging-steps"] = "1",
                ["report-to"] = "none",
            },
        };
        var outcome = new TorchTrainer(new TorchBackend(new WhisperTorchOptions())).Train(request, null);

        Assert.True(outcome.Completed);
        var log = TrainerState.Load(output.Root).LogHistory;
        var lines = expected["log"]!.AsArray().Select(line => line!.AsObject()).Where(line => line.Count > 2).ToList();
        Assert.Equal(7, lines.Count);
        for (var i = 0; i < lines.Count; i++)
        {
            foreach (var (key, value) in lines[i])
            {
                var number = value!.GetValue<double>();
                var ours = key switch { "step" => log[i].Step, "epoch" => log[i].Epoch, _ => log[i].Values[key] };
                var tolerance = key switch { "loss" or "eval_loss" => 1e-4, "grad_norm" => 1e-3 * number, _ => 1e-9 };
                Assert.True(Math.Abs(ours - number) <= tolerance, $"{key} of line {i}: {ours}, expected {number}");
            }
        }

        // What it leaves can be used: a checkpoint with its tokenizer, or PEFT's adapter.
        Assert.True(File.Exists(output.File("tokenizer.json")));
        if (name == "lora")
        {
            TrainerRuns.CheckAdapter(Fixtures.Path("finetune/lora/final"), output.Root, 1e-4);
        }
        else
        {
            using var result = WhisperCheckpoint.Open(output.Root);
        }

        string Text(string key) => given[key]!.ToString();
    }
}
