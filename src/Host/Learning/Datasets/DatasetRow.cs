using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using AsrPlatform.Abstractions;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Host.Learning.Datasets;

/// <summary>A row of a data set's manifests.</summary>
internal sealed record DatasetRow
{
    /// <summary>What people said or corrected.</summary>
    public const string Correction = "correction";

    /// <summary>Trained on so that it is not forgotten.</summary>
    public const string Replay = "replay";

    /// <summary>Never trained on: shows what was forgotten.</summary>
    public const string Anchor = "anchor";

    private static readonly JsonSerializerOptions Format = new(JsonSerializerDefaults.Web)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    /// <summary>A WAV file, from the manifest's folder.</summary>
    public required string Audio { get; init; }

    public required string Text { get; init; }

    public string? Language { get; init; }

    public string? Speaker { get; init; }

    public string? Domain { get; init; }

    /// <summary>A correction's number, or the name of an anchor's utterance.</summary>
    public required JsonValue Id { get; init; }

    /// <summary><see cref="Correction"/>, <see cref="Replay"/> or <see cref="Anchor"/>.</summary>
    public required string Kind { get; init; }

    /// <summary>What was heard; null where nobody asked.</summary>
    public string? Hypothesis { get; init; }

    /// <summary>Nobody speaks, and the text is empty; null otherwise.</summary>
    public bool? Silence { get; init; }

    /// <summary>How much the row counts in training.</summary>
    public double Weight { get; init; } = 1;

    /// <summary>The correction's number; null for other rows.</summary>
    [JsonIgnore]
    public long? Number => Kind == Correction && Id.TryGetValue<long>(out var number) ? number : null;

    public string ToJson() => JsonSerializer.Serialize(this, Format);

    /// <summary>Reads a manifest; one that is not there has no rows.</summary>
    /// <exception cref="AsrException">It cannot be read.</exception>
    public static List<DatasetRow> Read(string path)
    {
        try
        {
            return !File.Exists(path) ? [] : [.. File.ReadLines(path).Where(line => line.Length > 0).Select(line => JsonSerializer.Deserialize<DatasetRow>(line, Format)!)];
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new AsrException($"{path} cannot be read: {error.Message}", error);
        }
    }

    /// <summary>Writes a manifest, whole or not at all.</summary>
    /// <exception cref="AsrException">It cannot be written.</exception>
    public static void Write(string path, IEnumerable<DatasetRow> rows) => AtomicFile.Write(path, stream =>
    {
        foreach (var row in rows)
        {
            JsonSerializer.Serialize(stream, row, Format);
            stream.WriteByte((byte)'\n');
        }
    });
}
