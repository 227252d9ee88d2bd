using AsrPlatform.Host.Learning.Gate;

namespace AsrPlatform.Host.Tests.Learning.Gate;

/// <summary>The decision rule on simulated outcomes: what it lets pass by mistake, and what it sees.</summary>
public sealed class PairedTestTests(ITestOutputHelper output)
{
    private const double Level = 0.95;
    private const int Trials = 1500;

    [Fact]
    public void Compare_EqualVersions_FindsNothing()
    {
        var result = PairedTest.Compare([.. Enumerable.Range(0, 12).Select(i => new PairedCost(i % 3, i % 3, 10))], Level, 500, 1);
        Assert.Equal((0, 0, 0, 1.0), (result.Difference, result.Low, result.High, result.PValue));
        Assert.Equal((12, 120L, 0.1, 0.0), (result.Utterances, result.Words, result.Before, result.Relative));
        Assert.False(result.Improves(Level));
    }

    [Fact]
    public void Compare_AllUtterancesBetter_IsSure()
    {
        var result = PairedTest.Compare([.. Enumerable.Range(0, 12).Select(i => new PairedCost(4, i % 2, 8))], Level, 2000, 1);
        Assert.Equal(0.5, result.Before);
        Assert.Equal(0.0625, result.After);
        Assert.Equal(1 / 4096.0, result.PValue);
        Assert.InRange(result.High, result.Difference, -0.3);
        Assert.InRange(result.Low, -0.6, result.Difference);
        Assert.True(result.Improves(Level));
    }

    [Fact]
    public void Compare_ThreeOfTwelveBetter_IsNotEnough()
    {
        // Chance alone favours the same side three times in a row once in eight times.
        var result = PairedTest.Compare([.. Enumerable.Range(0, 12).Select(i => new PairedCost(2, i < 3 ? 1 : 2, 8))], Level, 4000, 1);
        Assert.Equal(1 / 8.0, result.PValue);
        Assert.False(result.Improves(Level));
        Assert.True(PairedTest.Compare([.. Enumerable.Range(0, 12).Select(i => new PairedCost(2, i < 6 ? 1 : 2, 8))], Level, 4000, 1).Improves(Level));
    }

    [Fact]
    public void Compare_TheSameSeed_GivesTheSame()
    {
        var random = new Random(5);
        PairedCost[] costs = [.. Enumerable.Range(0, 30).Select(_ => new PairedCost(random.Next(4), random.Next(4), 8))];
        Assert.Equal(PairedTest.Compare(costs, Level, 1000, 3), PairedTest.Compare(costs, Level, 1000, 3));
        Assert.NotEqual(PairedTest.Compare(costs, Level, 1000, 3), PairedTest.Compare(costs, Level, 1000, 4));
    }

    [Theory]
    [InlineData(0.95, 5, 2.1318)]
    [InlineData(0.95, 20, 1.7291)]
    [InlineData(0.975, 10, 2.2622)]
    public void Widened_OfFewUtterances_IsStudents(double level, int utterances, double quantile)
    {
        var expected = PairedTest.NormalShare(quantile * Math.Sqrt(utterances / (utterances - 1.0)));
        Assert.Equal(expected, PairedTest.Widened(level, utterances), 3e-4);
        Assert.Equal(1.959964, PairedTest.NormalQuantile(0.975), 1e-6);
        Assert.Equal(1, PairedTest.Widened(level, 1));
    }

    /// <summary>Useless candidates: each utterance's errors come from the same distribution before and after.</summary>
    [Theory]
    [InlineData(10, 0.1)]
    [InlineData(12, 0.45)]
    [InlineData(20, 0.3)]
    [InlineData(50, 0.1)]
    public void Improves_AUselessCandidateByWordErrors_PassesAtMostOnceInTwenty(int utterances, double errorRate)
    {
        var passed = Share(random => [.. Enumerable.Range(0, utterances).Select(_ =>
        {
            // Versions of one model mostly err alike: half of the words are heard by both in the same way.
            var words = random.Next(4, 13);
            var (before, after) = (0, 0);
            for (var word = 0; word < words; word++)
            {
                var first = random.NextDouble() < errorRate ? 1 : 0;
                var second = random.Next(2) == 0 ? first : random.NextDouble() < errorRate ? 1 : 0;
                (before, after) = (before + first, after + second);
            }

            return new PairedCost(before, after, words);
        })]);
        output.WriteLine($"{utterances} utterances, WER {errorRate}: {passed:P1} of useless candidates pass");
        Assert.InRange(passed, 0, 0.05 + Noise(0.05));
    }

    /// <summary>
    /// Useless candidates by likelihood: gains around 0, of several shapes. Where most corrections gain a little and a few lose much (a very
    /// skewed shape), a few corrections cannot show it, and a few more pass.
    /// </summary>
    [Theory]
    [InlineData(5, "normal", 0.05)]
    [InlineData(10, "normal", 0.05)]
    [InlineData(20, "normal", 0.05)]
    [InlineData(10, "heavy", 0.05)]
    [InlineData(20, "heavy", 0.05)]
    [InlineData(5, "skewed", 0.11)]
    [InlineData(10, "skewed", 0.08)]
    [InlineData(20, "skewed", 0.07)]
    public void Improves_AUselessCandidateByLikelihood_RarelyPasses(int corrections, string shape, double atMost)
    {
        var passed = Share(random => [.. Enumerable.Range(0, corrections).Select(_ => Cost(random, 0, shape))], byLikelihood: true);
        output.WriteLine($"{corrections} corrections, {shape}: {passed:P1} of useless candidates pass");
        Assert.InRange(passed, 0, atMost + Noise(atMost));
    }

    /// <summary>What is seen: candidates that take half of the errors away, and such that gain half a nat per word.</summary>
    [Theory]
    [InlineData("errors", 10, 0.75)]
    [InlineData("errors", 20, 0.95)]
    [InlineData("nats", 5, 0.2)]
    [InlineData("nats", 10, 0.6)]
    [InlineData("nats", 20, 0.9)]
    public void Improves_AUsefulCandidate_Passes(string measure, int utterances, double atLeast)
    {
        var passed = Share(random => [.. Enumerable.Range(0, utterances).Select(_ =>
        {
            if (measure == "nats")
            {
                return Cost(random, 0.5, "normal");
            }

            var words = random.Next(4, 13);
            var (before, after) = (0, 0);
            for (var word = 0; word < words; word++)
            {
                // 40 % of the words are wrong; half of those are learned, and 2 % of the others are lost.
                var wrong = random.NextDouble() < 0.4;
                before += wrong ? 1 : 0;
                after += random.NextDouble() < (wrong ? 0.5 : 0.02) ? 1 : 0;
            }

            return new PairedCost(before, after, words);
        })], byLikelihood: measure == "nats");
        output.WriteLine($"{utterances} utterances, {measure}: {passed:P1} of useful candidates pass");
        Assert.InRange(passed, atLeast, 1);
    }

    /// <summary>Candidates that gain a little everywhere: the tests are sure of them, and the least gain decides.</summary>
    [Theory]
    [InlineData(0.005, 0, 0)]
    [InlineData(0.04, 0.99, 1)]
    public void Gains_ASureGain_CountsWhenItIsEnough(double gainPerWord, double atLeast, double atMost)
    {
        PairedCost[] Draw(Random random) => [.. Enumerable.Range(0, 20).Select(_ => new PairedCost(30, 30 - (random.Next(4, 13) * gainPerWord * (0.5 + random.NextDouble())), 8))];
        Assert.InRange(Share(Draw, byLikelihood: true), atLeast, atMost);
        Assert.Equal(1, Share(Draw));
    }

    /// <summary>The rule for harm: 60 anchor utterances of 7 words.</summary>
    [Theory]
    [InlineData(0.00, 0.0, 0.15)]
    [InlineData(0.15, 0.7, 1.0)]
    public void Harms_OnAnAnchorSet_IsMostlyRight(double forgotten, double atLeast, double atMost)
    {
        var random = new Random(11);
        var rejected = 0;
        for (var trial = 0; trial < Trials; trial++)
        {
            PairedCost[] costs = [.. Enumerable.Range(0, 60).Select(_ =>
            {
                var (before, after) = (0, 0);
                for (var word = 0; word < 7; word++)
                {
                    var first = random.NextDouble() < 0.35;

                    // One word in ten comes out by chance; of the others that were right, a share is forgotten.
                    var second = random.Next(10) == 0 ? random.NextDouble() < 0.35 : first || random.NextDouble() < forgotten * 0.35 / 0.65;
                    (before, after) = (before + (first ? 1 : 0), after + (second ? 1 : 0));
                }

                return new PairedCost(before, after, 7);
            })];
            rejected += AdapterGate.Harms(PairedTest.Compare(costs, 0.9, 300, trial), 0.02) ? 1 : 0;
        }

        output.WriteLine($"{forgotten:P0} relative: {rejected / (double)Trials:P1} rejected");
        Assert.InRange(rejected / (double)Trials, atLeast, atMost);
    }

    private static PairedCost Cost(Random random, double gainPerWord, string shape)
    {
        var words = random.Next(4, 13);
        var noise = shape switch
        {
            // Nearly normal, an exponential's power on both sides, and an exponential shifted to mean 0.
            "normal" => Enumerable.Range(0, 12).Sum(_ => random.NextDouble()) - 6,
            "heavy" => (random.Next(2) == 0 ? 1 : -1) * Math.Pow(-Math.Log(1 - random.NextDouble()), 1.5),
            _ => -Math.Log(1 - random.NextDouble()) - 1,
        };
        return new PairedCost(30, 30 - (words * gainPerWord) + (noise * 0.6 * words), words);
    }

    private static double Noise(double share) => 3 * Math.Sqrt(share * (1 - share) / Trials);

    private static double Share(Func<Random, PairedCost[]> draw, bool byLikelihood = false)
    {
        var settings = new GateSettings { Level = Level };
        var random = new Random(7);
        var passed = 0;
        for (var trial = 0; trial < Trials; trial++)
        {
            var result = PairedTest.Compare(draw(random), Level, 300, trial);
            passed += (byLikelihood ? AdapterGate.Gains(result, settings) : result.Improves(Level)) ? 1 : 0;
        }

        return passed / (double)Trials;
    }
}
