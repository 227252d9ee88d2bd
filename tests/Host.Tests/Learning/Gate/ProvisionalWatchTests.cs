using AsrPlatform.Host.Learning.Gate;

namespace AsrPlatform.Host.Tests.Learning.Gate;

public sealed class ProvisionalWatchTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(20, 2000, 0, 100, "Watch")]
    [InlineData(20, 2000, 1, 100, "Watch")]
    [InlineData(20, 2000, 8, 100, "RollBack")]
    [InlineData(20, 2000, 20, 900, "RollBack")]
    [InlineData(20, 2000, 1, 900, "Confirm")]
    [InlineData(20, 2000, 0, 150, "Watch")]
    [InlineData(0, 0, 50, 500, "Watch")]
    [InlineData(0, 0, 50, 10_000, "Confirm")]
    [InlineData(0, 3000, 6, 300, "RollBack")]
    [InlineData(10, 1000, 0, 0, "Watch")]
    public void Decide_Counts_AreJudged(long correctionsBefore, long wordsBefore, long corrections, long words, string expected)
    {
        var decision = ProvisionalWatch.Decide(new WatchCounts(correctionsBefore, wordsBefore), new WatchCounts(corrections, words));
        Assert.Equal(expected, decision.Verdict.ToString());
        Assert.Contains($"({corrections} in {words})", decision.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Decide_NegativeCounts_AreRefused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => ProvisionalWatch.Decide(new WatchCounts(-1, 5), default));

    /// <summary>Asked after every caption: a version that changes nothing is rolled back once in ten times at most, one that doubles the rate mostly.</summary>
    [Theory]
    [InlineData(1.0, 0.0, 0.1)]
    [InlineData(2.5, 0.8, 1.0)]
    [InlineData(0.5, 0.0, 0.03)]
    public void Decide_AskedAfterEveryCaption_KeepsItsErrorRate(double factor, double atLeast, double atMost)
    {
        const int Trials = 800;
        var random = new Random(3);
        var (rolledBack, words) = (0, 0L);
        for (var trial = 0; trial < Trials; trial++)
        {
            // A tenth of the captions, of ten words, were corrected before: 300 of them.
            var rate = 0.1;
            var before = new WatchCounts(Enumerable.Range(0, 300).Count(_ => random.NextDouble() < rate), 3000);
            var after = default(WatchCounts);
            var decision = ProvisionalWatch.Decide(before, after);
            while (decision.Verdict == WatchVerdict.Watch)
            {
                after = new WatchCounts(after.Corrections + (random.NextDouble() < rate * factor ? 1 : 0), after.Words + 10);
                decision = ProvisionalWatch.Decide(before, after);
            }

            rolledBack += decision.Verdict == WatchVerdict.RollBack ? 1 : 0;
            words += after.Words;
        }

        output.WriteLine($"rate × {factor}: {rolledBack / (double)Trials:P1} rolled back, after {words / Trials} words on average");
        Assert.InRange(rolledBack / (double)Trials, atLeast, atMost);
    }
}
