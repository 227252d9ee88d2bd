using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Host.Learning.Synthesis;
using AsrPlatform.Host.Live;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr bench vad</c>: false alarms and misses of the voice activity detector under noise, beside one that only knows levels; one JSON object on stdout.</summary>
internal static class BenchVad
{
    private static readonly (string Name, VoiceActivityDetectorFactory Make)[] Detectors =
    [
        ("adaptive", static (rate, threshold) => new AdaptiveVoiceActivityDetector(rate, threshold)),
        ("energy", static (rate, _) => new EnergyVoiceActivityDetector(rate)),
    ];

    public static Command Create()
    {
        var data = new Option<string[]>("--data") { Description = "manifests of clean speech with word times, as synthesize --word-times makes them", HelpName = "MANIFEST", Required = true, AllowMultipleArgumentsPerToken = true };
        var noise = new Option<string>("--noise") { Description = "kinds of noise: white, pink, babble (other clips of the manifests)", HelpName = "LIST", DefaultValueFactory = _ => "white,pink,babble" };
        var ratios = new Option<string>("--snr") { Description = "signal-to-noise ratios in dB, with commas; clean speech is always measured too", HelpName = "DB", DefaultValueFactory = _ => "30,20,10,5,0" };
        var level = new Option<double>("--level") { Description = "root mean square of the speech in dB below full scale", HelpName = "DB", DefaultValueFactory = _ => -26 };
        var limit = new Option<int>("--limit") { Description = "utterances used at most", HelpName = "N", DefaultValueFactory = _ => 200 };
        var seed = new Option<int>("--seed") { Description = "order, pauses and noise", HelpName = "N", DefaultValueFactory = _ => 1 };
        var command = new Command("vad", "Measures voice activity detection under noise: false alarms and misses.");
        var network = new Option<string?>("--vad-model") { Description = "a Silero VAD file to measure too, as Live:VoiceActivityModel names it (eng/silero.sh brings one)", HelpName = "FILE" };
        var plugins = new PluginOptions();
        foreach (var option in (Option[])[data, noise, ratios, level, limit, seed, network, plugins.Directory])
        {
            command.Options.Add(option);
        }

        command.SetAction((parsed, cancellationToken) =>
        {
            var kinds = Kinds(parsed.GetValue(noise)!);
            var decibels = Ratios(parsed.GetValue(ratios)!);
            var loudness = parsed.GetValue(level) is >= -90 and <= 0 and var given ? given : throw new AsrException("--level: give -90 to 0 dB");
            var count = parsed.GetValue(limit) is > 0 and var most ? most : throw new AsrException("--limit: give 1 or more");
            var speech = Read(parsed.GetValue(data)!, count);
            using var model = parsed.GetValue(network) is { } path ? new VoiceActivityModel(VoiceActivityModel.Load(path, plugins.Load(parsed))) : null;
            (string, VoiceActivityDetectorFactory)[] detectors = model is null ? Detectors : [.. Detectors, ("network", model.Create)];
            var result = Measure(new VoiceActivityTrial(speech, parsed.GetValue(seed)), detectors, speech.Count, kinds, decibels, loudness, cancellationToken);
            Console.Out.WriteLine(JsonSerializer.Serialize(result, BenchVadJsonContext.Readable.BenchVadResult));
            return Task.FromResult(0);
        });
        return command;
    }

    private static BenchVadResult Measure(
        VoiceActivityTrial trial, (string Name, VoiceActivityDetectorFactory Make)[] detectors, int utterances, NoiseKind[] kinds, double[] ratios, double level, CancellationToken cancellationToken)
    {
        var times = new double[detectors.Length];
        List<BenchVadCondition> conditions = [];
        foreach (var (kind, ratio) in kinds.SelectMany(kind => ratios.Select(ratio => ((NoiseKind?)kind, ratio))).Prepend((null, 0)))
        {
            cancellationToken.ThrowIfCancellationRequested();
            var mixed = trial.Mix(kind, ratio, level);
            Dictionary<string, VoiceActivityScore> scores = [];
            for (var index = 0; index < detectors.Length; index++)
            {
                var start = Stopwatch.GetTimestamp();
                scores.Add(detectors[index].Name, trial.Run(detectors[index].Make, mixed));
                times[index] += Stopwatch.GetElapsedTime(start).TotalSeconds;
            }

            conditions.Add(new BenchVadCondition { Noise = kind?.ToString().ToLowerInvariant() ?? "none", SignalToNoiseDecibels = kind is null ? null : ratio, Detectors = scores });
        }

        return new BenchVadResult
        {
            Utterances = utterances,
            Words = trial.WordCount,
            Seconds = Math.Round(trial.Seconds, 1),
            LevelDecibels = level,
            CollarSeconds = VoiceActivityTrial.CollarSeconds,
            PreRollSeconds = VoiceActivityTrial.PreRollSeconds,
            TimesRealTime = detectors.Select((detector, index) => (detector.Name, Speed: Math.Round(trial.Seconds * conditions.Count / times[index])))
                .ToDictionary(pair => pair.Name, pair => pair.Speed),
            Conditions = conditions,
        };
    }

    /// <summary>The utterances whose words have times.</summary>
    private static List<TimedSpeech> Read(string[] manifests, int limit)
    {
        const int MostSeconds = 60;
        List<TimedSpeech> speech = [];
        foreach (var entry in manifests.SelectMany(path => Manifest.Read(path).Entries).Where(entry => entry.Words.Count > 0).Take(limit))
        {
            using var reader = new UtteranceReader(entry.AudioPath);
            var samples = reader.Read(entry.StartSeconds, entry.EndSeconds, MostSeconds * AudioFile.TargetRateHz);
            if (VoiceActivityTrial.Fits(samples.Length, entry.Words))
            {
                speech.Add(new TimedSpeech(samples, entry.Words));
            }
            else
            {
                Console.Error.WriteLine($"asr: warning: {entry.AudioName} is left out: its words' times lie outside the audio");
            }
        }

        return speech.Count > 0
            ? speech
            : throw new AsrException($"{string.Join(", ", manifests)}: no row has words with times in its audio: make some with ./asr synthesize --word-times");
    }

    private static NoiseKind[] Kinds(string list) =>
        [.. list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(name =>
            Enum.GetValues<NoiseKind>().Cast<NoiseKind?>().FirstOrDefault(kind => string.Equals(kind.ToString(), name, StringComparison.OrdinalIgnoreCase))
            ?? throw new AsrException($"--noise {name}: give white, pink, babble"))];

    private static double[] Ratios(string list) =>
        [.. list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(text =>
            double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var ratio) && ratio is >= -30 and <= 100
                ? ratio
                : throw new AsrException($"--snr {text}: give numbers of -30 to 100, with commas"))];
}

/// <summary>What <c>asr bench vad</c> prints.</summary>
internal sealed record BenchVadResult
{
    public required int Utterances { get; init; }

    public required int Words { get; init; }

    /// <summary>Length of the streams, pauses included.</summary>
    public required double Seconds { get; init; }

    /// <summary>Root mean square of the speech over its words, below full scale.</summary>
    public required double LevelDecibels { get; init; }

    /// <summary>As <see cref="VoiceActivityTrial.CollarSeconds"/>.</summary>
    public required double CollarSeconds { get; init; }

    /// <summary>As <see cref="VoiceActivityTrial.PreRollSeconds"/>.</summary>
    public required double PreRollSeconds { get; init; }

    /// <summary>Speed of each detector on one thread, the counting included.</summary>
    public required IReadOnlyDictionary<string, double> TimesRealTime { get; init; }

    public required IReadOnlyList<BenchVadCondition> Conditions { get; init; }
}

/// <summary>One kind of noise at one level.</summary>
internal sealed record BenchVadCondition
{
    /// <summary>white, pink, babble; none: digital silence between the words.</summary>
    public required string Noise { get; init; }

    /// <summary>Speech over noise, that of the speech over its words alone; null without noise.</summary>
    public required double? SignalToNoiseDecibels { get; init; }

    /// <summary>Rates by detector.</summary>
    public required IReadOnlyDictionary<string, VoiceActivityScore> Detectors { get; init; }
}

[JsonSerializable(typeof(BenchVadResult))]
internal sealed partial class BenchVadJsonContext : JsonSerializerContext
{
    public static BenchVadJsonContext Readable { get; } = new(new JsonSerializerOptions { PropertyNamingPolicy = JsonNamingPolicy.CamelCase, WriteIndented = true });
}
