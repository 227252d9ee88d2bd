using AsrPlatform.Abstractions;

namespace AsrPlatform.Whisper.Training;

/// <summary>Keeps track of the best evaluation in a <see cref="TrainerState"/>, as transformers' <c>_determine_best_metric</c>.</summary>
public static class BestModel
{
    /// <summary>Takes note of an evaluation.</summary>
    /// <param name="arguments">Say which metric counts and which way.</param>
    /// <param name="state">Its <see cref="TrainerState.BestMetric"/> and <see cref="TrainerState.BestGlobalStep"/> change when the evaluation is strictly better.</param>
    /// <param name="metrics">The evaluation's metrics, such as <c>eval_loss</c>.</param>
    /// <returns>True when it is the best so far; always false without a metric to choose by.</returns>
    /// <exception cref="AsrException">The metric was not measured.</exception>
    public static bool Observe(TrainingArguments arguments, TrainerState state, IReadOnlyDictionary<string, double> metrics)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        ArgumentNullException.ThrowIfNull(state);
        ArgumentNullException.ThrowIfNull(metrics);
        if (arguments.MetricForBestModel is not { } metric)
        {
            return false;
        }

        if (!metrics.TryGetValue($"eval_{metric}", out var value))
        {
            throw new AsrException($"--metric-for-best-model {metric}: evaluations measure {string.Join(", ", metrics.Keys.Order(StringComparer.Ordinal))}.");
        }

        // Not-a-number is never better.
        var better = state.BestMetric is not { } best
            ? !double.IsNaN(value)
            : arguments.GreaterIsBetter ? value > best : value < best;
        if (better)
        {
            state.BestMetric = value;
            state.BestGlobalStep = state.GlobalStep;
        }

        return better;
    }
}
