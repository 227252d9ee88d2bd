using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Host.Cli.Compare;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.Host.Cli;

/// <summary>
/// <c>asr bench compare</c>: our backends beside whisper.cpp on the same dimensions and threads, random weights, in turns, so that what else
/// the machine does meets all of them alike.
/// </summary>
internal static class BenchCompare
{
    private const int Seed = 1;

    /// <summary>As many single tokens as whisper.cpp's bench decodes.</summary>
    private const int Tokens = 256;

    private const double WindowSeconds = 30;
    private const double ChunkSeconds = 5;

    public static Command Create()
    {
        var peer = new Option<string>("--whisper-cpp") { Description = "folder of a built whisper.cpp", HelpName = "DIR", Required = true };
        var dims = new Option<string>("--dims") { Description = "tiny, base or small", HelpName = "NAME", DefaultValueFactory = _ => "base" };
        var precisions = new Option<string>("--precisions") { Description = "whisper.cpp's precisions, with commas: f16, q8_0, q5_0, …", HelpName = "LIST", DefaultValueFactory = _ => "f16,q8_0" };
        var backends = new Option<string?>("--backends") { Description = "our backends, with commas; default: all", HelpName = "LIST" };
        var threads = new Option<int>("--threads") { Description = "threads of each", HelpName = "T", DefaultValueFactory = _ => 1 };
        var rounds = new Option<int>("--rounds") { Description = "turns of all; the fastest of each counts", HelpName = "N", DefaultValueFactory = _ => 3 };
        var json = new Option<bool>("--json") { Description = "one JSON object in place of the table" };
        var plugins = new PluginOptions();
        var command = new Command("compare", "Measures our backends beside whisper.cpp, side by side in one run, on random weights.");
        foreach (var option in (Option[])[peer, dims, precisions, backends, threads, rounds, json, plugins.Directory])
        {
            command.Options.Add(option);
        }

        command.SetAction(async (parsed, cancellationToken) =>
        {
            var name = parsed.GetValue(dims)!;
            var config = BenchCommand.Configuration(name);
            var (count, turns) = (parsed.GetValue(threads), parsed.GetValue(rounds));
            var kinds = List(parsed.GetValue(precisions)!);
            if (count < 1 || turns < 1 || kinds.Length == 0)
            {
                throw new AsrException("--threads and --rounds: give 1 or more; --precisions: name one");
            }

            var other = new WhisperCpp(parsed.GetValue(peer)!);
            await using var catalog = plugins.Load(parsed);
            ISeq2SeqBackend[] ours = parsed.GetValue(backends) is { } list
                ? [.. List(list).Select(backend => catalog.Get<ISeq2SeqBackend>(backend))]
                : [.. catalog.GetServices<ISeq2SeqBackend>()];
            var result = await DedicatedThread.RunAsync(() =>
            {
                using var comparison = new Comparison(config, other, kinds, ours, count, cancellationToken);
                return comparison.Run(turns) with { Dims = name };
            });
            Console.Out.WriteLine(parsed.GetValue(json) ? JsonSerializer.Serialize(result, BenchCompareJsonContext.Readable.BenchCompareResult) : Table(result));
            return 0;
        });
        return command;
    }

    private static string[] List(string list) => list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    private static string Table(BenchCompareResult result)
    {
        List<string> lines =
        [
            string.Create(CultureInfo.InvariantCulture, $"{result.Dims}, {result.Threads} thread(s), {result.Rounds} turns, milliseconds; × of whisper.cpp's best"),
            $"{"engine",-24}{"encode 30 s",20}{"a token",18}{"30 s, 90 tokens",20}{"5 s, 15 tokens",20}",
        ];
        lines.AddRange(result.Engines.Select(engine => $"{engine.Name,-24}{Cell(engine.EncodeMilliseconds, engine.EncodeSpeedup),20}{Cell(engine.TokenMilliseconds, engine.TokenSpeedup),18}{Cell(engine.WindowMilliseconds, engine.WindowSpeedup),20}{Cell(engine.ChunkMilliseconds, engine.ChunkSpeedup),20}"));
        return string.Join(Environment.NewLine, lines);
    }

    private static string Cell(double milliseconds, double? speedup) => speedup is { } times
        ? string.Create(CultureInfo.InvariantCulture, $"{milliseconds:0.0} ({times:0.00}×)")
        : string.Create(CultureInfo.InvariantCulture, $"{milliseconds:0.0}");

    private sealed class Comparison : IDisposable
    {
        private readonly WhisperConfig _config;
        private readonly WhisperCpp _other;
        private readonly int _threads;
        private readonly CancellationToken _cancellationToken;
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("asr-compare-");
        private readonly List<(string Name, string File)> _files = [];
        private readonly List<(string Name, ISeq2SeqModel Model)> _models = [];
        private readonly float[] _features;
        private readonly float[] _logits;
        private readonly int _mels;

        public Comparison(WhisperConfig config, WhisperCpp other, string[] precisions, ISeq2SeqBackend[] ours, int threads, CancellationToken cancellationToken)
        {
            (_config, _other, _threads, _cancellationToken) = (config, other, threads, cancellationToken);
            _mels = config.NumMelBins;
            _logits = new float[config.VocabSize];
            _features = BenchCommand.Noise(config.NumMelBins * BenchCommand.Frames(WindowSeconds, config));
            try
            {
                var half = Path.Combine(_folder.FullName, "f16.bin");
                GgmlModelFile.Write(half, config, Seed);
                foreach (var precision in precisions)
                {
                    var file = Path.Combine(_folder.FullName, $"{precision}.bin");
                    if (precision != "f16")
                    {
                        other.Quantize(half, precision, file, cancellationToken);
                    }

                    _files.Add(($"whisper.cpp {precision}", file));
                }

                foreach (var backend in ours)
                {
                    try
                    {
                        _models.Add((backend.Name, backend.CreateRandom(config.Json, new ModelLoadOptions { Device = "cpu", Threads = threads })));
                    }
                    catch (NotSupportedException error)
                    {
                        // One of several that makes no model of random weights leaves the others to compare.
                        if (ours.Length == 1)
                        {
                            throw new AsrException(error.Message, error);
                        }
                    }
                }
            }
            catch
            {
                Dispose();
                throw;
            }
        }

        public BenchCompareResult Run(int rounds)
        {
            var times = new Dictionary<string, Times>();
            for (var round = 0; round < rounds; round++)
            {
                foreach (var (name, file) in _files)
                {
                    // It always encodes 30 s.
                    var (encode, token) = _other.Measure(file, _threads, _cancellationToken);
                    Keep(times, name, new Times(encode, token, encode, token));
                }

                foreach (var (name, model) in _models)
                {
                    var (encode, token) = Measure(model, WindowSeconds, Tokens);
                    var (chunk, chunkToken) = Measure(model, ChunkSeconds, Tokens / 4);
                    Keep(times, name, new Times(encode, token, chunk, chunkToken));
                }
            }

            var best = _files.Select(file => times[file.Name]).Aggregate(Times.Best);
            return new BenchCompareResult
            {
                Threads = _threads,
                Rounds = rounds,
                Engines = [.. times.Select(pair => Engine(pair.Key, pair.Value, _files.Any(file => file.Name == pair.Key) ? null : best))],
            };
        }

        public void Dispose()
        {
            _models.ForEach(model => model.Model.Dispose());
            _folder.Delete(recursive: true);
        }

        private static void Keep(Dictionary<string, Times> times, string name, Times round) =>
            times[name] = times.TryGetValue(name, out var before) ? Times.Best(before, round) : round;

        private static BenchCompareEngine Engine(string name, Times times, Times? peer) => new()
        {
            Name = name,
            EncodeMilliseconds = Math.Round(times.Encode, 2),
            TokenMilliseconds = Math.Round(times.Token, 3),
            WindowMilliseconds = Math.Round(times.Window, 2),
            ChunkMilliseconds = Math.Round(times.Chunk, 2),
            EncodeSpeedup = Speedup(peer?.Encode, times.Encode),
            TokenSpeedup = Speedup(peer?.Token, times.Token),
            WindowSpeedup = Speedup(peer?.Window, times.Window),
            ChunkSpeedup = Speedup(peer?.Chunk, times.Chunk),
        };

        private static double? Speedup(double? peer, double ours) => peer is { } theirs ? Math.Round(theirs / ours, 2) : null;

        /// <summary>Encoding with all that it prepares for the decoder, and a token on average.</summary>
        private (double Encode, double Token) Measure(ISeq2SeqModel model, double seconds, int tokens)
        {
            // A graph of a fixed length hears silence behind the chunk, as whisper.cpp does.
            var frames = BenchCommand.Frames(model.Info.SupportsShortContext ? seconds : WindowSeconds, _config);
            Time(model, frames, tokens: 1); // the first run allocates
            return Time(model, frames, tokens);
        }

        private (double Encode, double Token) Time(ISeq2SeqModel model, int frames, int tokens)
        {
            _cancellationToken.ThrowIfCancellationRequested();
            var started = Stopwatch.GetTimestamp();
            using var states = model.Encode(_features.AsSpan(0, _mels * frames), 1, frames);
            using var cache = model.CreateCache(states, [0], new DecoderCacheOptions());
            var encode = Stopwatch.GetElapsedTime(started);
            model.Decode(cache, [0], [], LogitPositions.Last, _logits, []);
            started = Stopwatch.GetTimestamp();
            for (var token = 0; token < tokens; token++)
            {
                _cancellationToken.ThrowIfCancellationRequested();
                model.Decode(cache, [token], [], LogitPositions.Last, _logits, []);
            }

            return (encode.TotalMilliseconds, Stopwatch.GetElapsedTime(started).TotalMilliseconds / tokens);
        }
    }

    /// <summary>Milliseconds of an engine: 30 s and a token after them, 5 s and a token after those.</summary>
    private sealed record Times(double Encode, double Token, double ChunkEncode, double ChunkToken)
    {
        public double Window => Encode + (WindowSeconds * BenchCommand.TokensPerSecond * Token);

        public double Chunk => ChunkEncode + (ChunkSeconds * BenchCommand.TokensPerSecond * ChunkToken);

        /// <summary>The best of each stage: of several precisions this is more than any one of them reaches.</summary>
        public static Times Best(Times a, Times b) =>
            new(Math.Min(a.Encode, b.Encode), Math.Min(a.Token, b.Token), Math.Min(a.ChunkEncode, b.ChunkEncode), Math.Min(a.ChunkToken, b.ChunkToken));
    }
}

/// <summary>What <c>asr bench compare --json</c> prints.</summary>
internal sealed record BenchCompareResult
{
    public string Dims { get; init; } = "";

    public required int Threads { get; init; }

    public required int Rounds { get; init; }

    public required IReadOnlyList<BenchCompareEngine> Engines { get; init; }
}

/// <summary>An engine's fastest turns; the speed-ups are against the best that whisper.cpp reached in each stage, whatever its precision.</summary>
internal sealed record BenchCompareEngine
{
    public required string Name { get; init; }

    public required double EncodeMilliseconds { get; init; }

    public required double TokenMilliseconds { get; init; }

    /// <summary>30 s with 90 tokens.</summary>
    public required double WindowMilliseconds { get; init; }

    /// <summary>5 s with 15 tokens; whisper.cpp encodes 30 s for them.</summary>
    public required double ChunkMilliseconds { get; init; }

    public double? EncodeSpeedup { get; init; }

    public double? TokenSpeedup { get; init; }

    public double? WindowSpeedup { get; init; }

    public double? ChunkSpeedup { get; init; }
}

[JsonSerializable(typeof(BenchCompareResult))]
internal sealed partial class BenchCompareJsonContext : JsonSerializerContext
{
    public static BenchCompareJsonContext Readable { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        WriteIndented = true,
    });
}
