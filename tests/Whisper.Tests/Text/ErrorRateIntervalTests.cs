using AsrPlatform.Whisper.Text;

namespace AsrPlatform.Whisper.Tests.Text;

public sealed class ErrorRateIntervalTests
{
    [Fact]
    public void Bootstrap_ManyUtterances_IsTheNormalInterval()
    {
        // 400 utterances of 10 words, half of them with 2 errors: WER 0.1, standard error 0.1 / sqrt(400) = 0.005.
        var (word, character) = ErrorRateInterval.Bootstrap([.. Enumerable.Range(0, 400).Select(index => Utterance(index % 2 == 0 ? 2 : 0))], seed: 1);
        Assert.Equal(0.1 - (1.96 * 0.005), word.Low, 0.0015);
        Assert.Equal(0.1 + (1.96 * 0.005), word.High, 0.0015);
        Assert.Equal(word.Low / 2, character.Low, 0.001);
    }

    [Fact]
    public void Bootstrap_SameSeed_GivesTheSame()
    {
        ErrorCounts[] utterances = [.. Enumerable.Range(0, 30).Select(index => Utterance(index % 4))];
        Assert.Equal(ErrorRateInterval.Bootstrap(utterances, 7), ErrorRateInterval.Bootstrap(utterances, 7));

        // The rates are multiples of 1/300, so that two seeds may agree; of few resamplings by ten seeds not all do.
        Assert.True(Enumerable.Range(0, 10).Select(seed => ErrorRateInterval.Bootstrap(utterances, seed, resamples: 20)).Distinct().Count() > 1);
    }

    [Fact]
    public void Bootstrap_OneUtterance_IsItsRate()
    {
        var (word, _) = ErrorRateInterval.Bootstrap([Utterance(3)], 0);
        Assert.Equal(new ErrorRateInterval(0.3, 0.3), word);
    }

    private static ErrorCounts Utterance(int errors) =>
        new() { Hits = 10 - errors, Substitutions = errors, CharacterErrors = errors, ReferenceCharacters = 20 };
}
