using System.Buffers;
using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Captions;
using AsrPlatform.Host.Data;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Host.Learning.Confidence;

/// <summary>A caption that is worth a look, and its words.</summary>
/// <param name="SessionId">Its session.</param>
/// <param name="SegmentId">Its segment.</param>
/// <param name="Sequence">Its update, as a correction names it.</param>
/// <param name="Text">Its text.</param>
/// <param name="ExpectedWrong">How many of its words are wrong, as far as their confidences tell.</param>
/// <param name="Words">Its words with calibrated confidences, and times in seconds of the session.</param>
/// <param name="AdapterVersion">What made it.</param>
internal sealed record CorrectionSuggestion(
    string SessionId, long SegmentId, long Sequence, string Text, double ExpectedWrong, IReadOnlyList<CaptionWord> Words, string AdapterVersion);

/// <summary>The calibrations of a data folder, a small JSON file for each adapter version (<c>confidence/VERSION.json</c>), and what they are fitted on.</summary>
/// <remarks>Safe for concurrent calls. Nothing is held in memory.</remarks>
internal sealed class ConfidenceStore(DataFolder folder)
{
    /// <summary>Captions that suggestions are chosen from, the newest.</summary>
    public const int RecentCaptions = 500;

    private static readonly SearchValues<char> OfIds = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");

    private static readonly JsonSerializerOptions Form = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    private string Directory => Path.Combine(folder.Directory, "confidence");

    /// <summary>When a map was last written or deleted; null where there is none.</summary>
    public DateTimeOffset? ChangedAt => System.IO.Directory.Exists(Directory) ? new DateTimeOffset(System.IO.Directory.GetLastWriteTimeUtc(Directory), TimeSpan.Zero) : null;

    /// <summary>The stored maps, by version.</summary>
    /// <exception cref="AsrException">A file is damaged.</exception>
    public IReadOnlyList<ConfidenceMap> Read()
    {
        if (!System.IO.Directory.Exists(Directory))
        {
            return [];
        }

        return [.. System.IO.Directory.EnumerateFiles(Directory, "*.json").Order(StringComparer.Ordinal).Select(ReadOne)];
    }

    /// <summary>Fits the maps of all versions that have words enough, and stores them.</summary>
    /// <returns>What was fitted, and why others were not, a sentence each.</returns>
    /// <exception cref="AsrException">A file cannot be written.</exception>
    public (IReadOnlyList<ConfidenceMap> Fitted, IReadOnlyList<string> LeftOut) Fit(DateTimeOffset now)
    {
        var fitted = new List<ConfidenceMap>();
        var leftOut = new List<string>();
        foreach (var version in Samples().GroupBy(item => item.Version, item => item.Sample).OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            try
            {
                var map = ConfidenceFit.Fit([.. version], version.Key, now);
                Write(map);
                fitted.Add(map);
            }
            catch (AsrException error) when (version.Count() < ConfidenceFit.MinimumWords)
            {
                leftOut.Add(error.Message);
            }
        }

        return (fitted, leftOut);
    }

    /// <summary>Captions to correct first: those with the most words that are probably wrong, of the newest that nobody has corrected.</summary>
    /// <param name="session">Only of this session; null: of all.</param>
    /// <param name="limit">At most so many.</param>
    /// <param name="maps">Calibrates the model's probabilities.</param>
    public IReadOnlyList<CorrectionSuggestion> Suggest(string? session, int limit, ConfidenceMaps maps)
    {
        var captions = folder.Database.Read(connection => connection.Query(
            """
            SELECT session.id, segment, sequence, text, words, adapter_version FROM caption JOIN session ON session.number = caption.session
            WHERE ($session IS NULL OR session.id = $session) AND caption.state = 'committed' AND text <> ''
                AND NOT EXISTS (SELECT 1 FROM caption AS later WHERE later.session = caption.session AND later.segment = caption.segment AND later.revision > caption.revision)
            ORDER BY caption.session DESC, sequence DESC LIMIT $limit
            """,
            reader => (Session: reader.GetString(0), Segment: reader.GetInt64(1), Sequence: reader.GetInt64(2), Text: reader.GetString(3), Words: reader.GetString(4), Version: reader.GetString(5)),
            ("$session", session),
            ("$limit", RecentCaptions)));
        return [.. captions
            .Select(caption =>
            {
                CaptionWord[] words = [.. Words(caption.Words).Select(word => maps.Calibrate(word, caption.Version))];
                return new CorrectionSuggestion(caption.Session, caption.Segment, caption.Sequence, caption.Text, words.Sum(word => 1 - word.Confidence), words, caption.Version);
            })
            .Where(suggestion => suggestion.Words.Count > 0)
            .OrderByDescending(suggestion => suggestion.ExpectedWrong)
            .Take(limit)];
    }

    /// <summary>
    /// Words that somebody has judged: those of corrected captions by the diff; and those of captions that were left as they are, before the
    /// last correction of their session: whoever corrected that one had read past them.
    /// </summary>
    private List<(string Version, ConfidenceSample Sample)> Samples()
    {
        var captions = folder.Database.Read(connection => connection.Query(
            """
            SELECT caption.session, caption.segment, caption.words, caption.adapter_version,
                (SELECT corrected.text FROM caption AS corrected WHERE corrected.session = caption.session AND corrected.segment = caption.segment AND corrected.state = 'corrected'
                    ORDER BY corrected.revision DESC LIMIT 1)
            FROM caption JOIN (SELECT session, max(segment) AS last FROM caption WHERE state = 'corrected' GROUP BY session) AS read ON read.session = caption.session
            WHERE caption.state = 'committed' AND caption.segment <= read.last AND caption.text <> ''
                AND NOT EXISTS (SELECT 1 FROM correction WHERE correction.session = caption.session AND correction.segment = caption.segment AND correction.state IN ('held', 'refused'))
            ORDER BY caption.session, caption.segment
            """,
            reader => (Session: reader.GetInt64(0), Segment: reader.GetInt64(1), Words: reader.GetString(2), Version: reader.GetString(3), Text: reader.Text(4))));
        var samples = new List<(string, ConfidenceSample)>();
        foreach (var (index, caption) in captions.Index())
        {
            var words = Words(caption.Words);
            var right = caption.Text is { } text ? CaptionedWords.AreRight(words, text) : null;
            samples.AddRange(words.Select((word, at) => (caption.Version, new ConfidenceSample(word.ModelConfidence ?? word.Confidence, right?[at] ?? true, index))));
        }

        return samples;
    }

    private static List<CaptionWord> Words(string json) => JsonSerializer.Deserialize<List<CaptionWord>>(json, JsonSerializerOptions.Web)!;

    private void Write(ConfidenceMap map)
    {
        // Versions are ids of adapters, which are names of folders too; anything else gets no file.
        if (map.AdapterVersion.Length == 0 || map.AdapterVersion.AsSpan().IndexOfAnyExcept(OfIds) >= 0 || map.AdapterVersion[0] == '.')
        {
            throw new AsrException($"\"{map.AdapterVersion}\" is no id of an adapter");
        }

        try
        {
            System.IO.Directory.CreateDirectory(Directory);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"{Directory} cannot be made: {error.Message}", error);
        }

        AtomicFile.Write(Path.Combine(Directory, map.AdapterVersion + ".json"), stream => JsonSerializer.Serialize(stream, map, Form));
    }

    private static ConfidenceMap ReadOne(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<ConfidenceMap>(File.ReadAllBytes(path), Form) ?? throw new AsrException($"{path} is empty: delete it, and calibrate again");
        }
        catch (Exception error) when (error is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"{path} cannot be read: {error.Message} Delete it, and calibrate again.", error);
        }
    }
}
