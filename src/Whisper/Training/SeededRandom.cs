namespace AsrPlatform.Whisper.Training;

/// <summary>
/// Random numbers that a seed and a position in the run decide, the same on every machine and version: what is drawn at a step does not
/// depend on what was drawn before, so that a resumed run needs no stored state. SplitMix64 (Steele, Lea and Flood 2014).
/// </summary>
/// <remarks>Not safe for concurrent calls.</remarks>
public sealed class SeededRandom
{
    private ulong _state;

    private SeededRandom(ulong state) => _state = state;

    /// <summary>The stream for a seed, a purpose and positions (epoch, step, row…).</summary>
    /// <param name="seed">The run's seed.</param>
    /// <param name="purpose">Keeps the streams of different uses apart.</param>
    /// <param name="position">Where in the run; any number of values.</param>
    public static SeededRandom Of(int seed, string purpose, params ReadOnlySpan<long> position)
    {
        ArgumentNullException.ThrowIfNull(purpose);
        var state = Mix(unchecked((ulong)seed + 0x9E3779B97F4A7C15));
        foreach (var character in purpose)
        {
            state = Mix(state ^ character);
        }

        foreach (var value in position)
        {
            state = Mix(unchecked(state + 0x9E3779B97F4A7C15) ^ (ulong)value);
        }

        return new SeededRandom(state);
    }

    /// <summary>64 random bits.</summary>
    public ulong NextUInt64() => Mix(_state = unchecked(_state + 0x9E3779B97F4A7C15));

    /// <summary>A number of [0, 1) with 53 random bits.</summary>
    public double NextDouble() => (NextUInt64() >> 11) * (1.0 / (1UL << 53));

    /// <summary>A whole number from 0 to below <paramref name="limit"/>, without bias.</summary>
    public int Next(int limit)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(limit);

        // Values from the incomplete last interval are drawn again.
        var excess = (ulong.MaxValue % (ulong)limit) + 1;
        ulong value;
        do
        {
            value = NextUInt64();
        }
        while (excess != (ulong)limit && value > ulong.MaxValue - excess);

        return (int)(value % (ulong)limit);
    }

    /// <summary>A random order of 0…<paramref name="count"/> − 1.</summary>
    public int[] Permutation(int count)
    {
        var order = new int[count];
        for (var index = 0; index < count; index++)
        {
            // Inside-out Fisher-Yates.
            var other = Next(index + 1);
            order[index] = order[other];
            order[other] = index;
        }

        return order;
    }

    /// <summary>Different numbers from 0 to below <paramref name="limit"/>, in random order.</summary>
    /// <param name="count">At most <paramref name="limit"/>.</param>
    public int[] Choose(int limit, int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, limit);
        var chosen = new int[count];
        var moved = new Dictionary<int, int>(count);
        for (var index = 0; index < count; index++)
        {
            // The first steps of a Fisher-Yates shuffle over a list of which only the changed places are kept.
            var other = index + Next(limit - index);
            chosen[index] = moved.GetValueOrDefault(other, other);
            moved[other] = moved.GetValueOrDefault(index, index);
        }

        return chosen;
    }

    private static ulong Mix(ulong value)
    {
        value = unchecked((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9);
        value = unchecked((value ^ (value >> 27)) * 0x94D049BB133111EB);
        return value ^ (value >> 31);
    }
}
