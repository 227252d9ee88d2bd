namespace AsrPlatform.Host.Cli.Soak;

/// <summary>Memory of this process at a moment of a <see cref="SoakRun"/>.</summary>
/// <param name="Seconds">Since its start.</param>
/// <param name="WorkingSetMiB">Memory of the process that is in use.</param>
/// <param name="ManagedMiB">Live objects, after a collection.</param>
/// <param name="NativeMiB">What native code has allocated; null where it cannot be told.</param>
/// <param name="Sessions">Sessions that run.</param>
/// <param name="Viewers">Viewers connected.</param>
internal sealed record MemorySample(double Seconds, double WorkingSetMiB, double ManagedMiB, double? NativeMiB, int Sessions, int Viewers);

/// <summary>Whether memory grew, by the trend of its samples.</summary>
/// <remarks>
/// The trend is the median of the slopes between all pairs of samples (Theil 1950, Sen 1968): neither a burst of sessions nor a late collection
/// moves it.
/// </remarks>
/// <param name="MiBPerHour">The trend.</param>
/// <param name="GrowthMiB">The trend over the time that was looked at.</param>
/// <param name="AllowedMiB">What that may be.</param>
internal sealed record MemoryTrend(double MiBPerHour, double GrowthMiB, double AllowedMiB)
{
    /// <summary>The share of a run that is not looked at: code is compiled, buffers and caches grow to what is needed.</summary>
    private const double WarmUp = 1 / 3.0;

    /// <summary>Fewest samples that tell a trend.</summary>
    private const int FewestSamples = 5;

    /// <summary>Whether it is flat, as far as can be told.</summary>
    public bool IsFlat => GrowthMiB <= AllowedMiB;

    /// <summary>The trend of a run after its first third.</summary>
    /// <param name="samples">The samples, in order.</param>
    /// <param name="value">What is looked at, in MiB.</param>
    /// <param name="perHour">Growth of so many MiB an hour is none.</param>
    /// <param name="noise">So much more is noise, however short the run.</param>
    /// <exception cref="ArgumentException">There are too few samples.</exception>
    public static MemoryTrend Of(IReadOnlyList<MemorySample> samples, Func<MemorySample, double> value, double perHour, double noise)
    {
        var warm = samples.Where(sample => sample.Seconds >= WarmUp * samples[^1].Seconds).ToArray();
        if (warm.Length < FewestSamples)
        {
            throw new ArgumentException($"{warm.Length} samples after the warm-up are too few.", nameof(samples));
        }

        var slopes = new List<double>(warm.Length * (warm.Length - 1) / 2);
        for (var i = 0; i < warm.Length; i++)
        {
            for (var j = 0; j < i; j++)
            {
                slopes.Add((value(warm[i]) - value(warm[j])) / (warm[i].Seconds - warm[j].Seconds));
            }
        }

        slopes.Sort();
        var slope = (slopes[slopes.Count / 2] + slopes[(slopes.Count - 1) / 2]) / 2;
        var seconds = warm[^1].Seconds - warm[0].Seconds;
        return new MemoryTrend(
            Math.Round(slope * 3600, 2),
            Math.Round(slope * seconds, 2),
            Math.Round((perHour * seconds / 3600) + noise, 2));
    }
}
