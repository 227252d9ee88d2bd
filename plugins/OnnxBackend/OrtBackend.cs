using System.Globalization;
using System.Runtime.InteropServices;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Onnx;
using AsrPlatform.Onnx.Export;
using AsrPlatform.OnnxBackend.Fast;
using AsrPlatform.OnnxBackend.Graphs;
using AsrPlatform.OnnxBackend.Model;
using AsrPlatform.OnnxBackend.Optimum;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.OnnxBackend;

/// <summary>The backend <c>onnx</c>: exported Whisper models on ONNX Runtime.</summary>
internal sealed class OrtBackend(OnnxBackendOptions settings) : ISeq2SeqBackend
{
    /// <inheritdoc />
    public string Name => "onnx";

    /// <inheritdoc />
    public IReadOnlyList<BackendDevice> Devices { get; } =
    [
        new("cpu", string.Create(CultureInfo.InvariantCulture, $"{RuntimeInformation.ProcessArchitecture} processor, {Environment.ProcessorCount} logical cores")),
    ];

    /// <summary>The graphs that this backend's models use.</summary>
    internal GraphCache Graphs { get; } = new();

    private readonly PreparedGraphs _prepared = new(settings);

    /// <inheritdoc />
    public bool CanLoad(string modelDirectory, out string? reason)
    {
        ArgumentNullException.ThrowIfNull(modelDirectory);
        try
        {
            WhisperConfig.Load(modelDirectory);
            reason = null;
            if (FastLayout.Exists(modelDirectory))
            {
                FastLayout.Load(modelDirectory);
            }
            else if (!OptimumFiles.TryFind(modelDirectory, settings.Precision, out _, out reason) && !OptimumFiles.HasAny(modelDirectory))
            {
                _prepared.CanPrepare(modelDirectory, out reason);
            }
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
            throw new AsrException("No model folder is given: name the folder of an ONNX export with --model.");
        }

        return Load(directory, settings.Precision, options, cancellationToken);
    }

    /// <inheritdoc />
    public ISeq2SeqModel CreateRandom(string configJson, ModelLoadOptions options)
    {
        ArgumentNullException.ThrowIfNull(configJson);
        ArgumentNullException.ThrowIfNull(options);

        // Through files, as every model comes here; the loaded one needs them no more.
        var folder = Directory.CreateTempSubdirectory("asr-onnx-");
        try
        {
            var (checkpoint, graphs) = (folder.CreateSubdirectory("checkpoint").FullName, Path.Combine(folder.FullName, "graphs"));
            FreshCheckpoint.WriteWithoutTokenizer(checkpoint, WhisperConfig.Parse(configJson), seed: 1);
            var precision = settings.Precision switch
            {
                "fp16" => OnnxPrecision.Float16,
                "int8" or "quantized" => OnnxPrecision.Int8,
                _ => OnnxPrecision.Float32,
            };
            var isFast = settings.RandomLayout != "optimum" && precision != OnnxPrecision.Float16 && FastLayout.Fits(WhisperConfig.Parse(configJson));
            OnnxExport.Write(checkpoint, graphs, new OnnxExportOptions
            {
                Layout = isFast ? OnnxLayout.Fast : OnnxLayout.Optimum,
                Precision = precision,
                TakesAdapters = settings.RandomTakesAdapters,
            });
            return Load(graphs, "auto", options);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private ISeq2SeqModel Load(string directory, string precision, ModelLoadOptions options, CancellationToken cancellationToken = default)
    {
        CheckDevice(options.Device);
        WhisperCheckpoint.CheckFolder(directory);
        var config = WhisperConfig.Load(directory);
        if (FastLayout.Exists(directory))
        {
            var layout = FastGraphLayout.Load(directory, config, Graphs, ThreadsFor(options.Threads), settings.OwnAttention, Name, cancellationToken);
            return layout.DecoderLayers.Count > 0 ? new AdaptableOnnxModel(layout) : new OnnxModel(layout);
        }

        if (!OptimumFiles.TryFind(directory, precision, out var files, out var reason))
        {
            return !OptimumFiles.HasAny(directory) && _prepared.CanPrepare(directory, out reason)
                ? Load(_prepared.Prepare(directory, cancellationToken), precision, options, cancellationToken)
                : throw new AsrException(reason + ".");
        }

        return new OnnxModel(OptimumLayout.Load(files, config, Graphs, ThreadsFor(options.Threads), Name, cancellationToken));
    }

    /// <summary>
    /// Threads of a run. One, unless more are asked for: two sessions of one thread each do 1.2 to 1.5 times the work of one session of
    /// two, and live sessions are many.
    /// </summary>
    internal static int ThreadsFor(int wanted)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(wanted);
        return Math.Max(1, wanted);
    }

    private void CheckDevice(string name)
    {
        if (!name.Equals("auto", StringComparison.OrdinalIgnoreCase) && !Devices.Any(device => device.Name.Equals(name, StringComparison.OrdinalIgnoreCase)))
        {
            throw new AsrException($"The backend {Name} has no device {name}; it has: {string.Join(", ", Devices.Select(device => device.Name))}.");
        }
    }
}
