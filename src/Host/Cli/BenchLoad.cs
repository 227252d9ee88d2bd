using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Diagnostics;
using AsrPlatform.Host.Plugins;
using AsrPlatform.Host.Serving;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr bench load</c>: time and memory of a model's weights, of a second recogniser that shares them, and of a window; one JSON object on stdout.</summary>
internal static class BenchLoad
{
    private const double WindowSeconds = 30;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    public static Command Create()
    {
        var first = new Option<string?>("--first") { Description = "a small model that is loaded before it and stays, so that what the runtime itself takes is not counted; default: the demo model", HelpName = "DIR" };
        var model = new ModelOptions();
        var command = new Command("load", "Measures what loading a model takes: seconds, memory of the weights, of a second recogniser beside it, and of a window of 30 s.");
        command.Options.Add(first);
        model.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var request = model.Read(parsed) with { IsLive = true };
            var directory = model.ReadDirectory(parsed);
            var small = parsed.GetValue(first) ?? ModelOptions.FindDemoModel() ?? throw new AsrException("--first: there is no demo model; give a small one");
            if (Path.GetFullPath(small) == Path.GetFullPath(directory))
            {
                throw new AsrException("the model and the one that is loaded first are the same: give another one with --first or --model");
            }

            RequireMemory();
            await using var catalog = model.Plugins.Load(parsed);
            return await DedicatedThread.RunAsync(() =>
            {
                Measure(catalog, request, request with { AdapterDirectory = null, Load = request.Load with { ModelDirectory = small } }, cancellationToken);
                return 0;
            });
        });
        return command;
    }

    private static void Measure(PluginCatalog catalog, ModelRequest request, ModelRequest small, CancellationToken cancellationToken)
    {
        using var runtime = RecognizerLoader.Load(catalog, small, cancellationToken);
        Hear(runtime, cancellationToken);

        // What a backend prepares at a model's first load is not what a load takes.
        var (before, mappedBefore) = (Settled(), Mapped());
        RecognizerLoader.Load(catalog, request, cancellationToken).Dispose();
        var clock = Stopwatch.StartNew();
        using var recognizer = RecognizerLoader.Load(catalog, request, cancellationToken);
        var seconds = clock.Elapsed.TotalSeconds;
        var files = Mapped().Where(file => !mappedBefore.Contains(file)).Sum(file => new FileInfo(file).Length);
        var loaded = Settled();
        using var second = RecognizerLoader.Load(catalog, request, cancellationToken);
        var shared = Settled();
        Hear(recognizer, cancellationToken);
        var heard = Settled();
        Console.Out.WriteLine(JsonSerializer.Serialize(
            new
            {
                model = recognizer.Info.Name,
                backend = recognizer.Info.Backend,
                loadSeconds = Math.Round(seconds, 2),
                weightFilesMiB = files == 0 ? (double?)null : MiB(files),
                weightsMiB = MiB(loaded - before),
                weightsPerFiles = files == 0 ? (double?)null : Math.Round((loaded - before) / (double)files, 2),
                secondRecognizerMiB = MiB(shared - loaded),
                windowMiB = MiB(heard - shared),
            },
            Json));
    }

    private static void Hear(ISpeechRecognizer recognizer, CancellationToken cancellationToken)
    {
        var random = new Random(1);
        var noise = new float[(int)(WindowSeconds * AudioFile.TargetRateHz)];
        foreach (ref var sample in noise.AsSpan())
        {
            sample = (float)((random.NextDouble() - 0.5) / 50);
        }

        recognizer.Transcribe(
            new MemoryAudioSource(noise, AudioFile.TargetRateHz),
            new TranscriptionOptions { TemperatureIncrementOnFallback = null, NoSpeechThreshold = null },
            null,
            cancellationToken);
    }

    /// <summary>Bytes of the process, each shared page by its share, without what the heaps only keep.</summary>
    private static long Settled()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        GC.WaitForPendingFinalizers();
        NativeHeap.GiveBack();
        var line = File.ReadLines("/proc/self/smaps_rollup").First(line => line.StartsWith("Pss:", StringComparison.Ordinal));
        return 1024 * long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }

    private static void RequireMemory()
    {
        if (!File.Exists("/proc/self/smaps_rollup"))
        {
            throw new AsrException("bench load reads /proc/self/smaps_rollup, which this system does not have: run it on Linux");
        }
    }

    /// <summary>Files of data that the process has mapped.</summary>
    private static HashSet<string> Mapped() => [.. File.ReadLines("/proc/self/maps")
        .Select(line => line.IndexOf('/', StringComparison.Ordinal) is var at and >= 0 ? line[at..] : "")
        .Where(path => File.Exists(path) && Path.GetExtension(path) is ".onnx" or ".onnx_data" or ".safetensors" or ".bin")];

    private static double MiB(long bytes) => Math.Round(bytes / 1048576.0, 1);
}
