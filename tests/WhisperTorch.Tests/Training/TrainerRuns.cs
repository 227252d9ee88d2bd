using System.Globalization;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Plugins;
using AsrPlatform.Abstractions.Training;
using AsrPlatform.LoraAdapter;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.WhisperTorch.Training;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace AsrPlatform.WhisperTorch.Tests.Training;

/// <summary>Runs of the trainer over the examples of <c>fixtures/trainer</c>.</summary>
internal static class TrainerRuns
{
    /// <summary>The arguments of a fixture's run, with a line of log a step and no checkpoint.</summary>
    public static Dictionary<string, string> Arguments(JsonNode run)
    {
        var arguments = new Dictionary<string, string>
        {
            ["train-sampling-strategy"] = "sequential",
            ["logging-steps"] = "1",
            ["save-strategy"] = "no",
            ["report-to"] = "none",
        };
        foreach (var (key, value) in run["args"]!.AsObject().Where(pair => pair.Key != "optim"))
        {
            arguments[key] = value!.ToString();
        }

        arguments["freeze-encoder"] = run["freeze_encoder"]!.ToString();
        arguments["accumulation-normalization"] = (run["normalization"]!.GetValue<string>(), run["args"]!["label_smoothing_factor"]!.GetValue<double>()) switch
        {
            ("token", _) or ("hf", > 0) => "token",
            ("hf", _) => "sum",
            _ => "mean-of-means",
        };
        return arguments;
    }

    public static TrainingRequest Request(string output, IReadOnlyDictionary<string, string> arguments, ITrainingDataset? train = null) => new()
    {
        ModelDirectory = TrainerFixture.ModelDirectory,
        OutputDirectory = output,
        Train = train ?? TestDataset.OfTrainerFixture(Enumerable.Range(0, 24)),
        Arguments = arguments,
        Device = "cpu",
        Threads = 1,
    };

    public static TrainingOutcome Train(TrainingRequest request, Action<TrainingProgress>? progress = null, CancellationToken cancellationToken = default) =>
        new TorchTrainer(new TorchBackend(new WhisperTorchOptions())).Train(request, progress, cancellationToken);

    /// <summary>The adapter of a PEFT folder, to be trained on.</summary>
    public static TrainingAdapter Adapter(string? directory, string configJson = "{}") => new() { Provider = Provider(), Directory = directory, ConfigJson = configJson };

    public static IAdapterProvider Provider()
    {
        var services = new ServiceCollection();
        var manifest = new PluginManifest { Id = LoraAdapterPlugin.Id, Version = "1.0", Contract = "1.0", Assembly = "AsrPlatform.LoraAdapter.dll", Kinds = [PluginKinds.Adapter] };
        new LoraAdapterPlugin().ConfigureServices(
            new PluginContext(manifest, AppContext.BaseDirectory, new ConfigurationBuilder().Build(), NullLoggerFactory.Instance), services);
        using var provider = services.BuildServiceProvider();
        return provider.GetRequiredService<IAdapterProvider>();
    }

    /// <summary>Compares the tensors of two PEFT folders.</summary>
    public static void CheckAdapter(string expectedFolder, string actualFolder, double tolerance)
    {
        using var expected = SafetensorsFile.Open(Path.Combine(expectedFolder, "adapter_model.safetensors"));
        using var actual = SafetensorsFile.Open(Path.Combine(actualFolder, "adapter_model.safetensors"));
        Assert.Equal(expected.Tensors.Keys.Order(StringComparer.Ordinal), actual.Tensors.Keys.Order(StringComparer.Ordinal));
        foreach (var (name, tensor) in expected.Tensors)
        {
            Assert.Equal(tensor.Shape.ToArray(), actual[name].Shape.ToArray());
            var difference = tensor.ToSingle().Zip(actual[name].ToSingle(), (a, b) => Math.Abs(a - b)).Max();
            Assert.True(difference <= tolerance, $"{name}: {difference.ToString("g3", CultureInfo.InvariantCulture)}");
        }
    }
}
