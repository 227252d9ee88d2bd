using System.Text.Json;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Host.Learning.Corrections;

/// <summary>Copies of corrections in the manifests of data sets (<c>datasets/HASH/*.jsonl</c>).</summary>
internal static class DatasetTraces
{
    /// <summary>Deletes every data set that holds one of some corrections: its hash is that of its content, so that no row can be taken out of it.</summary>
    /// <exception cref="AsrException">One cannot be read or deleted.</exception>
    public static void Delete(string dataDirectory, IReadOnlyCollection<long> corrections)
    {
        var folder = Path.Combine(dataDirectory, "datasets");
        if (!Directory.Exists(folder))
        {
            return;
        }

        try
        {
            foreach (var dataset in Directory.EnumerateDirectories(folder).Where(dataset => Holds(dataset, corrections)).ToList())
            {
                Directory.Delete(dataset, recursive: true);
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"the data sets that hold the correction cannot be deleted: see to the data folder ({error.Message})", error);
        }
    }

    private static bool Holds(string dataset, IReadOnlyCollection<long> corrections) =>
        Directory.EnumerateFiles(dataset, "*.jsonl").Any(manifest => File.ReadLines(manifest).Any(line => IsOf(line, corrections)));

    private static bool IsOf(string line, IReadOnlyCollection<long> corrections)
    {
        try
        {
            using var row = JsonDocument.Parse(line);
            return row.RootElement.ValueKind == JsonValueKind.Object
                && row.RootElement.TryGetProperty("id", out var id)
                && ((id.ValueKind == JsonValueKind.Number && id.TryGetInt64(out var number)) || (id.ValueKind == JsonValueKind.String && long.TryParse(id.GetString(), out number)))
                && corrections.Contains(number);
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
