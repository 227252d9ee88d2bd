using System.CommandLine;
using System.Text;
using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Host.Serving;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr export check</c>: an export, anyone's, beside the checkpoint that it was made from.</summary>
internal static class ExportCheck
{
    public static Command Create()
    {
        var folder = new Argument<string>("DIR") { Description = "the export's folder" };
        var model = new ModelOptions();
        var checking = new ExportChecking();
        var precision = new Option<string>("--precision") { Description = "what it was exported as; decides what is tolerated", HelpName = "TYPE", DefaultValueFactory = _ => "fp32" };
        precision.AcceptOnlyFromAmong("fp32", "fp16", "int8");
        var json = new Option<bool>("--json") { Description = "one JSON object" };
        var quiet = new Option<bool>("--quiet") { Description = "show no progress" };
        var command = new Command("check", "Compares an export with the checkpoint that it was made from: error rates and logits on speech.");
        command.Arguments.Add(folder);
        command.Options.Add(model.Model);
        command.Options.Add(model.Adapter);
        command.Options.Add(precision);
        checking.AddTo(command);
        command.Options.Add(json);
        command.Options.Add(model.DataDirectory);
        command.Options.Add(model.Plugins.Directory);
        command.Options.Add(quiet);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var request = new ModelRequest(null, new ModelLoadOptions { ModelDirectory = model.ReadDirectory(parsed) }, model.ReadAdapter(parsed));
            await using var catalog = model.Plugins.Load(parsed);
            var result = await DedicatedThread.RunAsync(() => ProgressBar.Run("Comparing", parsed.GetValue(quiet), report => checking.Run(
                catalog, parsed, request, parsed.GetValue(folder)!, parsed.GetValue(precision)!, share => report(share, ""), cancellationToken)));
            if (result.Comparison is null)
            {
                throw new AsrException(result.Summary);
            }

            if (parsed.GetValue(json))
            {
                using var buffer = new MemoryStream();
                using (var writer = new Utf8JsonWriter(buffer))
                {
                    result.Write(writer);
                }

                Console.WriteLine(Encoding.UTF8.GetString(buffer.ToArray()));
            }
            else if (result.Faults.Count == 0)
            {
                Console.WriteLine(result.Summary);
            }

            return result.Faults.Count == 0 ? 0
                : parsed.GetValue(json) ? 1
                : throw new AsrException($"the export is not what the model is: {string.Join("; ", result.Faults)} ({result.Summary})");
        });
        return command;
    }
}
