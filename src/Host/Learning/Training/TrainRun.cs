using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Training;
using AsrPlatform.Host.Cli;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Host.Learning.Training;

/// <summary>Makes the data sets of a training run and hands them to a trainer.</summary>
internal static class TrainRun
{
    /// <summary>Runs.</summary>
    /// <param name="settings">What to do.</param>
    /// <param name="trainer">Trains; blocks.</param>
    /// <param name="adapters">Makes adapters; null when <see cref="TrainSettings.TrainsAdapter"/> is false.</param>
    /// <param name="progress">Told what happens.</param>
    /// <param name="quiet">No progress of the data's mapping.</param>
    /// <param name="cancellationToken">While data is mapped it ends the run; afterwards it asks for a checkpoint.</param>
    /// <exception cref="AsrException">A file, a setting or every example cannot be used.</exception>
    /// <exception cref="OperationCanceledException">Cancelled before the training began.</exception>
    public static TrainingOutcome Execute(
        TrainSettings settings, ITrainer trainer, IAdapterProvider? adapters, Action<TrainingProgress>? progress, bool quiet, CancellationToken cancellationToken)
    {
        // What can be refused without the data is refused before it is read.
        _ = new CheckpointFolders(settings.OutputDirectory).StartingPoint(settings.Arguments);
        if (settings.Arguments.EvalStrategy != IntervalStrategy.No && settings.Evaluation is null)
        {
            _ = new TrainingPlan(settings.Arguments, examples: 1, hasEvaluation: false);
        }

        if (settings.Adapter is { } folder && !adapters!.CanLoad(folder, out var reason))
        {
            throw new AsrException($"--adapter {folder}: {reason}");
        }

        var options = settings.MappingOptions();
        var train = DatasetMapping.Map(settings.Train, options, Report(settings, "train"), quiet, cancellationToken);
        var evaluation = settings.Evaluation is { } manifest ? DatasetMapping.Map(manifest, options, Report(settings, "eval"), quiet, cancellationToken) : null;
        return trainer.Train(
            new TrainingRequest
            {
                ModelDirectory = settings.Model,
                OutputDirectory = settings.OutputDirectory,
                Train = train,
                Evaluation = evaluation,
                Arguments = settings.Arguments.ToDictionary(),
                Adapter = settings.TrainsAdapter
                    ? new TrainingAdapter { Provider = adapters!, Directory = settings.Adapter, ConfigJson = settings.AdapterConfigJson ?? "{}" }
                    : null,
                Language = settings.Language,
                Task = settings.Task == Abstractions.Decoding.TranscriptionTask.Translate ? "translate" : "transcribe",
                Device = settings.Device,
                Threads = settings.Threads,
            },
            progress,
            cancellationToken);
    }

    private static string Report(TrainSettings settings, string part) => Path.Combine(settings.OutputDirectory, $"{part}_data_report.json");
}
