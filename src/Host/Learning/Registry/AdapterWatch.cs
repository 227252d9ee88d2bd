using AsrPlatform.Host.Data;
using AsrPlatform.Whisper.Text;
using Microsoft.Data.Sqlite;

namespace AsrPlatform.Host.Learning.Registry;

/// <summary>Captions of one version.</summary>
/// <param name="Corrections">Captions whose words were corrected.</param>
/// <param name="Words">Words captioned, corrected or not.</param>
internal readonly record struct WatchedCaptions(long Corrections, long Words);

/// <summary>What is to become of an adapter that is being watched.</summary>
internal enum WatchOutcome
{
    /// <summary>There is too little to go by yet.</summary>
    Wait,

    /// <summary>It has proved itself.</summary>
    Confirm,

    /// <summary>It makes more errors than what was active before.</summary>
    RollBack,
}

/// <summary>Judges an adapter by what people corrected.</summary>
/// <param name="before">Of what was active before it.</param>
/// <param name="since">Of the adapter itself.</param>
/// <returns>The outcome, and why, in a sentence for people.</returns>
internal delegate (WatchOutcome Outcome, string Reason) WatchRule(WatchedCaptions before, WatchedCaptions since);

/// <summary>Watches provisional adapters: counts what they said and what of it was corrected, and confirms them or takes them back.</summary>
/// <remarks>Safe for concurrent calls. Several processes may watch: whoever comes first acts.</remarks>
internal sealed class AdapterWatch(DataFolder folder, AdapterRegistry registry, WatchRule rule, ILogger<AdapterWatch> logger)
{
    /// <summary>The newest captions of a version that are counted: what it said long ago says little of now.</summary>
    private const int MostCaptions = 5000;

    private static readonly BasicTextNormalizer Normalizer = new();

    /// <summary>Looks at every provisional adapter that is active.</summary>
    public async Task CheckAsync()
    {
        foreach (var (scope, activation) in registry.Active())
        {
            if (activation is not { Provisional: true, Adapter: { } adapter })
            {
                continue;
            }

            var (before, since) = folder.Database.Read(connection => (Count(connection, activation.Previous ?? AdapterRegistry.Base), Count(connection, adapter)));
            var (outcome, reason) = rule(before, since);
            switch (outcome)
            {
                case WatchOutcome.Confirm when await registry.ConfirmAsync(adapter, reason):
                    logger.LogInformation("Adapter {Adapter} has proved itself: {Reason}", adapter, reason);
                    break;
                case WatchOutcome.RollBack when await registry.RollBackAsync(scope, reason, only: adapter) is not null:
                    logger.LogWarning("Adapter {Adapter} is taken back: {Reason}", adapter, reason);
                    break;
            }
        }
    }

    private static WatchedCaptions Count(SqliteConnection connection, string version)
    {
        const string Said =
            """
            WITH said AS (
                SELECT session, segment, max(json_array_length(words), length(trim(text)) - length(replace(trim(text), ' ', '')) + 1) AS count FROM caption
                WHERE adapter_version = $version AND state = 'committed' AND text <> ''
                ORDER BY session DESC, sequence DESC LIMIT $most)
            """;
        var words = (long)(connection.Scalar($"{Said} SELECT sum(count) FROM said", ("$version", version), ("$most", MostCaptions)) ?? 0L);

        // Commas and capitals are no errors of hearing.
        var corrected = connection.Query(
            $"{Said} SELECT correction.hypothesis, correction.text FROM correction JOIN said USING (session, segment) WHERE correction.state <> 'refused'",
            static reader => Normalizer.Normalize(reader.GetString(0)).Trim() != Normalizer.Normalize(reader.GetString(1)).Trim(),
            ("$version", version),
            ("$most", MostCaptions)).Count(static changed => changed);
        return new WatchedCaptions(corrected, words);
    }
}
