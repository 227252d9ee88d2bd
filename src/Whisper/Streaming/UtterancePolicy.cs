namespace AsrPlatform.Whisper.Streaming;

/// <summary>Nothing is final before the utterance ends: for recognisers that give neither attention nor the times of words.</summary>
public sealed class UtterancePolicy : IStreamingPolicy
{
    /// <inheritdoc />
    public string Name => "utterance";

    /// <inheritdoc />
    public bool CommitsWhileSpeaking => false;

    /// <inheritdoc />
    public bool ForcesCommitted => false;

    /// <inheritdoc />
    public IReadOnlyList<StreamWord> Continue(StreamHypothesis hypothesis, IReadOnlyList<StreamWord> committed)
    {
        ArgumentNullException.ThrowIfNull(hypothesis);
        return hypothesis.Words;
    }

    /// <inheritdoc />
    public int Settle(IReadOnlyList<StreamWord> continuation, StreamHypothesis hypothesis, double endSeconds, bool isFinal)
    {
        ArgumentNullException.ThrowIfNull(continuation);
        return isFinal ? continuation.Count : 0;
    }

    /// <inheritdoc />
    public void Reset()
    {
    }
}
