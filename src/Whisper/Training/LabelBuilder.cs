using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Training;

/// <summary>A stretch of speech with its text.</summary>
/// <param name="StartSeconds">From the start of the audio.</param>
/// <param name="EndSeconds">From the start of the audio.</param>
/// <param name="Text">What is said.</param>
public sealed record TimedText(double StartSeconds, double EndSeconds, string Text);

/// <summary>Turns texts into labels. Immutable and safe for concurrent calls.</summary>
/// <remarks>Labels begin with the start of transcript; the collator takes it off, because the model's decoder starts with it by itself.</remarks>
public sealed class LabelBuilder
{
    private readonly WhisperTokenizer _tokenizer;
    private readonly string? _language;
    private readonly TranscriptionTask? _task;

    /// <summary>Makes a builder.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="language">Code or English name of the run's language; null leaves the language token out.</param>
    /// <param name="task">The run's task; null leaves the task token out.</param>
    /// <exception cref="AsrException">The model does not know the language or the task.</exception>
    public LabelBuilder(WhisperTokenizer tokenizer, string? language, TranscriptionTask? task)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        _tokenizer = tokenizer;
        _language = language;
        _task = task;
        _ = tokenizer.Prefix(language, task, timestamps: false);
    }

    /// <summary>Start of transcript, language, task, no timestamps, the text, end of text (transformers' tokenizer with its prefix tokens).</summary>
    /// <param name="text">As it is to be learned; empty for audio without speech.</param>
    /// <param name="language">The example's own language; null: the run's.</param>
    public int[] Build(string text, string? language = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        return _tokenizer.EncodeLabels(text, language ?? _language, _task, timestamps: false);
    }

    /// <summary>Labels with timestamps: a pair around the text of each segment, to the nearest 20 ms.</summary>
    /// <param name="segments">In the order of their times; none for audio without speech.</param>
    /// <param name="language">The example's own language; null: the run's.</param>
    /// <exception cref="AsrException">A time is negative, goes backwards, or lies beyond the last timestamp.</exception>
    public int[] BuildTimed(IReadOnlyList<TimedText> segments, string? language = null)
    {
        ArgumentNullException.ThrowIfNull(segments);
        var labels = new List<int>(_tokenizer.Prefix(language ?? _language, _task, timestamps: true));
        var earliest = 0;
        foreach (var segment in segments)
        {
            var start = Step(segment.StartSeconds, earliest);
            var end = earliest = Step(segment.EndSeconds, start);
            labels.Add(_tokenizer.TimestampBegin + start);
            labels.AddRange(_tokenizer.Encode(segment.Text));
            labels.Add(_tokenizer.TimestampBegin + end);
        }

        labels.Add(_tokenizer.EndOfText);
        return [.. labels];
    }

    private int Step(double seconds, int earliest)
    {
        var step = Math.Round(seconds / WhisperTokenizer.TimePrecisionSeconds);
        return step >= earliest && step < _tokenizer.TimestampCount
            ? (int)step
            : throw new AsrException(FormattableString.Invariant(
                $"The time {seconds} s is not usable: times must not go backwards and lie within 0 … {(_tokenizer.TimestampCount - 1) * WhisperTokenizer.TimePrecisionSeconds:0.##} s."));
    }
}
