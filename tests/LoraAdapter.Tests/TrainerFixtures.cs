using System.Text.Json.Nodes;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.WhisperTorch;
using AsrPlatform.WhisperTorch.Model;

namespace AsrPlatform.LoraAdapter.Tests;

/// <summary>The trainer's fixtures: a small model, its fixed batch, and adapters that PEFT made.</summary>
internal static class TrainerFixtures
{
    /// <summary>What the fixtures' README recommends for logits.</summary>
    public const double LogitTolerance = 1e-5;

    public static LoraProvider Provider { get; } = new();

    /// <summary>Folders of <c>peft/</c> with one adapter, the two of <c>peft/mixed</c> aside.</summary>
    public static TheoryData<string> Cases => [.. CaseNames];

    public static string[] CaseNames =>
    [
        "rslora", "dora", "dora_rslora_conv", "regex", "attn_ffn", "all_linear", "layers", "conv", "embed", "embed_tied",
        "modules_to_save", "modules_to_save_final", "bias_lora_only", "bias_all", "lora_bias",
    ];

    public static string Path(string relative) => Fixtures.Path($"trainer/{relative}");

    public static WhisperModel Model(string directory = "") => (WhisperModel)new TorchBackend(new WhisperTorchOptions())
        .Load(new ModelLoadOptions { ModelDirectory = directory.Length > 0 ? directory : Path("init"), Device = "cpu", Threads = 1 });

    public static PeftAdapter Load(ISeq2SeqModel model, string relative, bool trainable = false) =>
        (PeftAdapter)Provider.Load(model, System.IO.Path.GetFileName(relative), Path(relative), trainable);

    /// <summary>Logits of the fixed batch, <c>[3, 5, 257]</c>.</summary>
    /// <param name="model">The model.</param>
    /// <param name="adapters">An adapter for each row; empty for the active one.</param>
    public static float[] Logits(IMultiAdapterModel model, params int[] adapters)
    {
        var (features, rows, frames, ids) = FixedBatch();
        using var states = model.Encode(features, rows, frames, adapters);
        using var cache = model.CreateCache(states, [.. Enumerable.Range(0, rows)], new DecoderCacheOptions());
        var logits = new float[ids.Length * model.Info.VocabularySize];
        model.Decode(cache, ids, [], LogitPositions.All, logits, []);
        return logits;
    }

    /// <summary>Features <c>[row, mel, frame]</c> and decoder inputs of the fixed batch.</summary>
    public static (float[] Features, int Rows, int Frames, int[] Ids) FixedBatch()
    {
        using var batches = SafetensorsFile.Open(Path("batches.safetensors"));
        using var batch = SafetensorsFile.Open(Path("fixed_batch.safetensors"));
        var all = batches.Tensors["input_features"];
        var size = (int)(all.Shape[1] * all.Shape[2]);
        var rows = Integers(batch.Tensors["example_index"]);
        var features = new float[rows.Length * size];
        for (var row = 0; row < rows.Length; row++)
        {
            all.CopyTo(features.AsSpan(row * size, size), rows[row] * (long)size);
        }

        return (features, rows.Length, (int)all.Shape[2], Integers(batch.Tensors["decoder_input_ids"]));
    }

    public static float[] Expected(string relative) => NpyArray.Read(Path(relative)).ToSingle();

    public static JsonNode Json(string relative) => JsonNode.Parse(File.ReadAllText(Path(relative)))!;

    public static int[] Integers(SafetensorsTensor tensor) =>
        [.. System.Runtime.InteropServices.MemoryMarshal.Cast<byte, long>(tensor.Bytes).ToArray().Select(value => (int)value)];

    public static double Distance(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        var worst = 0.0;
        for (var i = 0; i < expected.Length; i++)
        {
            worst = Math.Max(worst, float.IsNaN(actual[i]) ? double.PositiveInfinity : Math.Abs(expected[i] - actual[i]));
        }

        return worst;
    }

    public static void AssertClose(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, double tolerance = LogitTolerance)
    {
        var worst = Distance(expected, actual);
        Assert.True(worst <= tolerance, $"The largest difference is {worst:g3}, the tolerance {tolerance:g3}.");
    }

    /// <summary>All parameters of the model, bit by bit.</summary>
    public static byte[] Weights(WhisperModel model) =>
        [.. model.AdaptableLayers.SelectMany(layer => new[] { layer.Weight, layer.Bias }).OfType<Tensor>().SelectMany(Bytes)];

    private static byte[] Bytes(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.contiguous().bytes.ToArray();
    }
}
