using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Host.Learning.Evaluation;
using AsrPlatform.Host.Learning.Registry;
using AsrPlatform.Host.Serving;
using AsrPlatform.Whisper.Text;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr adapters compare</c>: two adapters side by side, and on request both on a manifest.</summary>
internal static class AdaptersCompare
{
    public static Command Create()
    {
        var a = new Argument<string>("A") { Description = "an adapter's id; base: the base model, with --data" };
        var b = new Argument<string>("B") { Description = "the other one" };
        var data = new AdaptersCommand.DataOption();
        var manifest = new Option<string?>("--data") { Description = "transcribes this manifest with both and compares their word error rates", HelpName = "MANIFEST" };
        var language = new Option<string?>("--language") { Description = "of the manifest's rows that do not say; default: detected", HelpName = "CODE" };
        var json = new Option<bool>("--json") { Description = "one JSON object" };
        var quiet = new Option<bool>("--quiet") { Description = "no progress on stderr" };
        var model = new ModelOptions();
        var command = new Command("compare", "Shows two adapters side by side: metrics of their gates, settings that differ, corrections.");
        command.Arguments.Add(a);
        command.Arguments.Add(b);
        command.Options.Add(manifest);
        command.Options.Add(language);
        command.Options.Add(json);
        command.Options.Add(quiet);
        data.AddTo(command);
        command.Options.Add(model.Model);
        command.Options.Add(model.Backend);
        command.Options.Add(model.Device);
        command.Options.Add(model.Threads);
        command.Options.Add(model.Plugins.Directory);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            string[] ids = [parsed.GetValue(a)!, parsed.GetValue(b)!];
            if (ids[0] == ids[1])
            {
                throw new AsrException($"{ids[0]} and {ids[1]} are the same: give two");
            }

            using var folder = data.Open(parsed);
            var registry = new AdapterRegistry(folder);
            var sides = ids.Contains(AdapterRegistry.Base) ? null : AdapterComparison.Of(registry, ids[0], ids[1]);
            EvaluationResult[]? heard = null;
            if (parsed.GetValue(manifest) is { } path)
            {
                var rows = Manifest.Read(path);
                var request = model.Read(parsed);
                var hash = request.Load.ModelDirectory is { } directory ? await BaseModel.HashAsync(directory, cancellationToken) : null;
                var folders = new Dictionary<string, string>(StringComparer.Ordinal);
                foreach (var id in ids.Where(id => id != AdapterRegistry.Base))
                {
                    folders.Add(id, await registry.OpenAsync(id, hash, cancellationToken));
                }

                await using var catalog = model.Plugins.Load(parsed);
                heard = await DedicatedThread.RunAsync(() =>
                {
                    using var recognizer = RecognizerLoader.Load(catalog, request, cancellationToken);
                    foreach (var (id, place) in folders)
                    {
                        AdapterLoader.Add(catalog, recognizer, id, place);
                    }

                    return ids.Select(id => Measure(recognizer, rows, id, parsed.GetValue(language), parsed.GetValue(quiet), cancellationToken)).ToArray();
                });
            }
            else if (sides is null)
            {
                throw new AsrException("the base model has no metrics of its own: give --data MANIFEST");
            }

            Write(parsed.GetValue(json), ids, sides, heard);
            return 0;
        });
        return command;
    }

    private static EvaluationResult Measure(ISpeechRecognizer recognizer, Manifest manifest, string id, string? language, bool quiet, CancellationToken cancellationToken)
    {
        var total = manifest.Entries.Count;
        var options = new TranscriptionOptions { Adapter = id == AdapterRegistry.Base ? "none" : id, Language = language };
        return ProgressBar.Run(id, quiet, report => Evaluator.Run(
            recognizer,
            manifest,
            options,
            new BasicTextNormalizer(),
            (done, counts) => report(done / (double)total, string.Create(CultureInfo.InvariantCulture, $"{done}/{total}, WER {100 * counts.WordErrorRate:0.00} %")),
            cancellationToken));
    }

    private static void Write(bool json, string[] ids, AdapterComparison? sides, EvaluationResult[]? heard)
    {
        if (json)
        {
            Console.WriteLine(JsonSerializer.Serialize(new { sides?.A, sides?.B, sides?.Metrics, sides?.Config, sides?.Corrections, Data = heard?.Select(Describe) }, AdaptersCommand.Json));
            return;
        }

        Console.WriteLine($"{"",-36}{ids[0],20}{ids[1],20}");
        if (sides is not null)
        {
            Line("state", sides.A.State, sides.B.State);
            Line("corrections", $"{sides.A.Corrections}", $"{sides.B.Corrections}");
            foreach (var value in sides.Metrics.Concat(sides.Config))
            {
                Line(value.Name, value.A?.ToJsonString() ?? "-", value.B?.ToJsonString() ?? "-");
            }
        }

        if (heard is not null)
        {
            Line("WER", Percent(heard[0].Counts.WordErrorRate), Percent(heard[1].Counts.WordErrorRate));
            Line("CER", Percent(heard[0].Counts.CharacterErrorRate), Percent(heard[1].Counts.CharacterErrorRate));
            var pairs = heard[0].Utterances.Join(
                heard[1].Utterances, static one => one.Entry.Row, static other => other.Entry.Row, static (one, other) => other.Counts.WordErrors - one.Counts.WordErrors).ToArray();
            Console.WriteLine($"of {pairs.Length} utterances {ids[1]} has {pairs.Count(static errors => errors < 0)} better, {pairs.Count(static errors => errors > 0)} worse");
        }

        static void Line(string name, string one, string other) => Console.WriteLine($"{name,-36}{one,20}{other,20}");

        object Describe(EvaluationResult result, int index)
        {
            var (word, _) = ErrorRateInterval.Bootstrap([.. result.Utterances.Select(utterance => utterance.Counts)], seed: 0);
            return new
            {
                Adapter = ids[index],
                Wer = result.Counts.WordErrorRate,
                Cer = result.Counts.CharacterErrorRate,
                WerLow = word.Low,
                WerHigh = word.High,
                Utterances = result.Utterances.Count,
            };
        }
    }

    private static string Percent(double fraction) => (100 * fraction).ToString("0.00", CultureInfo.InvariantCulture) + " %";
}
