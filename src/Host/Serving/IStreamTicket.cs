using AsrPlatform.Whisper.Streaming;

namespace AsrPlatform.Host.Serving;

/// <summary>What a stream wants decoded.</summary>
/// <param name="Deadline">When it should be done, in ticks of the clock (<see cref="TimeProvider.GetTimestamp"/>).</param>
/// <param name="Commits">Whether words become final by it; else it is shown for a moment only.</param>
/// <param name="Samples">Length of its window.</param>
internal readonly record struct StreamDemand(long Deadline, bool Commits, int Samples);

/// <summary>
/// A stream's place in the queue. It holds no audio: what is decoded is what there is when its turn comes, so that under load fewer and
/// longer steps are made of the same audio.
/// </summary>
internal interface IStreamTicket
{
    /// <summary>What the stream wants now; null for nothing any more. Quick; called on any thread, often.</summary>
    StreamDemand? Demand();

    /// <summary>Its turn has come: what to decode now; null for nothing any more. Called once, on the recogniser's thread.</summary>
    StreamPass? Take();
}
