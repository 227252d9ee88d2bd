namespace AsrPlatform.Host.Learning.Gate;

/// <summary>Captions and what was corrected in them.</summary>
/// <param name="Corrections">Captions that were corrected.</param>
/// <param name="Words">Words captioned, corrected or not.</param>
internal readonly record struct WatchCounts(long Corrections, long Words)
{
    /// <summary>Corrections in a thousand words.</summary>
    public double PerThousand => 1000.0 * Corrections / Math.Max(Words, 1);
}

/// <summary>What becomes of a provisional promotion.</summary>
internal enum WatchVerdict
{
    /// <summary>Nothing can be told yet.</summary>
    Watch,

    /// <summary>It stays, and is provisional no more.</summary>
    Confirm,

    /// <summary>It goes.</summary>
    RollBack,
}

/// <summary>What was decided.</summary>
/// <param name="Verdict">What becomes of it.</param>
/// <param name="Reason">Why, for people.</param>
/// <param name="Evidence">How many times likelier the counts are if the rate has risen by <see cref="WatchSettings.Rise"/> than if it stayed.</param>
internal sealed record WatchDecision(WatchVerdict Verdict, string Reason, double Evidence);

/// <summary>How a provisional promotion is watched.</summary>
internal sealed record WatchSettings
{
    /// <summary>The rise of the rate that is looked for, as a factor above 1.</summary>
    public double Rise { get; init; } = 1.75;

    /// <summary>The evidence that rolls back: a version that changes nothing reaches it at most once in so many promotions, however often it is asked.</summary>
    public double RollBackAt { get; init; } = 10;

    /// <summary>The evidence to the contrary that confirms.</summary>
    public double ConfirmAt { get; init; } = 10;

    /// <summary>Words before which nothing is confirmed.</summary>
    public long MinimumWords { get; init; } = 200;

    /// <summary>Words after which it is confirmed unless rolled back.</summary>
    public long MaximumWords { get; init; } = 10_000;
}

/// <summary>Decides on a provisional promotion by how often people correct captions after it. Pure; safe for concurrent calls.</summary>
/// <remarks>
/// A sequential test. Corrections are taken as events at a rate per word; what is known of the rate before the promotion is a gamma
/// distribution. The evidence is how likely the counts since then are if the rate has risen by a factor, over how likely they are if it
/// stayed. Where it stayed, this ratio is a martingale: the chance that it ever exceeds 10 is at most 1/10, so that it may be asked after
/// every caption. Without any words before, the rate has nothing to be compared with, and only the number of words confirms.
/// </remarks>
internal static class ProvisionalWatch
{
    /// <summary>Decides.</summary>
    /// <param name="before">Captions of the version before, the newest such as of the last days.</param>
    /// <param name="after">Captions of the provisional version.</param>
    /// <param name="settings">How; null for the defaults.</param>
    public static WatchDecision Decide(WatchCounts before, WatchCounts after, WatchSettings? settings = null)
    {
        settings ??= new WatchSettings();
        ArgumentOutOfRangeException.ThrowIfNegative(before.Corrections, nameof(before));
        ArgumentOutOfRangeException.ThrowIfNegative(before.Words, nameof(before));
        ArgumentOutOfRangeException.ThrowIfNegative(after.Corrections, nameof(after));
        ArgumentOutOfRangeException.ThrowIfNegative(after.Words, nameof(after));

        // Gamma with shape corrections + ½ and rate words; both likelihoods are then negative binomial.
        var evidence = before.Words == 0 || after.Words == 0 ? 1 : Math.Exp(
            (after.Corrections * Math.Log(settings.Rise))
            - ((before.Corrections + 0.5 + after.Corrections)
                * (Math.Log(before.Words + (settings.Rise * after.Words)) - Math.Log(before.Words + (double)after.Words))));
        var rates = FormattableString.Invariant(
            $"{before.PerThousand:0.0} corrected captions in 1,000 words before the promotion ({before.Corrections} in {before.Words}), {after.PerThousand:0.0} after it ({after.Corrections} in {after.Words})");
        if (evidence >= settings.RollBackAt && after.PerThousand > before.PerThousand)
        {
            return new WatchDecision(WatchVerdict.RollBack, $"people correct more since: {rates}", evidence);
        }

        if (after.Words >= settings.MinimumWords && evidence <= 1 / settings.ConfirmAt)
        {
            return new WatchDecision(WatchVerdict.Confirm, $"people do not correct more since: {rates}", evidence);
        }

        return after.Words >= settings.MaximumWords
            ? new WatchDecision(WatchVerdict.Confirm, $"nothing spoke against it: {rates}", evidence)
            : new WatchDecision(WatchVerdict.Watch, $"not sure yet: {rates}", evidence);
    }
}
