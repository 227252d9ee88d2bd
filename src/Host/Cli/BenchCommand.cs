using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Host.Serving;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr bench encode|decode</c>: how fast a backend is on given dimensions, with random weights; one JSON object on stdout.</summary>
internal static class BenchCommand
{
    private const int FramesPerSecond = 100;

    /// <summary>About what fast English has; <c>--tokens</c> says otherwise.</summary>
    internal const int TokensPerSecond = 3;

    /// <summary>Start of transcript, language, task, no timestamps.</summary>
    private const int PrefixLength = 4;

    public static Command Create()
    {
        var command = new Command("bench", "Measures encoder, decoder and training on random weights; with a model: live sessions, a host under long use, learning from corrections, the memory for words, the screening of corrections, what loading takes, and voice activity detection.");
        command.Subcommands.Add(Create("encode", "Times the encoder.", (run, _) => run.Encode()));
        var tokens = new Option<int>("--tokens") { Description = $"tokens to decode; default: {TokensPerSecond} a second of audio", HelpName = "N" };
        var decode = Create("decode", "Times the decoder, token by token behind a prefix of four.", (run, parsed) => run.Decode(parsed.GetValue(tokens)));
        decode.Options.Add(tokens);
        command.Subcommands.Add(decode);
        command.Subcommands.Add(BenchCompare.Create());
        command.Subcommands.Add(BenchTrain.Create());
        command.Subcommands.Add(BenchStream.Create());
        command.Subcommands.Add(BenchSoak.Create());
        command.Subcommands.Add(BenchLearning.Create());
        command.Subcommands.Add(BenchVad.Create());
        command.Subcommands.Add(BenchMemory.Create());
        command.Subcommands.Add(BenchScreening.Create());
        command.Subcommands.Add(BenchLoad.Create());
        return command;
    }

    private static Command Create(string name, string description, Func<Run, ParseResult, BenchResult> measure)
    {
        var dims = new Option<string>("--dims") { Description = "tiny, base, small, or a checkpoint folder whose config.json counts", HelpName = "NAME|DIR", DefaultValueFactory = _ => "tiny" };
        var seconds = new Option<double>("--seconds") { Description = "length of the audio", HelpName = "N", DefaultValueFactory = _ => 30 };
        var repeat = new Option<int>("--repeat") { Description = "timed runs after a first one that is not", HelpName = "N", DefaultValueFactory = _ => 5 };
        var backend = new Option<string?>("--backend") { Description = "the backend that is measured; default: the first", HelpName = "NAME" };
        var device = new Option<string>("--device") { Description = "cpu, cuda, cuda:0, …", HelpName = "NAME", DefaultValueFactory = _ => "auto" };
        var threads = new Option<int>("--threads") { Description = "threads for computation; 0 lets the backend choose", HelpName = "T" };
        var plugins = new PluginOptions();
        var command = new Command(name, description);
        foreach (var option in (Option[])[dims, seconds, threads, repeat, backend, device, plugins.Directory])
        {
            command.Options.Add(option);
        }

        command.SetAction(async (parsed, cancellationToken) =>
        {
            var (runs, count) = (parsed.GetValue(repeat), parsed.GetValue(threads));
            if (runs < 1)
            {
                throw new AsrException($"--repeat {runs}: give 1 or more");
            }

            if (count < 0)
            {
                throw new AsrException($"--threads {count}: give 0 or more");
            }

            var dimensions = parsed.GetValue(dims)!;
            var config = Configuration(dimensions);
            var frames = Frames(parsed.GetValue(seconds), config);
            await using var catalog = plugins.Load(parsed);
            var engine = BackendChoice.Of(catalog, parsed.GetValue(backend), directory: null);
            var load = new ModelLoadOptions { Device = parsed.GetValue(device)!, Threads = count };
            var result = await DedicatedThread.RunAsync(() =>
            {
                using var run = new Run(engine, config, load, frames, runs, cancellationToken);
                return measure(run, parsed) with { Benchmark = name, Dims = dimensions };
            });
            Console.Out.WriteLine(JsonSerializer.Serialize(result, BenchJsonContext.Readable.BenchResult));
            return 0;
        });
        return command;
    }

    /// <summary>Whisper's multilingual dimensions of a size, or those of a checkpoint.</summary>
    internal static WhisperConfig Configuration(string dims)
    {
        (int Width, int Heads, int Layers)? size = dims switch
        {
            "tiny" => (384, 6, 4),
            "base" => (512, 8, 6),
            "small" => (768, 12, 12),
            _ => null,
        };
        if (size is not var (width, heads, layers))
        {
            return Directory.Exists(dims) ? WhisperConfig.Load(dims) : throw new AsrException($"--dims {dims}: give tiny, base, small or a checkpoint folder");
        }

        return WhisperConfig.Parse($$"""
            {
              "model_type": "whisper", "d_model": {{width}},
              "encoder_layers": {{layers}}, "encoder_attention_heads": {{heads}}, "encoder_ffn_dim": {{4 * width}},
              "decoder_layers": {{layers}}, "decoder_attention_heads": {{heads}}, "decoder_ffn_dim": {{4 * width}},
              "vocab_size": 51865, "num_mel_bins": 80, "max_source_positions": 1500, "max_target_positions": 448,
              "decoder_start_token_id": 50258, "eos_token_id": 50257, "pad_token_id": 50257, "bos_token_id": 50257
            }
            """);
    }

    /// <summary>As <see cref="Configuration"/>, with the tokens that training needs.</summary>
    internal static WhisperConfig TrainableConfiguration(string dims)
    {
        var config = Configuration(dims);
        return config is { DecoderStartTokenId: not null, EosTokenId: > 0 }
            ? config
            : throw new AsrException($"--dims {dims}: its config.json lacks \"decoder_start_token_id\" or \"eos_token_id\", which training needs");
    }

    internal static int Frames(double seconds, WhisperConfig config)
    {
        var positions = Math.Round(seconds * FramesPerSecond / 2);
        return positions >= 1 && positions <= config.MaxSourcePositions
            ? 2 * (int)positions
            : throw new AsrException(FormattableString.Invariant(
                $"--seconds {seconds}: give more than 0 and at most {config.MaxFrames / (double)FramesPerSecond}, the model's window"));
    }

    /// <summary>Noise of a fixed seed: silence would make some kernels faster than they are.</summary>
    internal static float[] Noise(int count)
    {
        var random = new Random(1);
        var features = new float[count];
        for (var i = 0; i < count; i++)
        {
            features[i] = (2 * random.NextSingle()) - 1;
        }

        return features;
    }

    /// <summary>A matrix product of the model: <c>[Rows, Inner] · [Inner, Columns]</c>, so many times.</summary>
    private readonly record struct Product(int Rows, int Inner, int Columns, int Times)
    {
        public double Operations => 2.0 * Rows * Inner * Columns * Times;
    }

    private readonly record struct Lap(double Milliseconds, double ProcessorMilliseconds);

    private readonly record struct Clock(long Timestamp, TimeSpan Processor)
    {
        public static Clock Start() => new(Stopwatch.GetTimestamp(), Environment.CpuUsage.TotalTime);

        public Lap Stop() => new(Stopwatch.GetElapsedTime(Timestamp).TotalMilliseconds, (Environment.CpuUsage.TotalTime - Processor).TotalMilliseconds);
    }

    private sealed class Run(ISeq2SeqBackend backend, WhisperConfig config, ModelLoadOptions load, int frames, int repeat, CancellationToken cancellationToken)
        : IDisposable
    {
        private readonly ISeq2SeqModel _model = CreateRandom(backend, config, load);
        private readonly float[] _features = Noise(config.NumMelBins * frames);

        private static ISeq2SeqModel CreateRandom(ISeq2SeqBackend backend, WhisperConfig config, ModelLoadOptions load)
        {
            try
            {
                return backend.CreateRandom(config.Json, load);
            }
            catch (NotSupportedException error)
            {
                throw new AsrException(error.Message, error);
            }
        }

        private double Seconds => frames / (double)FramesPerSecond;

        public BenchResult Encode()
        {
            var (times, caches) = (new List<Lap>(), new List<Lap>());
            for (var i = 0; i <= repeat; i++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var clock = Clock.Start();
                using var states = _model.Encode(_features, 1, frames);
                times.Add(clock.Stop());
                clock = Clock.Start();
                using var cache = _model.CreateCache(states, [0], new DecoderCacheOptions());
                caches.Add(clock.Stop());
            }

            return Result(times, EncoderProducts()) with { CacheMilliseconds = Best(caches) };
        }

        public BenchResult Decode(int tokens)
        {
            tokens = tokens == 0 ? Math.Max(1, Math.Min((int)(TokensPerSecond * Seconds), config.MaxTargetPositions - PrefixLength)) : tokens;
            if (tokens < 0 || tokens > config.MaxTargetPositions - PrefixLength)
            {
                throw new AsrException($"--tokens {tokens}: give 1 to {config.MaxTargetPositions - PrefixLength}");
            }

            using var states = _model.Encode(_features, 1, frames);
            var logits = new float[config.VocabSize];
            var (prefill, times) = (new List<Lap>(), new List<Lap>());
            for (var i = 0; i <= repeat; i++)
            {
                using var cache = _model.CreateCache(states, [0], new DecoderCacheOptions());
                var clock = Clock.Start();
                _model.Decode(cache, Enumerable.Range(0, PrefixLength).ToArray(), [], LogitPositions.Last, logits, []);
                prefill.Add(clock.Stop());
                clock = Clock.Start();
                for (var token = 0; token < tokens; token++)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    _model.Decode(cache, [token % config.VocabSize], [], LogitPositions.Last, logits, []);
                }

                times.Add(clock.Stop());
            }

            var result = Result(times, DecoderProducts(tokens));
            return result with
            {
                Tokens = tokens,
                MillisecondsPerToken = Math.Round(result.Milliseconds / tokens, 3),
                TokensPerSecond = Math.Round(tokens / result.Milliseconds * 1000, 1),
                PrefillMilliseconds = Best(prefill),
            };
        }

        public void Dispose() => _model.Dispose();

        // The first was not timed.
        private static double Best(List<Lap> laps) => Math.Round(laps.Skip(1).Min(lap => lap.Milliseconds), 2);

        private BenchResult Result(List<Lap> times, List<Product> products)
        {
            var timed = times.Skip(1).Select(lap => lap.Milliseconds).Order().ToArray();
            var best = timed[0];
            var speed = products.Sum(product => product.Operations) / best / 1e6;
            double? yardstick = null;
            if (backend is IMatrixMultiplyBenchmark bare)
            {
                var milliseconds = products.Sum(product =>
                    product.Times * bare.Measure(product.Rows, product.Inner, product.Columns, load, repeat).TotalMilliseconds);
                yardstick = products.Sum(product => product.Operations) / milliseconds / 1e6;
            }

            using var process = Process.GetCurrentProcess();
            return new BenchResult
            {
                Backend = _model.Info.Backend,
                Device = _model.Info.Device,
                Threads = load.Threads,
                Parameters = _model.Info.Parameters,
                Seconds = Seconds,
                Repeat = repeat,
                Milliseconds = Math.Round(best, 2),
                MedianMilliseconds = Math.Round(timed[timed.Length / 2], 2),
                ProcessorMilliseconds = Math.Round(times.Skip(1).Min(lap => lap.ProcessorMilliseconds), 2),
                TimesRealTime = Math.Round(Seconds * 1000 / best, 1),
                GigaFlops = Math.Round(speed, 1),
                SgemmGigaFlops = yardstick is { } reached ? Math.Round(reached, 1) : null,
                ShareOfSgemm = yardstick is { } full ? Math.Round(speed / full, 3) : null,
                PeakMemoryMiB = Math.Round(process.PeakWorkingSet64 / 1048576.0, 1),
            };
        }

        private List<Product> EncoderProducts()
        {
            var (width, inner, heads, layers) = (config.DModel, config.EncoderFfnDim, config.EncoderAttentionHeads, config.EncoderLayers);
            var positions = frames / 2;
            return
            [
                new(frames, 3 * config.NumMelBins, width, 1),
                new(positions, 3 * width, width, 1),
                new(positions, width, 3 * width, layers),
                new(positions, width / heads, positions, heads * layers),
                new(positions, positions, width / heads, heads * layers),
                new(positions, width, width, layers),
                new(positions, width, inner, layers),
                new(positions, inner, width, layers),
            ];
        }

        private List<Product> DecoderProducts(int tokens)
        {
            var (width, inner, heads, layers) = (config.DModel, config.DecoderFfnDim, config.DecoderAttentionHeads, config.DecoderLayers);
            var positions = frames / 2;
            var seen = PrefixLength + ((tokens + 1) / 2); // on average
            return
            [
                new(1, width, 3 * width, layers * tokens),
                new(1, width / heads, seen, heads * layers * tokens),
                new(1, seen, width / heads, heads * layers * tokens),
                new(1, width, width, 3 * layers * tokens),
                new(1, width / heads, positions, heads * layers * tokens),
                new(1, positions, width / heads, heads * layers * tokens),
                new(1, width, inner, layers * tokens),
                new(1, inner, width, layers * tokens),
                new(1, width, config.VocabSize, tokens),
            ];
        }
    }
}

/// <summary>What <c>asr bench</c> prints. Times and speeds are those of the fastest run.</summary>
internal sealed record BenchResult
{
    public string Benchmark { get; init; } = "";

    public string Dims { get; init; } = "";

    public required string Backend { get; init; }

    public required string Device { get; init; }

    /// <summary>As asked for; 0 when the backend chose.</summary>
    public required int Threads { get; init; }

    public required long Parameters { get; init; }

    /// <summary>Length of the audio.</summary>
    public required double Seconds { get; init; }

    public required int Repeat { get; init; }

    public required double Milliseconds { get; init; }

    public required double MedianMilliseconds { get; init; }

    /// <summary>Time that all processors together worked in the run with the least: what other programs on the machine disturb least.</summary>
    public required double ProcessorMilliseconds { get; init; }

    /// <summary>What the decoder's first cache costs besides, once an encoded window: the keys and values of cross-attention.</summary>
    public double? CacheMilliseconds { get; init; }

    public int? Tokens { get; init; }

    public double? MillisecondsPerToken { get; init; }

    public double? TokensPerSecond { get; init; }

    public double? PrefillMilliseconds { get; init; }

    public required double TimesRealTime { get; init; }

    /// <summary>Multiplications and additions of all matrix products, convolutions and attention included, by the whole time.</summary>
    public required double GigaFlops { get; init; }

    /// <summary>What the backend's bare matrix product reaches over the same shapes, each as often as the model has it.</summary>
    public double? SgemmGigaFlops { get; init; }

    public double? ShareOfSgemm { get; init; }

    /// <summary>The most that the process held, the program itself included.</summary>
    public required double PeakMemoryMiB { get; init; }
}

[JsonSerializable(typeof(BenchResult))]
internal sealed partial class BenchJsonContext : JsonSerializerContext
{
    public static BenchJsonContext Readable { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        WriteIndented = true,
    });
}
