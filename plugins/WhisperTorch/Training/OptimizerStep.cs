namespace AsrPlatform.WhisperTorch.Training;

/// <summary>What accumulated micro-batches are divided by.</summary>
internal enum LossNormalization
{
    /// <summary>The loss of a step is the mean over all its tokens.</summary>
    Token,

    /// <summary>The mean of the micro-batches' means (transformers before 5 for Whisper).</summary>
    MeanOfMeans,

    /// <summary>The sum of the micro-batches' means (what transformers 5.23 does with Whisper).</summary>
    Sum,
}

/// <summary>The outcome of an optimizer step.</summary>
/// <param name="GradientNorm">Before clipping.</param>
/// <param name="Updated">False where float16 overflowed and the step was left out.</param>
internal readonly record struct StepOutcome(double GradientNorm, bool Updated);

/// <summary>One step: micro-batches forward and backward, clipping, update.</summary>
/// <param name="pass">Computes gradients.</param>
/// <param name="parameters">What is trained.</param>
/// <param name="optimizer">Updates it.</param>
/// <param name="normalization">Of accumulated micro-batches.</param>
/// <param name="maxGradientNorm">Gradients are scaled down to it; 0 never.</param>
/// <param name="scaler">For float16, or null.</param>
/// <param name="clock">Told how long each phase took, or null.</param>
internal sealed class OptimizerStep(
    GradientPass pass,
    TrainableParameters parameters,
    AdamW optimizer,
    LossNormalization normalization,
    double maxGradientNorm,
    LossScaler? scaler = null,
    PhaseClock? clock = null)
{
    // PyTorch's clip_grad_norm_ divides by the norm plus this.
    private const double ClipEpsilon = 1e-6;

    /// <summary>Takes a step.</summary>
    /// <param name="batches">Its micro-batches.</param>
    /// <param name="learningRate">Its learning rate.</param>
    /// <param name="lossSum">A scalar of float32 that the step's loss is added to, so that nobody waits for it.</param>
    public StepOutcome Take(IReadOnlyList<MicroBatch> batches, double learningRate, Tensor lossSum)
    {
        var tokens = batches.Sum(batch => (long)batch.Tokens);
        var rows = batches.Sum(batch => (long)batch.Batch);
        var scale = scaler?.Scale ?? 1;
        foreach (var batch in batches)
        {
            var factors = normalization switch
            {
                LossNormalization.Token => new LossFactors(Inverse(tokens), Inverse(rows)),
                LossNormalization.MeanOfMeans => new LossFactors(Inverse(batch.Tokens) / batches.Count, Inverse(batch.Batch) / batches.Count),
                _ => new LossFactors(Inverse(batch.Tokens), Inverse(batch.Batch)),
            };
            using var scope = NewDisposeScope();
            using var noGrad = no_grad();
            lossSum.add_(pass.Accumulate(batch, factors, scale, clock));
        }

        using var phase = clock?.Enter(Phase.Optimizer);
        parameters.ClearHoles();
        var norm = parameters.GradientNorm() / scale;
        var finite = double.IsFinite(norm);
        if (scaler is not null)
        {
            scaler.Update(finite);
            if (!finite)
            {
                optimizer.Skip();
                return new StepOutcome(norm, Updated: false);
            }
        }

        var clip = maxGradientNorm > 0 ? Math.Min(1, maxGradientNorm / (norm + ClipEpsilon)) : 1;
        optimizer.Update(learningRate, clip / scale);
        return new StepOutcome(norm, Updated: true);
    }

    private static double Inverse(long count) => 1.0 / Math.Max(1, count);
}
