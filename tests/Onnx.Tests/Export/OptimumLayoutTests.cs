using System.Text.Json.Nodes;
using AsrPlatform.Onnx.Export;
using AsrPlatform.Onnx.Format;
using AsrPlatform.Tests;
using static AsrPlatform.Onnx.Tests.Export.SmallModel;

namespace AsrPlatform.Onnx.Tests.Export;

/// <summary>Our graphs against Optimum's of the same checkpoint: the same names and shapes, the same values.</summary>
public sealed class OptimumLayoutTests
{
    private const float Tolerance = 1e-4f;
    private const int TokensPerRow = 9;
    private const int Prefill = 6;

    private static readonly string[] Graphs = ["encoder_model", "decoder_model", "decoder_with_past_model", "decoder_model_merged"];

    public static TheoryData<string, string> Files => new(from name in Graphs from precision in Enum.GetNames<OnnxPrecision>() select (name, precision));

    [Theory]
    [MemberData(nameof(Files))]
    public void Export_HasOptimumsInputsAndOutputs(string name, string precision)
    {
        using var folder = new TemporaryFolder();
        var kind = Enum.Parse<OnnxPrecision>(precision);
        var model = OnnxFile.Load(Path.Combine(Write(folder, new OnnxExportOptions { Precision = kind }), $"{name}{OnnxExport.Suffix(kind)}.onnx"));
        var expected = JsonNode.Parse(File.ReadAllText(Fixtures.Path("onnx/small/cases.json")))!["graphs"]![name]!;
        Assert.Equal(Signature(expected["inputs"]!), Signature(model.Graph!.Inputs));
        Assert.Equal(Signature(expected["outputs"]!), Signature(model.Graph.Outputs));
        Assert.InRange(model.OperatorSets.Single().Version, 14, 20);
        Assert.True(model.IrVersion <= 10);
    }

    [Fact]
    public void Float32_GivesOptimumsValues()
    {
        using var folder = new TemporaryFolder();
        var directory = Write(folder, new OnnxExportOptions());
        var (prefill, cached) = Decode(directory, "", merged: false);
        Assert.InRange(LargestDifference(Expected("prefill_logits"), prefill), 0, Tolerance);
        Assert.InRange(LargestDifference(Expected("cached_logits"), cached), 0, Tolerance);
        Assert.InRange(LargestDifference(Expected("encoder"), Encode(directory, "").Values), 0, Tolerance);
    }

    [Fact]
    public void MergedDecoder_GivesWhatTheSeparateOnesGive()
    {
        using var folder = new TemporaryFolder();
        var directory = Write(folder, new OnnxExportOptions());
        var (prefill, cached) = Decode(directory, "", merged: true);
        Assert.InRange(LargestDifference(Expected("prefill_logits"), prefill), 0, Tolerance);
        Assert.InRange(LargestDifference(Expected("cached_logits"), cached), 0, Tolerance);
    }

    [Theory]
    [InlineData(OnnxPrecision.Float16, 0.02)]
    [InlineData(OnnxPrecision.Int8, 0.08)]
    public void ReducedPrecision_StaysClose(OnnxPrecision precision, double relative)
    {
        using var folder = new TemporaryFolder();
        var directory = Write(folder, new OnnxExportOptions { Precision = precision });
        foreach (var merged in new[] { false, true })
        {
            var (prefill, cached) = Decode(directory, OnnxExport.Suffix(precision), merged);
            Assert.InRange(RelativeError(Expected("prefill_logits"), prefill), 1e-7, relative);
            Assert.InRange(RelativeError(Expected("cached_logits"), cached), 1e-7, relative);
        }

        Assert.InRange(RelativeError(Expected("encoder"), Encode(directory, OnnxExport.Suffix(precision)).Values), 1e-7, relative);
    }

    [Fact]
    public void Int8_QuantizesMatricesAlone_AndKeepsTheLayersThatAreNamed()
    {
        using var folder = new TemporaryFolder();
        var directory = Write(folder, new OnnxExportOptions { Precision = OnnxPrecision.Int8, Float32Layers = new("fc2$") });
        var graph = OnnxFile.Load(Path.Combine(directory, "encoder_model_quantized.onnx")).Graph!;
        var bytes = graph.Initializers.Where(tensor => tensor.ElementType == OnnxElementType.Int8).Select(tensor => tensor.Name).ToArray();
        Assert.Equal(2 * 5, bytes.Length); // Two layers of q, k, v, out and fc1.
        Assert.All(bytes, name => Assert.DoesNotContain("fc2", name, StringComparison.Ordinal));
        Assert.All(graph.Nodes.Where(node => node.OperatorType is "Conv" or "LayerNormalization"), node =>
            Assert.All(node.Inputs.Skip(1), input => Assert.Equal(OnnxElementType.Float32, graph.Initializers.Single(tensor => tensor.Name == input).ElementType)));
    }

    [Theory]
    [InlineData(OnnxPrecision.Float32)]
    [InlineData(OnnxPrecision.Int8)]
    public void TiedEmbedding_IsStoredOnce(OnnxPrecision precision)
    {
        using var folder = new TemporaryFolder();
        var directory = Write(folder, new OnnxExportOptions { Precision = precision });
        foreach (var name in Graphs[1..])
        {
            var graph = OnnxFile.Load(Path.Combine(directory, $"{name}{OnnxExport.Suffix(precision)}.onnx")).Graph!;
            Assert.Single(OnnxFile.Tensors(graph), tensor => tensor.Shape.Count == 2 && tensor.Shape.Contains(Vocabulary));
        }
    }

    [Fact]
    public void ExternalData_GivesTheSameValues()
    {
        using var folder = new TemporaryFolder();
        var directory = Write(folder, new OnnxExportOptions { MaxInlineBytes = 200_000 });
        Assert.True(File.Exists(Path.Combine(directory, "decoder_model_merged.onnx_data")));
        Assert.InRange(new FileInfo(Path.Combine(directory, "decoder_model_merged.onnx")).Length, 1, 200_000);
        var (prefill, cached) = Decode(directory, "", merged: true);
        Assert.InRange(LargestDifference(Expected("prefill_logits"), prefill), 0, Tolerance);
        Assert.InRange(LargestDifference(Expected("cached_logits"), cached), 0, Tolerance);
    }

    private static (float[] Prefill, float[] Cached) Decode(string directory, string suffix, bool merged)
    {
        var states = Encode(directory, suffix);
        using var first = new Graph(Path.Combine(directory, $"{(merged ? "decoder_model_merged" : "decoder_model")}{suffix}.onnx"));
        using var next = merged ? null : new Graph(Path.Combine(directory, $"decoder_with_past_model{suffix}.onnx"));
        var empty = Enumerable.Range(0, merged ? Layers : 0)
            .SelectMany(layer => PastNames(layer).Select(name => (name, Graph.Value(new float[2L * Heads * HeadWidth], 2, Heads, 1, HeadWidth))));
        var outputs = first.Run(
        [
            ("input_ids", Graph.Value<long>([.. Tokens[..Prefill], .. Tokens[TokensPerRow..(TokensPerRow + Prefill)]], 2, Prefill)),
            ("encoder_hidden_states", Graph.Value(states)),
            .. empty,
            .. Flag(merged, false),
        ]);
        var prefill = outputs["logits"].Values;
        var memory = outputs;
        var cached = new float[2 * 3 * Vocabulary];
        for (var step = 0; step < 3; step++)
        {
            var token = Prefill + step;
            var past = Enumerable.Range(0, Layers).SelectMany(PastNames).Select(name => (name, Graph.Value(
                (name.Contains("encoder", StringComparison.Ordinal) ? memory : outputs)[name.Replace("past_key_values", "present", StringComparison.Ordinal)])));
            outputs = (next ?? first).Run(
            [
                ("input_ids", Graph.Value<long>([Tokens[token], Tokens[TokensPerRow + token]], 2, 1)),
                .. merged ? new[] { ("encoder_hidden_states", Graph.Value(states)) } : [],
                .. past,
                .. Flag(merged, true),
            ]);
            for (var row = 0; row < 2; row++)
            {
                outputs["logits"].Values.AsSpan(row * Vocabulary, Vocabulary).CopyTo(cached.AsSpan(((row * 3) + step) * Vocabulary));
            }
        }

        return (prefill, cached);
    }

    private static (string, OrtValue)[] Flag(bool merged, bool value) => merged ? [("use_cache_branch", Graph.Value(new[] { value }, 1))] : [];

    private static IEnumerable<string> PastNames(int layer) =>
        from side in new[] { "decoder", "encoder" } from part in new[] { "key", "value" } select $"past_key_values.{layer}.{side}.{part}";

    private static (float[] Values, long[] Shape) Encode(string directory, string suffix)
    {
        using var encoder = new Graph(Path.Combine(directory, $"encoder_model{suffix}.onnx"));
        return encoder.Run(("input_features", Graph.Value(Features, 2, 80, Frames)))["last_hidden_state"];
    }

    private static float[] Expected(string name) => NpyArray.Read(Fixtures.Path($"onnx/small/{name}.npy")).ToSingle();

    private static double RelativeError(float[] expected, float[] found)
    {
        Assert.Equal(expected.Length, found.Length);
        return Math.Sqrt(expected.Zip(found).Sum(pair => Math.Pow(pair.First - pair.Second, 2)) / expected.Sum(value => (double)value * value));
    }

    private static string[] Signature(JsonNode values) =>
    [
        .. values.AsArray().Select(value => $"{value![0]} {value[1]} [{string.Join(", ", value[2]!.AsArray())}]"),
    ];

    private static string[] Signature(List<OnnxValueInfo> values) =>
    [
        .. values.Select(value => $"{value.Name} tensor({TypeName(value.ElementType)}) [{string.Join(", ", value.Shape!)}]"),
    ];

    private static string TypeName(OnnxElementType type) => type switch
    {
        OnnxElementType.Float32 => "float",
        OnnxElementType.Int64 => "int64",
        OnnxElementType.Boolean => "bool",
        _ => type.ToString(),
    };
}
