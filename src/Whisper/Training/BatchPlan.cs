using AsrPlatform.Abstractions;

namespace AsrPlatform.Whisper.Training;

/// <summary>
/// How the examples of an epoch fall into micro-batches and optimizer steps. A step never reaches across the end of an epoch: an epoch's
/// last step has fewer micro-batches, its last micro-batch fewer examples. Immutable.
/// </summary>
public sealed class BatchPlan
{
    /// <summary>Makes a plan.</summary>
    /// <param name="examples">Examples of an epoch.</param>
    /// <param name="microBatchSize">Examples of a micro-batch.</param>
    /// <param name="accumulation">Micro-batches of an optimizer step.</param>
    /// <param name="dropLast">Leaves out a last micro-batch that is not full.</param>
    /// <exception cref="AsrException">No micro-batch is left.</exception>
    public BatchPlan(int examples, int microBatchSize, int accumulation, bool dropLast = false)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(examples);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(microBatchSize);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(accumulation);
        if (examples == 0)
        {
            throw new AsrException("There is no example to train on.");
        }

        Examples = examples;
        MicroBatchSize = microBatchSize;
        Accumulation = accumulation;
        MicroBatchesPerEpoch = (examples / microBatchSize) + (dropLast || examples % microBatchSize == 0 ? 0 : 1);
        if (MicroBatchesPerEpoch == 0)
        {
            throw new AsrException(
                $"--dataloader-drop-last leaves nothing of {examples} examples: --per-device-train-batch-size {microBatchSize} is larger.");
        }

        StepsPerEpoch = (MicroBatchesPerEpoch + accumulation - 1) / accumulation;
    }

    /// <summary>Examples of an epoch.</summary>
    public int Examples { get; }

    /// <summary>Examples of a full micro-batch.</summary>
    public int MicroBatchSize { get; }

    /// <summary>Micro-batches of a full step.</summary>
    public int Accumulation { get; }

    /// <summary>Micro-batches of an epoch.</summary>
    public int MicroBatchesPerEpoch { get; }

    /// <summary>Optimizer steps of an epoch.</summary>
    public int StepsPerEpoch { get; }

    /// <summary>What a step is made of.</summary>
    /// <param name="step">Optimizer steps done before it, from 0.</param>
    /// <param name="order">Indices of the examples in the order of the step's epoch (<see cref="ExampleSampler.Order"/>).</param>
    public PlannedStep Step(int step, IReadOnlyList<int> order)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        ArgumentNullException.ThrowIfNull(order);
        ArgumentOutOfRangeException.ThrowIfNotEqual(order.Count, Examples, nameof(order));
        var (epoch, stepOfEpoch) = Math.DivRem(step, StepsPerEpoch);
        var first = stepOfEpoch * Accumulation;
        var last = Math.Min(first + Accumulation, MicroBatchesPerEpoch);
        var micro = new int[last - first][];
        for (var index = first; index < last; index++)
        {
            var start = index * MicroBatchSize;
            var rows = new int[Math.Min(MicroBatchSize, Examples - start)];
            for (var row = 0; row < rows.Length; row++)
            {
                rows[row] = order[start + row];
            }

            micro[index - first] = rows;
        }

        return new PlannedStep(step, epoch, first, micro, epoch + (last / (double)MicroBatchesPerEpoch), last == MicroBatchesPerEpoch);
    }

    /// <summary>All steps from one on, without end, in the orders of a sampler: how a run starts or resumes.</summary>
    /// <param name="step">Optimizer steps done before.</param>
    /// <param name="sampler">Gives the order of each epoch.</param>
    public IEnumerable<PlannedStep> From(int step, ExampleSampler sampler)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        ArgumentNullException.ThrowIfNull(sampler);
        ArgumentOutOfRangeException.ThrowIfNotEqual(sampler.Count, Examples, nameof(sampler));
        return Steps(step, sampler);
    }

    private IEnumerable<PlannedStep> Steps(int step, ExampleSampler sampler)
    {
        var epoch = -1;
        int[] order = [];
        for (; ; step++)
        {
            if (step / StepsPerEpoch != epoch)
            {
                epoch = step / StepsPerEpoch;
                order = sampler.Order(epoch);
            }

            yield return Step(step, order);
        }
    }
}

/// <summary>One optimizer step of a <see cref="BatchPlan"/>.</summary>
/// <param name="Index">Optimizer steps before it.</param>
/// <param name="Epoch">The epoch that it belongs to, from 0.</param>
/// <param name="FirstMicroBatch">Its first micro-batch's number in the epoch, from 0.</param>
/// <param name="MicroBatches">Indices of the examples of each micro-batch.</param>
/// <param name="EpochAfter">Epochs done after it, as trainer_state.json counts them.</param>
/// <param name="EndsEpoch">Whether it is the epoch's last.</param>
public sealed record PlannedStep(int Index, int Epoch, int FirstMicroBatch, int[][] MicroBatches, double EpochAfter, bool EndsEpoch)
{
    /// <summary>Examples of the step.</summary>
    public int Examples => MicroBatches.Sum(rows => rows.Length);
}
