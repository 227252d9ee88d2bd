using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Decoding;

namespace AsrPlatform.Whisper.Decoding.Scoring;

/// <summary>A text to score against audio.</summary>
/// <param name="Samples">The audio at the model's rate, −1…1, no longer than the model hears at once. Requests that give the same memory share its encoding.</param>
/// <param name="Text">The text; empty: that nothing is said.</param>
/// <param name="Language">Code of its language; null: the one that the model detects. Ignored where the model knows just one.</param>
/// <param name="Adapter">The model's number for an adapter that is resident on it.</param>
/// <param name="Task">Whether the text transcribes the audio or translates it.</param>
public sealed record ScoreRequest(
    ReadOnlyMemory<float> Samples,
    string Text,
    string? Language,
    int Adapter = IMultiAdapterModel.NoAdapter,
    TranscriptionTask Task = TranscriptionTask.Transcribe);

/// <summary>How likely a text is.</summary>
/// <param name="LogProbability">Natural logarithm of the probability of the text's tokens and of the end behind them, 0 or less.</param>
/// <param name="Tokens">Those tokens, the end included: at least 1.</param>
/// <param name="Words">The text's words in order: as divided by spaces, or as its language divides them.</param>
public sealed record TextScore(double LogProbability, int Tokens, IReadOnlyList<WordScore> Words)
{
    /// <summary>The part of the end: what <see cref="LogProbability"/> is beyond the words'.</summary>
    public double EndLogProbability => LogProbability - Words.Sum(word => word.LogProbability);

    /// <summary>Natural logarithm per token.</summary>
    public double AverageLogProbability => LogProbability / Tokens;
}

/// <summary>How likely a word is behind those before it.</summary>
/// <param name="Word">The word with the punctuation attached to it, without spaces around.</param>
/// <param name="LogProbability">Natural logarithm, the sum over its tokens.</param>
/// <param name="Tokens">Its tokens, at least 1.</param>
public sealed record WordScore(string Word, double LogProbability, int Tokens);
