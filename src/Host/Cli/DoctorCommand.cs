using System.CommandLine;
using System.Text.Json;
using AsrPlatform.Host.Diagnostics;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr doctor</c>: what is there, what is missing, and the command that brings it.</summary>
internal static class DoctorCommand
{
    public static Command Create()
    {
        var plugins = new PluginOptions();
        var json = new Option<bool>("--json") { Description = "writes JSON" };
        var command = new Command("doctor", "Shows plugins, devices and native libraries, and how to get what is missing.");
        command.Options.Add(plugins.Directory);
        command.Options.Add(json);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var catalog = plugins.Load(parsed);
            var report = await Doctor.ExamineAsync(catalog, cancellationToken);
            if (parsed.GetValue(json))
            {
                Console.Out.WriteLine(JsonSerializer.Serialize(report, DoctorJsonContext.Readable.DoctorReport));
            }
            else
            {
                Doctor.Write(report, Console.Out);
            }

            return report.CanTranscribe ? 0 : 1;
        });
        return command;
    }
}
