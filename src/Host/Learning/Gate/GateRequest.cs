using AsrPlatform.Abstractions.Adapters;

namespace AsrPlatform.Host.Learning.Gate;

/// <summary>Trains an adapter on a part of the corrections, in short; called on the gate's thread.</summary>
/// <param name="manifest">The corrections to learn; replay is the trainer's affair.</param>
/// <param name="outputDirectory">A folder for it, which is made.</param>
/// <param name="cancellationToken">Stops.</param>
/// <returns>The PEFT folder.</returns>
internal delegate string CrossTrainer(string manifest, string outputDirectory, CancellationToken cancellationToken);

/// <summary>What is to be decided.</summary>
internal sealed record GateRequest
{
    /// <summary>Name of the candidate, resident on the recogniser.</summary>
    public required string Candidate { get; init; }

    /// <summary>Name of the active version, resident too; null: the base model.</summary>
    public string? Active { get; init; }

    /// <summary>Manifest of the data set's corrections, those that were trained on and those held out.</summary>
    public required string Corrections { get; init; }

    /// <summary>Manifest of the corrections that were not trained on; null or without rows when there are none.</summary>
    public string? HeldOut { get; init; }

    /// <summary>Manifest of the anchor set, silent clips (<c>"silence": true</c>) included; null or without rows when there is none.</summary>
    public string? Anchor { get; init; }

    /// <summary>Trains for the cross-validation; null: with too few held-out corrections a candidate is rejected.</summary>
    public CrossTrainer? CrossTrainer { get; init; }

    /// <summary>Loads the adapters of the cross-validation.</summary>
    public IAdapterProvider? Adapters { get; init; }

    /// <summary>Where the cross-validation works; needed with <see cref="CrossTrainer"/>. It leaves its folders there.</summary>
    public string? WorkDirectory { get; init; }

    /// <summary>What the candidate has to show.</summary>
    public GateSettings Settings { get; init; } = new();
}

/// <summary>How far a gate is.</summary>
/// <param name="Step">What it does, for people, such as <c>anchor set</c>.</param>
/// <param name="Done">Share of all its work, 0…1, roughly.</param>
internal readonly record struct GateProgress(string Step, double Done);
