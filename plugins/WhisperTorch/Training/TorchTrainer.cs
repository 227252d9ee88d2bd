using AsrPlatform.Abstractions.Training;

namespace AsrPlatform.WhisperTorch.Training;

/// <summary>The trainer <c>whisper-torch</c>: Hugging Face's Seq2SeqTrainer for Whisper checkpoints, on LibTorch.</summary>
internal sealed class TorchTrainer(TorchBackend backend) : ITrainer
{
    /// <inheritdoc />
    public string Name => WhisperTorchPlugin.Id;

    /// <inheritdoc />
    public TrainingOutcome Train(TrainingRequest request, Action<TrainingProgress>? progress, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        using var run = TrainingRun.Open(request, backend, progress, cancellationToken);
        return run.Execute(cancellationToken);
    }
}
