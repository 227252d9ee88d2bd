using System.Globalization;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Whisper.Checkpoints;

/// <summary>A Hugging Face Whisper checkpoint folder, opened and checked: configurations and weights that fit together.</summary>
/// <remarks>Safe for concurrent reads; the weights are mapped until <see cref="Dispose"/>.</remarks>
public sealed class WhisperCheckpoint : IDisposable
{
    private WhisperCheckpoint(string directory, WhisperConfig config, GenerationConfig generation, PreprocessorConfig preprocessor, CheckpointWeights weights)
    {
        Directory = directory;
        Config = config;
        Generation = generation;
        Preprocessor = preprocessor;
        Weights = weights;
        ParameterCount = WhisperTensors.Of(config).Sum(tensor => tensor.Shape.Aggregate(1L, (product, size) => product * size));
    }

    /// <summary>The folder.</summary>
    public string Directory { get; }

    /// <summary>The architecture.</summary>
    public WhisperConfig Config { get; }

    /// <summary>How to decode.</summary>
    public GenerationConfig Generation { get; }

    /// <summary>The features.</summary>
    public PreprocessorConfig Preprocessor { get; }

    /// <summary>The weights; owned by this object. Every tensor of <see cref="WhisperTensors.Of"/> is there, in its shape and of a floating type.</summary>
    public CheckpointWeights Weights { get; }

    /// <summary>Number of parameters; a tied output projection counts once.</summary>
    public long ParameterCount { get; }

    /// <summary>Opens a folder. The caller disposes it.</summary>
    /// <exception cref="AsrException">A file is missing or broken, a key is missing or contradictory, or a tensor is missing or of another shape.</exception>
    public static WhisperCheckpoint Open(string directory)
    {
        CheckFolder(directory);
        var config = WhisperConfig.Load(directory);
        var generation = GenerationConfig.Load(directory, config);
        var preprocessor = PreprocessorConfig.Load(directory, config);
        var weights = CheckpointWeights.Open(directory);
        try
        {
            CheckTensors(config, weights);
            return new WhisperCheckpoint(directory, config, generation, preprocessor, weights);
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    /// <summary>Unmaps the weights.</summary>
    public void Dispose() => Weights.Dispose();

    /// <summary>Checks that a path is a folder with something in it.</summary>
    /// <exception cref="AsrException">It is not.</exception>
    public static void CheckFolder(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        if (File.Exists(directory))
        {
            throw new AsrException($"{directory} is a file: expected the folder of a Whisper checkpoint (config.json, model.safetensors, tokenizer files).");
        }

        if (!System.IO.Directory.Exists(directory))
        {
            throw new AsrException($"The model folder {directory} does not exist.");
        }

        try
        {
            if (!System.IO.Directory.EnumerateFileSystemEntries(directory).Any())
            {
                throw new AsrException($"The model folder {directory} is empty: expected config.json, model.safetensors and tokenizer files.");
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"The model folder {directory} cannot be read: {error.Message}", error);
        }
    }

    private static void CheckTensors(WhisperConfig config, CheckpointWeights weights)
    {
        foreach (var expected in WhisperTensors.Of(config))
        {
            Check(weights, expected, weights[expected.Name]);
        }

        // A tied projection that is stored all the same is not used, but must not contradict the embedding.
        if (config.TieWordEmbeddings && weights.TryGet(WhisperTensors.OutputProjection, out var stored))
        {
            Check(weights, new WhisperTensor(WhisperTensors.OutputProjection, [config.VocabSize, config.DModel]), stored);
        }

        // More layers than the configuration says would otherwise be left out silently.
        foreach (var name in weights.Tensors.Keys)
        {
            CheckLayer(name, "encoder.layers.", config.EncoderLayers, "encoder_layers", weights);
            CheckLayer(name, "decoder.layers.", config.DecoderLayers, "decoder_layers", weights);
        }
    }

    private static void Check(CheckpointWeights weights, WhisperTensor expected, SafetensorsTensor found)
    {
        if (!found.Shape.SequenceEqual([.. expected.Shape]))
        {
            throw new AsrException($"{found.File.Path}: tensor \"{expected.Name}\" has the shape {found.ShapeText}; expected [{string.Join(", ", expected.Shape)}] from {Path.Combine(weights.Directory, WhisperConfig.FileName)}.");
        }

        if (!found.ElementType.IsFloatingPoint())
        {
            throw new AsrException($"{found.File.Path}: tensor \"{expected.Name}\" has the type {found.ElementType.SafetensorsName()}; expected F32, F16, BF16 or F64.");
        }
    }

    private static void CheckLayer(string name, string prefix, int layers, string key, CheckpointWeights weights)
    {
        var start = name.StartsWith("model.", StringComparison.Ordinal) ? "model.".Length : 0;
        if (string.CompareOrdinal(name, start, prefix, 0, prefix.Length) != 0)
        {
            return;
        }

        var digits = name.AsSpan(start + prefix.Length);
        var end = digits.IndexOf('.');
        if (end > 0 && int.TryParse(digits[..end], NumberStyles.None, CultureInfo.InvariantCulture, out var layer) && layer >= layers)
        {
            throw new AsrException($"{Path.Combine(weights.Directory, WhisperConfig.FileName)}: \"{key}\" is {layers}; the weights hold {SafetensorsFile.Quote(name)} and so at least {layer + 1}.");
        }
    }
}
