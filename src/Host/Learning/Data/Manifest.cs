using System.Globalization;
using System.Text.Json;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Host.Learning.Data;

/// <summary>A list of utterances: JSON Lines, CSV or TSV with a header, or a folder with <c>metadata.csv</c> (or <c>.tsv</c>, <c>.jsonl</c>).</summary>
/// <remarks>
/// Columns and properties go by the names of common data sets (<see cref="Fields"/>). Audio paths are relative to the manifest; what is not
/// there is looked for in <c>clips/</c> beside it, where Common Voice has it. Immutable.
/// </remarks>
internal sealed class Manifest
{
    private static readonly string[] FolderFiles = ["metadata.csv", "metadata.tsv", "metadata.jsonl"];

    private readonly List<ManifestEntry> _entries = [];
    private readonly List<DroppedRow> _dropped = [];
    private readonly string _folder;

    private Manifest(string path)
    {
        Path = path;
        _folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!;
    }

    /// <summary>The names that a field goes by, the first being ours.</summary>
    public static class Fields
    {
        /// <summary>Common Voice, Hugging Face's audio folders, NeMo.</summary>
        public static readonly string[] Audio = ["audio", "path", "file_name", "file", "audio_path", "audio_filepath"];

        /// <summary>As <see cref="Audio"/>.</summary>
        public static readonly string[] Text = ["text", "sentence", "transcription", "transcript"];

        /// <summary>What was heard before somebody corrected it.</summary>
        public static readonly string[] Hypothesis = ["hypothesis"];

        public static readonly string[] Language = ["language", "locale", "lang"];

        public static readonly string[] Speaker = ["speaker", "client_id", "speaker_id"];

        public static readonly string[] Domain = ["domain"];

        public static readonly string[] Start = ["start"];

        public static readonly string[] End = ["end"];

        public static readonly string[] Silence = ["silence"];

        public static readonly string[] Kind = ["kind"];

        public static readonly string[] Weight = ["weight"];
    }

    /// <summary>The manifest file.</summary>
    public string Path { get; }

    /// <summary>The rows that can be used so far, in the manifest's order: their audio exists but has not been opened.</summary>
    public IReadOnlyList<ManifestEntry> Entries => _entries;

    /// <summary>The rows that cannot.</summary>
    public IReadOnlyList<DroppedRow> Dropped => _dropped;

    /// <summary>Reads a manifest.</summary>
    /// <param name="path">A file (.jsonl, .json, .ndjson, .csv, .tsv, .txt with tabs), or a folder with its metadata file.</param>
    /// <exception cref="AsrException">It cannot be read, lacks a column, or none of its rows can be used.</exception>
    public static Manifest Read(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
        {
            path = FolderFiles.Select(name => System.IO.Path.Combine(path, name)).FirstOrDefault(File.Exists)
                ?? throw new AsrException($"{path} has no metadata.csv: give a folder with audio files and metadata.csv (columns file_name and text), or a manifest file.");
        }
        else if (!File.Exists(path))
        {
            throw new AsrException($"{path} does not exist: give a manifest (.jsonl, .csv, .tsv) or a folder with metadata.csv.");
        }

        var manifest = new Manifest(path);
        var text = ManifestText.Read(path);
        switch (System.IO.Path.GetExtension(path).ToLowerInvariant())
        {
            case ".jsonl" or ".ndjson" or ".json":
                manifest.ReadJsonLines(text);
                break;
            case ".csv" or ".tsv" or ".tab" or ".txt":
                manifest.ReadTable(text);
                break;
            case var extension:
                throw new AsrException($"{path}: '{extension}' is no kind of manifest; give .jsonl, .csv or .tsv.");
        }

        manifest.RequireUsable(manifest._entries.Count);
        return manifest;
    }

    /// <summary>At most so many of its utterances, spread evenly over it; the rows that cannot be used are left out.</summary>
    public Manifest Sample(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        var sample = new Manifest(Path);
        count = Math.Min(count, _entries.Count);
        sample._entries.AddRange(Enumerable.Range(0, count).Select(index => _entries[(int)((long)index * _entries.Count / count)]));
        return sample;
    }

    /// <summary>Throws when nothing can be used.</summary>
    /// <param name="usable">Rows that are left.</param>
    /// <param name="further">Rows dropped after reading.</param>
    public void RequireUsable(int usable, IEnumerable<DroppedRow>? further = null)
    {
        if (usable > 0)
        {
            return;
        }

        DroppedRow[] dropped = [.. _dropped, .. further ?? []];
        throw new AsrException(dropped.Length == 0
            ? $"{Path} has no rows."
            : $"{Path}: none of the {dropped.Length} rows can be used: {DataReport.Summarize(dropped)}.");
    }

    private void ReadJsonLines(string text)
    {
        var row = 0;
        foreach (var line in text.AsSpan().EnumerateLines())
        {
            row++;
            if (!line.IsWhiteSpace())
            {
                AddJson(row, line.ToString());
            }
        }
    }

    private void AddJson(int row, string line)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
            {
                Drop(row, null, DropReason.Malformed, "the row is no JSON object");
                return;
            }

            Add(row, names => Find(root, names) is { } value ? JsonText(value) : null, ReadWords(root), ReadSegments(root));
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or FormatException)
        {
            var encoding = line.Contains(ManifestText.Replacement, StringComparison.Ordinal);
            Drop(row, null, encoding ? DropReason.WrongEncoding : DropReason.Malformed, encoding ? EncodingDetail : "the row is not valid JSON: " + OneLine(error.Message));
        }
    }

    private static JsonElement? Find(JsonElement row, string[] names)
    {
        foreach (var name in names)
        {
            if (row.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null)
            {
                return value;
            }
        }

        return null;
    }

    /// <summary>A scalar as text; Hugging Face's {"path": …} stands for its path.</summary>
    private static string JsonText(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString()!,
        JsonValueKind.Number => value.GetRawText(),
        JsonValueKind.True => "true",
        JsonValueKind.False => "false",
        JsonValueKind.Object when value.TryGetProperty("path", out var path) && path.ValueKind == JsonValueKind.String => path.GetString()!,
        _ => throw new FormatException($"{value.ValueKind} where a text was expected"),
    };

    private static List<TimedWord> ReadWords(JsonElement row) =>
        [.. ReadTimed(row, "words", "word").Select(part => new TimedWord(part.Text, part.Start, part.End))];

    private static List<TimedText> ReadSegments(JsonElement row)
    {
        var segments = new List<TimedText>();
        foreach (var part in ReadTimed(row, "segments", "text"))
        {
            var segment = part with { Text = TextCleanup.Clean(part.Text) };
            if (segment.Text.Length == 0 || segment.Start < (segments.Count == 0 ? 0 : segments[^1].End) || segment.End < segment.Start)
            {
                throw new FormatException("segments have a text each, and times that follow one another");
            }

            segments.Add(segment);
        }

        return segments;
    }

    /// <summary>A row's list of objects with a text and its times; none when it has no such list.</summary>
    private static IEnumerable<TimedText> ReadTimed(JsonElement row, string listName, string textName)
    {
        if (!row.TryGetProperty(listName, out var list) || list.ValueKind != JsonValueKind.Array)
        {
            yield break;
        }

        foreach (var item in list.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Object
                || !item.TryGetProperty(textName, out var text)
                || !item.TryGetProperty("start", out var start)
                || !item.TryGetProperty("end", out var end))
            {
                throw new FormatException($"{listName} are objects with {textName}, start and end");
            }

            yield return new TimedText(text.GetString() ?? "", start.GetDouble(), end.GetDouble());
        }
    }

    private void ReadTable(string text)
    {
        using var records = (Delimiter(text) is '\t' ? DelimitedText.ReadTabs(text) : DelimitedText.ReadCsv(text, Delimiter(text))).GetEnumerator();
        records.MoveNext();
        var columns = records.Current.Fields.Select(name => name.Trim().ToLowerInvariant()).ToArray();
        int Column(string[] names) => names.Select(name => Array.IndexOf(columns, name)).FirstOrDefault(index => index >= 0, -1);
        if (Column(Fields.Audio) < 0 || Column(Fields.Text) < 0)
        {
            throw new AsrException(
                $"{Path}: the header must name the audio ({string.Join(", ", Fields.Audio)}) and the text ({string.Join(", ", Fields.Text)}); it has: {string.Join(", ", columns)}.");
        }

        while (records.MoveNext())
        {
            var (row, fields, error) = records.Current;
            if (error is not null || fields.Count != columns.Length)
            {
                Drop(row, null, DropReason.Malformed, error ?? $"{fields.Count} columns where the header has {columns.Length}");
                continue;
            }

            Add(row, names => Column(names) is var column and >= 0 ? fields[column] : null, [], []);
        }
    }

    private char Delimiter(string text)
    {
        if (!System.IO.Path.GetExtension(Path).Equals(".csv", StringComparison.OrdinalIgnoreCase))
        {
            return '\t';
        }

        // Spreadsheets write semicolons in many countries.
        var header = text.AsSpan()[..(text.IndexOf('\n', StringComparison.Ordinal) is var end and >= 0 ? end : text.Length)];
        return header.Contains(',') ? ',' : header.Contains(';') ? ';' : header.Contains('\t') ? '\t' : ',';
    }

    private void Add(int row, Func<string[], string?> get, IReadOnlyList<TimedWord> words, List<TimedText> segments)
    {
        var audio = get(Fields.Audio);
        if (string.IsNullOrWhiteSpace(audio))
        {
            Drop(row, null, DropReason.Malformed, "the row names no audio");
            return;
        }

        var raw = get(Fields.Text);
        if (audio.Contains(ManifestText.Replacement, StringComparison.Ordinal) || raw?.Contains(ManifestText.Replacement, StringComparison.Ordinal) == true)
        {
            Drop(row, audio, DropReason.WrongEncoding, EncodingDetail);
            return;
        }

        var path = Resolve(audio);
        if (path is null)
        {
            Drop(row, audio, DropReason.MissingFile, "the audio file does not exist");
            return;
        }

        var silence = get(Fields.Silence)?.Trim().ToLowerInvariant() is "true" or "1" or "yes";
        var text = TextCleanup.Clean(raw ?? "");
        if (text.Length == 0 && !silence)
        {
            Drop(row, audio, DropReason.EmptyText, raw is null ? "the row has no text" : "the text is empty");
            return;
        }

        if (text.Length > 0 && silence)
        {
            Drop(row, audio, DropReason.Malformed, "the row is marked as silence and has a text");
            return;
        }

        if (segments.Count > 0 && text != string.Join(' ', segments.Select(segment => segment.Text)))
        {
            Drop(row, audio, DropReason.Malformed, "the segments' texts, one after the other, are not the text");
            return;
        }

        if (!TryTime(get(Fields.Start), out var start) || !TryTime(get(Fields.End), out var end) || end <= (start ?? 0))
        {
            Drop(row, audio, DropReason.Malformed, "start and end must be seconds, from 0, the end after the start");
            return;
        }

        if (!TryWeight(get(Fields.Weight), out var weight))
        {
            Drop(row, audio, DropReason.Malformed, FormattableString.Invariant($"the weight must be a number above 0, at most {ManifestEntry.MaxWeight}"));
            return;
        }

        _entries.Add(new ManifestEntry
        {
            Row = row,
            AudioPath = path,
            AudioName = audio,
            Text = text,
            Hypothesis = get(Fields.Hypothesis) is { } hypothesis ? TextCleanup.Clean(hypothesis) : null,
            Language = NullIfEmpty(get(Fields.Language)),
            Speaker = NullIfEmpty(get(Fields.Speaker)),
            Domain = NullIfEmpty(get(Fields.Domain)),
            StartSeconds = start ?? 0,
            EndSeconds = end,
            IsSilence = silence,
            IsReplay = get(Fields.Kind)?.Trim().ToLowerInvariant() is "replay" or "anchor",
            Weight = weight,
            Segments = segments,
            Words = words,
        });
    }

    private string? Resolve(string audio)
    {
        if (audio.Contains('\0', StringComparison.Ordinal))
        {
            return null;
        }

        var direct = System.IO.Path.GetFullPath(System.IO.Path.Combine(_folder, audio));
        if (File.Exists(direct))
        {
            return direct;
        }

        var clip = System.IO.Path.GetFullPath(System.IO.Path.Combine(_folder, "clips", audio));
        return File.Exists(clip) ? clip : null;
    }

    private void Drop(int row, string? audio, DropReason reason, string detail) => _dropped.Add(new DroppedRow(row, audio, reason, detail));

    private static bool TryTime(string? text, out double? seconds)
    {
        seconds = null;
        if (string.IsNullOrWhiteSpace(text))
        {
            return true;
        }

        if (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) || !double.IsFinite(value) || value < 0)
        {
            return false;
        }

        seconds = value;
        return true;
    }

    private static bool TryWeight(string? text, out double weight)
    {
        weight = 1;
        return string.IsNullOrWhiteSpace(text)
            || (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out weight) && weight is > 0 and <= ManifestEntry.MaxWeight);
    }

    private const string EncodingDetail = "the row's text is in another encoding than the file's (UTF-8 is expected; convert it, as with iconv -f LATIN1 -t UTF-8)";

    private static string? NullIfEmpty(string? text) => string.IsNullOrWhiteSpace(text) ? null : text.Trim();

    private static string OneLine(string text) => text.ReplaceLineEndings(" ");
}
