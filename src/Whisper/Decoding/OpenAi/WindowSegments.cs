using AsrPlatform.Whisper.Alignment;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Decoding.OpenAi;

/// <summary>The segments of one window and how much of the window they use up.</summary>
/// <param name="Segments">In order; at least one.</param>
/// <param name="UsedFrames">Frames after which the next window starts.</param>
/// <param name="EndsWithSingleTimestamp">Whether the model said that nothing is spoken after the last segment.</param>
internal sealed record WindowSegments(List<SegmentDraft> Segments, int UsedFrames, bool EndsWithSingleTimestamp)
{
    // Frames of one step of a timestamp.
    private const int FramesPerTimestamp = 2;

    /// <summary>Divides a window's tokens at pairs of timestamps.</summary>
    /// <param name="tokens">Sampled tokens without the end.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="offsetSeconds">Start of the window in the audio.</param>
    /// <param name="frames">Frames of the window that hold audio.</param>
    /// <param name="framesPerSecond">Frames per second of audio (100).</param>
    public static WindowSegments Split(
        ReadOnlySpan<int> tokens, WhisperTokenizer tokenizer, double offsetSeconds, int frames, double framesPerSecond)
    {
        var zero = tokenizer.TimestampBegin;
        var secondsPerTimestamp = FramesPerTimestamp / framesPerSecond;
        var singleEnding = tokens.Length >= 2 && tokens[^1] >= zero && tokens[^2] < zero;

        // Each border lies between a timestamp that ends a segment and one that starts the next.
        var borders = new List<int>();
        for (var i = 1; i < tokens.Length; i++)
        {
            if (tokens[i - 1] >= zero && tokens[i] >= zero)
            {
                borders.Add(i);
            }
        }

        var segments = new List<SegmentDraft>();
        if (borders.Count == 0)
        {
            var duration = frames / framesPerSecond;
            var lastTimestamp = tokens.LastIndexOfAnyInRange(zero, int.MaxValue);
            if (lastTimestamp >= 0 && tokens[lastTimestamp] != zero)
            {
                duration = (tokens[lastTimestamp] - zero) * secondsPerTimestamp;
            }

            segments.Add(Draft(tokens, tokenizer, offsetSeconds, offsetSeconds + duration));
            return new WindowSegments(segments, frames, singleEnding);
        }

        if (singleEnding)
        {
            borders.Add(tokens.Length);
        }

        var start = 0;
        foreach (var border in borders)
        {
            var part = tokens[start..border];
            segments.Add(Draft(
                part, tokenizer,
                offsetSeconds + (part[0] - zero) * secondsPerTimestamp,
                offsetSeconds + (part[^1] - zero) * secondsPerTimestamp));
            start = border;
        }

        // What follows the last pair is not finished: the next window starts there.
        return new WindowSegments(segments, singleEnding ? frames : (tokens[start - 1] - zero) * FramesPerTimestamp, singleEnding);
    }

    private static SegmentDraft Draft(ReadOnlySpan<int> tokens, WhisperTokenizer tokenizer, double start, double end) => new()
    {
        Start = start,
        End = end,
        Text = tokenizer.Decode(tokens),
        Tokens = tokens.ToArray(),
    };
}
