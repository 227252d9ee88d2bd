namespace AsrPlatform.Whisper.Decoding.HuggingFace;

/// <summary>Divides the tokens of a window at its timestamps and says where the next window begins (transformers' <c>_retrieve_segment</c>).</summary>
internal static class WindowSegmenter
{
    private const double SecondsPerTimestamp = 0.02;
    private const int FramesPerTimestamp = 2;

    /// <summary>Divides.</summary>
    /// <param name="tokens">Generated tokens without the end token.</param>
    /// <param name="timestampBegin">Id of the timestamp 0.00.</param>
    /// <param name="seek">First frame of the window.</param>
    /// <param name="frames">Frames of the window.</param>
    /// <returns>
    /// The segments and the frames that they use up: up to the last pair of timestamps; all frames when the window ends with a single
    /// timestamp or has no pair.
    /// </returns>
    public static (IReadOnlyList<GeneratedSegment> Segments, int UsedFrames) Split(
        ReadOnlySpan<int> tokens, int timestampBegin, int seek, int frames)
    {
        var offset = seek * SecondsPerTimestamp / FramesPerTimestamp;
        var segments = new List<GeneratedSegment>();
        var endsWithSingle = tokens.Length >= 2 && tokens[^2] < timestampBegin && tokens[^1] >= timestampBegin;
        var lastPair = -1; // place of the second timestamp of the last pair
        var start = 0;
        for (var i = 1; i < tokens.Length; i++)
        {
            if (tokens[i - 1] < timestampBegin || tokens[i] < timestampBegin)
            {
                continue;
            }

            if (lastPair >= 0)
            {
                Add(tokens[start..lastPair], tokens[lastPair - 1]);
                start = lastPair;
            }

            lastPair = i;
        }

        if (lastPair < 0)
        {
            return ([Whole(tokens, timestampBegin, offset, frames)], frames);
        }

        if (endsWithSingle)
        {
            // Nothing is said after a single timestamp at the end.
            Add(tokens[start..lastPair], tokens[lastPair - 1]);
            start = lastPair;
            Add(tokens[start..], tokens[^1]);
            return (segments, frames);
        }

        // What follows the last pair was cut by the window's end: the next window hears it again. The pair's second timestamp stays with
        // the segment before it.
        Add(tokens[start..(lastPair + 1)], tokens[lastPair - 1]);
        return (segments, (tokens[lastPair - 1] - timestampBegin) * FramesPerTimestamp);

        void Add(ReadOnlySpan<int> part, int end) => segments.Add(new GeneratedSegment(
            offset + ((part[0] - timestampBegin) * SecondsPerTimestamp),
            offset + ((end - timestampBegin) * SecondsPerTimestamp),
            part.ToArray(),
            start));
    }

    private static GeneratedSegment Whole(ReadOnlySpan<int> tokens, int timestampBegin, double offset, int frames)
    {
        // In float32 and cut off, as transformers has it.
        var end = (int)(frames * 0.01f / 0.02f);
        for (var i = tokens.Length - 1; i >= 0; i--)
        {
            if (tokens[i] >= timestampBegin)
            {
                end = tokens[i] != timestampBegin ? tokens[i] - timestampBegin : end;
                break;
            }
        }

        return new GeneratedSegment(offset, offset + (end * SecondsPerTimestamp), tokens.ToArray(), 0);
    }
}
