using AsrPlatform.Abstractions.Training;

namespace AsrPlatform.Whisper.Training;

/// <summary>The order of the examples in each epoch. Immutable and safe for concurrent calls.</summary>
/// <remarks>
/// An epoch's order depends on the seed and the epoch alone, so that a run goes on from any batch. transformers' orders are not reproduced:
/// they come from torch's generator.
/// </remarks>
public sealed class ExampleSampler
{
    /// <summary>transformers' <c>get_length_grouped_indices</c>: at most so many batches are sorted together…</summary>
    private const int LargestMegaBatch = 50;

    /// <summary>… but no fewer than four such groups are made.</summary>
    private const int LeastMegaBatches = 4;

    private readonly SamplingStrategy _strategy;
    private readonly int _seed;
    private readonly int _stepSize;
    private readonly int[]? _lengths;

    private ExampleSampler(SamplingStrategy strategy, int count, int seed, int stepSize, int[]? lengths)
    {
        _strategy = strategy;
        Count = count;
        _seed = seed;
        _stepSize = stepSize;
        _lengths = lengths;
    }

    /// <summary>Number of examples.</summary>
    public int Count { get; }

    /// <summary>The sampler that the arguments ask for.</summary>
    public static ExampleSampler Create(TrainingArguments arguments, ITrainingDataset dataset)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        ArgumentNullException.ThrowIfNull(dataset);
        return Create(
            arguments,
            dataset.Count,
            NeedsLengths(arguments)
                ? [.. Enumerable.Range(0, dataset.Count).Select(index => dataset.Describe(index).Frames)]
                : null);
    }

    /// <summary>The sampler that the arguments ask for.</summary>
    /// <param name="arguments">Strategy, seed and sizes of batches.</param>
    /// <param name="count">Number of examples.</param>
    /// <param name="lengths">Length of each example in frames; needed by <see cref="SamplingStrategy.GroupByLength"/> and <see cref="SamplingStrategy.ShortFirst"/> alone.</param>
    public static ExampleSampler Create(TrainingArguments arguments, int count, int[]? lengths)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        if (NeedsLengths(arguments))
        {
            ArgumentNullException.ThrowIfNull(lengths);
            ArgumentOutOfRangeException.ThrowIfNotEqual(lengths.Length, count, nameof(lengths));
        }

        return new ExampleSampler(
            arguments.TrainSamplingStrategy,
            count,
            arguments.DataSeed ?? arguments.Seed,
            arguments.PerDeviceTrainBatchSize * arguments.GradientAccumulationSteps,
            lengths);
    }

    /// <summary>Indices of the examples in the order of an epoch.</summary>
    /// <param name="epoch">From 0.</param>
    public int[] Order(int epoch)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        if (_strategy == SamplingStrategy.Sequential)
        {
            return [.. Enumerable.Range(0, Count)];
        }

        var order = SeededRandom.Of(_seed, "order", epoch).Permutation(Count);
        if (_strategy == SamplingStrategy.ShortFirst && epoch == 0)
        {
            return [.. order.OrderBy(index => _lengths![index])];
        }

        return _strategy == SamplingStrategy.Random ? order : Group(order);
    }

    private static bool NeedsLengths(TrainingArguments arguments) =>
        arguments.TrainSamplingStrategy is SamplingStrategy.GroupByLength or SamplingStrategy.ShortFirst;

    /// <summary>
    /// Sorts groups of batches by length, longest first, and puts the longest example of all first, so that a lack of memory shows at once
    /// (transformers' <c>get_length_grouped_indices</c>).
    /// </summary>
    private int[] Group(int[] order)
    {
        var batches = Math.Max(1, Math.Min(Count / (_stepSize * LeastMegaBatches), LargestMegaBatch));
        var groups = order.Chunk(batches * _stepSize).ToArray();
        foreach (var group in groups)
        {
            // A stable sort, so that the order does not depend on the runtime's.
            group.OrderByDescending(index => _lengths![index]).ToArray().CopyTo(group, 0);
        }

        if (groups.Length > 0)
        {
            var longest = groups.MaxBy(group => _lengths![group[0]])!;
            (groups[0][0], longest[0]) = (longest[0], groups[0][0]);
        }

        return [.. groups.SelectMany(group => group)];
    }
}
