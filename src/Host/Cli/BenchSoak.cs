using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Api;
using AsrPlatform.Host.Cli.Soak;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Host.Serving;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr bench soak</c>: a host under use for a long time, whose memory must stay flat.</summary>
internal static class BenchSoak
{
    private const int RateHz = 16_000;

    /// <summary>Samples of a run: enough for a trend, few enough for a table.</summary>
    private const int Samples = 40;

    public static Command Create()
    {
        var minutes = new Option<double>("--minutes") { Description = "how long", HelpName = "N", DefaultValueFactory = _ => 30 };
        var sessions = new Option<int>("--sessions") { Description = "sessions at a time", HelpName = "N", DefaultValueFactory = _ => 8 };
        var viewers = new Option<int>("--viewers") { Description = "viewers at a time", HelpName = "N", DefaultValueFactory = _ => 16 };
        var data = new Option<string?>("--data") { Description = "manifest of what is said; default: made-up syllables", HelpName = "MANIFEST" };
        var standIn = new Option<bool>("--stand-in") { Description = "no model: a recogniser that writes a word for each burst of sound" };
        var json = new Option<bool>("--json") { Description = "one JSON object in place of the table" };
        var model = new ModelOptions();
        var command = new Command("soak", "Runs a host with speakers, dropped connections, viewers that come and go and corrections; fails when its memory grows.");
        foreach (var option in (Option[])[minutes, sessions, viewers, data, standIn, json])
        {
            command.Options.Add(option);
        }

        model.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var length = parsed.GetValue(minutes) is >= 1 and <= 1440 and var given ? TimeSpan.FromMinutes(given) : throw new AsrException("--minutes: give 1 … 1440");
            var options = new SoakOptions
            {
                Duration = length,
                Sessions = parsed.GetValue(sessions) is >= 1 and <= 1000 and var speakers ? speakers : throw new AsrException("--sessions: give 1 … 1000"),
                Viewers = parsed.GetValue(viewers) is >= 0 and <= 10_000 and var watchers ? watchers : throw new AsrException("--viewers: give 0 … 10000"),
                SampleInterval = length / Samples,
                Seed = Environment.ProcessId,
            };
            var clips = parsed.GetValue(data) is { } manifest ? Read(Manifest.Read(manifest)) : MakeUp();
            var loading = parsed.GetValue(standIn) ? null : model.Read(parsed) with { IsLive = true };
            await using var plugins = model.Plugins.Load(parsed);
            var report = await RunAsync(options, clips, () => loading is null ? new BurstRecognizer() : RecognizerLoader.Load(plugins, loading, cancellationToken), plugins, parsed.GetValue(json), cancellationToken);
            Require("managed memory", report.Managed);
            Require("the working set", report.WorkingSet);
            return 0;
        });
        return command;
    }

    private static async Task<SoakReport> RunAsync(
        SoakOptions options, IReadOnlyList<short[]> clips, Func<ISpeechRecognizer> load, Plugins.PluginCatalog plugins, bool json, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("asr-soak-");
        try
        {
            var builder = HostApplication.CreateBuilder(
                [
                    new("urls", "http://127.0.0.1:0"),
                    new("Logging:LogLevel:Default", "Error"),
                    new("Live:MaximumSessions", Text(2 * options.Sessions)),
                    new("Limits:SessionsPerCaller", Text(2 * options.Sessions)),
                    new("Limits:RequestsPerMinute", "1000000"),
                    new("Corrections:PerAuthorPerMinute", "100000"),
                    new("Learning:Automatic", "false"),
                ],
                folder.FullName);
            await using var app = HostApplication.Build(builder, plugins, () => load());
            await app.StartAsync(cancellationToken);
            await app.Services.GetRequiredService<ModelHost>().ReadyAsync(cancellationToken);
            if (!json)
            {
                Console.WriteLine("  minute  working set MiB  managed MiB  native MiB  sessions  viewers");
            }

            var report = await new SoakRun(new Uri(app.Urls.First()), clips, options).RunAsync(json ? null : Print, cancellationToken);
            await app.StopAsync(CancellationToken.None);
            Console.WriteLine(json ? JsonSerializer.Serialize(report, BenchSoakJsonContext.Readable.SoakReport) : Summary(report));
            return report;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static void Print(MemorySample sample) => Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"{sample.Seconds / 60,8:0.0}  {sample.WorkingSetMiB,15:0.0}  {sample.ManagedMiB,11:0.00}  {sample.NativeMiB,10:0.0}  {sample.Sessions,8}  {sample.Viewers,7}"));

    private static string Summary(SoakReport report) => string.Create(
        CultureInfo.InvariantCulture,
        $"""

        {report.Minutes:0.0} minutes: {report.Sessions} sessions with {report.AudioSeconds / 60:0.0} minutes of audio, {report.DroppedConnections} dropped connections, {report.Viewers} viewers who saw {report.Updates} updates, {report.Corrections} corrections
        working set: {Trend(report.WorkingSet)}
        managed:     {Trend(report.Managed)}
        """);

    private static string Trend(MemoryTrend trend) =>
        string.Create(CultureInfo.InvariantCulture, $"{trend.MiBPerHour:+0.0;-0.0;0.0} MiB an hour after the warm-up, {trend.GrowthMiB:+0.0;-0.0;0.0} MiB in all; {trend.AllowedMiB:0.0} MiB are allowed");

    private static void Require(string what, MemoryTrend trend)
    {
        if (!trend.IsFlat)
        {
            throw new AsrException($"{what} grows: {Trend(trend)}");
        }
    }

    private static List<short[]> Read(Manifest manifest)
    {
        var clips = new List<short[]>();
        foreach (var entry in manifest.Entries)
        {
            using var reader = new UtteranceReader(entry.AudioPath);
            clips.Add([.. reader.Read(entry.StartSeconds, entry.EndSeconds, int.MaxValue - 1).Select(sample => (short)Math.Clamp(sample * 32768f, short.MinValue, short.MaxValue))]);
        }

        return clips.Count > 0 ? clips : throw new AsrException($"{manifest.Path}: there is nothing to say");
    }

    /// <summary>Syllables: a hum of changing pitch that swells and fades, four times a second.</summary>
    private static List<short[]> MakeUp()
    {
        var random = new Random(1);
        var clips = new List<short[]>();
        for (var clip = 0; clip < 40; clip++)
        {
            var samples = new short[random.Next(RateHz, 5 * RateHz)];
            var phase = 0.0;
            for (var i = 0; i < samples.Length; i++)
            {
                var seconds = (double)i / RateHz;
                phase += (110 + (40 * Math.Sin(2 * Math.PI * 0.7 * seconds)) + clip) / RateHz;
                var swell = Math.Max(0, Math.Sin(2 * Math.PI * 4 * seconds));
                samples[i] = (short)(6000 * swell * Enumerable.Range(1, 12).Sum(overtone => Math.Sin(2 * Math.PI * overtone * phase) / overtone));
            }

            clips.Add(samples);
        }

        return clips;
    }

    private static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);
}

[JsonSerializable(typeof(SoakReport))]
internal sealed partial class BenchSoakJsonContext : JsonSerializerContext
{
    public static BenchSoakJsonContext Readable { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
    });
}
