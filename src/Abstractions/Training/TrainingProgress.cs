namespace AsrPlatform.Abstractions.Training;

/// <summary>What a progress line is about.</summary>
public enum TrainingEvent
{
    /// <summary>The run is set up; values: <c>num_train_epochs</c>, <c>trainable_parameters</c>, <c>parameters</c>, <c>examples</c>.</summary>
    Started,

    /// <summary>
    /// An optimizer step is done; values: <c>loss</c>, <c>learning_rate</c>, <c>epoch</c>, <c>samples_per_second</c>, and the time so far of
    /// each phase: <c>data_seconds</c> (waiting for examples), <c>forward_seconds</c>, <c>backward_seconds</c>, <c>optimizer_seconds</c>.
    /// </summary>
    Step,

    /// <summary>A line of the log, as in trainer_state.json: <c>loss</c>, <c>grad_norm</c>, <c>learning_rate</c>, <c>epoch</c>.</summary>
    Log,

    /// <summary>An evaluation goes on; values: <c>done</c>, <c>total</c> in examples.</summary>
    Evaluating,

    /// <summary>An evaluation is done, as in trainer_state.json: <c>eval_loss</c>, <c>eval_wer</c> (per cent), <c>epoch</c>.</summary>
    Evaluated,

    /// <summary>A checkpoint is saved; the message is its folder.</summary>
    Saved,

    /// <summary>Something that the user should know; the message says it.</summary>
    Warning,
}

/// <summary>A sign of life of a run.</summary>
/// <param name="Event">What it is about.</param>
/// <param name="Step">Optimizer steps done.</param>
/// <param name="MaxSteps">Optimizer steps of the run.</param>
/// <param name="Values">Values under Hugging Face's names.</param>
/// <param name="Message">A folder or a sentence, where the event has one.</param>
public sealed record TrainingProgress(
    TrainingEvent Event,
    int Step,
    int MaxSteps,
    IReadOnlyDictionary<string, double> Values,
    string? Message = null);

/// <summary>How a run ended.</summary>
public sealed record TrainingOutcome
{
    /// <summary>False when it was cancelled and can be resumed.</summary>
    public required bool Completed { get; init; }

    /// <summary>Optimizer steps done.</summary>
    public required int Step { get; init; }

    /// <summary>Optimizer steps of the run.</summary>
    public required int MaxSteps { get; init; }

    /// <summary>Folder of the newest checkpoint, to resume from; null when none was saved.</summary>
    public string? LastCheckpoint { get; init; }

    /// <summary>Folder of the best checkpoint, or null.</summary>
    public string? BestCheckpoint { get; init; }

    /// <summary>Final metrics under Hugging Face's names, such as <c>train_loss</c> and <c>eval_wer</c> (per cent).</summary>
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();
}
