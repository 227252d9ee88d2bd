using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Training;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Features;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr bench train</c>: speed, memory and phases of training steps on random weights and noise; one JSON object on stdout.</summary>
/// <remarks>It is a run of the trainer as any other: features are extracted in its data loader, from samples in memory.</remarks>
internal static class BenchTrain
{
    private const int SampleRateHz = 16000;

    /// <summary>Labels of an utterance, about what fast English has.</summary>
    private const int TokensPerSecond = 3;

    public static Command Create()
    {
        var dims = new Option<string>("--dims") { Description = "tiny, base, small, or a checkpoint folder whose config.json counts", HelpName = "NAME|DIR", DefaultValueFactory = _ => "tiny" };
        var seconds = new Option<double>("--seconds") { Description = "length of an utterance", HelpName = "N", DefaultValueFactory = _ => 3 };
        var batch = new Option<int>("--batch") { Description = "utterances of a step", HelpName = "N", DefaultValueFactory = _ => 8 };
        var context = new Option<string>("--encoder-context") { Description = "full (30 s of padding) or dynamic", HelpName = "full|dynamic", DefaultValueFactory = _ => "full" };
        var checkpointing = new Option<bool>("--gradient-checkpointing") { Description = "recomputes activations" };
        var freeze = new Option<bool>("--freeze-encoder") { Description = "trains the decoder alone" };
        var loraR = new Option<int>("--lora-r") { Description = "trains a LoRA adapter of this rank on q_proj and v_proj; 0 trains everything", HelpName = "R" };
        var precision = new Option<string>("--precision") { Description = "fp32, bf16 (on CUDA, or where the processor gains from it) or fp16 (on CUDA)", HelpName = "P", DefaultValueFactory = _ => "fp32" };
        var parallel = new Option<int>("--data-parallel") { Description = "parts of a step that are computed at the same time", HelpName = "N", DefaultValueFactory = _ => 1 };
        var steps = new Option<int>("--steps") { Description = "timed steps, after two that are not", HelpName = "N", DefaultValueFactory = _ => 8 };
        var trainer = new Option<string?>("--trainer") { Description = "the trainer that is measured; default: the first", HelpName = "NAME" };
        var device = new Option<string>("--device") { Description = "cpu, cuda, cuda:0, …", HelpName = "NAME", DefaultValueFactory = _ => "auto" };
        var threads = new Option<int>("--threads") { Description = "threads for computation; 0 lets the trainer choose", HelpName = "T" };
        var plugins = new PluginOptions();
        var command = new Command("train", "Times training steps: samples a second, memory, and the share of each phase.");
        foreach (var option in (Option[])[dims, seconds, batch, context, checkpointing, freeze, loraR, precision, parallel, steps, trainer, device, threads, plugins.Directory])
        {
            command.Options.Add(option);
        }

        command.SetAction(async (parsed, cancellationToken) =>
        {
            var (size, count) = (parsed.GetValue(batch), parsed.GetValue(steps));
            var parts = parsed.GetValue(parallel);
            if (size < 1 || count < 1 || parts < 1)
            {
                throw new AsrException("--batch, --steps and --data-parallel: give 1 or more");
            }

            if (size % parts != 0)
            {
                throw new AsrException($"--batch {size} cannot be cut into {parts} equal parts (--data-parallel)");
            }

            var config = BenchCommand.TrainableConfiguration(parsed.GetValue(dims)!);
            var frames = BenchCommand.Frames(parsed.GetValue(seconds), config);
            var rank = parsed.GetValue(loraR);
            var arguments = new Dictionary<string, string>
            {
                ["per-device-train-batch-size"] = (size / parts).ToString(CultureInfo.InvariantCulture),
                ["gradient-accumulation-steps"] = parts.ToString(CultureInfo.InvariantCulture),
                ["data-parallel"] = parts.ToString(CultureInfo.InvariantCulture),
                ["max-steps"] = (count + WarmUp).ToString(CultureInfo.InvariantCulture),
                ["encoder-context"] = parsed.GetValue(context)!,
                ["gradient-checkpointing"] = parsed.GetValue(checkpointing) ? "true" : "false",
                ["freeze-encoder"] = parsed.GetValue(freeze) ? "true" : "false",
                ["save-strategy"] = "no",
                ["logging-strategy"] = "no",
                ["report-to"] = "none",
            };
            if (parsed.GetValue(precision) is var type and not "fp32")
            {
                arguments[type is "fp16" or "bf16" ? type! : throw new AsrException($"--precision {type}: give fp32, bf16 or fp16")] = "true";
            }

            await using var catalog = plugins.Load(parsed);
            var engine = catalog.Get<ITrainer>(parsed.GetValue(trainer));
            var adapter = rank == 0 ? null : new TrainingAdapter
            {
                Provider = catalog.Get<IAdapterProvider>(),
                ConfigJson = JsonSerializer.Serialize(new Dictionary<string, object> { ["r"] = rank, ["lora_alpha"] = 2 * rank, ["target_modules"] = new[] { "q_proj", "v_proj" } }),
            };
            var folder = Directory.CreateTempSubdirectory("asr-bench-");
            try
            {
                FreshCheckpoint.WriteWithoutTokenizer(folder.FullName, config, seed: 1);
                var meter = new Meter(size, frames / 100.0);
                await DedicatedThread.RunAsync(() => engine.Train(
                    new TrainingRequest
                    {
                        ModelDirectory = folder.FullName,
                        OutputDirectory = Path.Combine(folder.FullName, "output"),
                        Train = new Noise(config, frames, 4 * size),
                        Arguments = arguments,
                        Adapter = adapter,
                        Device = parsed.GetValue(device)!,
                        Threads = parsed.GetValue(threads),
                    },
                    meter.Report,
                    cancellationToken));
                Console.Out.WriteLine(JsonSerializer.Serialize(
                    meter.Result() with { Dims = parsed.GetValue(dims)!, Trainer = engine.Name, EncoderContext = parsed.GetValue(context)! },
                    BenchTrainJsonContext.Readable.BenchTrainResult));
            }
            finally
            {
                folder.Delete(recursive: true);
            }

            return 0;
        });
        return command;
    }

    /// <summary>Steps before the clock starts: the first allocate what later ones use again.</summary>
    private const int WarmUp = 2;

    /// <summary>Utterances of noise, whose features are extracted whenever they are asked for.</summary>
    private sealed class Noise(WhisperConfig config, int frames, int count) : ITrainingDataset
    {
        private readonly LogMelExtractor _extractor = new(config.NumMelBins);

        public int Count => count;

        public TrainingSampleInfo Describe(int index) => new() { Id = $"noise {index}", Text = "", Frames = frames };

        public TrainingSample Load(int index)
        {
            var random = new Random(index);
            var samples = new float[frames * _extractor.HopLength];
            foreach (ref var sample in samples.AsSpan())
            {
                sample = random.NextSingle() - 0.5f;
            }

            var tokens = Math.Clamp(TokensPerSecond * frames * _extractor.HopLength / SampleRateHz, 1, config.MaxTargetPositions - 1);
            return new TrainingSample
            {
                Id = $"noise {index}",
                Text = "",
                Labels = [config.DecoderStartTokenId!.Value, .. Enumerable.Range(0, tokens).Select(_ => random.Next(config.EosTokenId!.Value)), config.EosTokenId!.Value],
                Features = _extractor.Extract(samples),
            };
        }
    }

    /// <summary>Takes the time between the steps that count.</summary>
    private sealed class Meter(int batch, double seconds)
    {
        private static readonly string[] Phases = ["data", "forward", "backward", "optimizer"];
        private readonly List<double> _times = [];
        private IReadOnlyDictionary<string, double> _first = new Dictionary<string, double>();
        private IReadOnlyDictionary<string, double> _last = new Dictionary<string, double>();
        private IReadOnlyDictionary<string, double> _setUp = new Dictionary<string, double>();
        private long _start;

        public void Report(TrainingProgress progress)
        {
            if (progress.Event == TrainingEvent.Started)
            {
                _setUp = progress.Values;
            }

            if (progress.Event != TrainingEvent.Step || progress.Step < WarmUp)
            {
                return;
            }

            if (progress.Step == WarmUp)
            {
                _first = progress.Values;
            }
            else
            {
                _times.Add(Stopwatch.GetElapsedTime(_start).TotalMilliseconds);
            }

            _last = progress.Values;
            _start = Stopwatch.GetTimestamp();
        }

        public BenchTrainResult Result()
        {
            var total = _times.Sum() / 1000;
            using var process = Process.GetCurrentProcess();
            return new BenchTrainResult
            {
                Parameters = (long)_setUp.GetValueOrDefault("parameters"),
                TrainableParameters = (long)_setUp.GetValueOrDefault("trainable_parameters"),
                Batch = batch,
                Seconds = seconds,
                Steps = _times.Count,
                StepMilliseconds = Math.Round(_times.Order().ElementAt(_times.Count / 2), 1),
                SamplesPerSecond = Math.Round(batch * _times.Count / total, 2),
                AudioSecondsPerSecond = Math.Round(seconds * batch * _times.Count / total, 1),
                PhaseShares = Phases.ToDictionary(
                    phase => phase,
                    phase => Math.Round((_last.GetValueOrDefault($"{phase}_seconds") - _first.GetValueOrDefault($"{phase}_seconds")) / total, 4)),
                PeakMemoryMiB = Math.Round(process.PeakWorkingSet64 / 1048576.0, 1),
            };
        }
    }
}

/// <summary>What <c>asr bench train</c> prints.</summary>
internal sealed record BenchTrainResult
{
    public string Trainer { get; init; } = "";

    public string Dims { get; init; } = "";

    public string EncoderContext { get; init; } = "";

    public required long Parameters { get; init; }

    public required long TrainableParameters { get; init; }

    /// <summary>Utterances of a step.</summary>
    public required int Batch { get; init; }

    /// <summary>Length of an utterance.</summary>
    public required double Seconds { get; init; }

    /// <summary>Timed steps.</summary>
    public required int Steps { get; init; }

    /// <summary>The median step.</summary>
    public required double StepMilliseconds { get; init; }

    public required double SamplesPerSecond { get; init; }

    public required double AudioSecondsPerSecond { get; init; }

    /// <summary>Shares of the time: waiting for data, forward, backward, optimizer. On a card, which works behind the processor, a phase's time is that of its waiting.</summary>
    public required IReadOnlyDictionary<string, double> PhaseShares { get; init; }

    /// <summary>The most that the process held, the program itself included; not a card's memory.</summary>
    public required double PeakMemoryMiB { get; init; }
}

[JsonSerializable(typeof(BenchTrainResult))]
internal sealed partial class BenchTrainJsonContext : JsonSerializerContext
{
    public static BenchTrainJsonContext Readable { get; } = new(new JsonSerializerOptions { PropertyNamingPolicy = JsonNamingPolicy.CamelCase, WriteIndented = true });
}
