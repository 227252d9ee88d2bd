using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Security;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr keys create|list|revoke</c>: the API keys of a data folder. A running host sees what changes.</summary>
internal static class KeysCommand
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    public static Command Create()
    {
        var command = new Command("keys", "Makes, lists and revokes API keys. As soon as there is one, the host asks everybody for a key.");
        command.Subcommands.Add(CreateCreate());
        command.Subcommands.Add(CreateList());
        command.Subcommands.Add(CreateRevoke());
        return command;
    }

    private static Command CreateCreate()
    {
        var role = new Option<string>("--role") { Description = "viewer: watch, list, export; speaker: sessions and transcription, too; corrector: corrections, too; admin: everything", HelpName = "ROLE", Required = true };
        var name = new Option<string?>("--name") { Description = "whose it is, or what for; default: the role", HelpName = "NAME" };
        var expires = new Option<double?>("--expires") { Description = "days that it is good for; default: for ever", HelpName = "DAYS" };
        var tenant = new Option<string?>("--tenant") { Description = "sessions started with it are this tenant's: adapters can be active for a tenant alone", HelpName = "NAME" };
        var data = new DataOption();
        var json = new Option<bool>("--json") { Description = "one JSON object" };
        var command = new Command("create", "Makes a key and shows it, this once: only its hash is kept.");
        command.Options.Add(role);
        command.Options.Add(name);
        command.Options.Add(expires);
        command.Options.Add(tenant);
        data.AddTo(command);
        command.Options.Add(json);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var days = parsed.GetValue(expires);
            if (days is not (null or (> 0 and <= 36_500)))
            {
                throw new AsrException($"--expires {days.Value.ToString(CultureInfo.InvariantCulture)}: give more than 0 and at most 36500 days");
            }

            var roleName = parsed.GetValue(role)!;
            if (!RoleNames.TryParse(roleName, out var wanted))
            {
                throw new AsrException($"--role {roleName}: give one of {string.Join(", ", RoleNames.All)}");
            }

            var (secret, key) = await data.Open(parsed).CreateAsync(wanted, parsed.GetValue(name) ?? roleName, days is { } some ? TimeSpan.FromDays(some) : null, cancellationToken, parsed.GetValue(tenant));
            if (parsed.GetValue(json))
            {
                Console.WriteLine(JsonSerializer.Serialize(new { key = secret, key.Id, key.Name, role = roleName, key.ExpiresAt, key.Tenant }, Json));
                return 0;
            }

            Console.WriteLine(secret);
            Console.Error.WriteLine($"Key {key.Id}, {roleName}{(key.ExpiresAt is { } end ? $", good until {Show(end)}" : "")}. It is not shown again: keep it now.");
            return 0;
        });
        return command;
    }

    private static Command CreateList()
    {
        var data = new DataOption();
        var json = new Option<bool>("--json") { Description = "one JSON array" };
        var command = new Command("list", "Lists the keys; the keys themselves are not kept and so not shown.");
        data.AddTo(command);
        command.Options.Add(json);
        command.SetAction(parsed =>
        {
            var keys = data.Open(parsed).Keys;
            var now = TimeProvider.System.GetUtcNow();
            if (parsed.GetValue(json))
            {
                Console.WriteLine(JsonSerializer.Serialize(keys.Select(key => new { key.Id, role = key.Role.NameOf(), key.Name, state = key.StateAt(now), key.CreatedAt, key.ExpiresAt, key.RevokedAt, key.Tenant }), Json));
            }
            else if (keys.Count == 0)
            {
                Console.WriteLine("no keys: the host answers its own machine alone, without asking for one");
            }
            else
            {
                foreach (var key in keys)
                {
                    Console.WriteLine($"{key.Id}  {key.Role.NameOf(),-9}  {key.StateAt(now),-7}  made {Show(key.CreatedAt)}{(key.ExpiresAt is { } end ? $", good until {Show(end)}" : "")}  {key.Name}{(key.Tenant is null ? "" : $" (tenant {key.Tenant})")}");
                }
            }

            return 0;
        });
        return command;
    }

    private static Command CreateRevoke()
    {
        var which = new Argument<string>("KEY") { Description = "the key's id or name, as 'asr keys list' shows it" };
        var data = new DataOption();
        var command = new Command("revoke", "Makes a key open nothing any more; what it has open is cut off.");
        command.Arguments.Add(which);
        data.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var key = await data.Open(parsed).RevokeAsync(parsed.GetValue(which)!, cancellationToken);
            Console.WriteLine($"{key.Id} ({key.Name}) is revoked");
            return 0;
        });
        return command;
    }

    private static string Show(DateTimeOffset time) => time.ToUniversalTime().ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture);

    private sealed class DataOption
    {
        private readonly Option<string?> _directory = new("--data-dir") { Description = "the data folder; default: ASR_DATA_DIR, else the user's", HelpName = "DIR" };

        public void AddTo(Command command) => command.Options.Add(_directory);

        public ApiKeyStore Open(ParseResult parsed) => new(DataDirectory.Resolve(parsed.GetValue(_directory)), TimeProvider.System);
    }
}
