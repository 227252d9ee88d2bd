using System.CommandLine;
using System.Globalization;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Host.Serving;
using AsrPlatform.Whisper.Alignment;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Features;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr models align DIR</c>: finds a checkpoint's alignment heads by known word times.</summary>
internal static class ModelsAlign
{
    public static Command Create()
    {
        var directory = new Argument<string>("DIR") { Description = "a checkpoint folder" };
        var data = new Option<string>("--data") { Description = "manifest with word times (synthesize --word-times makes one)", HelpName = "MANIFEST", Required = true };
        var limit = new Option<int>("--limit") { Description = "utterances to compare on, the manifest's first", HelpName = "N", DefaultValueFactory = _ => 100 };
        var language = new Option<string?>("--language") { Description = "language of the texts, where the manifest names none", HelpName = "xx" };
        var dryRun = new Option<bool>("--dry-run") { Description = "finds them and writes nothing" };
        var quiet = new Option<bool>("--quiet") { Description = "no progress on stderr" };
        var backend = new Option<string?>("--backend") { Description = "the backend that runs the model", HelpName = "NAME" };
        var device = new Option<string>("--device") { Description = "cpu, cuda, cuda:0, …", HelpName = "NAME", DefaultValueFactory = _ => "auto" };
        var threads = new Option<int>("--threads") { Description = "threads for computation; 0 lets the backend choose", HelpName = "N" };
        var plugins = new PluginOptions();
        var command = new Command("align", "Finds the heads whose cross-attention follows the audio, by known word times, and writes them to generation_config.json.");
        command.Arguments.Add(directory);
        foreach (var option in (Option[])[data, limit, language, dryRun, quiet, backend, device, threads, plugins.Directory])
        {
            command.Options.Add(option);
        }

        command.SetAction(async (parsed, cancellationToken) =>
        {
            var folder = parsed.GetValue(directory)!;
            var manifest = Manifest.Read(parsed.GetValue(data)!);
            var count = parsed.GetValue(limit) is var given and > 0 ? given : throw new AsrException("--limit: give 1 or more");
            var timed = manifest.Entries.Where(entry => entry.Words.Count > 0).Take(count).ToArray();
            if (timed.Length == 0)
            {
                throw new AsrException($"{manifest.Path}: no row has word times; 'asr synthesize --word-times' makes such a manifest");
            }

            await using var catalog = plugins.Load(parsed);
            var engine = BackendChoice.Of(catalog, parsed.GetValue(backend), folder);
            var load = new ModelLoadOptions { ModelDirectory = folder, Device = parsed.GetValue(device)!, Threads = parsed.GetValue(threads) };
            var choice = await DedicatedThread.RunAsync(() => Find(folder, timed, parsed.GetValue(language), engine, load, parsed.GetValue(quiet), cancellationToken));
            foreach (var (head, error) in choice.Single)
            {
                Console.WriteLine($"{head.Layer}.{head.Head}  {Milliseconds(error)}{(choice.Heads.Contains(head) ? "  *" : "")}");
            }

            if (!parsed.GetValue(dryRun))
            {
                GenerationConfig.WriteAlignmentHeads(folder, choice.Heads);
            }

            Console.WriteLine($"{string.Join(' ', choice.Heads.Select(head => $"{head.Layer}.{head.Head}"))}: word ends within {Milliseconds(choice.ErrorSeconds)} on average, {choice.Utterances} utterances");
            return 0;
        });
        return command;
    }

    private static AlignmentHeadChoice Find(
        string folder, ManifestEntry[] entries, string? language, ISeq2SeqBackend engine, ModelLoadOptions load, bool quiet, CancellationToken cancellationToken)
    {
        using var model = engine.Load(load, cancellationToken);
        var config = WhisperConfig.Load(folder);
        var preprocessor = PreprocessorConfig.Load(folder, config);
        var extractor = LogMelExtractor.Of(preprocessor);
        return ProgressBar.Run("align", quiet, report => AlignmentHeadFinder.Find(
            model,
            WhisperTokenizer.Load(folder),
            entries.Select(entry => Read(entry, language, extractor, preprocessor.Samples)).OfType<TimedUtterance>(),
            preprocessor.SampleRateHz / (2.0 * preprocessor.HopLength),
            config.MedianFilterWidth,
            share => report(share, ""),
            cancellationToken));
    }

    /// <summary>Null where the audio is longer than the model's context.</summary>
    private static TimedUtterance? Read(ManifestEntry entry, string? language, LogMelExtractor extractor, int contextSamples)
    {
        using var reader = new UtteranceReader(entry.AudioPath);
        var samples = reader.Read(entry.StartSeconds, entry.EndSeconds, contextSamples);
        return samples.Length is 0 || samples.Length > contextSamples
            ? null
            : new TimedUtterance(
                extractor.Extract(samples, contextSamples), [.. entry.Words.Select(word => (word.Word, word.End))], entry.Language ?? language);
    }

    private static string Milliseconds(double seconds) => (seconds * 1000).ToString("0 ms", CultureInfo.InvariantCulture);
}
