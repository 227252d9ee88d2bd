using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.WhisperTorch.Model;
using AsrPlatform.WhisperTorch.Weights;

namespace AsrPlatform.WhisperTorch;

/// <summary>The backend <c>torch</c>: Whisper checkpoints on LibTorch.</summary>
internal sealed class TorchBackend(WhisperTorchOptions options) : ISeq2SeqBackend, IMatrixMultiplyBenchmark
{
    private readonly Lazy<IReadOnlyList<BackendDevice>> _devices = new(FindDevices);

    /// <inheritdoc />
    public string Name => "torch";

    /// <inheritdoc />
    public IReadOnlyList<BackendDevice> Devices => _devices.Value;

    /// <inheritdoc />
    public bool CanLoad(string modelDirectory, out string? reason)
    {
        ArgumentNullException.ThrowIfNull(modelDirectory);
        try
        {
            WhisperConfig.Load(modelDirectory);
            reason = CheckpointWeights.Exist(modelDirectory)
                ? null
                : $"{modelDirectory} holds neither {CheckpointWeights.SingleFile} nor {CheckpointWeights.IndexFile}";
        }
        catch (AsrException error)
        {
            reason = error.Message;
        }

        return reason is null;
    }

    /// <inheritdoc />
    public ISeq2SeqModel Load(ModelLoadOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.ModelDirectory is not { } directory)
        {
            throw new AsrException("No model folder is given: name a Whisper checkpoint folder with --model.");
        }

        using var checkpoint = WhisperCheckpoint.Open(directory);
        return Create(checkpoint.Config, new CheckpointWeightSource(checkpoint.Weights), options, cancellationToken);
    }

    /// <inheritdoc />
    public ISeq2SeqModel CreateRandom(string configJson, ModelLoadOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var config = WhisperConfig.Parse(configJson);
        return Create(config, new RandomWeightSource(config.InitStd), options, CancellationToken.None);
    }

    /// <inheritdoc />
    public TimeSpan Measure(int rows, int inner, int columns, ModelLoadOptions options, int repetitions)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(repetitions, 1);
        var device = FindDevice(options.Device);
        using var scope = NewDisposeScope();
        using var inference = inference_mode();
        set_num_threads(ThreadsFor(options.Threads));
        var left = rand(rows, inner, ScalarType.Float32, device);
        var right = rand(columns, inner, ScalarType.Float32, device).t();
        var product = zeros(rows, columns, ScalarType.Float32, device);
        var best = TimeSpan.MaxValue;
        for (var i = 0; i <= repetitions; i++)
        {
            var clock = Stopwatch.StartNew();
            product.addmm_(left, right, beta: 0);
            if (device.type == DeviceType.CUDA)
            {
                cuda.synchronize(device);
            }

            best = i > 0 && clock.Elapsed < best ? clock.Elapsed : best;
        }

        return best;
    }

    /// <summary>Threads that a model uses on the processor.</summary>
    internal static int ThreadsFor(int wanted)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(wanted);
        return wanted > 0 ? wanted : Math.Min(Environment.ProcessorCount, MaxDefaultThreads);
    }

    private WhisperModel Create(WhisperConfig config, WeightSource source, ModelLoadOptions load, CancellationToken cancellationToken)
    {
        var device = FindDevice(load.Device);
        return new WhisperModel(config, source, Name, device, options.TypeFor(device), ThreadsFor(load.Threads), cancellationToken);
    }

    /// <summary>The device of a name such as <c>auto</c>, <c>cpu</c>, <c>cuda</c> or <c>cuda:1</c>.</summary>
    /// <exception cref="AsrException">There is no such device.</exception>
    internal Device FindDevice(string name)
    {
        var wanted = name.ToLowerInvariant() switch
        {
            "auto" => Devices[0].Name,
            "cuda" => "cuda:0",
            var other => other,
        };
        if (!Devices.Any(device => device.Name == wanted))
        {
            throw new AsrException($"The backend {Name} has no device {name}; it has: {string.Join(", ", Devices.Select(device => device.Name))}.");
        }

        return wanted == "cpu" ? CPU : new Device(DeviceType.CUDA, int.Parse(wanted.AsSpan("cuda:".Length), CultureInfo.InvariantCulture));
    }

    private static List<BackendDevice> FindDevices()
    {
        var devices = new List<BackendDevice>();
        if (cuda.is_available())
        {
            for (var i = 0; i < cuda.device_count(); i++)
            {
                devices.Add(new BackendDevice($"cuda:{i}", "CUDA card"));
            }
        }

        devices.Add(new BackendDevice(
            "cpu",
            string.Create(CultureInfo.InvariantCulture, $"{RuntimeInformation.ProcessArchitecture} processor, {Environment.ProcessorCount} logical cores")));
        return devices;
    }

    // More threads than this gained nothing where a window of 30 s is all there is to divide.
    private const int MaxDefaultThreads = 8;
}
