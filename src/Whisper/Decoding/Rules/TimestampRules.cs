using System.Numerics.Tensors;

namespace AsrPlatform.Whisper.Decoding.Rules;

/// <summary>Whisper's grammar of timestamps, applied to the logits of one row before a token is chosen.</summary>
/// <remarks>
/// The rules are the same in OpenAI's <c>ApplyTimestampRules</c> and Hugging Face's <c>WhisperTimeStampLogitsProcessor</c>: timestamps
/// come in pairs except before the end, never decrease, close no segment of zero length, open the window, and win over text when
/// together they are more likely than any single text token. Immutable and safe for concurrent calls.
/// </remarks>
public sealed class TimestampRules
{
    private readonly int _endOfText;
    private readonly int _noTimestamps;
    private readonly int _timestampBegin;
    private readonly int? _maxInitialTimestampIndex;

    /// <summary>Creates the rules of a vocabulary.</summary>
    /// <param name="endOfText">Id of the end token; text ids lie below it.</param>
    /// <param name="noTimestamps">Id of the token that switches timestamps off.</param>
    /// <param name="timestampBegin">Id of the timestamp 0.00; every id from there on is a timestamp.</param>
    /// <param name="maxInitialTimestampIndex">Largest first timestamp in steps of 20 ms (50 in Whisper); null for no limit.</param>
    public TimestampRules(int endOfText, int noTimestamps, int timestampBegin, int? maxInitialTimestampIndex)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(endOfText);
        ArgumentOutOfRangeException.ThrowIfLessThan(timestampBegin, endOfText);
        _endOfText = endOfText;
        _noTimestamps = noTimestamps;
        _timestampBegin = timestampBegin;
        _maxInitialTimestampIndex = maxInitialTimestampIndex;
    }

    /// <summary>Sets the logits of tokens that may not come next to negative infinity.</summary>
    /// <param name="logits"><c>[vocabulary]</c>; changed in place.</param>
    /// <param name="sampled">What the row has sampled so far: the tokens after the prompt and the start sequence.</param>
    public void Apply(Span<float> logits, ReadOnlySpan<int> sampled)
    {
        logits[_noTimestamps] = float.NegativeInfinity;

        var text = logits[.._timestampBegin];
        var timestamps = logits[_timestampBegin..];
        var lastIsTimestamp = sampled.Length >= 1 && sampled[^1] >= _timestampBegin;
        var lastButOneIsTimestamp = sampled.Length < 2 || sampled[^2] >= _timestampBegin;
        if (lastIsTimestamp)
        {
            if (lastButOneIsTimestamp)
            {
                timestamps.Fill(float.NegativeInfinity);
            }
            else
            {
                text[.._endOfText].Fill(float.NegativeInfinity);
            }
        }

        var newest = LastTimestamp(sampled);
        if (newest >= 0)
        {
            // A segment that has just ended may be followed by one that starts at the same time; an open one must get longer.
            var smallest = lastIsTimestamp && !lastButOneIsTimestamp ? newest : newest + 1;
            timestamps[..Math.Min(smallest - _timestampBegin, timestamps.Length)].Fill(float.NegativeInfinity);
        }

        if (sampled.IsEmpty)
        {
            text.Fill(float.NegativeInfinity);
            if (_maxInitialTimestampIndex is { } limit && limit + 1 < timestamps.Length)
            {
                timestamps[(limit + 1)..].Fill(float.NegativeInfinity);
            }
        }

        // Both sides of the comparison lack the same normaliser.
        if (LogProbabilities.LogSumExp(timestamps) > TensorPrimitives.Max<float>(text))
        {
            text.Fill(float.NegativeInfinity);
        }
    }

    private int LastTimestamp(ReadOnlySpan<int> sampled)
    {
        for (var i = sampled.Length - 1; i >= 0; i--)
        {
            if (sampled[i] >= _timestampBegin)
            {
                return sampled[i];
            }
        }

        return -1;
    }
}
