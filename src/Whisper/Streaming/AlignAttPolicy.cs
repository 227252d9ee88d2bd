namespace AsrPlatform.Whisper.Streaming;

/// <summary>AlignAtt (arXiv 2305.11408): a word is final when the decoder wrote it while it attended to audio that is not at the end of the window.</summary>
/// <remarks>
/// What follows the first word that is not final stays tentative, whatever it attended to. So does what may grow into a preferred phrase. Committed words are forced upon later passes,
/// so that the text only ever grows.
/// </remarks>
/// <param name="holdBackSeconds">Audio at the end of a window that words must not rest on.</param>
/// <param name="early">Which words may rest on more of it; null: none.</param>
public sealed class AlignAttPolicy(double holdBackSeconds = AlignAttPolicy.DefaultHoldBackSeconds, EarlyCommit? early = null) : IStreamingPolicy
{
    /// <summary>
    /// SimulStreaming has 0.5 s, its 25 frames. A word that is heard with the whole of the next one behind it is more often right: a small model
    /// loses two points of WER with 0.5 s.
    /// </summary>
    public const double DefaultHoldBackSeconds = 0.8;

    /// <summary>Attention that jumps back by more than this has lost its place (SimulStreaming's 200 frames of 20 ms).</summary>
    private const double MostRewindSeconds = 4;

    /// <inheritdoc />
    public string Name => "alignatt";

    /// <inheritdoc />
    public bool CommitsWhileSpeaking => true;

    /// <inheritdoc />
    public bool ForcesCommitted => true;

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
        ArgumentNullException.ThrowIfNull(hypothesis);
        if (isFinal)
        {
            return continuation.Count;
        }

        var latest = double.NegativeInfinity;
        for (var i = 0; i < continuation.Count; i++)
        {
            var word = continuation[i];
            if (word.Repeats || word.MayGrow || word.AttendedTo > endSeconds - HoldBack(word, hypothesis.AdapterVersion) || word.AttendedTo < latest - MostRewindSeconds)
            {
                return i;
            }

            latest = Math.Max(latest, word.AttendedTo);
        }

        return continuation.Count;
    }

    /// <inheritdoc />
    public void Reset()
    {
    }

    private double HoldBack(StreamWord word, string adapterVersion) =>
        early is not null && early.HoldBackSeconds < holdBackSeconds && early.Calibrate(word.Confidence, adapterVersion) >= early.Confidence ? early.HoldBackSeconds : holdBackSeconds;
}
