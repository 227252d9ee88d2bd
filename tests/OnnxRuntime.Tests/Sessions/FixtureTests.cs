using System.Text.Json.Nodes;
using AsrPlatform.Tests;

namespace AsrPlatform.OnnxRuntime.Tests.Sessions;

/// <summary>Optimum's export of a small Whisper gives what ONNX Runtime gave in Python.</summary>
public sealed class FixtureTests
{
    private const double Tolerance = 1e-5;

    [Fact]
    public void Encoder_OfTheFixture_GivesItsOutput()
    {
        using var options = SingleThread();
        using var session = new InferenceSession(Model("encoder_model"), options);
        var features = Features();
        using var input = OrtValue.CreateTensorValueFromMemory(features.ToSingle(), Long(features.Shape));
        using var run = new RunOptions();
        using var results = session.Run(run, ["input_features"], [input], ["last_hidden_state"]);
        AssertEqual("onnx/small/encoder.npy", results[0]);
    }

    [Fact]
    public void DecoderThenDecoderWithPast_OfTheFixture_GiveItsLogits()
    {
        using var options = SingleThread();
        using var decoder = new InferenceSession(File.ReadAllBytes(Model("decoder_model")), options);
        using var withPast = new InferenceSession(Model("decoder_with_past_model"), options);
        var encoder = NpyArray.Read(Fixtures.Path("onnx/small/encoder.npy"));
        using var hidden = OrtValue.CreateTensorValueFromMemory(encoder.ToSingle(), Long(encoder.Shape));
        using var run = new RunOptions();

        using var prompt = Ids(0, 6);
        using var prefill = decoder.Run(run, new Dictionary<string, OrtValue> { ["input_ids"] = prompt, ["encoder_hidden_states"] = hidden }, decoder.OutputNames);
        AssertEqual("onnx/small/prefill_logits.npy", prefill[0]);

        var expected = NpyArray.Read(Fixtures.Path("onnx/small/cached_logits.npy"));
        var cache = Named(decoder.OutputNames, prefill);
        List<IDisposable> steps = [];
        for (var step = 0; step < 3; step++)
        {
            using var token = Ids(6 + step, 1);
            var values = withPast.InputNames.Select(name => name == "input_ids" ? token : cache[name.Replace("past_key_values", "present", StringComparison.Ordinal)]).ToArray();
            var outputs = withPast.Run(run, withPast.InputNames, values, withPast.OutputNames);
            steps.Add(outputs);
            var logits = outputs[0].GetTensorDataAsSpan<float>();
            Assert.Equal([2, 1, 300], outputs[0].GetTensorTypeAndShape().Shape);
            for (var row = 0; row < 2; row++)
            {
                for (var i = 0; i < 300; i++)
                {
                    Assert.Equal(expected.Values[(((row * 3) + step) * 300) + i], logits[(row * 300) + i], Tolerance);
                }
            }
            foreach (var (name, value) in Named(withPast.OutputNames, outputs))
            {
                cache[name] = value;
            }
        }
        steps.ForEach(outputs => outputs.Dispose());
    }

    [Fact]
    public void MergedDecoder_OfTheFixture_GivesTheLogitsOfBothBranches()
    {
        using var options = SingleThread();
        using var merged = new InferenceSession(Model("decoder_model_merged"), options);
        var encoder = NpyArray.Read(Fixtures.Path("onnx/small/encoder.npy"));
        using var hidden = OrtValue.CreateTensorValueFromMemory(encoder.ToSingle(), Long(encoder.Shape));
        using var empty = OrtValue.CreateTensorValueFromMemory(Array.Empty<float>(), [2, 4, 0, 16]);
        using var run = new RunOptions();
        using var prompt = Ids(0, 6);
        using var first = OrtValue.CreateTensorValueFromMemory([false], [1]);
        using var prefill = merged.Run(run, merged.InputNames, [.. merged.InputNames.Select(name => name switch
        {
            "input_ids" => prompt,
            "encoder_hidden_states" => hidden,
            "use_cache_branch" => first,
            _ => empty,
        })], merged.OutputNames);
        AssertEqual("onnx/small/prefill_logits.npy", prefill[0]);

        var expected = NpyArray.Read(Fixtures.Path("onnx/small/cached_logits.npy"));
        var cache = Named(merged.OutputNames, prefill);
        using var token = Ids(6, 1);
        using var later = OrtValue.CreateTensorValueFromMemory([true], [1]);
        using var next = merged.Run(run, merged.InputNames, [.. merged.InputNames.Select(name => name switch
        {
            "input_ids" => token,
            "encoder_hidden_states" => hidden,
            "use_cache_branch" => later,
            _ => cache[name.Replace("past_key_values", "present", StringComparison.Ordinal)],
        })], ["logits"]);
        var logits = next[0].GetTensorDataAsSpan<float>();
        for (var i = 0; i < 300; i++)
        {
            Assert.Equal(expected.Values[i], logits[i], Tolerance);
        }
    }

    [Theory]
    [InlineData("encoder_model")]
    [InlineData("decoder_model")]
    [InlineData("decoder_with_past_model")]
    [InlineData("decoder_model_merged")]
    public void Metadata_OfTheFixture_NamesTypesAndDimensionsAsTheCases(string graph)
    {
        using var options = SingleThread();
        using var session = new InferenceSession(Model(graph), options);
        var cases = JsonNode.Parse(File.ReadAllText(Fixtures.Path("onnx/small/cases.json")))!["graphs"]![graph]!;
        AssertPorts(cases["inputs"]!.AsArray(), session.InputNames, session.InputMetadata);
        AssertPorts(cases["outputs"]!.AsArray(), session.OutputNames, session.OutputMetadata);
    }

    private static void AssertPorts(JsonArray expected, IReadOnlyList<string> names, IReadOnlyDictionary<string, NodeMetadata> metadata)
    {
        Assert.Equal(expected.Select(port => (string)port![0]!), names);
        foreach (var port in expected)
        {
            var node = metadata[(string)port![0]!];
            Assert.Equal((string)port[1]! switch
            {
                "tensor(float)" => TensorElementType.Float,
                "tensor(int64)" => TensorElementType.Int64,
                "tensor(bool)" => TensorElementType.Bool,
                var other => throw new NotSupportedException(other),
            }, node.ElementDataType);
            var dimensions = port[2]!.AsArray();
            Assert.Equal(dimensions.Select(size => size!.GetValueKind() == System.Text.Json.JsonValueKind.Number ? (int)size : -1), node.Dimensions);
            Assert.Equal(dimensions.Select(size => size!.GetValueKind() == System.Text.Json.JsonValueKind.Number ? "" : (string)size!), node.SymbolicDimensions);
        }
    }

    private static SessionOptions SingleThread() => new() { IntraOpNumThreads = 1, InterOpNumThreads = 1 };

    private static string Model(string graph) => Fixtures.Path($"onnx/small/{graph}.onnx");

    private static NpyArray Features() => NpyArray.Read(Fixtures.Path("checkpoints/input_features.npy"));

    private static OrtValue Ids(int from, int count)
    {
        var ids = NpyArray.Read(Fixtures.Path("checkpoints/decoder_input_ids.npy"));
        var width = ids.Shape[1];
        long[] taken = [.. Enumerable.Range(0, ids.Shape[0]).SelectMany(row => Enumerable.Range(from, count).Select(i => (long)ids.Values[(row * width) + i]))];
        return OrtValue.CreateTensorValueFromMemory(taken, [ids.Shape[0], count]);
    }

    private static Dictionary<string, OrtValue> Named(IReadOnlyList<string> names, IEnumerable<OrtValue> values) =>
        names.Zip(values).ToDictionary(pair => pair.First, pair => pair.Second);

    private static long[] Long(int[] shape) => Array.ConvertAll(shape, size => (long)size);

    private static void AssertEqual(string fixture, OrtValue value)
    {
        var expected = NpyArray.Read(Fixtures.Path(fixture));
        Assert.Equal(Long(expected.Shape), value.GetTensorTypeAndShape().Shape);
        var actual = value.GetTensorDataAsSpan<float>();
        for (var i = 0; i < actual.Length; i++)
        {
            Assert.Equal(expected.Values[i], actual[i], Tolerance);
        }
    }
}
