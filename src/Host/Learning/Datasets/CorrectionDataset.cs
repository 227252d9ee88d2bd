using System.Text.Json;
using System.Text.Json.Serialization;

namespace AsrPlatform.Host.Learning.Datasets;

/// <summary>How a data set is put together.</summary>
internal sealed record DatasetSettings
{
    /// <summary>Part of the corrections to hold out, 0 … 0.5.</summary>
    public double HeldOutShare { get; init; } = 0.2;

    /// <summary>Rows to replay for each correction that is new, in training.</summary>
    public double ReplayRatio { get; init; } = 1;

    /// <summary>Earlier corrections that are replayed at most; the newest.</summary>
    public int MaximumEarlier { get; init; } = 200;
}

/// <summary>A frozen data set: <c>datasets/HASH</c> with <c>dataset.json</c> and its manifests.</summary>
internal sealed record CorrectionDataset
{
    public const string FileName = "dataset.json";
    public const string Train = "train.jsonl";
    public const string HeldOut = "held-out.jsonl";
    public const string Replay = "replay.jsonl";
    public const string Anchor = "anchor.jsonl";

    /// <summary>Its manifests, in the order in which they are hashed.</summary>
    public static readonly string[] Manifests = [Train, HeldOut, Replay, Anchor];

    internal static readonly JsonSerializerOptions Format = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    /// <summary>SHA-256 of its content: settings, rows, audio; not where the audio lies.</summary>
    public required string Hash { get; init; }

    public required DatasetSettings Settings { get; init; }

    /// <summary>Corrections that it trains on, earlier ones that it replays included; ascending.</summary>
    public required IReadOnlyList<long> Corrections { get; init; }

    /// <summary>Rows by manifest.</summary>
    public required IReadOnlyDictionary<string, int> Rows { get; init; }

    /// <summary>Its folder.</summary>
    [JsonIgnore]
    public string Directory { get; init; } = "";

    /// <summary>The path of a manifest.</summary>
    public string PathOf(string manifest) => Path.Combine(Directory, manifest);
}
