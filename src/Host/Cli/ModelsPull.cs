using System.CommandLine;
using System.Globalization;
using AsrPlatform.Host.ModelHub;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr models pull ORG/NAME</c>: downloads a checkpoint.</summary>
internal static class ModelsPull
{
    public static Command Create()
    {
        var model = new Argument<string>("ORG/NAME") { Description = "a Whisper checkpoint on the hub, such as openai/whisper-small" };
        var endpoint = new Option<string?>("--endpoint") { Description = $"a Hugging Face-compatible hub; default: HF_ENDPOINT, else {HubClient.DefaultEndpoint}", HelpName = "URL" };
        var revision = new Option<string>("--revision") { Description = "branch, tag or commit", HelpName = "NAME", DefaultValueFactory = _ => "main" };
        var dataDirectory = new Option<string?>("--data-dir") { Description = "the data folder; default: ASR_DATA_DIR, else the user's", HelpName = "DIR" };
        var quiet = new Option<bool>("--quiet") { Description = "no progress on stderr" };
        var command = new Command("pull", "Downloads a checkpoint into the data folder and prints its folder. Goes on where an earlier run ended; HF_TOKEN is the token for private and gated models.");
        command.Arguments.Add(model);
        command.Options.Add(endpoint);
        command.Options.Add(revision);
        command.Options.Add(dataDirectory);
        command.Options.Add(quiet);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            using var hub = new HubClient(
                parsed.GetValue(endpoint) ?? NullIfEmpty(Environment.GetEnvironmentVariable("HF_ENDPOINT")) ?? HubClient.DefaultEndpoint,
                Environment.GetEnvironmentVariable("HF_TOKEN"));
            var folder = DataDirectory.Models(DataDirectory.Resolve(parsed.GetValue(dataDirectory)));
            var name = parsed.GetValue(model)!;
            ModelName.FolderIn(folder, name);
            var result = await ProgressBar.RunAsync(
                name,
                parsed.GetValue(quiet),
                report => new CheckpointDownload(hub, folder, at => report(at.DoneBytes / (double)Math.Max(1, at.TotalBytes), Describe(at)))
                    .RunAsync(name, parsed.GetValue(revision)!, cancellationToken));
            if (!parsed.GetValue(quiet))
            {
                Console.Error.WriteLine($"{name} at {result.Commit}: {Megabytes(result.Bytes)}{(result.WasThere ? ", was here already" : "")}");
            }

            if (result.Problem is { } problem)
            {
                Console.Error.WriteLine($"asr: warning: {name} was downloaded as the hub has it, and cannot be used: {problem}");
            }

            Console.WriteLine(result.Directory);
            return 0;
        });
        return command;
    }

    private static string Describe(DownloadProgress at) =>
        string.Create(CultureInfo.InvariantCulture, $"{at.File} {Megabytes(at.DoneBytes)} of {Megabytes(at.TotalBytes)}, {at.BytesPerSecond / 1e6:0.0} MB/s");

    private static string Megabytes(long bytes) => (bytes / 1e6).ToString("0.0 MB", CultureInfo.InvariantCulture);

    private static string? NullIfEmpty(string? text) => string.IsNullOrWhiteSpace(text) ? null : text;
}
