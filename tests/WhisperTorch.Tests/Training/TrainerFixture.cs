using System.Text.Json.Nodes;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.WhisperTorch.Model;
using AsrPlatform.WhisperTorch.Training;
using AsrPlatform.WhisperTorch.Weights;

namespace AsrPlatform.WhisperTorch.Tests.Training;

/// <summary>The examples and the start model of <c>fixtures/trainer</c>.</summary>
internal sealed class TrainerFixture : IDisposable
{
    public const int StartToken = 255;
    public const int PaddingToken = 256;
    public const int Frames = 200;
    public const int Mels = 80;

    private readonly SafetensorsFile _batches = SafetensorsFile.Open(Fixtures.Path("trainer/batches.safetensors"));
    private readonly float[] _features;
    private readonly int[] _labels;

    public TrainerFixture()
    {
        _features = _batches["input_features"].ToSingle();
        _labels = Integers(_batches["labels"]);
        LabelLength = (int)_batches["labels"].Shape[1];
    }

    public int LabelLength { get; }

    public static string ModelDirectory => Fixtures.Path("trainer/init");

    public static WhisperModel LoadModel() =>
        (WhisperModel)new TorchBackend(new WhisperTorchOptions()).Load(new ModelLoadOptions { ModelDirectory = ModelDirectory, Device = "cpu", Threads = 1 });

    public static WhisperConfig Config() => WhisperConfig.Load(ModelDirectory);

    public static int[] Integers(SafetensorsTensor tensor) =>
        Array.ConvertAll(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, long>(tensor.Bytes).ToArray(), value => (int)value);

    /// <summary>The whole model but the encoder's positions, as Hugging Face means it.</summary>
    public static List<ParameterBlock> Trained(WhisperModel model, bool freezeEncoder = false, bool trainPositions = false) =>
    [
        .. model.Parameters.Where(block =>
            !(freezeEncoder && block.Slices[0].Name.StartsWith("model.encoder.", StringComparison.Ordinal))
            && (trainPositions || block.Slices[0].Name != "model.encoder.embed_positions.weight")),
    ];

    public MicroBatch Batch(params IEnumerable<int> rows)
    {
        int[] chosen = [.. rows];
        const int Size = Mels * Frames;
        return new MicroBatch(
            [.. chosen.SelectMany(row => new ArraySegment<float>(_features, row * Size, Size))],
            chosen.Length,
            Frames,
            [.. chosen.SelectMany(row => new ArraySegment<int>(_labels, row * LabelLength, LabelLength))],
            LabelLength);
    }

    public static JsonNode Json(string path) => JsonNode.Parse(File.ReadAllText(Fixtures.Path($"trainer/{path}")))!;

    public static double[] Numbers(JsonNode node) => [.. node.AsArray().Select(value => value!.GetValue<double>())];

    /// <summary>The largest difference of a tensor's elements.</summary>
    public static double Difference(SafetensorsTensor expected, Tensor actual)
    {
        Assert.Equal(expected.Shape.ToArray(), actual.shape);
        var values = new float[actual.numel()];
        HostMemory.Copy(actual.detach(), values);
        return expected.ToSingle().Zip(values, (a, b) => double.IsNaN(b) ? double.PositiveInfinity : Math.Abs((double)a - b)).DefaultIfEmpty().Max();
    }

    public void Dispose() => _batches.Dispose();
}
