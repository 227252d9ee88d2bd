namespace AsrPlatform.Host.Learning.Rounds;

/// <summary>Decides when a host starts a round by itself. Pure.</summary>
internal static class LearningTriggers
{
    /// <summary>What failed is tried again after this time, or as soon as there is a new correction.</summary>
    public static readonly TimeSpan Retry = TimeSpan.FromHours(1);

    /// <summary>Why a round is due; null when none is.</summary>
    /// <param name="options">When rounds are due.</param>
    /// <param name="waiting">What no round has tried.</param>
    /// <param name="last">The newest job that has ended; null when there is none.</param>
    /// <param name="before">When it was looked the last time, on the machine's clock.</param>
    /// <param name="now">The time, on the machine's clock.</param>
    public static string? Due(LearningOptions options, WaitingCorrections waiting, LearningJob? last, DateTimeOffset before, DateTimeOffset now)
    {
        if (!options.Automatic || waiting.Ready == 0)
        {
            return null;
        }

        // What was tried as it is: what people cancelled and what was turned down untrained stays so until there is more, what failed is tried again.
        var wasTried = last switch
        {
            { State: JobState.Cancelled } or { State: JobState.Done, Outcome.Adapter: null } => true,
            { State: JobState.Failed, EndedAt: { } ended } => now - ended < Retry,
            _ => false,
        };
        if (wasTried && waiting.Newest <= last!.CreatedAt)
        {
            return null;
        }

        return waiting.Ready >= options.MinimumCorrections ? JobTrigger.ByCount
            : now - waiting.Oldest >= options.MaximumAge ? JobTrigger.ByAge
            : options.Times().Any(time => IsBetween(time, before, now)) ? JobTrigger.BySchedule
            : null;
    }

    private static bool IsBetween(TimeOnly time, DateTimeOffset before, DateTimeOffset now)
    {
        var today = new DateTimeOffset(now.Date + time.ToTimeSpan(), now.Offset);
        return (today > before && today <= now) || (today.AddDays(-1) > before && today.AddDays(-1) <= now);
    }
}
