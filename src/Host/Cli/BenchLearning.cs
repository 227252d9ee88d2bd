using System.CommandLine;
using System.Globalization;
using System.Text;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Learning.Bench;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Host.Learning.Datasets;
using AsrPlatform.Host.Learning.Synthesis;
using AsrPlatform.Host.Serving;
using AsrPlatform.Whisper;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr bench learning</c>: what a model learns from few corrections of domains that it does not know, and what it forgets.</summary>
internal static class BenchLearning
{
    public static Command Create()
    {
        var model = new Option<string?>("--model") { Description = "checkpoint folder (Hugging Face layout); default: the demo model", HelpName = "DIR" };
        var work = new Option<string?>("--work-dir") { Description = "keeps speech, data folders and adapters; default: a temporary folder that is deleted", HelpName = "DIR" };
        var counts = new Option<string>("--corrections") { Description = "corrections of a domain, a list; each is a run of its own", HelpName = "N,…", DefaultValueFactory = _ => "5,10,20" };
        var seeds = new Option<int>("--seeds") { Description = "repetitions with other words, sentences and voices", HelpName = "N", DefaultValueFactory = _ => 3 };
        var domain = new Option<string?>("--domain") { Description = "one domain alone: " + string.Join(", ", LearningDomain.Sequence.Select(one => one.Name)), HelpName = "NAME" };
        var final = new Option<bool>("--final") { Description = $"the domain that is kept apart ({LearningDomain.Final.Name}): with settings that are frozen, once" };
        var anchor = new Option<string?>("--anchor") { Description = "folder of the anchor set (anchor.jsonl, replay.jsonl); default: anchor in the model's folder", HelpName = "DIR" };
        var set = new Option<string[]>("--set") { Description = "a setting of the rounds, such as Learning:Steps=40; may be repeated", HelpName = "NAME=VALUE" };
        var output = new Option<string?>("--output") { Description = "writes the JSON object to a file as well", HelpName = "FILE" };
        var picture = new Option<string?>("--svg") { Description = "draws the result", HelpName = "FILE" };
        var json = new Option<bool>("--json") { Description = "one JSON object" };
        var threads = new Option<int>("--threads") { Description = "threads to listen with; 0 lets the backend choose", HelpName = "N", DefaultValueFactory = _ => 1 };
        var quiet = new Option<bool>("--quiet") { Description = "no progress on stderr" };
        var plugins = new PluginOptions();
        var command = new Command(
            "learning",
            "Lets a model learn domains that it does not know, one after another, from corrections of synthetic speech, as 'asr learn' does; measures what it gains, what it forgets and how long it takes.");
        foreach (var option in (Option[])[model, work, counts, seeds, domain, final, set, anchor, output, picture, json, threads, quiet, plugins.Directory])
        {
            command.Options.Add(option);
        }

        command.SetAction(async (parsed, cancellationToken) =>
        {
            var directory = parsed.GetValue(model) ?? ModelOptions.FindDemoModel() ?? throw new AsrException("no model: give a checkpoint folder with --model DIR");
            var numbers = ReadCounts(parsed.GetValue(counts)!);
            var repetitions = parsed.GetValue(seeds) is var given and >= 1 ? given : throw new AsrException("--seeds: give 1 or more");
            if (parsed.GetValue(final) && parsed.GetValue(domain) is not null)
            {
                throw new AsrException("--final is a domain of its own: leave --domain out");
            }

            IReadOnlyList<LearningDomain> domains = parsed.GetValue(final) ? [LearningDomain.Final]
                : parsed.GetValue(domain) is { } name ? [LearningDomain.Find(name)]
                : LearningDomain.Sequence;
            foreach (var path in (string?[])[parsed.GetValue(output), parsed.GetValue(picture)])
            {
                if (path is not null && !Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(path))))
                {
                    throw new AsrException($"{path} cannot be written: its folder does not exist");
                }
            }

            var anchorFolder = AnchorSet.Find(parsed.GetValue(anchor), directory);
            var settings = parsed.GetValue(set) ?? [];
            var kept = parsed.GetValue(work);
            var folder = kept is null ? Directory.CreateTempSubdirectory("asr-bench-").FullName : Directory.CreateDirectory(kept).FullName;
            try
            {
                await using var catalog = plugins.Load(parsed);
                var request = new ModelRequest(null, new() { ModelDirectory = directory, Threads = parsed.GetValue(threads) });
                var result = await ProgressBar.RunAsync("bench learning", parsed.GetValue(quiet), report => DedicatedThread.RunAsync(() =>
                {
                    var data = Speak(domains, repetitions, folder, report, cancellationToken);
                    IReadOnlyList<ManifestEntry> general = anchorFolder is null ? [] : [.. AnchorSet.Open(anchorFolder, folder, cancellationToken).Anchor.Where(row => row.Text.Length > 0).Select(Entry)];
                    using var loaded = RecognizerLoader.Load(catalog, request, cancellationToken);
                    var recognizer = loaded as WhisperRecognizer ?? throw new AsrException($"the recognizer {loaded.Info.Name} takes no adapters: it cannot learn from corrections");
                    using var listening = new WhisperBenchModel(recognizer, catalog);
                    var bench = new LearningBench(listening, new LearningVerbs(directory, parsed.GetValue(anchor), settings, parsed.GetValue(plugins.Directory)), general, folder);
                    return new LearningBenchResult
                    {
                        Model = directory,
                        Settings = settings,
                        Sequences = bench.Run(data, numbers, progress => report(progress.Done / (double)progress.Total, progress.What), cancellationToken),
                    };
                }));
                var document = result.ToJson();
                if (parsed.GetValue(output) is { } file)
                {
                    AtomicFile.Write(file, stream => stream.Write(document));
                }

                if (parsed.GetValue(picture) is { } svg)
                {
                    AtomicFile.Write(svg, stream => stream.Write(Encoding.UTF8.GetBytes(LearningBenchChart.Draw(result))));
                }

                Console.Out.WriteLine(parsed.GetValue(json) ? Encoding.UTF8.GetString(document) : ToText(result));
                return 0;
            }
            finally
            {
                if (kept is null)
                {
                    Directory.Delete(folder, recursive: true);
                }
            }
        });
        return command;
    }

    /// <summary>What a terminal shows.</summary>
    internal static string ToText(LearningBenchResult result)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{"domain",-12}{"corrections",12}{"before %",10}{"after %",10}{"off %",8}{"rejected",10}{"s",8}{"CPU s",8}\n");
        foreach (var summary in result.Domains)
        {
            text.Append(CultureInfo.InvariantCulture, $"{summary.Domain,-12}{summary.Corrections,12}{100 * summary.Before,10:0.0}{100 * summary.After,10:0.0}{100 * summary.RelativeReduction,8:0}{$"{summary.Rejected}/{summary.Rounds}",10}{summary.Seconds,8:0}{summary.ProcessorSeconds,8:0}\n");
        }

        foreach (var transfer in result.Transfers)
        {
            string[] parts =
            [
                .. new[]
                {
                    Figure("anchor set, relative", 100 * transfer.AnchorChange, "%", transfer.AnchorInterval is { } anchor ? new(100 * anchor.Low, 100 * anchor.High) : null),
                    Figure("forward transfer", transfer.Forward, "points", null),
                    Figure("backward transfer", transfer.Backward, "points", transfer.BackwardInterval),
                }.OfType<string>(),
            ];
            if (parts.Length > 0)
            {
                text.Append(CultureInfo.InvariantCulture, $"{transfer.Corrections} corrections: {string.Join(", ", parts)}\n");
            }
        }

        return text.ToString().TrimEnd('\n');

        // An interval says whether a figure is more than chance: forty utterances of ten words are few.
        static string? Figure(string name, double? value, string unit, TransferInterval? interval) => value is null ? null
            : string.Create(CultureInfo.InvariantCulture, $"{name} {value:+0.0;−0.0;0.0} {unit}")
                + (interval is null ? "" : string.Create(CultureInfo.InvariantCulture, $" (95 %: {interval.Low:+0.0;−0.0;0.0} … {interval.High:+0.0;−0.0;0.0})"));
    }

    private static List<(int Seed, IReadOnlyList<DomainData> Domains)> Speak(
        IReadOnlyList<LearningDomain> domains, int seeds, string folder, Action<double, string> report, CancellationToken cancellationToken)
    {
        var synthesizers = SpeechSynthesizers.FindAll();
        try
        {
            var data = new List<(int, IReadOnlyList<DomainData>)>();
            for (var seed = 1; seed <= seeds; seed++)
            {
                var spoken = new List<DomainData>();
                foreach (var domain in domains)
                {
                    report(double.NaN, $"speech of {domain.Name}, seed {seed}");
                    var place = Path.Combine(folder, "speech", FormattableString.Invariant($"{domain.Name}-{seed}"));
                    spoken.Add(DomainSpeech.Make(domain.Make(seed), synthesizers, place, seed, cancellationToken));
                }

                data.Add((seed, spoken));
            }

            return data;
        }
        finally
        {
            foreach (var synthesizer in synthesizers.OfType<IDisposable>())
            {
                synthesizer.Dispose();
            }
        }
    }

    private static ManifestEntry Entry(DatasetRow row, int index) => new()
    {
        Row = index + 1,
        AudioPath = row.Audio,
        AudioName = Path.GetFileName(row.Audio),
        Text = row.Text,
        Language = row.Language,
        Speaker = row.Speaker,
    };

    private static int[] ReadCounts(string list)
    {
        int[] counts = [.. list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(text =>
            int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count is >= 1 and <= LearningDomain.Correctable
                ? count
                : throw new AsrException($"--corrections {list}: give numbers of 1 to {LearningDomain.Correctable}, with commas"))];
        return counts.Length > 0 ? counts : throw new AsrException("--corrections: give at least one number");
    }
}
