using System.CommandLine;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Registry;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr adapters list|show|compare|promote|rollback|delete|merge</c>: what can be done with adapters, beside a running host or without one.</summary>
internal static class AdaptersCommand
{
    /// <summary>How adapters are written for programs.</summary>
    public static JsonSerializerOptions Json { get; } = new(JsonSerializerDefaults.Web)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        DefaultIgnoreCondition = JsonIgnoreCondition.Never,
    };

    public static Command Create()
    {
        var command = new Command("adapters", "Shows, promotes, rolls back, compares and merges adapters. A running host follows within about a second.");
        command.Subcommands.Add(CreateList());
        command.Subcommands.Add(CreateShow());
        command.Subcommands.Add(AdaptersCompare.Create());
        command.Subcommands.Add(CreatePromote());
        command.Subcommands.Add(CreateRollBack());
        command.Subcommands.Add(CreateDelete());
        command.Subcommands.Add(CreateMerge());
        command.Subcommands.Add(AdaptersRebuild.Create());
        return command;
    }

    private static Command CreateList()
    {
        var data = new DataOption();
        var json = new Option<bool>("--json") { Description = "one JSON object" };
        var command = new Command("list", "Lists the adapters, the newest first.");
        data.AddTo(command);
        command.Options.Add(json);
        command.SetAction(parsed =>
        {
            using var folder = data.Open(parsed);
            var list = AdapterList.Of(new AdapterRegistry(folder));
            if (parsed.GetValue(json))
            {
                Console.WriteLine(JsonSerializer.Serialize(list, Json));
                return 0;
            }

            if (list.Items.Count == 0)
            {
                Console.WriteLine("no adapters yet: corrections and 'asr learn' make them");
            }

            foreach (var adapter in list.Items)
            {
                Console.WriteLine(
                    $"{(adapter.ActiveFor.Count > 0 ? "*" : " ")} {adapter.Id}  {adapter.State,-11}  {Show(adapter.CreatedAt)}  {adapter.Corrections,4} corrections"
                    + $"{Change("held-out", adapter, "heldOutWer")}{Change("anchor", adapter, "anchorWer")}{(adapter.ActiveFor.Count > 0 ? $"  active for {string.Join(", ", adapter.ActiveFor)}" : "")}{(adapter.Tainted is null ? "" : "  TAINTED")}");
            }

            return 0;
        });
        return command;
    }

    private static Command CreateShow()
    {
        var which = new Argument<string>("ADAPTER") { Description = "its id" };
        var data = new DataOption();
        var json = new Option<bool>("--json") { Description = "one JSON object" };
        var command = new Command("show", "Shows an adapter: where it comes from, what it was trained on, how it was decided on.");
        command.Arguments.Add(which);
        data.AddTo(command);
        command.Options.Add(json);
        command.SetAction(parsed =>
        {
            using var folder = data.Open(parsed);
            var adapter = AdapterDetails.Of(new AdapterRegistry(folder), parsed.GetValue(which)!);
            if (parsed.GetValue(json))
            {
                Console.WriteLine(JsonSerializer.Serialize(adapter, Json));
                return 0;
            }

            Console.WriteLine($"adapter      {adapter.Id}");
            Console.WriteLine($"state        {adapter.State}{(adapter.ActiveFor.Count > 0 ? $", active for {string.Join(", ", adapter.ActiveFor)}" : "")}");
            Console.WriteLine($"reason       {adapter.Reason}");
            if (adapter.Tainted is { } tainted)
            {
                Console.WriteLine($"tainted      {tainted}: 'asr adapters rebuild' makes a clean one");
            }

            Console.WriteLine($"made         {Show(adapter.CreatedAt)}");
            Console.WriteLine($"base         {adapter.Base}");
            Console.WriteLine($"goes on from {(adapter.Lineage.Count == 0 ? "the base model" : string.Join(" ← ", adapter.Lineage))}");
            Console.WriteLine($"data set     {adapter.Dataset ?? "none"}, {adapter.Corrections} corrections with those of its parents");
            Console.WriteLine($"metrics      {adapter.Metrics?.ToJsonString(Json) ?? "none"}");
            Console.WriteLine($"config       {adapter.Config?.ToJsonString(Json) ?? "none"}");
            return 0;
        });
        return command;
    }

    private static Command CreatePromote()
    {
        var which = new Argument<string>("ADAPTER") { Description = "its id; base: the base model" };
        var model = new ModelOptions();
        var provisional = new Option<bool>("--provisional") { Description = "watches it: it is rolled back when people correct more since" };
        var change = new ChangeOptions("promoted by hand");
        var command = new Command("promote", "Makes an adapter active.");
        command.Arguments.Add(which);
        change.AddTo(command);
        command.Options.Add(provisional);
        command.Options.Add(model.Model);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var id = parsed.GetValue(which)!;
            using var folder = change.Data.Open(parsed);
            var directory = model.FindDirectory(parsed);
            var hash = directory is null || id == AdapterRegistry.Base ? null : await BaseModel.HashAsync(directory, cancellationToken);
            var now = await new AdapterRegistry(folder).PromoteAsync(
                id, AdapterScope.Parse(parsed.GetValue(change.Scope)), parsed.GetValue(change.Reason)!, parsed.GetValue(provisional), hash, cancellationToken);
            change.Report(parsed, now);
            return 0;
        });
        return command;
    }

    private static Command CreateRollBack()
    {
        var change = new ChangeOptions("rolled back by hand");
        var command = new Command("rollback", "Takes the active adapter back: the one before it is active again.");
        change.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var folder = change.Data.Open(parsed);
            var now = await new AdapterRegistry(folder).RollBackAsync(AdapterScope.Parse(parsed.GetValue(change.Scope)), parsed.GetValue(change.Reason)!);
            change.Report(parsed, now!);
            return 0;
        });
        return command;
    }

    private static Command CreateDelete()
    {
        var which = new Argument<string>("ADAPTER") { Description = "its id" };
        var data = new DataOption();
        var json = new Option<bool>("--json") { Description = "one JSON object" };
        var command = new Command("delete", "Deletes an adapter that is not active, for good.");
        command.Arguments.Add(which);
        data.AddTo(command);
        command.Options.Add(json);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var id = parsed.GetValue(which)!;
            using var folder = data.Open(parsed);
            await new AdapterRegistry(folder).DeleteAsync(id, cancellationToken);
            Console.WriteLine(parsed.GetValue(json) ? JsonSerializer.Serialize(new { Deleted = id }, Json) : $"{id} is deleted");
            return 0;
        });
        return command;
    }

    private static Command CreateMerge()
    {
        var adapter = new Argument<string>("ADAPTER") { Description = "a PEFT folder, or an adapter's id in the data folder" };
        var writing = new CheckpointWriting();
        var command = new Command("merge", "Merges an adapter into its base model and writes a plain checkpoint.");
        command.Arguments.Add(adapter);
        writing.AddTo(command);
        command.SetAction((parsed, cancellationToken) =>
            writing.RunAsync(parsed, writing.Model.FindAdapter(parsed, parsed.GetValue(adapter)!), cancellationToken));
        return command;
    }

    /// <summary>What a round changed, as far as its metrics say: both word error rates in per cent.</summary>
    private static string Change(string name, AdapterView adapter, string metric)
    {
        return Number("Before") is { } before && Number("After") is { } after
            ? string.Create(CultureInfo.InvariantCulture, $"  {name} {100 * before:0.0} → {100 * after:0.0} %")
            : "";

        double? Number(string when) => (adapter.Metrics as JsonObject)?[metric + when] is JsonValue value && value.TryGetValue<double>(out var number) ? number : null;
    }

    private static string Show(DateTimeOffset time) => time.ToUniversalTime().ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture);

    /// <summary>The option <c>--data-dir</c> of verbs that work on the database.</summary>
    internal sealed class DataOption
    {
        private readonly Option<string?> _directory = new("--data-dir") { Description = "the data folder; default: ASR_DATA_DIR, else the user's", HelpName = "DIR" };

        public void AddTo(Command command) => command.Options.Add(_directory);

        /// <summary>Opens it beside a host that may run.</summary>
        /// <exception cref="AsrException">It cannot be used.</exception>
        public DataFolder Open(ParseResult parsed) => DataFolder.OpenBeside(DataDirectory.Resolve(parsed.GetValue(_directory)), TimeProvider.System);
    }

    /// <summary>The options of verbs that change what is active.</summary>
    private sealed class ChangeOptions(string reason)
    {
        private readonly Option<bool> _json = new("--json") { Description = "one JSON object" };

        public DataOption Data { get; } = new();

        public Option<string?> Scope { get; } = new("--scope") { Description = "for whom: all (default), tenant:NAME or speaker:NAME", HelpName = "SCOPE" };

        public Option<string> Reason { get; } = new("--reason") { Description = "why, for those who come after", HelpName = "TEXT", DefaultValueFactory = _ => reason };

        public void AddTo(Command command)
        {
            command.Options.Add(Scope);
            command.Options.Add(Reason);
            Data.AddTo(command);
            command.Options.Add(_json);
        }

        public void Report(ParseResult parsed, Activation now) => Console.WriteLine(parsed.GetValue(_json)
            ? JsonSerializer.Serialize(new { now.Adapter, now.Previous, Scope = AdapterScope.Show(now.Scope), now.Reason, now.Provisional, now.At }, Json)
            : $"{now.Adapter ?? AdapterRegistry.Base} is active for {AdapterScope.Show(now.Scope)}{(now.Provisional ? ", provisionally" : "")}; before it was {now.Previous ?? AdapterRegistry.Base}");
    }
}
