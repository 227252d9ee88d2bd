using AsrPlatform.Abstractions.Decoding;

namespace AsrPlatform.Whisper.Alignment;

/// <summary>Gives the words of a window to its segments, and mends times that attention gets wrong (OpenAI's <c>add_word_timestamps</c>).</summary>
internal static class SegmentWords
{
    // No word is taken to last longer than twice the median word, and the median for no more than this.
    private const double MaxMedianSeconds = 0.7;

    // How far a word may reach over its segment's border before the segment's own time is believed.
    private const double BorderToleranceSeconds = 0.5;

    /// <summary>Sets <see cref="SegmentDraft.Words"/> of every segment and moves the segments' borders to their words.</summary>
    /// <param name="segments">Segments of one window, in order; changed in place.</param>
    /// <param name="timings">Words of their text tokens; changed in place.</param>
    /// <param name="offsetSeconds">Start of the window in the audio.</param>
    /// <param name="endOfText">Id of the end token; text ids lie below it.</param>
    /// <param name="lastSpeechEnd">When the word before this window ended, in seconds of the audio.</param>
    public static void Assign(
        IReadOnlyList<SegmentDraft> segments, IReadOnlyList<WordTiming> timings, double offsetSeconds, int endOfText, double lastSpeechEnd)
    {
        var median = Math.Min(MaxMedianSeconds, MedianDuration(timings));
        var longest = 2 * median;
        if (timings.Any(timing => timing.Duration != 0))
        {
            ShortenAtSentenceEnds(timings, longest);
        }

        Punctuation.Merge(timings);

        var next = 0;
        foreach (var segment in segments)
        {
            var words = new List<TranscriptWord>();
            var textTokens = segment.Tokens.Count(token => token < endOfText);
            for (var taken = 0; next < timings.Count && taken < textTokens; next++)
            {
                var timing = timings[next];
                taken += timing.TokenCount;
                if (timing.Word.Length > 0)
                {
                    words.Add(new TranscriptWord(
                        timing.Word, Math.Round(offsetSeconds + timing.Start, 2), Math.Round(offsetSeconds + timing.End, 2), timing.Probability));
                }
            }

            if (words.Count > 0)
            {
                ShortenAfterPause(words, median, longest, lastSpeechEnd);
                MeetBorders(segment, words, median);
                lastSpeechEnd = segment.End;
            }

            segment.Words = words;
        }
    }

    private static double MedianDuration(IReadOnlyList<WordTiming> timings)
    {
        double[] durations = [.. timings.Select(timing => timing.Duration).Where(duration => duration != 0).Order()];
        var middle = durations.Length / 2;
        return durations.Length == 0 ? 0
            : durations.Length % 2 == 1 ? durations[middle]
            : (durations[middle - 1] + durations[middle]) / 2;
    }

    private static void ShortenAtSentenceEnds(IReadOnlyList<WordTiming> timings, double longest)
    {
        for (var i = 1; i < timings.Count; i++)
        {
            if (timings[i].Duration <= longest)
            {
                continue;
            }

            if (Punctuation.Contains(Punctuation.SentenceEnd, timings[i].Word))
            {
                timings[i].End = timings[i].Start + longest;
            }
            else if (Punctuation.Contains(Punctuation.SentenceEnd, timings[i - 1].Word))
            {
                timings[i].Start = timings[i].End - longest;
            }
        }
    }

    // The first two words after a pause tend to swallow it.
    private static void ShortenAfterPause(List<TranscriptWord> words, double median, double longest, double lastSpeechEnd)
    {
        var first = words[0];
        var swallows = first.End - first.Start > longest || (words.Count > 1 && words[1].End - first.Start > 2 * longest);
        if (first.End - lastSpeechEnd <= 4 * median || !swallows)
        {
            return;
        }

        if (words.Count > 1 && words[1].End - words[1].Start > longest)
        {
            var border = Math.Max(words[1].End / 2, words[1].End - longest);
            first = first with { End = border };
            words[1] = words[1] with { Start = border };
        }

        words[0] = first with { Start = Math.Max(0, first.End - longest) };
    }

    // Segment and words agree on their borders; where the words reach far over, the segment is right.
    private static void MeetBorders(SegmentDraft segment, List<TranscriptWord> words, double median)
    {
        var first = words[0];
        if (segment.Start < first.End && segment.Start - BorderToleranceSeconds > first.Start)
        {
            words[0] = first with { Start = Math.Max(0, Math.Min(first.End - median, segment.Start)) };
        }
        else
        {
            segment.Start = first.Start;
        }

        var last = words[^1];
        if (segment.End > last.Start && segment.End + BorderToleranceSeconds < last.End)
        {
            words[^1] = last with { End = Math.Max(last.Start + median, segment.End) };
        }
        else
        {
            segment.End = last.End;
        }
    }
}
