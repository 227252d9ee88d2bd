using AsrPlatform.PluginConformance;

const string usage =
    "usage: PluginConformance PLUGIN_DIR [--model DIR] [--shared DIR] [--device NAME] [--set KEY=VALUE]…";
ConformanceOptions? options = null;
try
{
    options = Read(args);
}
catch (ArgumentException error)
{
    Console.Error.WriteLine(error.Message);
}

if (options is null)
{
    Console.Error.WriteLine(usage);
    return 2;
}

var checks = ConformanceSuite.Run(options);
foreach (var check in checks)
{
    var mark = check.Outcome switch { CheckOutcome.Passed => "pass", CheckOutcome.Failed => "FAIL", _ => "skip" };
    Console.WriteLine($"{mark}  {check.Name}{(check.Detail is null ? "" : $": {check.Detail}")}");
}

var failed = checks.Count(check => check.Outcome == CheckOutcome.Failed);
Console.WriteLine($"{checks.Count(check => check.Outcome == CheckOutcome.Passed)} passed, {failed} failed");
return failed == 0 ? 0 : 1;

static ConformanceOptions? Read(string[] args)
{
    string? directory = null;
    var options = new ConformanceOptions { PluginDirectory = "" };
    var settings = new Dictionary<string, string>();
    for (var i = 0; i < args.Length; i++)
    {
        switch (args[i])
        {
            case "--model":
                options = options with { ModelDirectory = Value(ref i) };
                break;
            case "--shared":
                options = options with { SharedDirectory = Value(ref i) };
                break;
            case "--device":
                options = options with { Device = Value(ref i) };
                break;
            case "--set" when Value(ref i).Split('=', 2) is [var key, var value]:
                settings[key] = value;
                break;
            case var argument when directory is null && !argument.StartsWith('-'):
                directory = argument;
                break;
            default:
                throw new ArgumentException($"'{args[i]}' is not understood");
        }
    }

    return directory is null ? null : options with { PluginDirectory = directory, Settings = settings };

    string Value(ref int i) => i + 1 < args.Length ? args[++i] : throw new ArgumentException($"{args[i]} wants a value");
}
