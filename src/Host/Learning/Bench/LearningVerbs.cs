using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Diagnostics;
using AsrPlatform.Host.Learning.Gate;

namespace AsrPlatform.Host.Learning.Bench;

/// <summary>How a round of learning ended.</summary>
/// <param name="Decision">What became of the candidate.</param>
/// <param name="Adapter">The candidate's id, or null.</param>
/// <param name="Reason">Why, for people.</param>
/// <param name="Metrics">What the gate measured.</param>
/// <param name="Seconds">Wall time from the corrections' import to the decision.</param>
/// <param name="ProcessorSeconds">Processor time of that: what it takes on a machine that does nothing else.</param>
internal sealed record LearnedRound(GateVerdict Decision, string? Adapter, string Reason, JsonElement? Metrics, double Seconds, double ProcessorSeconds)
{
    /// <summary>Whether the candidate is live.</summary>
    public bool IsLive => Decision != GateVerdict.Rejected && Adapter is not null;
}

/// <summary>Learns corrections as a user would.</summary>
internal interface ILearner
{
    /// <summary>Takes corrections into a data folder and learns from all that are in it.</summary>
    /// <param name="dataDirectory">The data folder.</param>
    /// <param name="manifest">The corrections.</param>
    /// <param name="cancellationToken">Stops.</param>
    /// <exception cref="AsrException">It failed; the message says why.</exception>
    LearnedRound Learn(string dataDirectory, string manifest, CancellationToken cancellationToken);
}

/// <summary>The verbs <c>corrections import</c> and <c>learn</c> of this program, each in a process of its own: what is measured is what people get.</summary>
/// <param name="model">Checkpoint folder.</param>
/// <param name="anchor">Folder of the anchor set; null: the model's own.</param>
/// <param name="settings">Settings of the rounds, as <c>learn --set</c> takes them.</param>
/// <param name="pluginsDirectory">The plugins' folder; null: the usual one.</param>
internal sealed class LearningVerbs(string model, string? anchor, IReadOnlyList<string> settings, string? pluginsDirectory) : ILearner
{
    private const int MostShown = 2000;

    private static readonly TimeSpan SampleInterval = TimeSpan.FromMilliseconds(100);

    /// <inheritdoc />
    public LearnedRound Learn(string dataDirectory, string manifest, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        string[] common = ["--quiet", "--model", model, "--data-dir", dataDirectory, .. pluginsDirectory is null ? Array.Empty<string>() : ["--plugins-dir", pluginsDirectory]];
        string[] chosen = [.. anchor is null ? Array.Empty<string>() : ["--anchor", anchor], .. settings.SelectMany(setting => (string[])["--set", setting])];
        var (_, importing) = Run(["corrections", "import", manifest, "--screen", .. common], cancellationToken);
        var (output, learning) = Run(["learn", "--json", .. common, .. chosen], cancellationToken);
        return Read(output) with { Seconds = clock.Elapsed.TotalSeconds, ProcessorSeconds = importing + learning };
    }

    /// <summary>Reads what <c>learn --json</c> writes.</summary>
    /// <exception cref="AsrException">It is something else.</exception>
    internal static LearnedRound Read(string output)
    {
        try
        {
            using var document = JsonDocument.Parse(output);
            var root = document.RootElement;
            return new LearnedRound(
                root.GetProperty("decision").Deserialize<GateVerdict>(),
                root.TryGetProperty("adapter", out var adapter) ? adapter.GetString() : null,
                root.GetProperty("reason").GetString() ?? "",
                root.TryGetProperty("metrics", out var metrics) ? metrics.Clone() : null,
                0,
                0);
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new AsrException($"asr learn wrote no outcome: {error.Message}", error);
        }
    }

    private static (string Output, double ProcessorSeconds) Run(IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var program = Environment.ProcessPath!;
        string[] host = Path.GetFileNameWithoutExtension(program) == "dotnet" ? [typeof(LearningVerbs).Assembly.Location] : [];
        var start = new ProcessStartInfo(program, [.. host, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        using var process = Process.Start(start)!;
        using var kill = cancellationToken.Register(() => ProgramRun.Kill(process));
        var errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
        var output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);

        // A process that has ended tells its time no more.
        var spent = TimeSpan.Zero;
        do
        {
            try
            {
                spent = process.TotalProcessorTime;
            }
            catch (Exception error) when (error is InvalidOperationException or Win32Exception)
            {
                // It has just ended.
            }
        }
        while (!process.WaitForExit(SampleInterval));
        process.WaitForExit();
        cancellationToken.ThrowIfCancellationRequested();
        var message = errors.GetAwaiter().GetResult().Trim();
        if (process.ExitCode != 0)
        {
            throw new AsrException($"asr {arguments[0]} failed ({process.ExitCode}): {message[Math.Max(0, message.Length - MostShown)..]}");
        }

        return (output.GetAwaiter().GetResult(), spent.TotalSeconds);
    }
}
