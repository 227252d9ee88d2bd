using AsrPlatform.Whisper.Training;

namespace AsrPlatform.WhisperTorch.Training;

/// <summary>The outcome of an optimizer step.</summary>
/// <param name="Loss">Before the update.</param>
/// <param name="GradientNorm">Before clipping.</param>
/// <param name="Updated">False where gradients were not finite and nothing changed.</param>
internal readonly record struct StepOutcome(float Loss, double GradientNorm, bool Updated);

/// <summary>One step: micro-batches forward and backward, clipping, update.</summary>
/// <param name="passes">Compute gradients.</param>
/// <param name="parameters">What is trained.</param>
/// <param name="optimizer">Updates it.</param>
/// <param name="normalization">Of accumulated micro-batches.</param>
/// <param name="maxGradientNorm">Gradients are scaled down to it; 0 never.</param>
/// <param name="scaler">For float16, or null.</param>
/// <param name="clock">Told how long each phase took, or null.</param>
internal sealed class OptimizerStep(
    ParallelPasses passes,
    TrainableParameters parameters,
    AdamW optimizer,
    AccumulationNormalization normalization,
    double maxGradientNorm,
    LossScaler? scaler = null,
    PhaseClock? clock = null)
{
    // PyTorch's clip_grad_norm_ divides by the norm plus this.
    private const double ClipEpsilon = 1e-6;

    /// <summary>Takes a step.</summary>
    /// <param name="batches">Its micro-batches, at least one.</param>
    /// <param name="learningRate">Its learning rate.</param>
    public StepOutcome Take(IReadOnlyList<MicroBatch> batches, double learningRate)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var tokens = batches.Sum(batch => batch.WeightOfTokens);
        var rows = batches.Sum(batch => batch.WeightOfRows);
        var replay = batches.Sum(batch => batch.WeightOfReplay);
        var scale = scaler?.Scale ?? 1;
        var loss = passes.Accumulate(batches, Factors, scale, clock);

        using var phase = clock?.Enter(Phase.Optimizer);
        parameters.ClearHoles();
        var norm = parameters.GradientNorm() / scale;
        var finite = double.IsFinite(norm);
        scaler?.Update(finite);
        if (!finite)
        {
            optimizer.Skip();
            return new StepOutcome(loss.ToSingle(), norm, Updated: false);
        }

        var clip = maxGradientNorm > 0 ? Math.Min(1, maxGradientNorm / (norm + ClipEpsilon)) : 1;
        optimizer.Update(learningRate, clip / scale);
        return new StepOutcome(loss.ToSingle(), norm, Updated: true);

        LossFactors Factors(MicroBatch batch) => normalization switch
        {
            AccumulationNormalization.Token => new LossFactors(Inverse(tokens), Inverse(rows), Inverse(replay)),
            AccumulationNormalization.MeanOfMeans => Own(batch, batches.Count),
            _ => Own(batch, 1),
        };
    }

    private static LossFactors Own(MicroBatch batch, int count) =>
        new(Inverse(batch.WeightOfTokens) / count, Inverse(batch.WeightOfRows) / count, Inverse(batch.WeightOfReplay) / count);

    private static double Inverse(double weight) => weight > 0 ? 1 / weight : 1;
}
