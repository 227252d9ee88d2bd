using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Files;
using AsrPlatform.WhisperTorch.Model;

namespace AsrPlatform.WhisperTorch.Training;

/// <summary>What a run needs besides model, optimizer and <c>trainer_state.json</c> to go on as if it had not stopped.</summary>
internal sealed record RunProgress
{
    public const string FileName = "training_progress.json";

    /// <summary>Updates that the optimizer has done, which float16 overflows are not.</summary>
    public long OptimizerSteps { get; init; }

    /// <summary>Sum of the losses since the last line of the log, as Hugging Face's trainer keeps it.</summary>
    public float PendingLoss { get; init; }

    /// <summary>Steps in <see cref="PendingLoss"/>.</summary>
    public int PendingSteps { get; init; }

    /// <summary>Sum of the losses of all steps in the log.</summary>
    public double TotalLoss { get; init; }

    /// <summary>The loss scale of float16, or null.</summary>
    public double? LossScale { get; init; }

    /// <summary>Steps since the loss scale changed.</summary>
    public int GoodSteps { get; init; }

    /// <summary>The run's arguments, for the record.</summary>
    public IReadOnlyDictionary<string, string> Arguments { get; init; } = new Dictionary<string, string>();

    public void Save(string directory) =>
        AtomicFile.Write(Path.Combine(directory, FileName), stream => JsonSerializer.Serialize(stream, this, Format));

    /// <exception cref="AsrException">The file is missing or damaged.</exception>
    public static RunProgress Load(string directory)
    {
        var path = Path.Combine(directory, FileName);
        try
        {
            return JsonSerializer.Deserialize<RunProgress>(File.ReadAllBytes(path), Format)
                ?? throw new AsrException($"{path} is empty: resume from another checkpoint.");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new AsrException($"{path} cannot be read ({error.Message}): resume from another checkpoint.", error);
        }
    }

    private static JsonSerializerOptions Format { get; } = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };
}

/// <summary>The files of a training checkpoint that hold tensors, and the files of the model that are copied along.</summary>
internal static class TrainingFiles
{
    public const string Optimizer = "optimizer.safetensors";
    public const string CtcHead = "ctc_head.safetensors";

    private const string MeanPrefix = "exp_avg.";
    private const string SquarePrefix = "exp_avg_sq.";

    private static readonly string[] WeightEndings = [".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json", ".pt", ".pth", ".h5", ".msgpack", ".onnx", ".ckpt"];

    /// <summary>What training itself leaves in a folder, and is no part of a model.</summary>
    private static readonly string[] RunFiles = [Whisper.Training.TrainerState.FileName, RunProgress.FileName, Whisper.Training.CtcTargets.FileName];

    /// <summary>Writes all parameters of the model under their checkpoint names, in float32.</summary>
    public static void SaveModel(string directory, WhisperModel model) => Write(
        Path.Combine(directory, CheckpointWeights.SingleFile),
        model.Parameters.SelectMany(block => block.Slices).Select(slice => (slice.Name, slice.Tensor)));

    /// <summary>Writes the averages of an optimizer.</summary>
    public static void SaveOptimizer(string directory, TrainableParameters parameters, AdamW optimizer)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Write(
            Path.Combine(directory, Optimizer),
            parameters.ByName.Values.SelectMany(parameter => new[]
            {
                (MeanPrefix + parameter.Name, TrainableParameters.Part(optimizer.Mean, parameter)),
                (SquarePrefix + parameter.Name, TrainableParameters.Part(optimizer.Square, parameter)),
            }));
    }

    /// <summary>Reads what <see cref="SaveOptimizer"/> wrote.</summary>
    /// <exception cref="AsrException">It is missing, damaged or of other parameters.</exception>
    public static void LoadOptimizer(string directory, TrainableParameters parameters, AdamW optimizer)
    {
        using var file = SafetensorsFile.Open(Path.Combine(directory, Optimizer));
        if (file.Tensors.Count != 2 * parameters.ByName.Count)
        {
            throw new AsrException(
                $"{file.Path} is of a run that trains {file.Tensors.Count / 2} parameters, this one trains {parameters.ByName.Count}: resume with the arguments of that run.");
        }

        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        foreach (var parameter in parameters.ByName.Values)
        {
            Read(file, MeanPrefix + parameter.Name, TrainableParameters.Part(optimizer.Mean, parameter));
            Read(file, SquarePrefix + parameter.Name, TrainableParameters.Part(optimizer.Square, parameter));
        }
    }

    /// <summary>Writes named tensors in float32.</summary>
    public static void Write(string path, IEnumerable<(string Name, Tensor Values)> tensors) => SafetensorsWriter.Write(
        path,
        tensors.Select(entry => new SafetensorsEntry(entry.Name, TensorElementType.F32, entry.Values.shape, stream =>
        {
            var values = new float[entry.Values.numel()];
            HostMemory.Copy(entry.Values.detach(), values);
            stream.Write(MemoryMarshal.AsBytes(values.AsSpan()));
        })));

    /// <summary>Copies a stored tensor into one of the same shape.</summary>
    /// <exception cref="AsrException">There is none of this name, or it has another shape.</exception>
    public static void Read(SafetensorsFile file, string name, Tensor destination)
    {
        var source = file[name];
        if (!source.Shape.SequenceEqual(destination.shape))
        {
            throw new AsrException($"{file.Path}: {name} has the shape {source.ShapeText}, expected [{string.Join(", ", destination.shape)}].");
        }

        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        destination.copy_(tensor(source.ToSingle(), destination.shape));
    }

    /// <summary>Copies configurations and tokenizer files of a model, so that what is beside them can be used alone.</summary>
    /// <param name="source">The model's folder.</param>
    /// <param name="destination">The folder to write to.</param>
    /// <param name="forAdapter">Leaves out what makes a folder a model's.</param>
    /// <exception cref="AsrException">A file cannot be read or written.</exception>
    public static void CopyModelFiles(string source, string destination, bool forAdapter)
    {
        try
        {
            foreach (var path in Directory.EnumerateFiles(source).Order(StringComparer.Ordinal))
            {
                var name = Path.GetFileName(path);
                if (name.StartsWith('.')
                    || Array.Exists(WeightEndings, ending => name.EndsWith(ending, StringComparison.OrdinalIgnoreCase))
                    || RunFiles.Contains(name, StringComparer.Ordinal)
                    || name.StartsWith("adapter_", StringComparison.Ordinal)
                    || (forAdapter && name is (WhisperConfig.FileName or GenerationConfig.FileName))
                    || name.StartsWith("README", StringComparison.OrdinalIgnoreCase))
                {
                    continue;
                }

                var content = name == WhisperConfig.FileName ? WithFloat32(path) : File.ReadAllBytes(path);
                AtomicFile.Write(Path.Combine(destination, name), stream => stream.Write(content));
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"The files of {source} cannot be copied: {error.Message}", error);
        }
    }

    /// <summary>config.json with the element type that the weights are saved in.</summary>
    private static byte[] WithFloat32(string path)
    {
        var config = JsonNode.Parse(File.ReadAllBytes(path))!.AsObject();
        foreach (var key in new[] { "dtype", "torch_dtype" }.Where(config.ContainsKey))
        {
            config[key] = "float32";
        }

        return JsonSerializer.SerializeToUtf8Bytes(config, Indented);
    }

    private static JsonSerializerOptions Indented { get; } = new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
}
