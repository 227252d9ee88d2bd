using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using AsrPlatform.Host.Learning.Gate;

namespace AsrPlatform.Host.Learning.Registry;

/// <summary>Life of an adapter version.</summary>
internal enum AdapterState
{
    /// <summary>Kept, never active so far.</summary>
    Candidate,

    /// <summary>Made active, and watched: it goes at the first evidence against it.</summary>
    Provisional,

    /// <summary>Made active for good.</summary>
    Promoted,

    /// <summary>The gate refused it; kept for comparison.</summary>
    Rejected,

    /// <summary>Was active, and was taken back.</summary>
    RolledBack,
}

/// <summary>What is known of an adapter when it is put into the registry.</summary>
internal sealed record NewAdapter
{
    /// <summary>The adapter that it went on from; null: the base model.</summary>
    public string? Parent { get; init; }

    /// <summary>SHA-256 of the base model's weights: <see cref="BaseModel.HashAsync"/>.</summary>
    public required string Base { get; init; }

    /// <summary>Numbers of the corrections that it was trained on, its parents' may be left out.</summary>
    public IReadOnlyList<long> Corrections { get; init; } = [];

    /// <summary>Hash of its data set; null where it has none.</summary>
    public string? Dataset { get; init; }

    /// <summary>How it was trained: an object.</summary>
    public JsonNode? Config { get; init; }

    /// <summary>Every number that the decision was made on: an object.</summary>
    public JsonNode? Metrics { get; init; }

    /// <summary>What the gate decided.</summary>
    public required GateVerdict Verdict { get; init; }

    /// <summary>Why, in a sentence for people.</summary>
    public required string Reason { get; init; }
}

/// <summary>What an adapter version is and where it comes from; <c>card.json</c> in its folder. Never changes.</summary>
internal sealed record AdapterCard
{
    public const string FileName = "card.json";

    private static readonly JsonSerializerOptions Form = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower) },
    };

    /// <summary>Its id: the name of its folder, and the version that captions tell.</summary>
    public required string Id { get; init; }

    public string? Parent { get; init; }

    /// <summary>SHA-256 of the base model's weights.</summary>
    public required string Base { get; init; }

    public required IReadOnlyList<long> Corrections { get; init; }

    public string? Dataset { get; init; }

    public JsonNode? Config { get; init; }

    public JsonNode? Metrics { get; init; }

    public required GateVerdict Verdict { get; init; }

    public required string Reason { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>SHA-256 of each of its files but this one, by name.</summary>
    public required IReadOnlyDictionary<string, string> Files { get; init; }

    /// <summary>Its text, as the file and the database have it.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Form);

    /// <exception cref="JsonException">It is none.</exception>
    public static AdapterCard Parse(string json) => JsonSerializer.Deserialize<AdapterCard>(json, Form) ?? throw new JsonException("null is no card");
}

/// <summary>An adapter version as the database has it.</summary>
internal sealed record StoredAdapter
{
    /// <summary>Rises from version to version.</summary>
    public required long Number { get; init; }

    public required string Id { get; init; }

    public string? Parent { get; init; }

    public required string Base { get; init; }

    public required AdapterState State { get; init; }

    /// <summary>Why it is in its state.</summary>
    public string? Reason { get; init; }

    /// <summary>Why it should be rebuilt: something that it was trained on has been deleted. Null when clean.</summary>
    public string? Tainted { get; init; }

    public required AdapterCard Card { get; init; }

    /// <summary>The card's text.</summary>
    public required string CardText { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public DateTimeOffset? DecidedAt { get; init; }

    /// <summary>Corrections that it and its parents were trained on.</summary>
    public required int Corrections { get; init; }
}

/// <summary>What was made active when.</summary>
/// <param name="Number">Rises from one to the next.</param>
/// <param name="Scope">For whom: <see cref="AdapterScope"/>.</param>
/// <param name="Adapter">The adapter; null: the base model, or in a scope of its own what is active for all.</param>
/// <param name="Previous">What was active in the scope before.</param>
/// <param name="Reason">Why.</param>
/// <param name="At">When.</param>
/// <param name="Provisional">Whether the adapter is being watched (now, not then).</param>
internal sealed record Activation(long Number, string Scope, string? Adapter, string? Previous, string Reason, DateTimeOffset At, bool Provisional);
