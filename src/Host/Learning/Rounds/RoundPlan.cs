using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Gate;
using AsrPlatform.Host.Learning.Training;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Host.Learning.Rounds;

/// <summary>How a round trains. Part of its plan, and of the card of what comes out.</summary>
internal sealed record RoundTraining
{
    /// <summary>Settings of a fresh adapter in PEFT's names.</summary>
    public required string AdapterConfig { get; init; }

    public required double LearningRate { get; init; }

    public required int Steps { get; init; }

    /// <summary>Rows of a step but those of earlier corrections.</summary>
    public required int BatchSize { get; init; }

    /// <summary>Rows of the anchor set for each correction in a step.</summary>
    public required double ReplayRatio { get; init; }

    /// <summary>Rows of earlier corrections for each correction in a step, beside those.</summary>
    public double EarlierRatio { get; init; } = LearningDefaults.EarlierRatio;

    public required double KlWeight { get; init; }

    /// <summary>Share of the new weights in the mean with the adapter that it went on from; 1: no mean.</summary>
    public required double AverageShare { get; init; }

    /// <summary>Trainings of a cross-validation.</summary>
    public required int Folds { get; init; }

    /// <summary>Further training arguments; they win.</summary>
    public IReadOnlyDictionary<string, string> Arguments { get; init; } = new Dictionary<string, string>();
}

/// <summary>Everything that a round depends on: the same plan makes the same adapter. Written once, as <c>plan.json</c> of its folder.</summary>
internal sealed record RoundPlan
{
    /// <summary>The job's id.</summary>
    public required string Id { get; init; }

    public required string Trigger { get; init; }

    /// <summary>Checkpoint folder of the base model.</summary>
    public required string Model { get; init; }

    /// <summary>SHA-256 of its weights.</summary>
    public required string Base { get; init; }

    /// <summary>The backend that the gate loads it with; null for the first that can.</summary>
    public string? Backend { get; init; }

    /// <summary>The adapter that was active when the round was planned; null: the base model.</summary>
    public string? Active { get; init; }

    /// <summary>Its folder.</summary>
    public string? ActiveFolder { get; init; }

    /// <summary>Whether training goes on from <see cref="Active"/>.</summary>
    public bool GoesOn { get; init; }

    /// <summary>Whether the candidate is compared with the base model, and not with what is active: what is active must go.</summary>
    public bool ReplacesActive { get; init; }

    /// <summary>Hash of the data set.</summary>
    public required string Dataset { get; init; }

    /// <summary>Its folder.</summary>
    public required string DatasetFolder { get; init; }

    /// <summary>Corrections that are trained on.</summary>
    public required IReadOnlyList<long> Corrections { get; init; }

    public required RoundTraining Training { get; init; }

    public int Seed { get; init; } = 1;

    public int Threads { get; init; }

    public string Device { get; init; } = "auto";

    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>How a round ended: <c>outcome.json</c> of its folder.</summary>
/// <param name="Decision">What the gate decided.</param>
/// <param name="Reason">Why, a sentence for people.</param>
/// <param name="Seconds">Time that the round computed, that before a stop not counted.</param>
/// <param name="Metrics">Every number that the decision rests on: an object.</param>
internal sealed record RoundOutcome(GateVerdict Decision, string Reason, double Seconds, JsonElement Metrics);

/// <summary>The folder of a round, <c>learning/ID</c> of a data folder.</summary>
/// <param name="Directory">The folder.</param>
internal sealed record RoundFolder(string Directory)
{
    private static readonly JsonSerializerOptions Format = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    /// <summary>Where the candidate is trained; when it is done, its PEFT folder.</summary>
    public string Training => Path.Combine(Directory, "training");

    /// <summary>The candidate, where it is not what was trained alone.</summary>
    public string Averaged => Path.Combine(Directory, "averaged");

    /// <summary>What is judged in place of the candidate, where all of that does harm: a share of it.</summary>
    public string Reduced => Path.Combine(Directory, "reduced");

    /// <summary>Features of the clips: voices, which go when the round ends.</summary>
    public string Features => Path.Combine(Directory, "features");

    /// <summary>Where the gate works.</summary>
    public string Gate => Path.Combine(Directory, "gate");

    /// <summary>The gate's corrections.</summary>
    public string Corrections => Path.Combine(Directory, "corrections.jsonl");

    /// <summary>What the round's process wrote to stderr.</summary>
    public string Log => Path.Combine(Directory, "log.txt");

    /// <summary>The PEFT folder that the gate judges.</summary>
    public string Candidate => System.IO.Directory.Exists(Reduced) ? Reduced : Whole;

    /// <summary>All of what was learned, as a PEFT folder.</summary>
    public string Whole => System.IO.Directory.Exists(Averaged) ? Averaged : Training;

    /// <summary>Held by the process that computes the round.</summary>
    public string LockFile => Path.Combine(Directory, "lock");

    /// <summary>Whether anything is there that goes when the round ends.</summary>
    public bool HasWork => WorkFolders.Any(System.IO.Directory.Exists) || File.Exists(Corrections);

    private string[] WorkFolders => [Training, Averaged, Reduced, Features, Gate];

    private string PlanFile => Path.Combine(Directory, "plan.json");

    private string OutcomeFile => Path.Combine(Directory, "outcome.json");

    /// <summary>The folder of a job.</summary>
    public static RoundFolder Of(string dataDirectory, string id) => new(Path.Combine(dataDirectory, "learning", id));

    /// <summary>The plan; null when there is none yet.</summary>
    /// <exception cref="AsrException">It cannot be read.</exception>
    public RoundPlan? ReadPlan() => Read<RoundPlan>(PlanFile);

    /// <summary>The outcome; null before the round's end.</summary>
    /// <exception cref="AsrException">It cannot be read.</exception>
    public RoundOutcome? ReadOutcome() => Read<RoundOutcome>(OutcomeFile);

    /// <exception cref="AsrException">It cannot be written.</exception>
    public void Write(RoundPlan plan)
    {
        try
        {
            System.IO.Directory.CreateDirectory(Directory);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"the folder of the round {Directory} cannot be made: {error.Message}", error);
        }

        Write(PlanFile, plan);
    }

    /// <exception cref="AsrException">It cannot be written.</exception>
    public void Write(RoundOutcome outcome) => Write(OutcomeFile, outcome);

    /// <summary>Deletes all but plan, outcome and log: texts, features and checkpoints are not needed any more.</summary>
    public void Trim()
    {
        try
        {
            foreach (var folder in WorkFolders.Where(System.IO.Directory.Exists))
            {
                System.IO.Directory.Delete(folder, recursive: true);
            }

            if (File.Exists(Corrections))
            {
                File.Delete(Corrections);
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"the folder of the round {Directory} cannot be cleared: {error.Message}", error);
        }
    }

    /// <summary>As <see cref="Trim"/>, unless a process computes the round: that clears it at its end.</summary>
    /// <exception cref="AsrException">It cannot be cleared.</exception>
    public void TrimUnlessHeld(TimeProvider time)
    {
        if (HasWork)
        {
            using var held = ProcessLock.TryTake(LockFile, time, out _);
            if (held is not null)
            {
                Trim();
            }
        }
    }

    private static void Write<T>(string path, T value) => AtomicFile.Write(path, stream => JsonSerializer.Serialize(stream, value, Format));

    private static T? Read<T>(string path)
        where T : class
    {
        try
        {
            return File.Exists(path) ? JsonSerializer.Deserialize<T>(File.ReadAllBytes(path), Format) : null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new AsrException($"{path} cannot be read: {error.Message}", error);
        }
    }
}
