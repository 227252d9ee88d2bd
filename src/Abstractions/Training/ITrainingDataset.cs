using AsrPlatform.Abstractions.Features;

namespace AsrPlatform.Abstractions.Training;

/// <summary>Utterances with their texts, in a fixed order.</summary>
/// <remarks>Safe for concurrent calls: a trainer loads ahead on other threads.</remarks>
public interface ITrainingDataset
{
    /// <summary>Number of examples.</summary>
    int Count { get; }

    /// <summary>What is known of an example without reading its audio; cheap.</summary>
    /// <param name="index">0…<see cref="Count"/> − 1.</param>
    TrainingSampleInfo Describe(int index);

    /// <summary>Reads an example; the same values at every call.</summary>
    /// <param name="index">0…<see cref="Count"/> − 1.</param>
    /// <exception cref="AsrException">Its audio can no longer be read; the message names it.</exception>
    TrainingSample Load(int index);
}

/// <summary>An example, without its features.</summary>
public sealed record TrainingSampleInfo
{
    /// <summary>Names the example in messages: the file it comes from, for instance.</summary>
    public required string Id { get; init; }

    /// <summary>The text to learn, or to measure the error rate against.</summary>
    public required string Text { get; init; }

    /// <summary>Feature frames that come from audio; groups examples by length.</summary>
    public required int Frames { get; init; }

    /// <summary>Language code, or null where the run's holds.</summary>
    public string? Language { get; init; }

    /// <summary>As <see cref="TrainingSample.IsReplay"/>.</summary>
    public bool IsReplay { get; init; }
}

/// <summary>An example, ready to be put into a batch.</summary>
public sealed record TrainingSample
{
    /// <summary>
    /// Log-mel features. Frames beyond the valid ones are silence after the audio; where the matrix ends, silence goes on, so that it need
    /// not reach to the model's full context.
    /// </summary>
    public required FeatureMatrix Features { get; init; }

    /// <summary>Token ids: start of transcript, language, task, no timestamps, text, end of text.</summary>
    public required int[] Labels { get; init; }

    /// <summary>The text to learn, or to measure the error rate against.</summary>
    public required string Text { get; init; }

    /// <summary>Names the example in messages.</summary>
    public string Id { get; init; } = "";

    /// <summary>Language code, or null where the run's holds.</summary>
    public string? Language { get; init; }

    /// <summary>Whether the example keeps what the model knows and teaches nothing new: <c>kl-weight</c> holds an adapter to the base on it.</summary>
    public bool IsReplay { get; init; }

    /// <summary>How much the example counts in the loss beside others, above 0; 1 (default) for all is the plain mean of tokens.</summary>
    public double Weight { get; init; } = 1;
}
