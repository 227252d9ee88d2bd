using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Corrections;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Whisper.Files;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr corrections list|import|export|review|delete</c>: the corrections of a data folder, with or without a host that runs on it.</summary>
internal static class CorrectionsCommand
{
    private const int Everything = int.MaxValue;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Command Create()
    {
        var command = new Command("corrections", "Lists, imports, exports, reviews and deletes corrections; a running host sees what changes.");
        command.Subcommands.Add(CreateList());
        command.Subcommands.Add(CreateImport());
        command.Subcommands.Add(CreateExport());
        command.Subcommands.Add(CreateReview());
        command.Subcommands.Add(CreateDelete());
        return command;
    }

    private static Command CreateList()
    {
        var state = new Option<string?>("--state") { Description = "only those: stored, ready, held, refused, superseded", HelpName = "STATE" };
        state.AcceptOnlyFromAmong([.. Enum.GetValues<CorrectionState>().Select(CorrectionRows.NameOf)]);
        var session = new Option<string?>("--session") { Description = "only those of a session", HelpName = "ID" };
        var author = new Option<string?>("--author") { Description = "only an author's", HelpName = "NAME" };
        var limit = new Option<int>("--limit") { Description = "at most so many, the newest", HelpName = "N", DefaultValueFactory = _ => 100 };
        var (data, json) = (DataOption(), JsonOption("one JSON array"));
        var command = new Command("list", "Lists corrections, the newest first.");
        foreach (var option in (Option[])[state, session, author, limit, data, json])
        {
            command.Options.Add(option);
        }

        command.SetAction(parsed =>
        {
            if (parsed.GetValue(limit) is < 1 and var wrong)
            {
                throw new AsrException($"--limit {wrong}: give 1 or more");
            }

            using var folder = Open(parsed.GetValue(data));
            var filter = new CorrectionFilter(parsed.GetValue(state) is { } name ? CorrectionRows.StateOf(name) : null, parsed.GetValue(session), parsed.GetValue(author));
            var corrections = new CorrectionStore(folder, TimeProvider.System);
            Show(corrections, corrections.List(filter, null, parsed.GetValue(limit)), parsed.GetValue(json), "no corrections");
            return 0;
        });
        return command;
    }

    private static Command CreateImport()
    {
        var manifest = new Argument<string>("MANIFEST") { Description = "a manifest (.jsonl, .csv, .tsv) or a folder with metadata.csv; columns hypothesis, speaker, domain, language where known" };
        var author = new Option<string?>("--author") { Description = "who made them", HelpName = "NAME" };
        var speaker = new Option<string?>("--speaker") { Description = "whose voice, where a row names none", HelpName = "NAME" };
        var domain = new Option<string?>("--domain") { Description = "what they are about, where a row does not say", HelpName = "NAME" };
        var screen = new Option<bool>("--screen") { Description = "screens them here and now with a model; else a host or 'asr learn' does" };
        var quiet = new Option<bool>("--quiet") { Description = "no progress on stderr" };
        var (model, json) = (new ModelOptions(), JsonOption("one JSON object"));
        var command = new Command("import", "Takes corrections from a manifest; the same ones twice are there once.");
        command.Arguments.Add(manifest);
        foreach (var option in (Option[])[author, speaker, domain, screen, quiet, json])
        {
            command.Options.Add(option);
        }

        model.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var about = new CorrectionSource(CorrectionRows.NullIfBlank(parsed.GetValue(author)), CorrectionRows.NullIfBlank(parsed.GetValue(speaker)), CorrectionRows.NullIfBlank(parsed.GetValue(domain)));
            var rows = Manifest.Read(parsed.GetValue(manifest)!);
            using var folder = Open(parsed.GetValue(model.DataDirectory));
            var corrections = new CorrectionStore(folder, TimeProvider.System);
            var isQuiet = parsed.GetValue(quiet);
            var result = await ProgressBar.RunAsync("importing", isQuiet, report => CorrectionImport.RunAsync(corrections, rows, about, report, cancellationToken));
            List<(long Number, ScreeningVerdict Verdict)> judged = [];
            if (parsed.GetValue(screen))
            {
                await model.UseRecognizerAsync(
                    parsed,
                    recognizer =>
                    {
                        var scorer = WhisperCorrectionScorer.Of(recognizer) ?? throw new AsrException($"--screen: the recognizer {recognizer.Info.Name} cannot say how likely a text is");
                        return ProgressBar.Run("screening", isQuiet, report =>
                        {
                            CorrectionScreening.Screen(corrections, scorer, (correction, verdict, share) =>
                            {
                                judged.Add((correction.Number, verdict));
                                report(share, "");
                            }, cancellationToken);
                            return 0;
                        });
                    },
                    cancellationToken);
            }

            Report(result, judged, parsed.GetValue(screen), parsed.GetValue(json));
            return 0;
        });
        return command;
    }

    private static Command CreateExport()
    {
        var output = new Argument<string?>("DIR") { Description = "gets manifest.jsonl and clips/; without it the rows go to stdout, with the clips' paths", DefaultValueFactory = _ => null };
        var state = new Option<string>("--state") { Description = "which: stored, ready, held, refused, superseded, or all", HelpName = "STATE", DefaultValueFactory = _ => "ready" };
        state.AcceptOnlyFromAmong([.. Enum.GetValues<CorrectionState>().Select(CorrectionRows.NameOf), "all"]);
        var (data, json) = (DataOption(), JsonOption("one JSON object about the export"));
        var command = new Command("export", "Writes corrections as a manifest that train, evaluate and import read.");
        command.Arguments.Add(output);
        command.Options.Add(state);
        command.Options.Add(data);
        command.Options.Add(json);
        command.SetAction(parsed =>
        {
            using var folder = Open(parsed.GetValue(data));
            var corrections = new CorrectionStore(folder, TimeProvider.System);
            var wanted = parsed.GetValue(state) is "all" ? (CorrectionState?)null : CorrectionRows.StateOf(parsed.GetValue(state)!);
            var found = corrections.List(new CorrectionFilter(wanted), null, Everything).Where(correction => correction.Clip is not null).Reverse().ToList();
            if (parsed.GetValue(output) is not { } directory)
            {
                Console.Out.Write(Rows(found, correction => corrections.Clips.FileOf(correction.Clip!)));
                return 0;
            }

            Export(corrections, found, Path.GetFullPath(directory));
            Console.WriteLine(parsed.GetValue(json)
                ? JsonSerializer.Serialize(new { exported = found.Count, manifest = Path.Combine(Path.GetFullPath(directory), "manifest.jsonl") }, Json)
                : $"{Corrections(found.Count)} in {Path.Combine(directory, "manifest.jsonl")}");
            return 0;
        });
        return command;
    }

    private static Command CreateReview()
    {
        var numbers = new Argument<long[]>("NUMBER") { Description = "corrections; none: shows those that are held", Arity = ArgumentArity.ZeroOrMore };
        var release = new Option<bool>("--release") { Description = "they may be trained on" };
        var refuse = new Option<bool>("--refuse") { Description = "they are not trained on" };
        var (data, json) = (DataOption(), JsonOption("one JSON array"));
        var command = new Command("review", "Decides about corrections that the screening holds.");
        command.Arguments.Add(numbers);
        foreach (var option in (Option[])[release, refuse, data, json])
        {
            command.Options.Add(option);
        }

        command.Validators.Add(result =>
        {
            var (chosen, isReleased, isRefused) = (result.GetValue(numbers) is { Length: > 0 }, result.GetValue(release), result.GetValue(refuse));
            if (chosen ? isReleased == isRefused : isReleased || isRefused)
            {
                result.AddError(chosen ? "give either --release or --refuse" : "give the numbers of the corrections");
            }
        });
        command.SetAction(async (parsed, _) =>
        {
            using var folder = Open(parsed.GetValue(data));
            var corrections = new CorrectionStore(folder, TimeProvider.System);
            if (parsed.GetValue(numbers) is not { Length: > 0 } chosen)
            {
                Show(corrections, corrections.List(new CorrectionFilter(CorrectionState.Held), null, Everything), parsed.GetValue(json), "no correction is held");
                return 0;
            }

            List<StoredCorrection> reviewed = [];
            foreach (var number in chosen)
            {
                reviewed.Add(await corrections.ReviewAsync(number, parsed.GetValue(release)) ?? throw new AsrException($"there is no correction {number}"));
            }

            Show(corrections, reviewed, parsed.GetValue(json), "");
            return 0;
        });
        return command;
    }

    private static Command CreateDelete()
    {
        var numbers = new Argument<long[]>("NUMBER") { Description = "corrections", Arity = ArgumentArity.ZeroOrMore };
        var author = new Option<string?>("--author") { Description = "all of an author's", HelpName = "NAME" };
        var session = new Option<string?>("--session") { Description = "a whole session: its audio, captions and corrections", HelpName = "ID" };
        var (data, json) = (DataOption(), JsonOption("one JSON object"));
        var command = new Command("delete", "Deletes corrections for good: audio, text and captions; marks the adapters that were trained on them.");
        command.Arguments.Add(numbers);
        foreach (var option in (Option[])[author, session, data, json])
        {
            command.Options.Add(option);
        }

        command.Validators.Add(result =>
        {
            if (new[] { result.GetValue(numbers) is { Length: > 0 }, result.GetValue(author) is not null, result.GetValue(session) is not null }.Count(given => given) != 1)
            {
                result.AddError("give the numbers of corrections, or --author, or --session");
            }
        });
        command.SetAction(async (parsed, _) =>
        {
            var (folder, isAlone) = OpenToDelete(parsed.GetValue(data));
            using (folder)
            {
                var archive = new SessionArchive(folder, Options.Create(new DataOptions()), TimeProvider.System, NullLogger<SessionArchive>.Instance);
                int deleted;
                if (parsed.GetValue(session) is { } id)
                {
                    var record = archive.Find(id) ?? throw new AsrException($"there is no session '{id}'");
                    RequireOver(isAlone || record.State != StoredState.Active, id);
                    deleted = archive.CorrectionsOf(record);
                    await archive.DeleteAsync(record);
                }
                else
                {
                    var chosen = parsed.GetValue(author) is { } name ? archive.Corrections.OfAuthor(name) : parsed.GetValue(numbers)!;
                    foreach (var number in chosen)
                    {
                        var correction = archive.Corrections.Find(number) ?? throw new AsrException($"there is no correction {number}");
                        RequireOver(isAlone || correction.SessionId is not { } of || archive.Find(of) is not { State: StoredState.Active }, correction.SessionId);
                    }

                    deleted = (await archive.DeleteCorrectionsAsync(chosen, parsed.GetValue(author) is null ? "it was deleted" : "its author's corrections were deleted", show: true)).Count;
                }

                var tainted = archive.Corrections.Tainted();
                if (parsed.GetValue(json))
                {
                    Console.WriteLine(JsonSerializer.Serialize(new { deleted, tainted }, Json));
                }
                else
                {
                    Console.WriteLine($"{Corrections(deleted)} deleted");
                    foreach (var adapter in tainted)
                    {
                        Console.WriteLine($"adapter {adapter} was trained on what is deleted: make a clean one with ./asr adapters rebuild");
                    }
                }
            }

            return 0;
        });
        return command;
    }

    /// <summary>The folder as the host would have it where none runs, else beside it.</summary>
    private static (DataFolder Folder, bool IsAlone) OpenToDelete(string? given)
    {
        var directory = Existing(given);
        try
        {
            return (DataFolder.Open(directory, TimeProvider.System), true);
        }
        catch (AsrException)
        {
            return (DataFolder.OpenBeside(directory, TimeProvider.System), false);
        }
    }

    private static void RequireOver(bool isOver, string? session)
    {
        if (!isOver)
        {
            throw new AsrException($"session '{session}' runs: delete what is of it on the host's page (or DELETE /api/corrections/NUMBER), or when it is over");
        }
    }

    private static DataFolder Open(string? given) => DataFolder.OpenBeside(DataDirectory.Resolve(given), TimeProvider.System);

    private static string Existing(string? given) => DataDirectory.Resolve(given) is var directory && File.Exists(Path.Combine(directory, "asrplatform.db"))
        ? directory
        : throw new AsrException($"{directory} is no data folder: there is nothing to delete");

    private static Option<string?> DataOption() => new("--data-dir") { Description = "the data folder; default: ASR_DATA_DIR, else the user's", HelpName = "DIR" };

    private static Option<bool> JsonOption(string description) => new("--json") { Description = description };

    private static string Corrections(int count) => count == 1 ? "1 correction" : string.Create(CultureInfo.InvariantCulture, $"{count} corrections");

    private static void Show(CorrectionStore store, IReadOnlyList<StoredCorrection> corrections, bool asJson, string none)
    {
        if (asJson)
        {
            var inTraining = store.InTraining();
            Console.WriteLine(JsonSerializer.Serialize(corrections.Select(correction => CorrectionItem.Of(correction, inTraining)), Json));
            return;
        }

        if (corrections.Count == 0 && none.Length > 0)
        {
            Console.WriteLine(none);
        }

        foreach (var correction in corrections)
        {
            var about = string.Join(", ", new[] { correction.SessionId, correction.Author, correction.Speaker, correction.Domain }.OfType<string>());
            Console.WriteLine($"{correction.Number,6}  {CorrectionRows.NameOf(correction.State),-10}  {correction.CreatedAt.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture)}{(about.Length > 0 ? "  " + about : "")}{(correction.LearnedBy is { } adapter ? $"  learnt by {adapter}" : "")}");
            Console.WriteLine($"        heard: {correction.Hypothesis}");
            Console.WriteLine($"        said:  {correction.Text}");
            if (correction.Reason is { } reason)
            {
                Console.WriteLine($"        {reason}");
            }
        }
    }

    private static void Report(CorrectionImport.Result result, List<(long Number, ScreeningVerdict Verdict)> judged, bool isScreened, bool asJson)
    {
        var held = judged.Where(one => !one.Verdict.IsPlausible).ToList();
        if (asJson)
        {
            Console.WriteLine(JsonSerializer.Serialize(
                new
                {
                    imported = result.Imported,
                    known = result.Known,
                    dropped = result.Dropped.Select(row => new { row.Row, row.Audio, row.Detail }),
                    held = isScreened ? held.Select(one => new { one.Number, one.Verdict.Reason }) : null,
                },
                Json));
            return;
        }

        if (result.Dropped.Count > 0)
        {
            Console.Error.WriteLine($"asr: warning: {result.Dropped.Count} rows left out: {DataReport.Summarize(result.Dropped)}");
        }

        Console.WriteLine($"{Corrections(result.Imported)} imported{(result.Known > 0 ? $", {result.Known} were there already" : "")}{(isScreened ? $"; {judged.Count - held.Count} of {judged.Count} screened are ready, {held.Count} are held" : "")}");
        foreach (var (number, verdict) in held)
        {
            Console.WriteLine($"{number,6}  held: {verdict.Reason}");
        }
    }

    private static string Rows(IEnumerable<StoredCorrection> corrections, Func<StoredCorrection, string> audio)
    {
        var rows = new StringBuilder();
        foreach (var correction in corrections)
        {
            rows.Append(JsonSerializer.Serialize(
                new
                {
                    audio = audio(correction),
                    text = correction.Text,
                    hypothesis = correction.Hypothesis,
                    language = correction.Language,
                    speaker = correction.Speaker,
                    domain = correction.Domain,
                    author = correction.Author,
                    id = correction.Number,
                    kind = "correction",
                    silence = correction.Text.Length == 0 ? true : (bool?)null,
                },
                Json)).Append('\n');
        }

        return rows.ToString();
    }

    private static void Export(CorrectionStore corrections, List<StoredCorrection> found, string directory)
    {
        try
        {
            var clips = Directory.CreateDirectory(Path.Combine(directory, "clips")).FullName;
            foreach (var clip in found.Select(correction => correction.Clip!).Distinct(StringComparer.Ordinal))
            {
                File.Copy(corrections.Clips.FileOf(clip), Path.Combine(clips, clip + ".wav"), overwrite: true);
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"{directory} cannot be written: {error.Message}", error);
        }

        var rows = Rows(found, correction => $"clips/{correction.Clip}.wav");
        AtomicFile.Write(Path.Combine(directory, "manifest.jsonl"), stream => stream.Write(Encoding.UTF8.GetBytes(rows)));
    }
}
