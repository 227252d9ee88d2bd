using System.Collections.Concurrent;

namespace AsrPlatform.WhisperTorch.Training;

/// <summary>Computes the micro-batches of a step, several at the same time where there are replicas, and adds up their gradients.</summary>
/// <remarks>
/// Small matrix products gain little from a second thread; two micro-batches at once keep two processors busy from end to end. Which
/// micro-batch goes where and in what order gradients are added depends on their numbers alone, and so the result does not depend on timing.
/// </remarks>
internal sealed class ParallelPasses : IDisposable
{
    private readonly GradientPass _pass;
    private readonly TrainableParameters _parameters;
    private readonly Replica[] _replicas;

    /// <param name="pass">Works on the caller's thread.</param>
    /// <param name="parameters">What it adds gradients to.</param>
    /// <param name="replicas">Work beside it; owned.</param>
    public ParallelPasses(GradientPass pass, TrainableParameters parameters, params IReadOnlyList<Replica> replicas)
    {
        _pass = pass;
        _parameters = parameters;
        _replicas = [.. replicas];
    }

    /// <summary>Adds the gradients of all micro-batches to the parameters and returns the sum of their losses.</summary>
    /// <param name="batches">At least one.</param>
    /// <param name="factors">What each batch's terms are multiplied by.</param>
    /// <param name="lossScale">Multiplies the gradients alone.</param>
    /// <param name="clock">Told how long the phases of the caller's share took, or null.</param>
    /// <returns>A scalar of float32; of the scope that is open.</returns>
    public Tensor Accumulate(IReadOnlyList<MicroBatch> batches, Func<MicroBatch, LossFactors> factors, double lossScale, PhaseClock? clock)
    {
        var losses = new Tensor[batches.Count];
        var stride = _replicas.Length + 1;
        var others = new Task<List<(int Index, float Loss)>>[_replicas.Length];
        for (var i = 0; i < others.Length; i++)
        {
            others[i] = _replicas[i].Run(i + 1, stride, batches, factors, lossScale);
        }

        try
        {
            for (var i = 0; i < losses.Length; i += stride)
            {
                losses[i] = _pass.Accumulate(batches[i], factors(batches[i]), lossScale, clock);
            }
        }
        finally
        {
            // Whatever went wrong: the others use what the caller will dispose of.
            foreach (var other in others)
            {
                ((IAsyncResult)other).AsyncWaitHandle.WaitOne();
            }
        }

        for (var worker = 0; worker < others.Length; worker++)
        {
            foreach (var (index, loss) in others[worker].GetAwaiter().GetResult())
            {
                losses[index] = tensor(loss);
            }

            if (worker + 1 < batches.Count)
            {
                _parameters.Gradients.add_(_replicas[worker].Parameters.Gradients);
                _replicas[worker].Parameters.Gradients.zero_();
            }
        }

        for (var i = 1; i < losses.Length; i++)
        {
            losses[0].add_(losses[i]);
        }

        return losses[0];
    }

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var replica in _replicas)
        {
            replica.Dispose();
        }
    }

    /// <summary>A second model with the same parameter values and gradients of its own, and the thread that it works on.</summary>
    internal sealed class Replica : IDisposable
    {
        private readonly BlockingCollection<Action> _jobs = new(boundedCapacity: 1);
        private readonly Thread _thread;
        private readonly GradientPass _pass;
        private readonly IReadOnlyList<IDisposable> _owned;

        /// <param name="pass">Works on the replica's model.</param>
        /// <param name="parameters">The replica's, with values shared; owned.</param>
        /// <param name="owned">What else belongs to it, disposed from the last to the first.</param>
        public Replica(GradientPass pass, TrainableParameters parameters, IReadOnlyList<IDisposable> owned)
        {
            _pass = pass;
            Parameters = parameters;
            _owned = [.. owned, parameters];
            _thread = new Thread(() =>
            {
                foreach (var job in _jobs.GetConsumingEnumerable())
                {
                    job();
                }
            })
            { IsBackground = true, Name = "asr-train-replica" };
            _thread.Start();
        }

        /// <summary>Its parameters.</summary>
        public TrainableParameters Parameters { get; }

        /// <summary>Computes every <paramref name="stride"/>-th micro-batch from <paramref name="first"/>; the losses by their numbers.</summary>
        public Task<List<(int Index, float Loss)>> Run(int first, int stride, IReadOnlyList<MicroBatch> batches, Func<MicroBatch, LossFactors> factors, double lossScale)
        {
            var done = new TaskCompletionSource<List<(int, float)>>(TaskCreationOptions.RunContinuationsAsynchronously);
            _jobs.Add(() =>
            {
                try
                {
                    var losses = new List<(int, float)>();
                    for (var i = first; i < batches.Count; i += stride)
                    {
                        using var loss = _pass.Accumulate(batches[i], factors(batches[i]), lossScale);
                        losses.Add((i, loss.ToSingle()));
                    }

                    done.SetResult(losses);
                }
                catch (Exception error)
                {
                    done.SetException(error);
                }
            });
            return done.Task;
        }

        /// <inheritdoc />
        public void Dispose()
        {
            _jobs.CompleteAdding();
            _thread.Join();
            _jobs.Dispose();
            for (var i = _owned.Count - 1; i >= 0; i--)
            {
                _owned[i].Dispose();
            }
        }
    }
}
