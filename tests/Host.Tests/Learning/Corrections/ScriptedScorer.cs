using AsrPlatform.Host.Learning.Corrections;
using AsrPlatform.Whisper.Decoding.Scoring;

namespace AsrPlatform.Host.Tests.Learning.Corrections;

/// <summary>Gives words the log-probability that a test says; a word is two tokens, the end is one and certain. Words of the first text in another order are less likely by 4.</summary>
internal sealed class ScriptedScorer(Func<string, double> ofWord) : ICorrectionScorer
{
    public IReadOnlyList<TextScore> Score(ReadOnlyMemory<float> samples, string? language, IReadOnlyList<string> texts, CancellationToken cancellationToken)
    {
        var asked = Words(texts[0]);
        return
        [
            .. texts.Select(text =>
            {
                var words = Words(text);
                var isShuffled = text != texts[0] && words.Order(StringComparer.Ordinal).SequenceEqual(asked.Order(StringComparer.Ordinal));
                WordScore[] scores = [.. words.Select(word => new WordScore(word, ofWord(word) - (isShuffled ? 4 : 0), 2))];
                return new TextScore(scores.Sum(score => score.LogProbability), 1 + (2 * scores.Length), scores);
            }),
        ];
    }

    private static string[] Words(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
}
