using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Gate;
using Microsoft.Data.Sqlite;

namespace AsrPlatform.Host.Learning.Rounds;

/// <summary>Where a job stands.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<JobState>))]
internal enum JobState
{
    [JsonStringEnumMemberName("queued")]
    Queued,

    [JsonStringEnumMemberName("running")]
    Running,

    [JsonStringEnumMemberName("done")]
    Done,

    [JsonStringEnumMemberName("failed")]
    Failed,

    [JsonStringEnumMemberName("cancelled")]
    Cancelled,
}

/// <summary>Why jobs are started.</summary>
internal static class JobTrigger
{
    public const string ByHand = "by hand";
    public const string ByCount = "by count";
    public const string ByAge = "by age";
    public const string BySchedule = "by schedule";
    public const string Rebuild = "rebuild";
}

/// <summary>What a job was asked for.</summary>
internal sealed record JobSettings
{
    /// <summary>Starts from nothing, and is compared with the base model: what is active must go.</summary>
    public bool Rebuild { get; init; }

    /// <summary>Corrections to leave out.</summary>
    public IReadOnlyList<long> Without { get; init; } = [];

    /// <summary>A person runs it in the foreground: no host takes it over when that stops.</summary>
    public bool Foreground { get; init; }
}

/// <summary>How a job ended: what <c>asr learn --json</c> prints.</summary>
/// <param name="Decision">What became of the candidate.</param>
/// <param name="Adapter">The adapter's id in the registry; null when nothing was trained, because the corrections spoke against it.</param>
/// <param name="Reason">Why, a sentence for people.</param>
/// <param name="Seconds">Time that the round computed.</param>
/// <param name="Metrics">Every number that the decision rests on.</param>
internal sealed record JobOutcome(GateVerdict Decision, string? Adapter, string Reason, double Seconds, JsonElement Metrics);

/// <summary>A round of learning as the API shows it.</summary>
internal sealed record LearningJob
{
    public required string Id { get; init; }

    public required JobState State { get; init; }

    public required string Trigger { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? StartedAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }

    public JobOutcome? Outcome { get; init; }

    /// <summary>Why it failed.</summary>
    public string? Error { get; init; }

    /// <summary>How far it is; null for one that does not run here.</summary>
    public RoundProgress? Progress { get; init; }

    [JsonIgnore]
    public JobSettings Settings { get; init; } = new();
}

/// <summary>What speaks for a round now.</summary>
/// <param name="Ready">Corrections that may be learned from and no round has tried.</param>
/// <param name="Oldest">When the oldest of them was made; null when there is none.</param>
/// <param name="Newest">When the newest of them was made.</param>
internal sealed record WaitingCorrections(int Ready, DateTimeOffset? Oldest, DateTimeOffset? Newest);

/// <summary>The rounds of a data folder. Nothing is held in memory: other processes may change them. Safe for concurrent calls.</summary>
internal sealed class LearningJobs(DataFolder folder)
{
    private const string IsReady = "state = 'ready' AND clip IS NOT NULL";

    private const string CanBeTrainedOn = $"{IsReady} AND coalesce(split, 'train') = 'train'";

    private const string Columns = "id, state, trigger, settings, outcome, error, created_at, started_at, ended_at";

    /// <summary>Puts a job into the queue.</summary>
    public Task<LearningJob> AddAsync(string trigger, JobSettings settings)
    {
        var now = folder.Time.GetUtcNow();
        var id = string.Create(CultureInfo.InvariantCulture, $"{now:yyyyMMdd-HHmmss}-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(3))}");
        return folder.Database.WriteAsync(connection =>
        {
            connection.Execute(
                "INSERT INTO learning_job (id, state, trigger, settings, created_at) VALUES ($id, 'queued', $trigger, $settings, $now)",
                ("$id", id),
                ("$trigger", trigger),
                ("$settings", JsonSerializer.Serialize(settings, JsonSerializerOptions.Web)),
                ("$now", now.ToUnixTimeMilliseconds()));
            return Find(connection, id)!;
        });
    }

    /// <summary>Jobs, the newest first.</summary>
    public IReadOnlyList<LearningJob> List(int limit) => folder.Database.Read(connection => connection.Query(
        $"SELECT {Columns} FROM learning_job ORDER BY number DESC LIMIT $limit", Job, ("$limit", limit)));

    /// <summary>The job of an id; null when there is none.</summary>
    public LearningJob? Find(string id) => folder.Database.Read(connection => Find(connection, id));

    /// <summary>Jobs that are queued or run, the oldest first.</summary>
    public IReadOnlyList<LearningJob> Open() => folder.Database.Read(connection => connection.Query(
        $"SELECT {Columns} FROM learning_job WHERE state IN ('queued', 'running') ORDER BY number", Job));

    /// <summary>Takes a job on; null when somebody else did or it was cancelled.</summary>
    public Task<LearningJob?> StartAsync(string id) => ChangeAsync(
        id,
        "UPDATE learning_job SET state = 'running', started_at = coalesce(started_at, $now) WHERE id = $id AND state = 'queued'");

    /// <summary>Puts a job back that stopped before its end; null when it was cancelled.</summary>
    public Task<LearningJob?> RequeueAsync(string id) => ChangeAsync(id, "UPDATE learning_job SET state = 'queued' WHERE id = $id AND state = 'running' AND $now > 0");

    /// <summary>Notes how a job ended; null when it was cancelled before.</summary>
    public Task<LearningJob?> FinishAsync(string id, JobOutcome outcome) => ChangeAsync(
        id,
        "UPDATE learning_job SET state = 'done', ended_at = $now, outcome = $value WHERE id = $id AND state = 'running'",
        JsonSerializer.Serialize(outcome, JsonSerializerOptions.Web));

    /// <summary>Notes why a job failed; null when it had ended before.</summary>
    public Task<LearningJob?> FailAsync(string id, string error) => ChangeAsync(
        id,
        "UPDATE learning_job SET state = 'failed', ended_at = $now, error = $value WHERE id = $id AND state IN ('queued', 'running')",
        error);

    /// <summary>Cancels a job; null when it had ended before.</summary>
    public Task<LearningJob?> CancelAsync(string id) => ChangeAsync(
        id,
        "UPDATE learning_job SET state = 'cancelled', ended_at = $now WHERE id = $id AND state IN ('queued', 'running')");

    /// <summary>What no round has tried: ready, not held out, and in no adapter, refused ones included.</summary>
    public WaitingCorrections Waiting() => folder.Database.Read(connection => connection.Query(
        $"SELECT count(*), min(created_at), max(created_at) FROM correction WHERE {CanBeTrainedOn} AND number NOT IN (SELECT correction FROM adapter_correction)",
        reader => new WaitingCorrections(reader.GetInt32(0), Time(reader, 1), Time(reader, 2)))).Single();

    /// <summary>Corrections that may be learned from and that an adapter does not know.</summary>
    /// <param name="adapter">The adapter; null: the base model, which knows none.</param>
    public int Unlearned(string? adapter) => (int)folder.Database.Read(connection => (long)connection.Scalar(
        $"""
        SELECT count(*) FROM correction WHERE {CanBeTrainedOn} AND number NOT IN
            (SELECT correction FROM adapter_correction WHERE adapter = (SELECT number FROM adapter WHERE id = $id))
        """,
        ("$id", adapter))!);

    /// <summary>Corrections that are held out.</summary>
    public int HeldOut() => (int)folder.Database.Read(connection => (long)connection.Scalar(
        $"SELECT count(*) FROM correction WHERE {IsReady} AND split = 'held-out'")!);

    private async Task<LearningJob?> ChangeAsync(string id, string sql, string? value = null)
    {
        var now = folder.Time.GetUtcNow().ToUnixTimeMilliseconds();
        return await folder.Database.WriteAsync(connection =>
            (value is null
                ? connection.Execute(sql, ("$id", id), ("$now", now))
                : connection.Execute(sql, ("$id", id), ("$now", now), ("$value", value))) == 0 ? null : Find(connection, id));
    }

    private static LearningJob? Find(SqliteConnection connection, string id) =>
        connection.Query($"SELECT {Columns} FROM learning_job WHERE id = $id", Job, ("$id", id)).SingleOrDefault();

    private static LearningJob Job(SqliteDataReader reader) => new()
    {
        Id = reader.GetString(0),
        State = Enum.Parse<JobState>(reader.GetString(1), ignoreCase: true),
        Trigger = reader.GetString(2),
        Settings = JsonSerializer.Deserialize<JobSettings>(reader.GetString(3), JsonSerializerOptions.Web)!,
        Outcome = reader.Text(4) is { } outcome ? JsonSerializer.Deserialize<JobOutcome>(outcome, JsonSerializerOptions.Web) : null,
        Error = reader.Text(5),
        CreatedAt = Time(reader, 6)!.Value,
        StartedAt = Time(reader, 7),
        EndedAt = Time(reader, 8),
    };

    private static DateTimeOffset? Time(SqliteDataReader reader, int column) =>
        reader.IsDBNull(column) ? null : DateTimeOffset.FromUnixTimeMilliseconds(reader.GetInt64(column));
}
