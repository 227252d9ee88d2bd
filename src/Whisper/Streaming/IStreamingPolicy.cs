namespace AsrPlatform.Whisper.Streaming;

/// <summary>Decides which words of a growing window are final while more is being said.</summary>
/// <remarks>One instance a stream; not safe for concurrent calls. Knows no engine: it sees hypotheses alone.</remarks>
public interface IStreamingPolicy
{
    /// <summary>Name that the option selects, such as <c>alignatt</c>.</summary>
    string Name { get; }

    /// <summary>Whether words become final before the utterance ends.</summary>
    bool CommitsWhileSpeaking { get; }

    /// <summary>Whether the decoder begins each window with the committed words' tokens; else a hypothesis holds the whole window's words.</summary>
    bool ForcesCommitted { get; }

    /// <summary>The words of a hypothesis that come after what is committed. Changes nothing.</summary>
    /// <param name="hypothesis">What was heard, times in seconds of the stream.</param>
    /// <param name="committed">What is committed in this window.</param>
    IReadOnlyList<StreamWord> Continue(StreamHypothesis hypothesis, IReadOnlyList<StreamWord> committed);

    /// <summary>How many leading words of a continuation are final. Called once for every step, in the order of time.</summary>
    /// <param name="continuation">From <see cref="Continue"/>.</param>
    /// <param name="hypothesis">What it comes from.</param>
    /// <param name="endSeconds">End of the window's audio in seconds of the stream.</param>
    /// <param name="isFinal">Nothing more will be said: what is not final now never will be.</param>
    int Settle(IReadOnlyList<StreamWord> continuation, StreamHypothesis hypothesis, double endSeconds, bool isFinal);

    /// <summary>Forgets the utterance.</summary>
    void Reset();
}
