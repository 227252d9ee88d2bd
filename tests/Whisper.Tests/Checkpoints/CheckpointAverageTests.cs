using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.Whisper.Tests.Checkpoints;

public sealed class CheckpointAverageTests : IDisposable
{
    private static readonly string Source = Fixtures.Path("trainer/init");

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(null)]
    [InlineData(TensorElementType.F16)]
    public void Write_OfThree_IsTheirMean(TensorElementType? type)
    {
        var sources = new[] { Scaled(1), Scaled(0.5f), Scaled(-3) };
        var target = _folder.File("mean");
        CheckpointAverage.Write(sources, target, type);
        using var source = CheckpointWeights.Open(Source);
        using var mean = WhisperCheckpoint.Open(target);
        Assert.Equal(source.Tensors.Keys.Order(), mean.Weights.Tensors.Keys.Order());
        foreach (var tensor in source.Tensors.Values)
        {
            Assert.Equal(type ?? tensor.ElementType, mean.Weights[tensor.Name].ElementType);
            Assert.All(
                tensor.ToSingle().Zip(mean.Weights[tensor.Name].ToSingle()),
                pair => Assert.Equal(pair.First * -0.5f, pair.Second, 1e-6f + (MathF.Abs(pair.First) / 1024)));
        }
    }

    [Fact]
    public void Write_OfOne_IsRefused() =>
        Assert.Contains("two checkpoints or more", Assert.Throws<AsrException>(() => CheckpointAverage.Write([Source], _folder.File("mean"), null)).Message);

    [Fact]
    public void Write_OfOtherShapes_NamesTheTensor_AndLeavesNothing()
    {
        var grown = _folder.File("grown");
        GrownCheckpoint.Write(Source, grown, 5, null);
        foreach (var sources in new[] { new[] { Source, grown }, [grown, Source], [Source, Fixtures.Path("micro")] })
        {
            var error = Assert.Throws<AsrException>(() => CheckpointAverage.Write(sources, _folder.File("mean"), null));
            Assert.Contains("the mean is of checkpoints of one model", error.Message);
            Assert.Contains(sources[0], error.Message);
        }

        Assert.Equal([grown], Directory.GetFileSystemEntries(_folder.Root));
    }

    private string Scaled(float factor)
    {
        using var checkpoint = WhisperCheckpoint.Open(Source);
        var target = _folder.File($"times {factor}");
        CheckpointExport.Write(Source, target, new CheckpointExportOptions { Merger = new Scaling([.. CheckpointExport.TensorsOf(checkpoint).Select(tensor => tensor.Name)], factor) });
        return target;
    }

    private sealed class Scaling(IReadOnlyCollection<string> tensors, float factor) : ICheckpointMerger
    {
        public IReadOnlyCollection<string> Changed => tensors;

        public IReadOnlyList<string> Warnings => [];

        public void Merge(string tensor, Span<float> values)
        {
            foreach (ref var value in values)
            {
                value *= factor;
            }
        }

        public void Dispose()
        {
        }
    }
}
