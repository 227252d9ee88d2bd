using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Host.Learning.Training;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Host.Tests.Learning.Training;

public sealed class TrainSettingsTests : IDisposable
{
    private static readonly (string, string)[] Least = [("model", "m"), ("train", "t.jsonl"), ("output-dir", "o")];

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Read_CommandLine_GivesSettingsAndArguments()
    {
        var settings = Read(
            [.. Least, ("--eval", "e.csv"), ("--language", "de"), ("--task", "translate"), ("--learning-rate", "1e-5"), ("--fp16", ""), ("--timestamps", "mixed"),
                ("--normalizer", "basic"), ("--min-seconds", "0.5"), ("--max-seconds", "20"), ("--feature-precision", "half"), ("--cache-dir", "c"), ("--device", "cpu"),
                ("--threads", "2"), ("--trainer", "torch")]);
        Assert.Equal(("m", "t.jsonl", "e.csv", "o"), (settings.Model, settings.Train, settings.Evaluation, settings.OutputDirectory));
        Assert.Equal(("de", TranscriptionTask.Translate), (settings.Language, settings.Task));
        Assert.Equal((1e-5, true), (settings.Arguments.LearningRate, settings.Arguments.Fp16));
        Assert.Equal((TimestampLabels.Mixed, "basic", 0.5, 20, FeaturePrecision.Half), (settings.Timestamps, settings.Normalizer, settings.MinSeconds, settings.MaxSeconds, settings.Precision));
        Assert.Equal(("c", "cpu", 2, "torch"), (settings.CacheDirectory, settings.Device, settings.Threads, settings.Trainer));
        Assert.False(settings.TrainsAdapter);
    }

    [Fact]
    public void Read_Yaml_IsOverruledByTheCommandLine()
    {
        var file = _folder.Write("run.yaml", """
            # the usual recipe
            model: m
            train: t.jsonl
            output_dir: from-file
            learning_rate: 1.0e-5
            warmup-steps: 0.1
            fp16: true
            report_to: [tensorboard]
            lr_scheduler_type: cosine_with_min_lr
            lr_scheduler_kwargs: {min_lr_rate: 0.1}
            save-total-limit: null
            eval_steps: ~
            target_modules:
              - q_proj
              - fc1
            """);
        var settings = Read([("output-dir", "o"), ("max-steps", "10")], file);
        Assert.Equal(("o", 1e-5, 0.1, true, true), (settings.OutputDirectory, settings.Arguments.LearningRate, settings.Arguments.WarmupSteps, settings.Arguments.Fp16, settings.Arguments.ReportToTensorBoard));
        Assert.Equal((LrSchedulerType.CosineWithMinLr, "0.1"), (settings.Arguments.LrSchedulerType, settings.Arguments.LrSchedulerKwargs["min_lr_rate"]));
        Assert.Null(settings.Arguments.SaveTotalLimit);
        Assert.Equal("""["q_proj","fc1"]""", JsonNode.Parse(settings.AdapterConfigJson!)!["target_modules"]!.ToJsonString());
    }

    [Theory]
    [InlineData("learning-rate: 1\nlearning_rate: 2", "line 2: 'learning-rate' is given twice")]
    [InlineData("learning-rate: 1\nlearning-rate: 2", "line 2")]
    [InlineData("- a\n- b", "expected one list of settings")]
    [InlineData("learning-rate: [[1]]", "line 1: expected a list of plain values")]
    [InlineData("a: 'x\nb: y", "line ")]
    [InlineData("lerning-rate: 1", "did you mean 'learning-rate'")]
    [InlineData("warmup_ratio: 0.1", "--warmup-ratio is not accepted")]
    public void Read_YamlThatCannotBeUsed_SaysWhere(string text, string reason) =>
        Assert.Contains(reason, Assert.Throws<AsrException>(() => Read(Least, _folder.Write("run.yaml", text))).Message, StringComparison.Ordinal);

    [Fact]
    public void Read_EmptyOrMissingYaml_IsNoSettingsOrAnError()
    {
        Assert.Equal("m", Read(Least, _folder.Write("run.yaml", "# nothing\n")).Model);
        Assert.Throws<AsrException>(() => Read(Least, _folder.File("none.yaml")));
    }

    [Theory]
    [InlineData("no model", "train=t", "output-dir=o")]
    [InlineData("nothing to learn from", "model=m", "output-dir=o")]
    [InlineData("nowhere to put the result", "model=m", "train=t")]
    [InlineData("--task sing: expected one of transcribe, translate", "task=sing")]
    [InlineData("--task 1: expected one of", "task=1")]
    [InlineData("--threads -1: expected a whole number from 0", "threads=-1")]
    [InlineData("--lora-r 0: expected a whole number from 1", "lora-r=0")]
    [InlineData("--lora-dropout 2: expected a number from 0 to 1", "lora-dropout=2")]
    [InlineData("--lora-bias some: expected none, all or lora_only", "lora-bias=some")]
    [InlineData("--use-dora maybe: expected true or false", "use-dora=maybe")]
    [InlineData("--normalizer french: expected none, basic or english", "normalizer=french")]
    [InlineData("leave --lora-r out", "adapter=a", "lora-r=4")]
    [InlineData("--language: expected a value", "language=")]
    public void Read_WhatCannotBeUsed_IsRefused(string reason, params string[] given)
    {
        var pairs = given.Select(pair => (pair[..pair.IndexOf('=')], pair[(pair.IndexOf('=') + 1)..])).ToArray();
        if (!reason.StartsWith("no", StringComparison.Ordinal))
        {
            pairs = [.. Least, .. pairs];
        }

        Assert.Contains(reason, Assert.Throws<AsrException>(() => Read(pairs)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_Lora_HasPeftsNamesAndDefaults()
    {
        Assert.Equal(
            """{"r":8,"lora_alpha":8,"lora_dropout":0,"target_modules":["q_proj","v_proj"],"bias":"none","use_rslora":false,"use_dora":true}""",
            Read([.. Least, ("use-dora", "")]).AdapterConfigJson);
        Assert.Equal(
            """{"r":32,"lora_alpha":64.5,"lora_dropout":0.05,"target_modules":"(.*)fc[12]","bias":"lora_only","use_rslora":true,"use_dora":false,"exclude_modules":["encoder.layers.0.fc1"],"modules_to_save":["proj_out"]}""",
            Read([.. Least, ("lora-r", "32"), ("lora-alpha", "64.5"), ("lora-dropout", "0.05"), ("target-modules", "(.*)fc[12]"), ("lora-bias", "lora_only"),
                ("use-rslora", "true"), ("exclude-modules", "encoder.layers.0.fc1"), ("modules-to-save", "proj_out")]).AdapterConfigJson);
        Assert.Equal("\"all-linear\"", JsonNode.Parse(Read([.. Least, ("target-modules", "all-linear")]).AdapterConfigJson!)!["target_modules"]!.ToJsonString());
    }

    [Fact]
    public void Read_Adapter_GoesOnFromIt()
    {
        var settings = Read([.. Least, ("adapter", "peft")]);
        Assert.True(settings.TrainsAdapter);
        Assert.Equal("peft", settings.Adapter);
        Assert.Null(settings.AdapterConfigJson);
    }

    internal static TrainSettings Read((string Name, string Value)[] given, string? file = null) =>
        TrainSettings.Read(given.ToDictionary(pair => pair.Name, pair => pair.Value), file, defaultModel: null);
}
