using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Host.Learning.Data;

/// <summary>What became of a manifest's rows.</summary>
/// <param name="ManifestPath">The manifest.</param>
/// <param name="Kept">Utterances that are used.</param>
/// <param name="KeptSeconds">Their length together.</param>
/// <param name="Dropped">Rows that are not, in the manifest's order.</param>
internal sealed record DataReport(string ManifestPath, int Kept, double KeptSeconds, IReadOnlyList<DroppedRow> Dropped)
{
    private const int Examples = 3;

    private static readonly JsonWriterOptions WriterOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, Indented = true };

    /// <summary>One line for the terminal.</summary>
    public string Summary
    {
        get
        {
            var kept = string.Create(CultureInfo.InvariantCulture, $"{ManifestPath}: {Kept} of {Kept + Dropped.Count} utterances, {KeptSeconds / 3600:0.00} h");
            return Dropped.Count == 0 ? kept : $"{kept}; dropped {Summarize(Dropped)}";
        }
    }

    /// <summary>Counts by reason with the first rows of each.</summary>
    public static string Summarize(IReadOnlyList<DroppedRow> dropped) => string.Join("; ", dropped
        .GroupBy(row => row.Reason)
        .OrderByDescending(group => group.Count())
        .ThenBy(group => group.Key)
        .Select(group =>
        {
            var rows = group.Take(Examples).Select(row => row.Row.ToString(CultureInfo.InvariantCulture));
            var more = group.Count() > Examples ? ", …" : "";
            return $"{group.Count()} × {Describe(group.Key)} (row {string.Join(", ", rows)}{more}: {group.First().Detail})";
        }));

    /// <summary>Writes the report as JSON: kept, hours, counts by reason, every dropped row with its reason.</summary>
    /// <exception cref="Abstractions.AsrException">The file cannot be written.</exception>
    public void Write(string path) => AtomicFile.Write(path, stream =>
    {
        using var writer = new Utf8JsonWriter(stream, WriterOptions);
        writer.WriteStartObject();
        writer.WriteString("manifest", ManifestPath);
        writer.WriteNumber("kept", Kept);
        writer.WriteNumber("kept_hours", Math.Round(KeptSeconds / 3600, 4));
        writer.WriteNumber("dropped", Dropped.Count);
        writer.WriteStartObject("reasons");
        foreach (var group in Dropped.GroupBy(row => row.Reason).OrderBy(group => group.Key))
        {
            writer.WriteNumber(Describe(group.Key), group.Count());
        }

        writer.WriteEndObject();
        writer.WriteStartArray("rows");
        foreach (var row in Dropped)
        {
            writer.WriteStartObject();
            writer.WriteNumber("row", row.Row);
            writer.WriteString("audio", row.Audio);
            writer.WriteString("reason", Describe(row.Reason));
            writer.WriteString("detail", row.Detail);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    });

    private static string Describe(DropReason reason) => reason switch
    {
        DropReason.Malformed => "malformed row",
        DropReason.WrongEncoding => "wrong encoding",
        DropReason.MissingFile => "missing file",
        DropReason.EmptyText => "empty text",
        DropReason.UnreadableAudio => "unreadable audio",
        DropReason.TooShort => "too short",
        DropReason.TooLong => "too long",
        DropReason.TooManyTokens => "too many tokens",
        _ => "unknown language",
    };
}
