using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions.Training;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.WhisperTorch.Tests.Training;

/// <summary>A run that stops, by whatever means, and goes on is the run that did not stop.</summary>
public sealed class ResumeTests
{
    private const string OutputVariable = "ASR_TEST_TRAINER_OUTPUT";

    [Fact]
    public void Train_CancelledAndResumed_IsTheUnbrokenRunToTheBit()
    {
        using var model = ModelWithDropout();
        using var whole = new TemporaryFolder();
        TrainerRuns.Train(Request(model.Root, whole.Root));
        using var parts = new TemporaryFolder();

        // Stops between two lines of the log, so that a sum of losses must survive, and in the middle of an epoch.
        using var stop = new CancellationTokenSource();
        var outcome = TrainerRuns.Train(
            Request(model.Root, parts.Root),
            progress =>
            {
                if (progress is { Event: TrainingEvent.Step, Step: 8 })
                {
                    stop.Cancel();
                }
            },
            stop.Token);
        Assert.Equal((false, 8, parts.File("checkpoint-8")), (outcome.Completed, outcome.Step, outcome.LastCheckpoint));
        Assert.False(File.Exists(parts.File("model.safetensors")));
        outcome = TrainerRuns.Train(Resume(Request(model.Root, parts.Root)));
        Assert.True(outcome.Completed);
        CheckEqual(whole.Root, parts.Root);
    }

    [Fact]
    public void Train_OfAnAdapterResumed_IsTheUnbrokenRunToTheBit()
    {
        using var model = ModelWithDropout();
        using var whole = new TemporaryFolder();
        TrainerRuns.Train(WithAdapter(Request(model.Root, whole.Root)));
        using var parts = new TemporaryFolder();
        using var stop = new CancellationTokenSource();
        TrainerRuns.Train(
            WithAdapter(Request(model.Root, parts.Root)),
            progress =>
            {
                if (progress is { Event: TrainingEvent.Step, Step: 5 })
                {
                    stop.Cancel();
                }
            },
            stop.Token);
        TrainerRuns.Train(Resume(WithAdapter(Request(model.Root, parts.Root))));
        Assert.Equal(Losses(whole.Root), Losses(parts.Root));
        Assert.Equal(File.ReadAllBytes(whole.File("adapter_model.safetensors")), File.ReadAllBytes(parts.File("adapter_model.safetensors")));

        static TrainingRequest WithAdapter(TrainingRequest request) => request with
        {
            Adapter = TrainerRuns.Adapter(null, """{"r": 4, "lora_alpha": 8, "lora_dropout": 0.2, "target_modules": ["q_proj", "fc1"]}"""),
            Arguments = new Dictionary<string, string>(request.Arguments) { ["ctc-weight"] = "0" },
        };
    }

    [Fact]
    public async Task Train_KilledAtRandomSteps_HasTheLossCurveOfTheUnbrokenRun()
    {
        using var model = ModelWithDropout();
        using var whole = new TemporaryFolder();
        TrainerRuns.Train(Request(model.Root, whole.Root));
        using var parts = new TemporaryFolder();
        var output = parts.File("run");
        var kills = 0;
        for (var attempt = 0; ; attempt++)
        {
            Assert.True(attempt < 20, "The run came to no end.");
            using var child = StartChild(model.Root, output);

            // Where the kill falls within a step is left to chance; that steps were done is not.
            var steps = Random.Shared.Next(1, 12);
            var read = 0;
            while (read < steps && await child.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
            {
                read += line.StartsWith("STEP ", StringComparison.Ordinal) ? 1 : 0;
            }

            if (read == steps && kills < 4)
            {
                await Task.Delay(Random.Shared.Next(0, 30), TestContext.Current.CancellationToken);
                kills += child.HasExited ? 0 : 1;
                child.Kill();
            }

            await child.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            await child.WaitForExitAsync(TestContext.Current.CancellationToken);
            if (child.ExitCode == 0)
            {
                break;
            }
        }

        Assert.True(kills > 0, "No run was killed.");
        CheckEqual(whole.Root, output);
    }

    /// <summary>The process that is killed: runs only when it is asked for by name.</summary>
    [Fact(Explicit = true)]
    public void Child()
    {
        var output = Environment.GetEnvironmentVariable(OutputVariable) ?? throw new InvalidOperationException("Started by another test.");
        var request = Request(Environment.GetEnvironmentVariable($"{OutputVariable}_MODEL")!, output);
        var hasCheckpoint = Directory.Exists(output) && new CheckpointFolders(output).Latest is not null;
        TrainerRuns.Train(hasCheckpoint ? Resume(request) : request, progress =>
        {
            if (progress.Event == TrainingEvent.Step)
            {
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"STEP {progress.Step}"));
            }
        });
    }

    private static Process StartChild(string model, string output)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
        {
            start.ArgumentList.Add(typeof(ResumeTests).Assembly.Location);
        }

        foreach (var argument in new[] { "-method", $"{typeof(ResumeTests).FullName}.{nameof(Child)}", "-explicit", "only", "-showLiveOutput" })
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment[OutputVariable] = output;
        start.Environment[$"{OutputVariable}_MODEL"] = model;
        return Process.Start(start)!;
    }

    private static TrainingRequest Request(string model, string output) => TrainerRuns.Request(output, new Dictionary<string, string>
    {
        ["per-device-train-batch-size"] = "2",
        ["gradient-accumulation-steps"] = "2",
        ["max-steps"] = "16",
        ["learning-rate"] = "0.001",
        ["warmup-steps"] = "3",
        ["weight-decay"] = "0.01",
        ["logging-steps"] = "3",
        ["save-steps"] = "2",
        ["save-total-limit"] = "2",
        ["apply-spec-augment"] = "true",
        ["ctc-weight"] = "0.3",
        ["seed"] = "5",
        ["report-to"] = "none",
    }) with
    {
        ModelDirectory = model,
    };

    private static TrainingRequest Resume(TrainingRequest request) => request with
    {
        Arguments = new Dictionary<string, string>(request.Arguments) { ["resume-from-checkpoint"] = "true" },
    };

    /// <summary>The fixture's model with everything on that draws random numbers.</summary>
    private static TemporaryFolder ModelWithDropout()
    {
        var folder = new TemporaryFolder().CopyOf(TrainerFixture.ModelDirectory);
        var config = JsonNode.Parse(File.ReadAllText(folder.File("config.json")))!;
        foreach (var key in new[] { "dropout", "attention_dropout", "activation_dropout", "encoder_layerdrop", "decoder_layerdrop" })
        {
            config[key] = 0.1;
        }

        File.WriteAllText(folder.File("config.json"), config.ToJsonString());
        return folder;
    }

    private static double[] Losses(string folder) =>
        [.. TrainerState.Load(folder).LogHistory.Where(entry => entry.Values.ContainsKey("loss")).Select(entry => entry.Values["loss"])];

    private static void CheckEqual(string expected, string actual)
    {
        Assert.Equal(5, Losses(expected).Length);
        Assert.Equal(Losses(expected), Losses(actual));
        Assert.Equal(File.ReadAllBytes(Path.Combine(expected, "model.safetensors")), File.ReadAllBytes(Path.Combine(actual, "model.safetensors")));
        foreach (var file in new[] { "optimizer.safetensors", "ctc_head.safetensors", "ctc_characters.json", "training_progress.json", "config.json" })
        {
            Assert.Equal(File.ReadAllBytes(Path.Combine(expected, "checkpoint-16", file)), File.ReadAllBytes(Path.Combine(actual, "checkpoint-16", file)));
        }
    }
}
