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
        if (arguments.MetricForBestModel is null)
        {
            return false;
        }

        var value = MetricOf(arguments, metrics);
        var better = state.BestMetric is { } best ? IsBetter(arguments, value, best) : !double.IsNaN(value);
        if (better)
        {
            state.BestMetric = value;
            state.BestGlobalStep = state.GlobalStep;
        }

        return better;
    }

    /// <summary>The value that says how good an evaluation is.</summary>
    internal static double MetricOf(TrainingArguments arguments, IReadOnlyDictionary<string, double> metrics) =>
        metrics.TryGetValue($"eval_{arguments.MetricForBestModel}", out var value)
            ? value
            : throw new AsrException(
                $"--metric-for-best-model {arguments.MetricForBestModel}: evaluations measure {string.Join(", ", metrics.Keys.Order(StringComparer.Ordinal))}.");

    /// <summary>Whether one value is better than another; not-a-number never is.</summary>
    internal static bool IsBetter(TrainingArguments arguments, double value, double than) => arguments.GreaterIsBetter ? value > than : value < than;
}
