using AsrPlatform.Abstractions;

namespace AsrPlatform.Whisper.Training;

/// <summary>Ends a run whose evaluations no longer improve, as transformers' <c>EarlyStoppingCallback</c>.</summary>
public static class EarlyStopping
{
    /// <summary>Whether a run has had its patience.</summary>
    public static bool IsDue(TrainingArguments arguments, TrainerState state)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        ArgumentNullException.ThrowIfNull(state);
        return arguments.EarlyStoppingPatience is { } patience && state.EarlyStopping is { Counter: var counter } && counter >= patience;
    }

    /// <summary>Takes note of an evaluation, before <see cref="BestModel.Observe"/> does: it is compared with the best before it.</summary>
    /// <param name="arguments">Say whether, which metric counts, which way and by how much.</param>
    /// <param name="state">Its <see cref="TrainerState.EarlyStopping"/> changes.</param>
    /// <param name="metrics">The evaluation's metrics.</param>
    /// <exception cref="AsrException">The metric was not measured.</exception>
    public static void Observe(TrainingArguments arguments, TrainerState state, IReadOnlyDictionary<string, double> metrics)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        ArgumentNullException.ThrowIfNull(state);
        if (arguments.EarlyStoppingPatience is not { } patience)
        {
            return;
        }

        var value = BestModel.MetricOf(arguments, metrics);
        var improved = state.BestMetric is not { } best
            || (BestModel.IsBetter(arguments, value, best) && Math.Abs(value - best) > arguments.EarlyStoppingThreshold);
        state.EarlyStopping = new EarlyStoppingState(patience, arguments.EarlyStoppingThreshold, improved ? 0 : (state.EarlyStopping?.Counter ?? 0) + 1);
    }
}

/// <summary>Where early stopping stands: <c>EarlyStoppingCallback</c> of trainer_state.json.</summary>
/// <param name="Patience">Evaluations in a row without an improvement that end the run.</param>
/// <param name="Threshold">How much better counts.</param>
/// <param name="Counter">Evaluations in a row without an improvement so far.</param>
public sealed record EarlyStoppingState(int Patience, double Threshold, int Counter);
