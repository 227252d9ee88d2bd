using AsrPlatform.Abstractions;

namespace AsrPlatform.Whisper.Training;

/// <summary>
/// The arguments of a run worked out for a number of examples, as transformers' Trainer does: steps, epochs, intervals, learning rates.
/// Immutable.
/// </summary>
public sealed class TrainingPlan
{
    /// <summary>What transformers writes into trainer_state.json where no evaluations at steps are asked for.</summary>
    private const int DefaultEvalSteps = 500;

    private readonly bool _hasEvaluation;

    /// <summary>Works out the arguments.</summary>
    /// <param name="arguments">The arguments.</param>
    /// <param name="examples">Number of training examples.</param>
    /// <param name="hasEvaluation">Whether there are examples to evaluate on.</param>
    /// <exception cref="AsrException">There is no example, or the arguments ask for evaluations without any.</exception>
    public TrainingPlan(TrainingArguments arguments, int examples, bool hasEvaluation)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        if (arguments.EvalStrategy != IntervalStrategy.No && !hasEvaluation)
        {
            throw new AsrException($"--eval-strategy {Names.Of(arguments.EvalStrategy)} needs examples to evaluate on: give --eval MANIFEST.");
        }

        _hasEvaluation = hasEvaluation;
        Arguments = arguments;
        Batches = new BatchPlan(examples, arguments.PerDeviceTrainBatchSize, arguments.GradientAccumulationSteps, arguments.DataloaderDropLast);
        if (arguments.MaxSteps > 0)
        {
            MaxSteps = arguments.MaxSteps;
            NumTrainEpochs = (MaxSteps + Batches.StepsPerEpoch - 1) / Batches.StepsPerEpoch;
        }
        else
        {
            MaxSteps = (int)Math.Min(Math.Ceiling(arguments.NumTrainEpochs * Batches.StepsPerEpoch), int.MaxValue);
            NumTrainEpochs = (int)Math.Ceiling(arguments.NumTrainEpochs);
        }

        WarmupSteps = Resolve(arguments.WarmupSteps);
        LoggingSteps = Resolve(arguments.LoggingSteps);
        EvalSteps = Resolve(arguments.EvalSteps ?? (arguments.EvalStrategy == IntervalStrategy.Steps ? arguments.LoggingSteps : DefaultEvalSteps));
        SaveSteps = Resolve(arguments.SaveSteps);
        LearningRate = new LearningRateSchedule(arguments, MaxSteps, WarmupSteps);
    }

    /// <summary>The arguments.</summary>
    public TrainingArguments Arguments { get; }

    /// <summary>How examples fall into steps.</summary>
    public BatchPlan Batches { get; }

    /// <summary>The learning rate of every step.</summary>
    public LearningRateSchedule LearningRate { get; }

    /// <summary>Optimizer steps of the run.</summary>
    public int MaxSteps { get; }

    /// <summary>Epochs of the run, a begun one counted whole.</summary>
    public int NumTrainEpochs { get; }

    /// <summary>Optimizer steps of warm-up: a number below 1 is a share of all steps, rounded up.</summary>
    public int WarmupSteps { get; }

    /// <summary>Steps between log lines.</summary>
    public int LoggingSteps { get; }

    /// <summary>Steps between evaluations.</summary>
    public int EvalSteps { get; }

    /// <summary>Steps between checkpoints.</summary>
    public int SaveSteps { get; }

    /// <summary>What is due after an optimizer step (transformers' <c>DefaultFlowCallback</c>); in this order: log, evaluate, save, stop.</summary>
    /// <param name="step">The step that is just done.</param>
    public DueActions After(PlannedStep step)
    {
        ArgumentNullException.ThrowIfNull(step);
        var done = step.Index + 1;
        var last = done >= MaxSteps;
        bool Interval(IntervalStrategy strategy, int steps) =>
            strategy == IntervalStrategy.Steps ? done % steps == 0 : strategy == IntervalStrategy.Epoch && (step.EndsEpoch || last);

        // Whoever gives examples to evaluate on and says not when wants to know the result.
        var evaluate = Interval(Arguments.EvalStrategy, EvalSteps) || (last && _hasEvaluation && Arguments.EvalStrategy == IntervalStrategy.No);
        return new DueActions(
            Log: Interval(Arguments.LoggingStrategy, LoggingSteps) || (done == 1 && Arguments.LoggingFirstStep),
            Evaluate: evaluate,
            Save: Arguments.SaveStrategy switch
            {
                SaveStrategy.Steps => done % SaveSteps == 0 || last,
                SaveStrategy.Epoch => step.EndsEpoch || last,
                _ => false,
            },
            SaveIfBest: evaluate && Arguments.SaveStrategy == SaveStrategy.Best,
            Stop: last);
    }

    private int Resolve(double steps) => steps is > 0 and < 1 ? (int)Math.Ceiling(steps * MaxSteps) : (int)steps;
}

/// <summary>What is due after an optimizer step.</summary>
/// <param name="Log">Write a line of the log.</param>
/// <param name="Evaluate">Evaluate.</param>
/// <param name="Save">Save a checkpoint.</param>
/// <param name="SaveIfBest">Save a checkpoint if the evaluation is the best so far.</param>
/// <param name="Stop">The run is at its end.</param>
public readonly record struct DueActions(bool Log, bool Evaluate, bool Save, bool SaveIfBest, bool Stop);
