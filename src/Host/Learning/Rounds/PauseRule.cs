namespace AsrPlatform.Host.Learning.Rounds;

/// <summary>Decides when a round waits for captions: at once when they are late, on again only after they have been on time for a while.</summary>
/// <param name="lag">Captions later than this are late.</param>
/// <param name="sessions">So many sessions are load enough to wait; null: never for that reason.</param>
internal sealed class PauseRule(TimeSpan lag, int? sessions)
{
    /// <summary>Time without load before a round goes on.</summary>
    public static readonly TimeSpan Calm = TimeSpan.FromSeconds(3);

    private DateTimeOffset? _calmSince;

    /// <summary>Whether the round waits now.</summary>
    public bool IsPaused { get; private set; }

    /// <summary>Takes note of the load.</summary>
    /// <param name="worst">By how much the latest captions are late.</param>
    /// <param name="active">Sessions that take audio.</param>
    /// <param name="now">The time.</param>
    /// <returns><see cref="IsPaused"/> from now on.</returns>
    public bool Observe(TimeSpan worst, int active, DateTimeOffset now)
    {
        var tooMany = sessions is { } limit && active >= limit;
        if (!IsPaused)
        {
            IsPaused = worst > lag || tooMany;
            _calmSince = null;
        }
        else if (worst > lag / 2 || tooMany)
        {
            _calmSince = null;
        }
        else if (now - (_calmSince ??= now) >= Calm)
        {
            IsPaused = false;
        }

        return IsPaused;
    }
}
