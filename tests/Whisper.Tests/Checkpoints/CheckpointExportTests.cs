using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.Whisper.Tests.Checkpoints;

public sealed class CheckpointExportTests
{
    [Theory]
    [InlineData(null, 2e-99)]
    [InlineData(TensorElementType.F32, 2e-99)]
    [InlineData(TensorElementType.F16, 1.0 / 2048)]
    [InlineData(TensorElementType.BF16, 1.0 / 256)]
    public void Write_InAnyType_RoundsToTheNearest(TensorElementType? type, double relative)
    {
        using var folder = new TemporaryFolder();
        var target = folder.File("out");
        CheckpointExport.Write(Fixtures.Path("trainer/init"), target, new CheckpointExportOptions { ElementType = type });
        using var before = CheckpointWeights.Open(Fixtures.Path("trainer/init"));
        using var after = CheckpointWeights.Open(target);
        Assert.Equal(before.Tensors.Keys.Order(), after.Tensors.Keys.Order());
        foreach (var tensor in before.Tensors.Values)
        {
            Assert.Equal(type ?? tensor.ElementType, after[tensor.Name].ElementType);
            Assert.All(
                tensor.ToSingle().Zip(after[tensor.Name].ToSingle()),
                pair => Assert.InRange(Math.Abs(pair.First - pair.Second), 0, (relative * Math.Abs(pair.First)) + (relative > 1e-50 ? 1e-7 : 0)));
        }

        Assert.Equal(
            type switch { TensorElementType.F16 => "float16", TensorElementType.BF16 => "bfloat16", _ => "float32" },
            JsonNode.Parse(File.ReadAllText(Path.Combine(target, "config.json")))!["dtype"]!.GetValue<string>());
        Assert.Equal([target], Directory.GetFileSystemEntries(folder.Root));
    }

    [Theory]
    [InlineData("1.00390625", 1.0)] // half way: to even
    [InlineData("1.01171875", 1.015625)]
    [InlineData("1.005", 1.0078125)]
    [InlineData("-3.3999999e38", double.NegativeInfinity)]
    public void Write_AsBrainFloats_RoundsHalvesToEven(string value, double expected)
    {
        var number = float.Parse(value, System.Globalization.CultureInfo.InvariantCulture);
        using var folder = new TemporaryFolder();
        var target = folder.File("out");
        CheckpointExport.Write(
            Fixtures.Path("trainer/init"),
            target,
            new CheckpointExportOptions { ElementType = TensorElementType.BF16, Merger = new Filling("model.encoder.layer_norm.weight", number) });
        using var after = CheckpointWeights.Open(target);
        Assert.All(after["model.encoder.layer_norm.weight"].ToSingle(), actual => Assert.Equal(expected, actual));
    }

    [Fact]
    public void Write_AsHalvesOfWhatIsTooLarge_NamesTheTensorAndLeavesNothing()
    {
        using var folder = new TemporaryFolder();
        var error = Assert.Throws<AsrException>(() => CheckpointExport.Write(
            Fixtures.Path("trainer/init"),
            folder.File("out"),
            new CheckpointExportOptions { ElementType = TensorElementType.F16, Merger = new Filling("model.encoder.layer_norm.weight", 1e6f) }));
        Assert.Contains("model.encoder.layer_norm.weight holds 1e+06", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Root));
    }

    [Fact]
    public void Write_OfMoreThanAFileShallHold_WritesShardsThatLoad()
    {
        using var folder = new TemporaryFolder();
        var target = Directory.CreateDirectory(folder.File("out")).FullName;
        CheckpointExport.Write(Fixtures.Path("micro"), target, new CheckpointExportOptions { MaxShardBytes = 300_000 });
        var index = JsonNode.Parse(File.ReadAllText(Path.Combine(target, CheckpointWeights.IndexFile)))!;
        var shards = Directory.GetFiles(target, "model-*.safetensors").Select(Path.GetFileName).Order().ToArray();
        Assert.True(shards.Length > 1);
        Assert.Equal($"model-00001-of-{shards.Length:00000}.safetensors", shards[0]);
        Assert.Equal(shards, index["weight_map"]!.AsObject().Select(pair => pair.Value!.GetValue<string>()).Distinct().Order());
        using var before = WhisperCheckpoint.Open(Fixtures.Path("micro"));
        using var after = WhisperCheckpoint.Open(target);
        Assert.Equal(before.Weights.Tensors.Values.Sum(tensor => tensor.ByteLength), index["metadata"]!["total_size"]!.GetValue<long>());
        Assert.All(before.Weights.Tensors.Values, tensor => Assert.Equal(tensor.Bytes.ToArray(), after.Weights[tensor.Name].Bytes.ToArray()));
        Assert.True(File.Exists(Path.Combine(target, "vocab.json")));
    }

    [Fact]
    public void Write_IntoAFolderThatIsUsed_IsRefused()
    {
        using var folder = new TemporaryFolder();
        folder.Write("mine.txt", "");
        Assert.Contains(
            "is not empty",
            Assert.Throws<AsrException>(() => CheckpointExport.Write(Fixtures.Path("trainer/init"), folder.Root, new CheckpointExportOptions())).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Write_WhenCancelled_LeavesNothing()
    {
        using var folder = new TemporaryFolder();
        Assert.Throws<OperationCanceledException>(() =>
            CheckpointExport.Write(Fixtures.Path("trainer/init"), folder.File("out"), new CheckpointExportOptions(), new CancellationToken(canceled: true)));
        Assert.Empty(Directory.GetFileSystemEntries(folder.Root));
    }

    private sealed class Filling(string tensor, float value) : ICheckpointMerger
    {
        public IReadOnlyCollection<string> Changed => [tensor];

        public IReadOnlyList<string> Warnings => [];

        public void Merge(string tensor, Span<float> values) => values.Fill(value);

        public void Dispose()
        {
        }
    }
}
