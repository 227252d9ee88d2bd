using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Onnx;
using AsrPlatform.OnnxBackend.Graphs;
using AsrPlatform.Tests;

namespace AsrPlatform.OnnxBackend.Tests.Graphs;

/// <summary>Checkpoints that nobody exported.</summary>
public sealed class PreparedGraphsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Cache => _folder.File("cache");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("auto", "int8")]
    [InlineData("quantized", "int8")]
    [InlineData("fp32", "fp32")]
    public void Load_Checkpoint_IsPreparedOnceAndTakesAdapters(string wanted, string made)
    {
        var checkpoint = Checkpoint();
        for (var time = 0; time < 2; time++)
        {
            using var model = Backend(wanted).Load(new ModelLoadOptions { ModelDirectory = checkpoint });
            Assert.IsType<IMultiAdapterModel>(model, exactMatch: false);
            Assert.True(model.Info.SupportsShortContext);
        }

        Assert.Equal(made, FastLayout.Load(Assert.Single(Prepared())).Precision);
    }

    [Fact]
    public void Load_CheckpointThatChanged_IsPreparedAnew_AndTheOldGraphsGo()
    {
        var checkpoint = Checkpoint();
        Backend("auto").Load(new ModelLoadOptions { ModelDirectory = checkpoint }).Dispose();
        var first = Assert.Single(Prepared());
        var weights = Path.Combine(checkpoint, "model.safetensors");
        File.SetLastWriteTimeUtc(weights, File.GetLastWriteTimeUtc(weights).AddSeconds(1));
        Backend("auto").Load(new ModelLoadOptions { ModelDirectory = checkpoint }).Dispose();
        Assert.NotEqual(first, Assert.Single(Prepared()));

        // Another precision of the same checkpoint stays beside it.
        Backend("fp32").Load(new ModelLoadOptions { ModelDirectory = checkpoint }).Dispose();
        Assert.Equal(2, Prepared().Length);
    }

    [Fact]
    public void Load_TwoProgramsAtOnce_BothLoad()
    {
        var checkpoint = Checkpoint();
        Parallel.For(0, 4, _ => new PreparedGraphs(Options("auto")).Prepare(checkpoint, CancellationToken.None));
        Assert.Single(Prepared());
        Assert.Empty(Directory.GetDirectories(Cache, "*.tmp", SearchOption.AllDirectories));
    }

    [Fact]
    public void Load_NoCacheFolder_NamesTheSetting()
    {
        _folder.Write("cache", "a file");
        Assert.Contains("Plugins:onnx-backend:CacheDirectory", Assert.Throws<AsrException>(() => Backend("auto").Load(new ModelLoadOptions { ModelDirectory = Checkpoint() })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void CanLoad_WhereNothingCanBePrepared_SaysWhy()
    {
        var checkpoint = Checkpoint();
        Refuses(new OrtBackend(new OnnxBackendOptions { CacheDirectory = Cache, PreparesCheckpoints = false }), checkpoint, "PreparesCheckpoints is false");
        Refuses(Backend("fp16"), checkpoint, "encoder_model_fp16.onnx", "auto, int8 or fp32");
        File.Delete(Path.Combine(checkpoint, "model.safetensors"));
        Refuses(Backend("auto"), checkpoint, "nor a checkpoint's weights");
        Assert.False(Directory.Exists(Cache));

        static void Refuses(OrtBackend backend, string checkpoint, params string[] oneOf)
        {
            Assert.False(backend.CanLoad(checkpoint, out var reason));
            Assert.Contains(oneOf, text => reason!.Contains(text, StringComparison.Ordinal));
            Assert.Equal(reason + ".", Assert.Throws<AsrException>(() => backend.Load(new ModelLoadOptions { ModelDirectory = checkpoint })).Message);
        }
    }

    private string[] Prepared() => Directory.GetDirectories(Cache).SelectMany(Directory.GetDirectories).ToArray();

    private OnnxBackendOptions Options(string precision) => new() { CacheDirectory = Cache, Precision = precision };

    private OrtBackend Backend(string precision) => new(Options(precision));

    private string Checkpoint()
    {
        var directory = Directory.CreateDirectory(_folder.File("checkpoint")).FullName;
        foreach (var file in Directory.GetFiles(Fixtures.Path("micro")))
        {
            // Fixtures are read-only; a copy of a test is not.
            File.WriteAllBytes(Path.Combine(directory, Path.GetFileName(file)), File.ReadAllBytes(file));
        }

        return directory;
    }
}
