using AsrPlatform.Abstractions.Adapters;

namespace AsrPlatform.Abstractions.Training;

/// <summary>What to train on what.</summary>
public sealed record TrainingRequest
{
    /// <summary>Checkpoint folder to start from.</summary>
    public required string ModelDirectory { get; init; }

    /// <summary>Folder for checkpoints, logs and the result.</summary>
    public required string OutputDirectory { get; init; }

    /// <summary>Examples to learn from.</summary>
    public required ITrainingDataset Train { get; init; }

    /// <summary>Examples to evaluate on, never trained on: when <c>eval-strategy</c> says, or else once at the end. Null for none.</summary>
    public ITrainingDataset? Evaluation { get; init; }

    /// <summary>Arguments under the names of Hugging Face's Seq2SeqTrainingArguments in kebab-case, such as <c>learning-rate</c>.</summary>
    public IReadOnlyDictionary<string, string> Arguments { get; init; } = new Dictionary<string, string>();

    /// <summary>Trains an adapter over frozen weights; null trains the model itself.</summary>
    public TrainingAdapter? Adapter { get; init; }

    /// <summary>Language code that evaluation generates with; null lets the model detect it.</summary>
    public string? Language { get; init; }

    /// <summary>Task that evaluation generates with: <c>transcribe</c> or <c>translate</c>; null is the model's default.</summary>
    public string? Task { get; init; }

    /// <summary>A device's name, or <c>auto</c> (default): the trainer's best.</summary>
    public string Device { get; init; } = "auto";

    /// <summary>Threads for computation on the CPU; 0 (default) lets the trainer choose.</summary>
    public int Threads { get; init; }
}

/// <summary>An adapter to train.</summary>
public sealed record TrainingAdapter
{
    /// <summary>Makes, reads and writes adapters of its family; stays the caller's.</summary>
    public required IAdapterProvider Provider { get; init; }

    /// <summary>An adapter's folder whose weights and settings to go on from; null makes a new adapter of <see cref="ConfigJson"/>.</summary>
    public string? Directory { get; init; }

    /// <summary>Settings of a new adapter: an object with keys of PEFT's <c>adapter_config.json</c>; what is left out has PEFT's default.</summary>
    public string ConfigJson { get; init; } = "{}";
}
