using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Abstractions.Plugins;
using AsrPlatform.Tests;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace AsrPlatform.WhisperTorch.Tests;

public sealed class PluginTests
{
    [Fact]
    public void ConfigureServices_WithLibTorch_RegistersTheBackendOfTheManifest()
    {
        using var services = Configure([]);
        var backend = services.GetRequiredService<ISeq2SeqBackend>();
        Assert.Equal("torch", backend.Name);
        Assert.Contains(backend.Devices, device => device.Name == "cpu");
        Assert.True(backend.CanLoad(Fixtures.Path("micro"), out var reason), reason);
        Assert.False(backend.CanLoad(Fixtures.Path("audio"), out reason));
        Assert.Contains("config.json", reason);
        Assert.Contains(services.GetRequiredService<IPluginDiagnostics>().Describe(), item => item.Name == "LibTorch" && item.Value.Contains('.'));
    }

    [Theory]
    [InlineData("float16", "CUDA")]
    [InlineData("int3", "int3")]
    public void Load_PrecisionThatTheProcessorLacks_IsRefusedWithTheReason(string precision, string mentioned)
    {
        using var services = Configure(new() { ["Precision"] = precision });
        var options = new ModelLoadOptions { ModelDirectory = Fixtures.Path("checkpoints/fp32"), Device = "cpu" };
        var error = Assert.Throws<AsrException>(() => services.GetRequiredService<ISeq2SeqBackend>().Load(options));
        Assert.Contains(mentioned, error.Message);
    }

    [Fact]
    public void Load_DeviceThatIsNotThere_NamesThoseThatAre()
    {
        var backend = new TorchBackend(new WhisperTorchOptions());
        var options = new ModelLoadOptions { ModelDirectory = Fixtures.Path("checkpoints/fp32"), Device = "cuda:99" };
        Assert.Contains("cpu", Assert.Throws<AsrException>(() => backend.Load(options)).Message);
    }

    [Fact]
    public void Load_Cancelled_LeavesNoTensor()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        var before = Tensor.TotalCount;
        using var cancellation = new CancellationTokenSource();
        cancellation.Cancel();
        var options = new ModelLoadOptions { ModelDirectory = Fixtures.Path("checkpoints/fp32") };
        Assert.Throws<OperationCanceledException>(() => new TorchBackend(new WhisperTorchOptions()).Load(options, cancellation.Token));
        Assert.Equal(before, Tensor.TotalCount);
    }

    [Fact]
    public void CreateRandom_OfAConfiguration_GivesFiniteLogitsAndTheDimensions()
    {
        var json = File.ReadAllText(Fixtures.Path("checkpoints/fp32/config.json"));
        using var model = new TorchBackend(new WhisperTorchOptions()).CreateRandom(json, new ModelLoadOptions { Threads = 1 });
        using var trained = TestModels.Load("checkpoints/fp32");
        Assert.Equal(trained.Info, model.Info);
        var (features, batch, frames) = SmallFeatures();
        using var states = model.Encode(features, batch, frames);
        var logits = TestModels.Whole(model, states, 0, 1, 2, 3);
        Assert.All(logits, value => Assert.True(float.IsFinite(value)));
        Assert.True(logits.Max() > logits.Min());
    }

    [Fact]
    public void RequireTorch_NativeLibraryMissing_IsUnavailableWithTheRemedy()
    {
        var error = Assert.Throws<PluginUnavailableException>(() => WhisperTorchPlugin.RequireTorch(
            () => throw new TypeInitializationException("torch", new DllNotFoundException("libasrtorch.so\n  was not found"))));
        Assert.Contains("libasrtorch.so was not found", error.Message);
        Assert.NotNull(error.Remedy);
        Assert.Contains(OperatingSystem.IsLinux() ? "libtorch-dev" : "TorchSharp", error.Remedy);
    }

    private static ServiceProvider Configure(Dictionary<string, string?> settings)
    {
        var manifest = new PluginManifest { Id = WhisperTorchPlugin.Id, Version = "0.1.0", Contract = "1.0", Assembly = "AsrPlatform.WhisperTorch.dll", Kinds = [PluginKinds.Seq2SeqBackend] };
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(settings).Build();
        var services = new ServiceCollection();
        new WhisperTorchPlugin().ConfigureServices(new PluginContext(manifest, AppContext.BaseDirectory, configuration, NullLoggerFactory.Instance), services);
        return services.BuildServiceProvider();
    }
}
