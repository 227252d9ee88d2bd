using AsrPlatform.Host.Learning.Datasets;

namespace AsrPlatform.Host.Learning.Rounds;

/// <summary>What a training is mixed of, and how.</summary>
/// <typeparam name="T">A row.</typeparam>
internal sealed record RoundMixture<T>
{
    /// <summary>To learn; at least one.</summary>
    public required IReadOnlyList<T> Corrections { get; init; }

    /// <summary>Corrections that the adapter to go on from knows, to keep; may be empty.</summary>
    public IReadOnlyList<T> Earlier { get; init; } = [];

    /// <summary>General speech to keep; may be empty.</summary>
    public IReadOnlyList<T> Anchor { get; init; } = [];

    /// <summary>Rows of <see cref="Anchor"/> for each correction, 0 or more; of <see cref="Earlier"/>, where there is no general speech.</summary>
    public required double ReplayRatio { get; init; }

    /// <summary>Rows of <see cref="Earlier"/> for each correction, 0 or more, beside those of <see cref="Anchor"/> and not in their place: what one round forgets, the next would add to.</summary>
    public required double EarlierRatio { get; init; }

    /// <summary>Of the order.</summary>
    public required int Seed { get; init; }
}

/// <summary>The rows of a training, in their order.</summary>
/// <typeparam name="T">A row.</typeparam>
/// <param name="Rows">Of all steps, one step behind the other.</param>
/// <param name="OfStep">Rows of a step.</param>
internal sealed record RoundRows<T>(IReadOnlyList<T> Rows, int OfStep);

/// <summary>Puts the rows of a training in their order: every step has its share of corrections and of replay.</summary>
internal static class RoundMix
{
    /// <summary>Makes the rows of <paramref name="steps"/> steps, to be read in their order.</summary>
    /// <param name="mixture">Of what. Each list is gone through whole, in a new order each time, before a row comes again.</param>
    /// <param name="steps">Steps.</param>
    /// <param name="batch">Corrections and replayed rows of a step, from 2; earlier corrections beside general speech come on top. Where there are fewer corrections than their share of it, none comes twice in a step, and more is replayed: a handful, repeated, teaches a model to say nothing else.</param>
    public static RoundRows<T> Make<T>(RoundMixture<T> mixture, int steps, int batch)
    {
        ArgumentOutOfRangeException.ThrowIfZero(mixture.Corrections.Count);
        ArgumentOutOfRangeException.ThrowIfLessThan(batch, 2);
        var ratio = mixture.ReplayRatio;
        var hasAnchor = mixture.Anchor.Count > 0;
        var replayed = mixture.Earlier.Count + mixture.Anchor.Count == 0 || ratio == 0 ? 0
            : Math.Clamp(Math.Max((int)Math.Round(batch * ratio / (1 + ratio)), batch - mixture.Corrections.Count), 1, batch - 1);
        var known = mixture.Earlier.Count == 0 ? 0 : hasAnchor && ratio > 0 ? (int)Math.Round((batch - replayed) * mixture.EarlierRatio) : 0;
        using var learned = Endless(mixture.Corrections, mixture.Seed).GetEnumerator();
        using var anchor = Endless(hasAnchor ? mixture.Anchor : mixture.Earlier, mixture.Seed + 1).GetEnumerator();
        using var earlier = Endless(mixture.Earlier, mixture.Seed + 2).GetEnumerator();
        var rows = new List<T>(steps * (batch + known));
        for (var step = 0; step < steps; step++)
        {
            for (var row = 0; row < batch + known; row++)
            {
                var source = row < batch - replayed ? learned : row < batch ? anchor : earlier;
                source.MoveNext();
                rows.Add(source.Current);
            }
        }

        return new RoundRows<T>(rows, batch + known);
    }

    /// <summary>Rows of a step in which no more is replayed than the ratio asks for, however few the corrections are: 2 … <paramref name="batch"/>.</summary>
    /// <param name="corrections">How many there are.</param>
    /// <param name="replayRatio">Rows to replay for each.</param>
    /// <param name="batch">The most.</param>
    public static int Rows(int corrections, double replayRatio, int batch) => (int)Math.Clamp(Math.Round(corrections * (1 + replayRatio)), 2, batch);

    /// <summary>Orders the rows of each step by their length, so that those that are computed together are padded little.</summary>
    /// <param name="rows">Of all steps.</param>
    /// <param name="batch">Rows of a step.</param>
    /// <param name="length">Of a row; asked once for each.</param>
    public static IEnumerable<T> ByLength<T>(IEnumerable<T> rows, int batch, Func<T, long> length) => rows.Chunk(batch).SelectMany(step => step.OrderBy(length));

    /// <summary>Parts of equal size that a step is computed in: four where that divides it, else five, three, two or one.</summary>
    public static int Parts(int batch) => Array.Find([4, 5, 3, 2, 1], parts => batch % parts == 0);

    /// <summary>The rows of a mix with audio by full paths.</summary>
    public static IEnumerable<DatasetRow> Absolute(IEnumerable<DatasetRow> rows, string datasetFolder) =>
        rows.Select(row => row with { Audio = Path.GetFullPath(row.Audio, datasetFolder) });

    private static IEnumerable<T> Endless<T>(IReadOnlyList<T> rows, int seed)
    {
        var random = new Random(seed);
        while (rows.Count > 0)
        {
            var order = rows.ToArray();
            random.Shuffle(order);
            foreach (var row in order)
            {
                yield return row;
            }
        }
    }
}
