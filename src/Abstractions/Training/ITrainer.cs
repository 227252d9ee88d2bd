namespace AsrPlatform.Abstractions.Training;

/// <summary>Fine-tunes a model. A plugin registers it as a service (kind <c>trainer</c>).</summary>
/// <remarks>One run at a time per device; a run blocks its thread.</remarks>
public interface ITrainer
{
    /// <summary>Short name that configuration selects.</summary>
    string Name { get; }

    /// <summary>Trains until the request is fulfilled, or saves a checkpoint and returns when cancelled.</summary>
    /// <param name="request">What to train on what; its data sets stay the caller's.</param>
    /// <param name="progress">Called on the training thread; must return soon and not throw.</param>
    /// <param name="cancellationToken">Asks for a checkpoint after the step under way and the end of the run; not an error.</param>
    /// <exception cref="AsrException">An argument, a file or every example cannot be used; the message says which.</exception>
    TrainingOutcome Train(TrainingRequest request, Action<TrainingProgress>? progress, CancellationToken cancellationToken = default);
}
