using System.Text;

namespace AsrPlatform.Whisper.Tokens;

/// <summary>A stretch of text between two timestamps.</summary>
/// <param name="Text">The text, without timestamps.</param>
/// <param name="StartSeconds">Start from the beginning of the first window.</param>
/// <param name="EndSeconds">End from the beginning of the first window.</param>
public readonly record struct TimestampedText(string Text, double StartSeconds, double EndSeconds)
{
    /// <summary>Timestamps of a window of 30 s.</summary>
    private const int WindowSteps = 1500;

    /// <summary>
    /// Decodes with timestamps as transformers' <c>decode(decode_with_timestamps=True)</c>: when times start again lower, a new window has
    /// begun and they run on from the end of the one before.
    /// </summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="ids">Token ids of one or more windows.</param>
    /// <param name="timestampBegin">
    /// The id of 0 s; null is the tokenizer's. transformers takes the id after its last <em>named</em> special token, which is a wrong one in
    /// folders whose special_tokens_map.json names <c>&lt;|endoftext|&gt;</c> alone.
    /// </param>
    public static string Decode(WhisperTokenizer tokenizer, ReadOnlySpan<int> ids, int? timestampBegin = null)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        var begin = timestampBegin ?? tokenizer.TimestampBegin;
        var outputs = new List<string>();
        var run = new List<int>();
        var latest = 0.0;
        var beforeLatest = 0.0;
        var windowStart = 0.0;
        for (var index = 0; index < ids.Length; index++)
        {
            if (ids[index] < begin)
            {
                run.Add(ids[index]);
                continue;
            }

            outputs.Add(tokenizer.Decode(run.ToArray(), skipSpecialTokens: false));
            run.Clear();
            var time = (ids[index] - begin) * WhisperTokenizer.TimePrecisionSeconds;
            if (time < latest)
            {
                if (index >= 2 && !(ids[index - 1] >= begin && ids[index - 2] >= begin))
                {
                    // The window ended with a single timestamp: it was used up whole.
                    windowStart += WhisperTokenizer.TimePrecisionSeconds * WindowSteps;
                }
                else
                {
                    // It ended with the start of a segment that the new window begins with: that timestamp goes.
                    latest = beforeLatest;
                    windowStart += beforeLatest;
                    outputs.RemoveRange(Math.Max(outputs.Count - 2, 0), Math.Min(outputs.Count, 2));
                }
            }

            beforeLatest = latest;
            latest = time;
            outputs.Add(TimestampTokens.Text(time + windowStart));
        }

        outputs.Add(tokenizer.Decode(run.ToArray(), skipSpecialTokens: false));
        return new StringBuilder().AppendJoin("", outputs).ToString();
    }

    /// <summary>The stretches between pairs of timestamps (transformers' <c>output_offsets</c>). Parameters as for <see cref="Decode"/>.</summary>
    public static IReadOnlyList<TimestampedText> Split(WhisperTokenizer tokenizer, ReadOnlySpan<int> ids, int? timestampBegin = null)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        var begin = timestampBegin ?? tokenizer.TimestampBegin;
        var places = new List<int>();
        var ends = new List<int>();
        for (var index = 0; index < ids.Length; index++)
        {
            if (ids[index] >= begin)
            {
                places.Add(index);
                if (index > 0 && ids[index - 1] >= begin)
                {
                    ends.Add(index);
                }
            }
        }

        if (ends.Count == 0 && places.Count <= 1)
        {
            return [];
        }

        if (!ends.Contains(places[^1] + 1))
        {
            ends.Add(places[^1] + 1);
        }

        var result = new List<TimestampedText>();
        var start = places[0];
        var windowStart = 0;
        var latest = 0;
        foreach (var end in ends)
        {
            var slice = ids[start..Math.Max(start, end)];
            if (slice.Length > 1)
            {
                var first = slice[0] - begin;
                var last = slice[^1] - begin;
                if (first < latest)
                {
                    windowStart += start >= 2 && !(ids[start - 2] >= begin && ids[start - 1] >= begin) ? WindowSteps : latest;
                }

                latest = last;
                const double Step = WhisperTokenizer.TimePrecisionSeconds;
                result.Add(new TimestampedText(
                    tokenizer.Decode(slice, skipSpecialTokens: false), (first * Step) + (windowStart * Step), (last * Step) + (windowStart * Step)));
            }

            start = end;
        }

        return result;
    }
}
