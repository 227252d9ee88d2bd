using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Host.Learning.Registry;
using AsrPlatform.Host.Plugins;
using AsrPlatform.Host.Serving;
using AsrPlatform.Host.Tests.Learning.Registry;
using AsrPlatform.Tests;
using AsrPlatform.Whisper;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Streaming;
using Microsoft.Extensions.Configuration;
using static AsrPlatform.Host.Tests.Live.LiveHarness;

namespace AsrPlatform.Host.Tests.Live;

/// <summary>Swaps on a real engine: LoRA on every linear layer of the demo model.</summary>
public sealed class AdapterSwapOnTheDemoModelTests : IAsyncLifetime
{
    private const int Width = 256;
    private const int Rank = 8;

    private readonly TemporaryFolder _folder = new();
    private PluginCatalog _plugins = null!;
    private TimedSlots _slots = null!;

    private static string Model => Path.Combine(Fixtures.RepositoryRoot, "models", "demo");

    public ValueTask InitializeAsync()
    {
        var plugins = Path.Combine(Fixtures.RepositoryRoot, "artifacts", "app", "plugins");
        Assert.SkipWhen(!Directory.Exists(plugins) || !File.Exists(Path.Combine(Model, "config.json")), "the demo model or the plugins are not there: run eng/build.sh.");
        _plugins = PluginCatalog.Load(new PluginHostOptions { Directory = plugins, SharedDirectory = Path.Combine(plugins, "..", "shared") }, new ConfigurationBuilder().Build());
        _slots = new TimedSlots(new PluginAdapters(_plugins));
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        if (_plugins is not null)
        {
            await _plugins.DisposeAsync();
        }

        _folder.Dispose();
    }

    [Fact]
    public async Task Streams_OfDifferentAdapters_ShareABatch_AndHearWhatEachHearsAlone()
    {
        await using var live = await StartAsync();
        await live.Model.ReadyAsync(Cancelled);
        var names = new List<string> { "none" };
        var leases = new List<AdapterLease>();
        foreach (var (index, scale) in new[] { 0.02f, 0.06f, 0.1f }.Index())
        {
            var folder = Write($"a{index}", scale, index);
            leases.Add(await live.Model.Adapters.LeaseAsync($"a{index}", () => Task.FromResult(folder), Cancelled));
            names.Add($"a{index}");
        }

        var samples = Speech().Select(sample => sample / 32768f).ToArray();
        StreamPass[] passes = [.. names.Select(name => new StreamPass { Samples = samples, Language = "en", Adapter = name, IsFinal = true })];
        var (together, alone) = await live.Model.RunAsync(
            (recognizer, token) =>
            {
                var whisper = (WhisperRecognizer)recognizer;
                var decoder = new StreamingDecoder(whisper.Parts, new StreamingOptions(), whisper.FindAdapter);
                return (decoder.Decode(passes, token), passes.Select(pass => decoder.Decode([pass], token)[0]).ToArray());
            },
            Cancelled);
        Assert.Equal(["base", "a0", "a1", "a2"], together.Select(heard => heard.AdapterVersion));
        Assert.Equal(alone.Select(Text), together.Select(Text));

        // Small random changes need not change the text of a clip that the model hears well, but how sure it is of it.
        Assert.Equal(together.Count, together.Select(heard => heard.AverageLogProbability).Distinct().Count());
        leases.ForEach(lease => lease.Dispose());
        await EventuallyAsync(() => live.Model.Snapshot.Info!.Adapters.Count == 0, "adapters that nobody leases are taken off");
    }

    [Fact]
    public async Task Swaps_WhileSessionsRun_AreQuick_AndEveryCaptionSaysItsAdapter()
    {
        const int Swaps = 12;
        await using var live = await StartAsync();
        List<string> adapters = [];
        foreach (var (index, scale) in new[] { 0f, 0.01f }.Index())
        {
            var card = await live.Registry.AddAsync(Write($"a{index}", scale, index), AdapterFiles.New(), Cancelled);
            adapters.Add(card.Id);
        }

        var done = new TaskCompletionSource();
        var sessions = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => live.OpenAsync()));
        var talking = sessions.Select(session => Task.Run(async () =>
        {
            short[] utterance = [.. Speech(), .. new short[SpokenAudio.SampleRateHz]];
            while (!done.Task.IsCompleted)
            {
                await SendAsync(session, session.Position.AcknowledgedSamples, Chunks(utterance));
            }
        })).ToArray();

        var seconds = new List<double>();
        for (var swap = 0; swap < Swaps; swap++)
        {
            var id = adapters[swap % adapters.Count];
            var seen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            void Note(Activation activation) => seen.TrySetResult();
            live.Adapters.Promoted += Note;
            var clock = Stopwatch.StartNew();
            await live.Registry.PromoteAsync(id, AdapterScope.All, "test", cancellationToken: Cancelled);
            await seen.Task.WaitAsync(Cancelled);
            seconds.Add(clock.Elapsed.TotalSeconds);
            live.Adapters.Promoted -= Note;
            await EventuallyAsync(() => sessions.Any(session => session.Captions is [.., { } newest] && newest.AdapterVersion == id), "a session captions with it");
        }

        done.SetResult();
        await Task.WhenAll(talking);
        await Task.WhenAll(sessions.Select(session => session.EndAsync(Cancelled)));
        var output = TestContext.Current.TestOutputHelper!;
        output.WriteLine($"promotion until sessions get it: {Show(seconds)}");
        foreach (var errand in _slots.Times.GroupBy(time => time.Name))
        {
            output.WriteLine($"{errand.Key}, the recogniser's thread: {Show(errand.Select(time => time.Elapsed.TotalSeconds))}");
        }

        Assert.All(sessions, session =>
        {
            Assert.Equal(Enumerable.Range(1, session.Captions.Length).Select(segment => (long)segment), session.Captions.Select(caption => caption.SegmentId));
            Assert.All(session.Captions, caption => Assert.Contains(caption.AdapterVersion, adapters.Append("base")));
        });
        Assert.Contains(_slots.Times, time => time.Name == "load");
    }

    private static string Text(StreamHypothesis heard) => string.Concat(heard.Words.Select(word => word.Text));

    private static string Show(IEnumerable<double> seconds)
    {
        var sorted = seconds.Order().ToArray();
        return string.Create(CultureInfo.InvariantCulture, $"{sorted.Length} times, median {1000 * sorted[sorted.Length / 2]:0} ms, longest {1000 * sorted[^1]:0} ms");
    }

    private static short[] Speech()
    {
        var bytes = File.ReadAllBytes(Fixtures.Path("audio/fox.wav"))[44..];
        return MemoryMarshal.Cast<byte, short>(bytes).ToArray();
    }

    private async Task<LiveHarness> StartAsync()
    {
        var request = new ModelRequest("torch", new ModelLoadOptions { ModelDirectory = Model, Device = "cpu", Threads = 1 });
        return await LiveHarness.StartAsync(recognizer: null, engine: (() => RecognizerLoader.Load(_plugins, request, CancellationToken.None), _slots));
    }

    /// <summary>A PEFT folder with random factors on the attentions' projections.</summary>
    private string Write(string name, float scale, int seed)
    {
        var folder = Directory.CreateDirectory(_folder.File(name)).FullName;
        File.WriteAllText(Path.Combine(folder, "adapter_config.json"), """{"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["q_proj", "k_proj", "v_proj", "out_proj"]}""");
        var random = new Random(seed);
        float[] Values(float size) => [.. Enumerable.Range(0, Rank * Width).Select(_ => size * ((float)random.NextDouble() - 0.5f))];
        var config = WhisperConfig.Load(Model);
        var modules =
            from side in new[] { (Name: "encoder", Layers: config.EncoderLayers, Attentions: new[] { "self_attn" }), (Name: "decoder", Layers: config.DecoderLayers, Attentions: ["self_attn", "encoder_attn"]) }
            from layer in Enumerable.Range(0, side.Layers)
            from attention in side.Attentions
            from projection in new[] { "q_proj", "k_proj", "v_proj", "out_proj" }
            select $"base_model.model.model.{side.Name}.layers.{layer}.{attention}.{projection}";
        SafetensorsWriter.Write(Path.Combine(folder, "adapter_model.safetensors"), modules.SelectMany(module => new[]
        {
            SafetensorsEntry.FromSingle($"{module}.lora_A.weight", [Rank, Width], Values(0.1f)),
            SafetensorsEntry.FromSingle($"{module}.lora_B.weight", [Width, Rank], Values(scale)),
        }));
        return folder;
    }

    /// <summary>How long the recogniser's thread was kept from sessions.</summary>
    private sealed class TimedSlots(IAdapterSlots inner) : IAdapterSlots
    {
        public ConcurrentQueue<(string Name, TimeSpan Elapsed)> Times { get; } = [];

        public bool Takes(ISpeechRecognizer recognizer) => inner.Takes(recognizer);

        public void Add(ISpeechRecognizer recognizer, string name, string directory) => Time("load", () => inner.Add(recognizer, name, directory));

        public void Remove(ISpeechRecognizer recognizer, string name) => Time("unload", () => inner.Remove(recognizer, name));

        public void Use(ISpeechRecognizer recognizer, string? name) => Time("use", () => inner.Use(recognizer, name));

        private void Time(string name, Action action)
        {
            var clock = Stopwatch.StartNew();
            action();
            Times.Enqueue((name, clock.Elapsed));
        }
    }
}
