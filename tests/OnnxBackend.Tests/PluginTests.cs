using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Abstractions.Plugins;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace AsrPlatform.OnnxBackend.Tests;

public sealed class PluginTests
{
    [Fact]
    public void ConfigureServices_WithOnnxRuntime_RegistersTheBackendOfTheManifest()
    {
        using var services = Configure([]);
        using var folder = new TemporaryFolder();
        var backend = services.GetRequiredService<ISeq2SeqBackend>();
        Assert.Equal("onnx", backend.Name);
        Assert.Equal(["cpu"], backend.Devices.Select(device => device.Name));
        Assert.True(backend.CanLoad(OnnxModels.Micro(folder, withAttention: false), out var reason), reason);
        Assert.False(backend.CanLoad(Fixtures.Path("audio"), out reason));
        Assert.Contains("config.json", reason);
        Assert.True(backend.CanLoad(Fixtures.Path("micro"), out reason), reason);
        Assert.Contains(services.GetServices<IPluginDiagnostics>().SelectMany(one => one.Describe()), item => item.Name == "ONNX Runtime" && item.Value.Contains('.'));
    }

    [Fact]
    public void ConfigureServices_Precision_ChoosesTheFiles()
    {
        using var services = Configure(new() { ["Precision"] = "q4" });
        using var folder = new TemporaryFolder();
        Assert.False(services.GetRequiredService<ISeq2SeqBackend>().CanLoad(OnnxModels.Micro(folder, withAttention: false), out var reason));
        Assert.Contains("encoder_model_q4.onnx", reason);
    }

    [Fact]
    public void Load_DeviceThatIsNotThere_NamesThoseThatAre()
    {
        var options = new ModelLoadOptions { ModelDirectory = Fixtures.Path("onnx/small"), Device = "cuda:99" };
        Assert.Contains("cpu", Assert.Throws<AsrException>(() => OnnxModels.Backend().Load(options)).Message);
    }

    [Fact]
    public void Load_Cancelled_LeavesNoGraph()
    {
        using var folder = new TemporaryFolder();
        var backend = OnnxModels.Backend();
        var options = new ModelLoadOptions { ModelDirectory = OnnxModels.Small(folder, OnnxModels.Merged) };
        Assert.Throws<OperationCanceledException>(() => backend.Load(options, new CancellationToken(canceled: true)));
        Assert.Equal(0, backend.Graphs.Count);
    }

    [Theory]
    [InlineData("auto", "fast", true)]
    [InlineData("int8", "fast", true)]
    [InlineData("auto", "optimum", false)]
    [InlineData("int8", "optimum", false)]
    [InlineData("fp16", "fast", false)]
    public void CreateRandom_OfAConfiguration_IsAModelThatRuns(string precision, string layout, bool isFast)
    {
        var backend = new OrtBackend(new OnnxBackendOptions { Precision = precision, RandomLayout = layout });
        var config = WhisperConfig.Load(Fixtures.Path("onnx/small"));
        using var model = backend.CreateRandom(config.Json, new ModelLoadOptions());
        Assert.Equal(config.VocabSize, model.Info.VocabularySize);
        Assert.Equal(isFast, model.Info.SupportsShortContext);

        var features = new float[config.NumMelBins * config.MaxFrames];
        features.AsSpan().Fill(0.1f);
        using var states = model.Encode(features, 1, config.MaxFrames);
        using var cache = model.CreateCache(states, [0], new DecoderCacheOptions());
        var logits = new float[config.VocabSize];
        model.Decode(cache, [1, 2], [], LogitPositions.Last, logits, []);
        Assert.All(logits, logit => Assert.True(float.IsFinite(logit)));
        Assert.NotEqual(logits[0], logits[1]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void CreateRandom_WithAndWithoutAdapters_IsWhatTheSettingSays(bool takesAdapters)
    {
        var backend = new OrtBackend(new OnnxBackendOptions { RandomTakesAdapters = takesAdapters });
        using var model = backend.CreateRandom(WhisperConfig.Load(Fixtures.Path("onnx/small")).Json, new ModelLoadOptions());
        Assert.Equal(takesAdapters, model is IMultiAdapterModel);
    }

    [Fact]
    public void RequireRuntime_NativeLibraryMissing_IsUnavailableWithTheRemedy()
    {
        var error = Assert.Throws<PluginUnavailableException>(() => OnnxBackendPlugin.RequireRuntime(
            () => throw new TypeInitializationException("OrtEnv", new DllNotFoundException("libonnxruntime.so.1\n  was not found"))));
        Assert.Contains("libonnxruntime.so.1 was not found", error.Message);
        Assert.Contains(OperatingSystem.IsWindows() ? "OnnxBinding" : "eng/onnxruntime.sh", error.Remedy);
    }

    private static ServiceProvider Configure(Dictionary<string, string?> settings)
    {
        var manifest = new PluginManifest { Id = OnnxBackendPlugin.Id, Version = "0.1.0", Contract = "1.0", Assembly = "AsrPlatform.OnnxBackend.dll", Kinds = [PluginKinds.Seq2SeqBackend] };
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(settings).Build();
        var services = new ServiceCollection();
        new OnnxBackendPlugin().ConfigureServices(new PluginContext(manifest, AppContext.BaseDirectory, configuration, NullLoggerFactory.Instance), services);
        return services.BuildServiceProvider();
    }
}
