using AsrPlatform.Host.Learning.Gate;
using AsrPlatform.Host.Learning.Rounds;
using AsrPlatform.Host.Learning.Training;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Tests.Learning.Rounds;

/// <summary>When rounds start and wait, and what a step is made of.</summary>
public sealed class RoundRulesTests
{
    private static readonly DateTimeOffset Noon = new(2030, 1, 2, 12, 0, 0, TimeSpan.FromHours(1));

    [Fact]
    public void PauseRule_LateCaptions_StandStillAtOnceAndGoOnAfterCalm()
    {
        var rule = new PauseRule(TimeSpan.FromSeconds(1), sessions: null);
        Assert.False(rule.Observe(TimeSpan.FromSeconds(1), 9, Noon));
        Assert.True(rule.Observe(TimeSpan.FromSeconds(1.1), 9, Noon));

        // Between the two bounds nothing changes; calm must last.
        Assert.True(rule.Observe(TimeSpan.FromSeconds(0.7), 9, Noon.AddSeconds(10)));
        Assert.True(rule.Observe(TimeSpan.FromSeconds(0.2), 9, Noon.AddSeconds(11)));
        Assert.True(rule.Observe(TimeSpan.FromSeconds(0.6), 9, Noon.AddSeconds(13)));
        Assert.True(rule.Observe(TimeSpan.Zero, 9, Noon.AddSeconds(15)));
        Assert.True(rule.Observe(TimeSpan.Zero, 9, Noon.AddSeconds(17.9)));
        Assert.False(rule.Observe(TimeSpan.Zero, 9, Noon.AddSeconds(18)));
        Assert.False(rule.Observe(TimeSpan.FromSeconds(0.9), 9, Noon.AddSeconds(19)));
    }

    [Fact]
    public void PauseRule_ManySessions_StandStillWhereThatWasAskedFor()
    {
        var rule = new PauseRule(TimeSpan.FromSeconds(1), sessions: 2);
        Assert.False(rule.Observe(TimeSpan.Zero, 1, Noon));
        Assert.True(rule.Observe(TimeSpan.Zero, 2, Noon));
        Assert.True(rule.Observe(TimeSpan.Zero, 1, Noon));
        Assert.False(rule.Observe(TimeSpan.Zero, 1, Noon + PauseRule.Calm));
    }

    [Theory]
    [InlineData(19, 30, null)]
    [InlineData(20, 30, "by count")]
    [InlineData(1, 61, "by age")]
    [InlineData(0, 600, null)]
    public void Triggers_ByCountAndAge_AreDueWhenTheOptionsSay(int ready, int minutes, string? expected) =>
        Assert.Equal(expected, Due(new LearningOptions(), ready, minutes));

    [Fact]
    public void Triggers_BySchedule_AreDueOnceADayWhenAnythingIsNew()
    {
        var options = new LearningOptions { Schedule = ["11:59:55", "03:00"] };
        Assert.Equal("by schedule", Due(options, 1, 5));
        Assert.Null(Due(options, 0, 5));
        Assert.Null(Due(new LearningOptions { Schedule = ["11:59:45", "12:00:01"] }, 1, 5));
        Assert.Equal("by schedule", LearningTriggers.Due(options, Waiting(1, 5), null, Noon.AddHours(-10), Noon.AddHours(-8)));
    }

    [Fact]
    public void Triggers_Off_AreNeverDue() => Assert.Null(Due(new LearningOptions { Automatic = false }, 100, 600));

    [Fact]
    public void Triggers_AfterAFailure_WaitForSomethingNewOrAnHour()
    {
        LearningJob Ended(JobState state, double minutesAgo, double createdMinutesAgo) => new()
        {
            Id = "x",
            State = state,
            Trigger = "by count",
            CreatedAt = Noon.AddMinutes(-createdMinutesAgo),
            EndedAt = Noon.AddMinutes(-minutesAgo),
        };
        Assert.Null(Due(new LearningOptions(), 30, 30, Ended(JobState.Failed, 10, 20)));
        Assert.Equal("by count", Due(new LearningOptions(), 30, 30, Ended(JobState.Done, 10, 20)));
        Assert.Equal("by count", Due(new LearningOptions(), 30, 300, Ended(JobState.Failed, 61, 90)));
        Assert.Null(Due(new LearningOptions(), 30, 300, Ended(JobState.Cancelled, 100, 200)));

        // The newest of them came after that job.
        Assert.Equal("by count", Due(new LearningOptions(), 30, 30, Ended(JobState.Cancelled, 31, 40)));
    }

    /// <summary>As of corrections that are no captions of their audio: nothing was trained, and nothing is until there is more.</summary>
    [Fact]
    public void Triggers_AfterCorrectionsThatWereTurnedDown_WaitForSomethingNew()
    {
        LearningJob TurnedDown(double createdMinutesAgo) => new()
        {
            Id = "x",
            State = JobState.Done,
            Trigger = "by count",
            CreatedAt = Noon.AddMinutes(-createdMinutesAgo),
            EndedAt = Noon.AddMinutes(-createdMinutesAgo),
            Outcome = new JobOutcome(GateVerdict.Rejected, null, "of other captions", 1, default),
        };
        Assert.Null(Due(new LearningOptions(), 30, 300, TurnedDown(299)));
        Assert.Equal("by count", Due(new LearningOptions(), 30, 30, TurnedDown(40)));
    }

    /// <summary>A handful of corrections comes once in a step, however many there is room for.</summary>
    [Fact]
    public void Mix_OfFewCorrections_HasMoreToKeepAndNoneTwiceInAStep()
    {
        var mix = Mix(Learn(5), [.. Enumerable.Range(0, 31).Select(index => $"r{index}")]);
        Assert.All(mix.Chunk(20), step => Assert.Equal(5, step.Where(row => row[0] == 'c').Distinct().Count()));
        Assert.All(mix.Chunk(20), step => Assert.Equal(5, Count(step, 'c')));
        Assert.All(Mix(Learn(2), ["r0"], ratio: 0).Chunk(20), step => Assert.Equal(20, Count(step, 'c')));
    }

    [Fact]
    public void Mix_EveryStep_HasItsShareOfBoth()
    {
        var learn = Learn(14);
        var keep = Enumerable.Range(0, 31).Select(index => $"r{index}").ToArray();
        var mix = Mix(learn, keep);
        Assert.Equal(600, mix.Count);
        Assert.All(mix.Chunk(20), step => Assert.Equal(10, step.Count(row => row[0] == 'c')));

        // Everything comes again and again, and nothing twice before all the rest came once.
        Assert.All(mix.Where(row => row[0] == 'c').GroupBy(row => row), group => Assert.InRange(group.Count(), 21, 22));
        Assert.Equal(31, mix.Where(row => row[0] == 'r').Take(31).Distinct().Count());
        Assert.Equal(mix, Mix(learn, keep));
        Assert.NotEqual(mix, Mix(learn, keep, seed: 4));
    }

    /// <summary>However large the anchor set is: drawn alike, ten earlier corrections of 160 rows more would hardly come.</summary>
    [Theory]
    [InlineData(0, 0)]
    [InlineData(0.5, 150)]
    [InlineData(0.24, 60)]
    [InlineData(2, 600)]
    public void Mix_WithEarlierCorrections_HasThemBesideWhatIsReplayed(double earlierRatio, int expected)
    {
        var earlier = Enumerable.Range(0, 10).Select(index => $"e{index}").ToArray();
        var mix = Mix(Learn(10), [.. Enumerable.Range(0, 160).Select(index => $"r{index}")], earlier, earlierRatio: earlierRatio);
        Assert.Equal((300, expected, 300), (Count(mix, 'c'), Count(mix, 'e'), Count(mix, 'r')));

        // In every step alike, and each of them as often as the others.
        Assert.All(mix.Chunk(20 + (expected / 30)), step => Assert.Equal((10, 10), (Count(step, 'c'), Count(step, 'r'))));
        Assert.All(earlier, one => Assert.Equal(expected / 10, mix.Count(row => row == one)));
    }

    [Fact]
    public void Mix_WithoutAnAnchorSet_ReplaysEarlierCorrectionsAlone()
    {
        var mix = Mix(Learn(10), [], ["e"], steps: 3);
        Assert.Equal((30, 30), (Count(mix, 'c'), Count(mix, 'e')));
    }

    [Theory]
    [InlineData(0.0, 0)]
    [InlineData(0.01, 1)]
    [InlineData(3.0, 15)]
    [InlineData(10.0, 18)]
    [InlineData(1000.0, 19)]
    public void Mix_ByRatio_ReplaysSoManyOfTwenty(double ratio, int replayed) =>
        Assert.Equal(replayed, Count(Mix(Learn(20), ["r"], ratio: ratio, steps: 1), 'r'));

    [Fact]
    public void Mix_WithoutReplay_LearnsAlone() => Assert.All(Mix(["c"], [], steps: 2, batch: 4), row => Assert.Equal("c", row));

    [Theory]
    [InlineData(5, 4)]
    [InlineData(11, 4)]
    [InlineData(12, 2)]
    [InlineData(200, 2)]
    public void Defaults_OfACrossValidation_TrainOftenWhereTheCorrectionsAreFew(int corrections, int folds) =>
        Assert.Equal(folds, LearningDefaults.Folds(corrections));

    [Fact]
    public void Options_OutOfRange_AreToldAllAtOnce()
    {
        var result = new LearningOptions().Validate(null, new LearningOptions { HeldOutShare = 0.6, Start = "again", Schedule = ["noon"], Arguments = ["x"], LearningRate = 0, EarlierRatio = 15, Folds = 1 });
        Assert.Equal(
            [
                "Learning:HeldOutShare is 0.6; it must be 0 … 0.5.",
                "Learning:EarlierRatio is 15; it must be 0 … 10.",
                "Learning:LearningRate is 0; it must be above 0, at most 1.",
                "Learning:Folds is 1; it must be 2 … 20.",
                "Learning:Start is 'again'; it must be active or fresh.",
                "Learning:Schedule holds 'noon'; give times of the day such as 03:00.",
                "Learning:Arguments holds 'x'; give NAME=VALUE, such as weight-decay=0.01.",
            ],
            result.Failures);
        Assert.Equal(ValidateOptionsResult.Success, new LearningOptions().Validate(null, new LearningOptions()));
    }

    [Theory]
    [InlineData(4, 1, 8)]
    [InlineData(10, 1, 20)]
    [InlineData(19, 1, 20)]
    [InlineData(4, 2.5, 14)]
    [InlineData(1, 0, 2)]
    public void Rows_FewCorrections_ReplaysNoMoreThanTheRatio(int corrections, double ratio, int rows) =>
        Assert.Equal(rows, RoundMix.Rows(corrections, ratio, batch: 20));

    [Theory]
    [InlineData(1, 60)]
    [InlineData(20, 60)]
    [InlineData(40, 120)]
    [InlineData(1000, 600)]
    public void Steps_OfARound_GrowWithTheCorrections(int corrections, int steps) => Assert.Equal(steps, LearningDefaults.Steps(corrections));

    [Fact]
    public void ByLength_OfSeveralSteps_OrdersEachForItself()
    {
        long[] rows = [3, 9, 1, 8, 5, 7];
        Assert.Equal([1, 3, 9, 5, 7, 8], RoundMix.ByLength(rows, batch: 3, length => length));
    }

    [Theory]
    [InlineData(20, 4)]
    [InlineData(8, 4)]
    [InlineData(6, 3)]
    [InlineData(25, 5)]
    [InlineData(9, 3)]
    [InlineData(7, 1)]
    [InlineData(2, 2)]
    public void Parts_OfAStep_AreOfEqualSize(int batch, int parts) => Assert.Equal(parts, RoundMix.Parts(batch));

    private static IReadOnlyList<string> Mix(
        string[] learn, string[] anchor, string[]? earlier = null, double ratio = 1, double earlierRatio = 0.5, int steps = 30, int batch = 20, int seed = 3) =>
        RoundMix.Make(
            new RoundMixture<string> { Corrections = learn, Earlier = earlier ?? [], Anchor = anchor, ReplayRatio = ratio, EarlierRatio = earlierRatio, Seed = seed },
            steps,
            batch).Rows;

    private static string[] Learn(int count) => [.. Enumerable.Range(0, count).Select(index => $"c{index}")];

    private static int Count(IEnumerable<string> rows, char kind) => rows.Count(row => row[0] == kind);

    private static WaitingCorrections Waiting(int ready, double minutes) =>
        ready == 0 ? new WaitingCorrections(0, null, null) : new WaitingCorrections(ready, Noon.AddMinutes(-minutes), Noon.AddMinutes(-minutes));

    private static string? Due(LearningOptions options, int ready, double minutes, LearningJob? last = null) =>
        LearningTriggers.Due(options, Waiting(ready, minutes), last, Noon.AddSeconds(-10), Noon);
}
