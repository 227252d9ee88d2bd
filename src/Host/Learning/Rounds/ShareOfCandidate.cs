using System.Globalization;
using AsrPlatform.Host.Learning.Gate;
using AsrPlatform.Host.Learning.Training;

namespace AsrPlatform.Host.Learning.Rounds;

/// <summary>Finds how much of what was trained may be promoted: all of it, or, where that harms other speech, the largest share that does not.</summary>
internal static class ShareOfCandidate
{
    /// <summary>Asks the gate about the candidate, and about smaller shares of it for as long as the gate objects to harm.</summary>
    /// <param name="judge">Asks about a share, 1 first; null where a share of this candidate cannot be made.</param>
    /// <returns>The first decision for a promotion and the share that it is about; else the decision about all of it, and 1.</returns>
    public static (GateDecision Decision, double Share) Decide(Func<double, GateDecision?> judge)
    {
        var whole = judge(1) ?? throw new InvalidOperationException("the candidate itself can always be judged");
        if (!whole.IsHarm)
        {
            return (whole, 1);
        }

        foreach (var share in LearningDefaults.Shares)
        {
            if (judge(share) is not { } decision)
            {
                break;
            }

            if (decision.Verdict != GateVerdict.Rejected)
            {
                var reason = string.Create(CultureInfo.InvariantCulture, $"{decision.Reason}; that is with {100 * share:0} % of what was trained, since with all of it {whole.Reason}");
                return (decision with { Reason = reason, Metrics = decision.Metrics with { Share = share } }, share);
            }

            // Less of it would do less harm, but nothing else better.
            if (!decision.IsHarm)
            {
                break;
            }
        }

        return (whole, 1);
    }
}
