namespace AsrPlatform.Abstractions.Models;

/// <summary>Loads checkpoints into one engine. A plugin registers it as a service (kind <c>seq2seq-backend</c>).</summary>
/// <remarks>Safe for concurrent calls.</remarks>
public interface ISeq2SeqBackend
{
    /// <summary>Short name that <c>--backend</c> selects, such as <c>torch</c>.</summary>
    string Name { get; }

    /// <summary>Devices that it can use now, best first.</summary>
    IReadOnlyList<BackendDevice> Devices { get; }

    /// <summary>Says whether the folder looks like one that <see cref="Load"/> can load, without reading weights.</summary>
    /// <param name="modelDirectory">A checkpoint folder.</param>
    /// <param name="reason">When it does not: why, for the user.</param>
    bool CanLoad(string modelDirectory, out string? reason);

    /// <summary>Loads a checkpoint.</summary>
    /// <returns>A model that the caller disposes.</returns>
    /// <exception cref="AsrException">A file is missing, broken or contradictory; the message names it.</exception>
    ISeq2SeqModel Load(ModelLoadOptions options, CancellationToken cancellationToken = default);

    /// <summary>Makes a model of the given checkpoint configuration with random weights, for benchmarks.</summary>
    /// <param name="configJson">The text of a Hugging Face <c>config.json</c>.</param>
    /// <param name="options">Device and threads; its folder is not read.</param>
    /// <exception cref="NotSupportedException">The backend cannot make one; the message is for the user.</exception>
    ISeq2SeqModel CreateRandom(string configJson, ModelLoadOptions options);
}

/// <summary>A device of a backend.</summary>
/// <param name="Name">Name for options, such as <c>cpu</c> or <c>cuda:0</c>.</param>
/// <param name="Description">For people: the processor or card, its memory.</param>
public sealed record BackendDevice(string Name, string Description);

/// <summary>What to load and where to.</summary>
public sealed record ModelLoadOptions
{
    /// <summary>The checkpoint folder; null for a recogniser that needs no files.</summary>
    public string? ModelDirectory { get; init; }

    /// <summary>A device's name, or <c>auto</c> (default): the backend's best.</summary>
    public string Device { get; init; } = "auto";

    /// <summary>Threads for computation on the CPU; 0 (default) lets the backend choose.</summary>
    public int Threads { get; init; }
}
