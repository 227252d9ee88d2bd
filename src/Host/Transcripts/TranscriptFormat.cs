using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;

namespace AsrPlatform.Host.Transcripts;

/// <summary>Writes a transcript as <c>txt</c>, <c>json</c>, <c>srt</c> or <c>vtt</c>, in the forms of OpenAI's command line.</summary>
internal static class TranscriptFormat
{
    private static readonly JsonWriterOptions JsonOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The formats' names, which are also the files' extensions.</summary>
    public static IReadOnlyList<string> Names { get; } = ["txt", "json", "srt", "vtt"];

    /// <summary>Writes a transcript.</summary>
    /// <exception cref="AsrException">The format is unknown.</exception>
    public static string Write(TranscriptionResult result, string format) => format switch
    {
        "txt" => Text(result),
        "json" => Json(result),
        "srt" => Srt(result.Segments.Select(segment => new SubtitleCue(segment.Start, segment.End, segment.Text))),
        "vtt" => Vtt(result.Segments.Select(segment => new SubtitleCue(segment.Start, segment.End, segment.Text))),
        _ => throw new AsrException($"unknown format '{format}': use one of {string.Join(", ", Names)}"),
    };

    /// <summary>SubRip subtitles: cues numbered from 1, <c>00:00:00,000 --&gt; 00:00:01,000</c>.</summary>
    public static string Srt(IEnumerable<SubtitleCue> cues)
    {
        var text = new StringBuilder();
        var number = 0;
        foreach (var cue in cues)
        {
            text.Append(CultureInfo.InvariantCulture, $"{++number}\n{Time(cue.Start, ',')} --> {Time(cue.End, ',')}\n{CueText(cue)}\n\n");
        }

        return text.ToString();
    }

    /// <summary>WebVTT subtitles.</summary>
    public static string Vtt(IEnumerable<SubtitleCue> cues)
    {
        var text = new StringBuilder("WEBVTT\n\n");
        foreach (var cue in cues)
        {
            text.Append(CultureInfo.InvariantCulture, $"{Time(cue.Start, '.')} --> {Time(cue.End, '.')}\n{CueText(cue)}\n\n");
        }

        return text.ToString();
    }

    /// <summary>Both formats need hours to two digits; WebVTT allows them to be left out, players read them either way.</summary>
    private static string Time(double seconds, char decimalMark)
    {
        var milliseconds = (long)Math.Round(Math.Max(seconds, 0) * 1000);
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{milliseconds / 3_600_000:00}:{milliseconds / 60_000 % 60:00}:{milliseconds / 1000 % 60:00}{decimalMark}{milliseconds % 1000:000}");
    }

    /// <summary>An arrow inside a cue would be read as a time line, an empty line would end the cue.</summary>
    private static string CueText(SubtitleCue cue) =>
        cue.Text.Trim().Replace("-->", "->", StringComparison.Ordinal).ReplaceLineEndings(" ");

    private static string Text(TranscriptionResult result) =>
        result.Segments.Count == 0
            ? result.Text.Trim() + "\n"
            : string.Concat(result.Segments.Select(segment => segment.Text.Trim() + "\n"));

    private static string Json(TranscriptionResult result)
    {
        using var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, JsonOptions))
        {
            json.WriteStartObject();
            json.WriteString("text", result.Text);
            json.WriteString("language", result.Language);
            json.WriteNumber("duration", Rounded(result.DurationSeconds));
            json.WriteStartArray("segments");
            foreach (var segment in result.Segments)
            {
                WriteSegment(json, segment);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(stream.GetBuffer(), 0, (int)stream.Length) + "\n";
    }

    private static void WriteSegment(Utf8JsonWriter json, TranscriptSegment segment)
    {
        json.WriteStartObject();
        json.WriteNumber("id", segment.Id);
        json.WriteNumber("seek", segment.Seek);
        json.WriteNumber("start", Rounded(segment.Start));
        json.WriteNumber("end", Rounded(segment.End));
        json.WriteString("text", segment.Text);
        json.WriteStartArray("tokens");
        foreach (var token in segment.Tokens)
        {
            json.WriteNumberValue(token);
        }

        json.WriteEndArray();
        json.WriteNumber("temperature", segment.Temperature);
        WriteOptional(json, "avg_logprob", segment.AverageLogProbability);
        WriteOptional(json, "compression_ratio", segment.CompressionRatio);
        WriteOptional(json, "no_speech_prob", segment.NoSpeechProbability);
        if (segment.Words is { } words)
        {
            json.WriteStartArray("words");
            foreach (var word in words)
            {
                json.WriteStartObject();
                json.WriteString("word", word.Word);
                json.WriteNumber("start", Rounded(word.Start));
                json.WriteNumber("end", Rounded(word.End));
                json.WriteNumber("probability", word.Probability);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    private static void WriteOptional(Utf8JsonWriter json, string name, double? value)
    {
        if (value is { } number && double.IsFinite(number))
        {
            json.WriteNumber(name, number);
        }
        else
        {
            json.WriteNull(name);
        }
    }

    /// <summary>Times are multiples of 10 or 20 ms or of a sample: six decimals hold them all and hide binary fractions.</summary>
    private static double Rounded(double seconds) => Math.Round(seconds, 6);
}

/// <summary>One subtitle; times in seconds.</summary>
internal readonly record struct SubtitleCue(double Start, double End, string Text);
