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

    /// <summary>Examples to evaluate on, never trained on; null for none.</summary>
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

/// <summary>An adapter to train, under the names of PEFT's LoraConfig.</summary>
public sealed record TrainingAdapter
{
    /// <summary>PEFT folder whose weights and settings to go on from; null makes a new adapter of the settings below.</summary>
    public string? Directory { get; init; }

    /// <summary>Rank, at least 1.</summary>
    public int R { get; init; } = 8;

    /// <summary>Scale: the delta is multiplied by alpha / r.</summary>
    public double Alpha { get; init; } = 8;

    /// <summary>Dropout on the adapter's input, 0 ≤ p &lt; 1.</summary>
    public double Dropout { get; init; }

    /// <summary>Modules to adapt: names or their endings. Empty when <see cref="TargetModulesPattern"/> is given.</summary>
    public IReadOnlyList<string> TargetModules { get; init; } = [];

    /// <summary>A regular expression that whole module names must match, or <c>all-linear</c>; null for the list.</summary>
    public string? TargetModulesPattern { get; init; }

    /// <summary>Names or endings of modules that stay as they are.</summary>
    public IReadOnlyList<string> ExcludeModules { get; init; } = [];

    /// <summary>Names or endings of modules to train whole beside the adapter.</summary>
    public IReadOnlyList<string> ModulesToSave { get; init; } = [];

    /// <summary>Which biases train: <c>none</c>, <c>all</c> or <c>lora_only</c>.</summary>
    public string Bias { get; init; } = "none";

    /// <summary>Scales by alpha / √r instead of alpha / r.</summary>
    public bool UseRslora { get; init; }

    /// <summary>Trains a magnitude a row beside the direction (DoRA).</summary>
    public bool UseDora { get; init; }
}
