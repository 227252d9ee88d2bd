using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Host.Tests.Cli;

/// <summary><c>asr train</c> as a user runs it, from audio files to a checkpoint.</summary>
public sealed class TrainTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    /// <summary>Losses to the fixture's tolerance: its features are another implementation's.</summary>
    [Theory]
    [InlineData("full")]
    [InlineData("lora")]
    public void Train_TheFixturesManifests_LogsWhatTheRealTrainerDid(string name)
    {
        var expected = JsonNode.Parse(File.ReadAllText(Fixtures.Path($"finetune/{name}/expected.json")))!;
        string[] adapter = name == "lora" ? ["--adapter", Fixtures.Path("finetune/lora/initial")] : [];
        var output = _folder.File("out");
        var result = AsrProcess.Run(
        [
            .. Arguments(output),
            .. adapter,
            "--max-steps", "6",
            "--learning-rate", expected["arguments"]!["learning_rate"]!.ToString(),
            "--eval-strategy", "steps", "--eval-steps", "6", "--predict-with-generate", "--generation-max-length", "64",
            "--json",
        ]);
        var outcome = JsonDocument.Parse(result.ShouldSucceed()).RootElement;
        Assert.True(outcome.GetProperty("completed").GetBoolean());
        Assert.Contains("WER 33.33 %", result.Error, StringComparison.Ordinal);

        var log = TrainerState.Load(output).LogHistory;
        var lines = expected["log"]!.AsArray();
        for (var step = 0; step < 6; step++)
        {
            Assert.Equal(lines[step]!["loss"]!.GetValue<double>(), log[step].Values["loss"], 1e-4);
            Assert.Equal(lines[step]!["learning_rate"]!.GetValue<double>(), log[step].Values["learning_rate"], 1e-15);
            Assert.Equal(lines[step]!["epoch"]!.GetValue<double>(), log[step].Epoch);
        }

        Assert.Equal(lines[6]!["eval_loss"]!.GetValue<double>(), log[6].Values["eval_loss"], 1e-4);
        Assert.Equal(lines[6]!["eval_wer"]!.GetValue<double>(), log[6].Values["eval_wer"], 1e-9);
    }

    /// <summary>Ctrl-C's signal and kill -9, each in the midst of a run: it goes on to the very weights of an unbroken one.</summary>
    [Theory]
    [InlineData("TERM")]
    [InlineData("KILL")]
    public void Train_Stopped_GoesOnToTheSameWeights(string signal)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no signals to send.");
        string[] settings = ["--max-steps", "12", "--save-steps", "4", "--report-to", "tensorboard"];
        var (whole, broken) = (_folder.File("whole"), _folder.File("broken"));
        AsrProcess.Run([.. Arguments(whole), .. settings]).ShouldSucceed();

        using (var process = AsrProcess.Start(redirectInput: false, [.. Arguments(broken), .. settings]))
        {
            string? line;
            while ((line = process.StandardError.ReadLine()) is not null && !line.StartsWith("step 6/12", StringComparison.Ordinal))
            {
            }

            Assert.NotNull(line);
            using (var kill = Process.Start("kill", [$"-{signal}", $"{process.Id}"]))
            {
                kill.WaitForExit();
            }

            var rest = process.StandardError.ReadToEnd();
            process.WaitForExit();
            if (signal == "TERM")
            {
                Assert.Equal(1, process.ExitCode);
                Assert.Contains("--resume-from-checkpoint true goes on from there", rest, StringComparison.Ordinal);
            }
        }

        Assert.False(File.Exists(Path.Combine(broken, "model.safetensors")));
        AsrProcess.Run([.. Arguments(broken), .. settings]).ShouldFailWith("go on with --resume-from-checkpoint true");
        var resumed = AsrProcess.Run([.. Arguments(broken), .. settings, "--resume-from-checkpoint"]);
        resumed.ShouldSucceed();
        Assert.Contains("goes on after step", resumed.Error, StringComparison.Ordinal);
        Assert.Equal(File.ReadAllBytes(Path.Combine(whole, "model.safetensors")), File.ReadAllBytes(Path.Combine(broken, "model.safetensors")));
        Assert.Equal(Losses(whole), Losses(broken));
        Assert.Equal(2, Directory.GetFiles(Path.Combine(broken, "runs"), "events.out.tfevents.*", SearchOption.AllDirectories).Length);
    }

    [Theory]
    [InlineData("nothing to learn from", "--model", "m", "--output-dir", "o")]
    [InlineData("--learning-rate fast: expected a number from 0", "--learning-rate", "fast")]
    [InlineData("--warmup-ratio is not accepted: give --warmup-steps a number below 1", "--warmup-ratio", "0.1")]
    [InlineData("--fp16 and --bf16 exclude each other", "--fp16", "--bf16")]
    public void Train_WhatCannotBeUsed_IsOneClearError(string reason, params string[] arguments) =>
        AsrProcess.Run(["train", .. arguments]).ShouldFailWith(reason);

    [Fact]
    public void Train_UnknownOption_IsAUsageError()
    {
        var result = AsrProcess.Run("train", "--learning-rat", "1");
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("--learning-rat", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_NoTrainer_SaysSo() =>
        AsrProcess.Run("train", "--model", "m", "--train", "t", "--output-dir", _folder.File("o"), "--plugins-dir", _folder.Root)
            .ShouldFailWith("no trainer is loaded");

    private static string[] Losses(string output) =>
        [.. TrainerState.Load(output).LogHistory.Where(entry => entry.Values.ContainsKey("loss")).Select(entry => $"{entry.Step} {entry.Values["loss"]:R} {entry.Values["grad_norm"]:R}")];

    private string[] Arguments(string output) =>
    [
        "train",
        "--model", Fixtures.Path("micro"),
        "--train", Fixtures.Path("finetune/train.jsonl"),
        "--eval", Fixtures.Path("finetune/eval.jsonl"),
        "--output-dir", output,
        "--config", Recipe(),
        "--cache-dir", _folder.File("cache"),
    ];

    private string Recipe() => _folder.Write("run.yaml", """
        per_device_train_batch_size: 2
        learning_rate: 0.0002
        warmup_steps: 2
        weight_decay: 0.01
        logging_steps: 1
        train_sampling_strategy: sequential
        language: en
        device: cpu
        threads: 1
        """);
}
