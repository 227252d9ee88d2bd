using AsrPlatform.Host.Learning.Gate;
using AsrPlatform.Host.Learning.Rounds;

namespace AsrPlatform.Host.Tests.Learning.Rounds;

/// <summary>A candidate that harms other speech is promoted in part, or not at all.</summary>
public sealed class ShareOfCandidateTests
{
    private static readonly GateDecision Good = new(GateVerdict.Provisional, "promising", new GateMetrics());
    private static readonly GateDecision Harmful = new(GateVerdict.Rejected, "it forgets", new GateMetrics()) { IsHarm = true };
    private static readonly GateDecision Useless = new(GateVerdict.Rejected, "not surely better", new GateMetrics());

    private readonly List<double> _asked = [];

    [Fact]
    public void Decide_WhereAllOfItIsGood_AsksOnce() => AssertDecides([Good], Good, 1);

    [Fact]
    public void Decide_WhereItIsUseless_AsksOnce() => AssertDecides([Useless], Useless, 1);

    [Fact]
    public void Decide_WhereAllOfItIsHarmful_TakesTheLargestShareThatIsGood()
    {
        AssertDecides([Harmful, Good], Good with { Reason = "promising; that is with 75 % of what was trained, since with all of it it forgets", Metrics = new GateMetrics { Share = 0.75 } }, 0.75);
        AssertDecides([Harmful, Harmful, Good], Good with { Reason = "promising; that is with 50 % of what was trained, since with all of it it forgets", Metrics = new GateMetrics { Share = 0.5 } }, 0.5);
    }

    [Fact]
    public void Decide_WhereEveryShareIsHarmful_IsAboutAllOfIt() => AssertDecides([Harmful, Harmful, Harmful], Harmful, 1);

    [Fact]
    public void Decide_WhereLessIsUseless_AsksAboutNoLess() => AssertDecides([Harmful, Useless], Harmful, 1);

    [Fact]
    public void Decide_WhereNoShareCanBeMade_IsAboutAllOfIt() => AssertDecides([Harmful, null], Harmful, 1);

    private void AssertDecides(GateDecision?[] answers, GateDecision expected, double share)
    {
        _asked.Clear();
        Assert.Equal((expected, share), ShareOfCandidate.Decide(asked =>
        {
            _asked.Add(asked);
            return answers[_asked.Count - 1];
        }));
        Assert.Equal(new[] { 1, 0.75, 0.5 }[..answers.Length], _asked);
    }
}
