using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Host.Learning.Evaluation;
using AsrPlatform.Whisper.Files;
using AsrPlatform.Whisper.Text;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr evaluate</c>: error rates of a model on a manifest.</summary>
internal static class EvaluateCommand
{
    private static readonly JsonWriterOptions WriterOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Command Create()
    {
        var model = new ModelOptions();
        var decoding = new DecodingOptions();
        var data = new Option<string>("--data") { Description = "manifest (.jsonl, .csv, .tsv) or a folder with metadata.csv", HelpName = "MANIFEST", Required = true };
        var normalizer = new Option<string>("--normalizer") { Description = "brings both texts into one form first: none, basic (any language) or english", HelpName = "NAME", DefaultValueFactory = _ => "none" };
        normalizer.AcceptOnlyFromAmong("none", "basic", "english");
        var worst = new Option<int>("--worst") { Description = "utterances to show with their errors", HelpName = "N", DefaultValueFactory = _ => 5 };
        var json = new Option<bool>("--json") { Description = "one JSON object" };
        var output = new Option<string?>("--output") { Description = "writes the JSON object to a file as well", HelpName = "FILE" };
        var quiet = new Option<bool>("--quiet") { Description = "no progress on stderr" };
        var command = new Command("evaluate", "Measures word and character error rates, with 95 % confidence intervals, and the real-time factor.");
        command.Options.Add(data);
        command.Options.Add(normalizer);
        command.Options.Add(worst);
        command.Options.Add(json);
        command.Options.Add(output);
        command.Options.Add(quiet);
        model.AddTo(command);
        decoding.AddTo(command);
        command.SetAction((parsed, cancellationToken) =>
        {
            var options = decoding.Read(parsed);
            var manifest = Manifest.Read(parsed.GetValue(data)!);
            var outputPath = parsed.GetValue(output);
            RequireFolder(outputPath);
            ITextNormalizer? form = parsed.GetValue(normalizer) switch
            {
                "basic" => new BasicTextNormalizer(),
                "english" => EnglishTextNormalizer.Load(model.ReadDirectory(parsed)),
                _ => null,
            };
            return model.UseRecognizerAsync(
                parsed,
                recognizer =>
                {
                    var result = Measure(recognizer, manifest, options, form, parsed.GetValue(quiet), cancellationToken);
                    var document = ToJson(result, form is not null, options.Seed);
                    if (outputPath is not null)
                    {
                        AtomicFile.Write(outputPath, stream => stream.Write(document));
                    }

                    Console.Out.Write(parsed.GetValue(json)
                        ? Encoding.UTF8.GetString(document)
                        : ToText(result, parsed.GetValue(worst), options.Seed, colour: !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("NO_COLOR") is null or ""));
                    return 0;
                },
                cancellationToken);
        });
        return command;
    }

    private static void RequireFolder(string? outputPath)
    {
        if (outputPath is not null && Path.GetDirectoryName(Path.GetFullPath(outputPath)) is { } folder && !Directory.Exists(folder))
        {
            throw new AsrException($"--output {outputPath}: the folder {folder} does not exist");
        }
    }

    private static EvaluationResult Measure(
        ISpeechRecognizer recognizer, Manifest manifest, TranscriptionOptions options, ITextNormalizer? normalizer, bool quiet, CancellationToken cancellationToken)
    {
        var total = manifest.Entries.Count;
        var result = ProgressBar.Run("evaluate", quiet, report => Evaluator.Run(
            recognizer,
            manifest,
            options,
            normalizer,
            (done, counts) => report(done / (double)total, $"{done}/{total}, WER {Percent(counts.WordErrorRate)}"),
            cancellationToken));
        if (result.Dropped.Count > 0 && !quiet)
        {
            Console.Error.WriteLine($"asr: warning: {manifest.Path}: {result.Dropped.Count} rows left out: {DataReport.Summarize(result.Dropped)}");
        }

        return result;
    }

    /// <summary>The object of <c>--json</c>, a line.</summary>
    internal static byte[] ToJson(EvaluationResult result, bool normalized, int seed)
    {
        var (word, character) = ErrorRateInterval.Bootstrap([.. result.Utterances.Select(utterance => utterance.Counts)], seed);
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, WriterOptions))
        {
            writer.WriteStartObject();
            WriteCounts(writer, result.Counts);
            writer.WriteNumber("real_time_factor", result.RealTimeFactor);
            writer.WriteStartObject("confidence");
            writer.WriteNumber("level", ErrorRateInterval.Level);
            WriteInterval(writer, "wer", word);
            WriteInterval(writer, "cer", character);
            writer.WriteEndObject();
            writer.WriteNumber("audio_seconds", result.AudioSeconds);
            writer.WriteStartArray("files");
            foreach (var utterance in result.Utterances)
            {
                writer.WriteStartObject();
                writer.WriteString("audio", utterance.Entry.AudioName);
                writer.WriteNumber("row", utterance.Entry.Row);
                writer.WriteString("reference", utterance.Entry.Text);
                writer.WriteString("hypothesis", utterance.RawHypothesis);
                if (normalized)
                {
                    writer.WriteString("normalized_reference", utterance.Reference);
                    writer.WriteString("normalized_hypothesis", utterance.Hypothesis);
                }

                WriteCounts(writer, utterance.Counts);
                writer.WriteNumber("duration", utterance.AudioSeconds);
                writer.WriteNumber("real_time_factor", utterance.Seconds / Math.Max(utterance.AudioSeconds, 1e-9));
                WriteIfKnown(writer, "speaker", utterance.Entry.Speaker);
                WriteIfKnown(writer, "domain", utterance.Entry.Domain);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteStartArray("dropped");
            foreach (var row in result.Dropped)
            {
                writer.WriteStartObject();
                writer.WriteNumber("row", row.Row);
                writer.WriteString("audio", row.Audio);
                writer.WriteString("detail", row.Detail);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        buffer.WriteByte((byte)'\n');
        return buffer.ToArray();
    }

    /// <summary>What a terminal shows.</summary>
    internal static string ToText(EvaluationResult result, int worst, int seed, bool colour)
    {
        var counts = result.Counts;
        var (word, character) = ErrorRateInterval.Bootstrap([.. result.Utterances.Select(utterance => utterance.Counts)], seed);
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"WER  {Percent(counts.WordErrorRate)} (95 %: {Percent(word.Low)} to {Percent(word.High)})  {counts.Hits} words right, {counts.Substitutions} substituted, {counts.Deletions} deleted, {counts.Insertions} inserted\n");
        text.Append(CultureInfo.InvariantCulture, $"CER  {Percent(counts.CharacterErrorRate)} (95 %: {Percent(character.Low)} to {Percent(character.High)})\n");
        text.Append(CultureInfo.InvariantCulture, $"{result.Utterances.Count} utterances, {result.AudioSeconds / 60:0.0} min, real-time factor {result.RealTimeFactor:0.000}\n");
        var shown = result.Utterances.Where(utterance => utterance.Counts.WordErrors > 0)
            .OrderByDescending(utterance => utterance.Counts.WordErrors)
            .ThenByDescending(utterance => utterance.Counts.WordErrorRate)
            .Take(Math.Max(0, worst));
        foreach (var utterance in shown)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n{utterance.Entry.AudioName}: {utterance.Counts.WordErrors} errors in {utterance.Counts.ReferenceWords} words\n");
            text.Append(WordDiff.Render(utterance.Reference, utterance.Hypothesis, LineWidth, colour));
        }

        return text.ToString();
    }

    private const int LineWidth = 100;

    private static void WriteCounts(Utf8JsonWriter writer, ErrorCounts counts)
    {
        writer.WriteNumber("wer", counts.WordErrorRate);
        writer.WriteNumber("cer", counts.CharacterErrorRate);
        writer.WriteNumber("hits", counts.Hits);
        writer.WriteNumber("substitutions", counts.Substitutions);
        writer.WriteNumber("deletions", counts.Deletions);
        writer.WriteNumber("insertions", counts.Insertions);
    }

    private static void WriteInterval(Utf8JsonWriter writer, string name, ErrorRateInterval interval)
    {
        writer.WriteStartArray(name);
        writer.WriteNumberValue(interval.Low);
        writer.WriteNumberValue(interval.High);
        writer.WriteEndArray();
    }

    private static void WriteIfKnown(Utf8JsonWriter writer, string name, string? value)
    {
        if (value is not null)
        {
            writer.WriteString(name, value);
        }
    }

    private static string Percent(double fraction) => (100 * fraction).ToString("0.00", CultureInfo.InvariantCulture) + " %";
}
