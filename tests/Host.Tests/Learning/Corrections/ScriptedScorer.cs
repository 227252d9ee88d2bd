using AsrPlatform.Host.Learning.Corrections;

namespace AsrPlatform.Host.Tests.Learning.Corrections;

/// <summary>Gives texts the log-probability per token that a test says; a token a word, and the end. Words in another order are less likely by 2.</summary>
internal sealed class ScriptedScorer(Func<string, double> perToken) : ICorrectionScorer
{
    private string _asked = "";

    public IReadOnlyList<(double LogProbability, int Tokens)> Score(ReadOnlyMemory<float> samples, string? language, IReadOnlyList<string> texts, CancellationToken cancellationToken)
    {
        _asked = texts[0];
        return
        [
            .. texts.Select(text =>
            {
                var tokens = text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length + 1;
                var isShuffled = text != _asked && text.Split(' ').Order(StringComparer.Ordinal).SequenceEqual(_asked.Split(' ').Order(StringComparer.Ordinal));
                return (tokens * (perToken(isShuffled ? _asked : text) - (isShuffled ? 2 : 0)), tokens);
            }),
        ];
    }
}
