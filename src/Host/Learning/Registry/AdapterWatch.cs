using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Gate;
using AsrPlatform.Whisper.Text;
using Microsoft.Data.Sqlite;

namespace AsrPlatform.Host.Learning.Registry;

/// <summary>Decides on a provisional promotion: <see cref="ProvisionalWatch.Decide"/>.</summary>
/// <param name="before">Captions of what was active before it.</param>
/// <param name="after">Captions of the adapter itself.</param>
internal delegate WatchDecision WatchRule(WatchCounts before, WatchCounts after);

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
            var decision = rule(before, since);
            switch (decision.Verdict)
            {
                case WatchVerdict.Confirm when await registry.ConfirmAsync(adapter, decision.Reason):
                    logger.LogInformation("Adapter {Adapter} has proved itself: {Reason}", adapter, decision.Reason);
                    break;
                case WatchVerdict.RollBack when await registry.RollBackAsync(scope, decision.Reason, only: adapter) is not null:
                    logger.LogWarning("Adapter {Adapter} is taken back: {Reason}", adapter, decision.Reason);
                    break;
            }
        }
    }

    private static WatchCounts Count(SqliteConnection connection, string version)
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
        return new WatchCounts(corrected, words);
    }
}
