using AsrPlatform.Host.Learning.Datasets;

namespace AsrPlatform.Host.Learning.Rounds;

/// <summary>Puts the rows of a training in their order: every step has its share of corrections and of replay.</summary>
internal static class RoundMix
{
    /// <summary>Makes <paramref name="steps"/> × <paramref name="batch"/> rows, to be read in their order.</summary>
    /// <param name="corrections">To learn; at least one.</param>
    /// <param name="replay">To keep; may be empty.</param>
    /// <param name="ratio">Rows to replay for each correction.</param>
    /// <param name="steps">Steps.</param>
    /// <param name="batch">Rows of a step; from 2.</param>
    /// <param name="seed">Of the order. Each list is gone through whole, in a new order each time, before a row comes again.</param>
    public static IReadOnlyList<T> Make<T>(IReadOnlyList<T> corrections, IReadOnlyList<T> replay, double ratio, int steps, int batch, int seed)
    {
        ArgumentOutOfRangeException.ThrowIfZero(corrections.Count);
        ArgumentOutOfRangeException.ThrowIfLessThan(batch, 2);
        var replayed = replay.Count == 0 ? 0 : Math.Clamp((int)Math.Round(batch * ratio / (1 + ratio)), ratio > 0 ? 1 : 0, batch - 1);
        using var learned = Endless(corrections, seed).GetEnumerator();
        using var kept = Endless(replay, seed + 1).GetEnumerator();
        var rows = new List<T>(steps * batch);
        for (var step = 0; step < steps; step++)
        {
            for (var row = 0; row < batch; row++)
            {
                var source = row < batch - replayed ? learned : kept;
                source.MoveNext();
                rows.Add(source.Current);
            }
        }

        return rows;
    }

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
