namespace AsrPlatform.Abstractions.Training;

/// <summary>Fine-tunes a model. A plugin registers it as a service (kind <c>trainer</c>).</summary>
/// <remarks>One run at a time per device; a run blocks its thread.</remarks>
public interface ITrainer
{
    /// <summary>Short name that configuration selects.</summary>
    string Name { get; }

    /// <summary>Trains until the request is fulfilled, or saves a checkpoint and returns when cancelled.</summary>
    /// <exception cref="AsrException">An argument, a file or every example cannot be used; the message says which.</exception>
    TrainingOutcome Train(TrainingRequest request, Action<TrainingProgress>? progress, CancellationToken cancellationToken = default);
}

/// <summary>What to train on what.</summary>
public sealed record TrainingRequest
{
    /// <summary>Checkpoint folder to start from.</summary>
    public required string ModelDirectory { get; init; }

    /// <summary>Folder for checkpoints and the result.</summary>
    public required string OutputDirectory { get; init; }

    /// <summary>Examples to learn from.</summary>
    public required IReadOnlyList<TrainingExample> Train { get; init; }

    /// <summary>Examples to evaluate on; never trained on.</summary>
    public IReadOnlyList<TrainingExample> Evaluation { get; init; } = [];

    /// <summary>Arguments under the names of Hugging Face's Seq2SeqTrainingArguments in kebab-case, such as <c>learning-rate</c>.</summary>
    public IReadOnlyDictionary<string, string> Arguments { get; init; } = new Dictionary<string, string>();
}

/// <summary>One utterance with its text.</summary>
/// <param name="AudioPath">An audio file.</param>
/// <param name="Text">Its text.</param>
/// <param name="Language">Language code, or null for the run's.</param>
public sealed record TrainingExample(string AudioPath, string Text, string? Language = null);

/// <summary>A line of a training log.</summary>
/// <param name="Step">Optimizer steps done.</param>
/// <param name="MaxSteps">Optimizer steps of the run.</param>
/// <param name="Values">Values under Hugging Face's names, such as <c>loss</c> and <c>learning_rate</c>.</param>
public sealed record TrainingProgress(int Step, int MaxSteps, IReadOnlyDictionary<string, double> Values);

/// <summary>How a run ended.</summary>
/// <param name="Completed">False when it was cancelled and can be resumed.</param>
/// <param name="Step">Optimizer steps done.</param>
/// <param name="BestCheckpoint">Folder of the best checkpoint, or null.</param>
/// <param name="Metrics">Final metrics under Hugging Face's names.</param>
public sealed record TrainingOutcome(bool Completed, int Step, string? BestCheckpoint, IReadOnlyDictionary<string, double> Metrics);
