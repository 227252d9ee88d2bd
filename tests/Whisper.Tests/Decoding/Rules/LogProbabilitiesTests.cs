using AsrPlatform.Whisper.Decoding.Rules;

namespace AsrPlatform.Whisper.Tests.Decoding.Rules;

public sealed class LogProbabilitiesTests
{
    [Fact]
    public void LogSumExp_VocabularyOfLogits_IsExactToOneMillionth()
    {
        var random = new Random(1);
        var logits = Enumerable.Range(0, 51865).Select(_ => (float)(random.NextDouble() * 40 - 30)).ToArray();
        logits.AsSpan(100, 3000).Fill(float.NegativeInfinity);

        var expected = Math.Log(logits.Sum(logit => Math.Exp(logit)));

        Assert.Equal(expected, LogProbabilities.LogSumExp(logits), 1e-6);
        Assert.Equal(logits[7] - expected, LogProbabilities.OfToken(logits, 7), 1e-6);
    }

    [Fact]
    public void LogSumExp_NothingAllowed_IsNegativeInfinity()
    {
        Assert.Equal(double.NegativeInfinity, LogProbabilities.LogSumExp([]));
        Assert.Equal(double.NegativeInfinity, LogProbabilities.LogSumExp([float.NegativeInfinity, float.NegativeInfinity]));
    }

    [Fact]
    public void LogSoftmax_InPlace_SumsToOneAndKeepsMasks()
    {
        float[] logits = [1, float.NegativeInfinity, 3, -2];

        LogProbabilities.LogSoftmax(logits, logits);

        Assert.Equal(1, logits.Sum(value => Math.Exp(value)), 1e-6);
        Assert.Equal(float.NegativeInfinity, logits[1]);
        Assert.Equal(2, logits[2] - logits[0], 1e-6);
    }

    [Fact]
    public void Sample_ManyDraws_FollowTheTemperedDistribution()
    {
        // Two likely tokens in different blocks of the walk, one unlikely, the rest masked.
        var logits = new float[5000];
        logits.AsSpan().Fill(float.NegativeInfinity);
        (logits[3], logits[2500], logits[4999]) = (1.0f, 1.6f, -1.0f);
        var weights = new[] { 1.0, 1.6, -1.0 }.Select(logit => Math.Exp(logit / 0.5)).ToArray();
        var random = new Random(5);
        const int Draws = 4000;

        var counts = Enumerable.Range(0, Draws).Select(_ => LogProbabilities.Sample(logits, 0.5, random.NextDouble()))
            .CountBy(token => token).ToDictionary();

        Assert.Equal([3, 2500, 4999], counts.Keys.Order());
        Assert.Equal(weights[0] / weights.Sum(), counts[3] / (double)Draws, 0.03);
        Assert.Equal(weights[2] / weights.Sum(), counts[4999] / (double)Draws, 0.01);
        Assert.Equal(3, LogProbabilities.Sample(logits, 0.5, 0));
        Assert.Equal(4999, LogProbabilities.Sample(logits, 0.5, Math.BitDecrement(1.0)));
    }
}
