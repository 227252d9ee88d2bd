using AsrPlatform.Abstractions.Models;
using AsrPlatform.Onnx;
using AsrPlatform.Onnx.Export;
using AsrPlatform.Onnx.Format;
using AsrPlatform.OnnxBackend.Fast;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.OnnxBackend.Tests.Fast;

/// <summary>The encoder's attention in bytes and bfloat16: close to the exact one, and ONNX Runtime's where it cannot be had.</summary>
public sealed class OwnAttentionTests
{
    private const int HeadWidth = FastLayout.OwnHeadWidth;

    // Of what is seen, root mean square: queries and keys are of 7 bits and a sign (0.4 % each of their largest), weights and values of 8.
    private const double Tolerance = 0.02;

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(1, 5, 3)]
    [InlineData(2, 6, 1)]
    [InlineData(1, 63, 2)]
    [InlineData(3, 64, 2)]
    [InlineData(1, 65, 1)]
    [InlineData(2, 97, 3)]
    [InlineData(1, 250, 6)]
    [InlineData(1, 1500, 2)]
    public void SelfAttention_OfAnyShape_IsTheExactOneButForRounding(int batch, int positions, int heads)
    {
        SkipWithout();
        var inputs = Inputs(batch, positions, heads, seed: positions);
        var exact = Exact(inputs, batch, positions, heads);
        using var session = Session(heads, threads: 1, own: true);
        var seen = Run(session, inputs, batch, positions, heads);
        Assert.InRange(Difference(exact, seen), 0, Tolerance);

        // It is the operator that was run: the runtime's own is nearer than bytes can be.
        Assert.True(positions == 1 || Difference(exact, seen) > 1e-5);
    }

    [Fact]
    public void SelfAttention_OnSeveralThreads_GivesTheSameBits()
    {
        SkipWithout();
        var inputs = Inputs(2, 301, 3, seed: 5);
        using var one = Session(3, threads: 1, own: true);
        using var three = Session(3, threads: 3, own: true);
        var expected = Run(one, inputs, 2, 301, 3);
        Parallel.For(0, 20, _ => Assert.Equal(expected, Run(three, inputs, 2, 301, 3)));
    }

    [Fact]
    public void SelfAttention_OfKeysFarFromZero_LosesNothing()
    {
        // Trained models' keys share a large part, which no softmax notices.
        SkipWithout();
        var inputs = Inputs(1, 200, 1, seed: 9);
        for (var i = 0; i < inputs[1].Length; i++)
        {
            inputs[1][i] += i % HeadWidth < 3 ? 40 : 0;
        }

        using var session = Session(1, threads: 1, own: true);
        Assert.InRange(Difference(Exact(inputs, 1, 200, 1), Run(session, inputs, 1, 200, 1)), 0, Tolerance);
    }

    [Theory]
    [InlineData(0, float.NaN)]
    [InlineData(1, float.NaN)]
    [InlineData(2, float.NaN)]
    [InlineData(0, float.PositiveInfinity)]
    [InlineData(1, float.NegativeInfinity)]
    public void SelfAttention_OfWhatIsNoNumber_SaysSo(int input, float value)
    {
        SkipWithout();
        var inputs = Inputs(1, 70, 1, seed: 2);
        inputs[input][5] = value;
        using var session = Session(1, threads: 1, own: true);
        var seen = Run(session, inputs, 1, 70, 1);
        var places = Enumerable.Range(0, seen.Length).Where(i => float.IsNaN(seen[i])).ToArray();

        // A query is seen in its row, a key in all, a value in its dimension.
        Assert.Equal(Enumerable.Range(0, seen.Length).Where(i => input == 0 ? i < HeadWidth : input == 1 || i % HeadWidth == 5), places);
    }

    [Fact]
    public void SelfAttention_OfNothing_IsNothing()
    {
        SkipWithout();
        using var session = Session(2, threads: 1, own: true);
        Assert.Empty(Run(session, [[], [], []], 0, 10, 2));
    }

    [Fact]
    public void SelfAttention_OfKeysOfAnotherShape_IsRefused()
    {
        SkipWithout();
        using var session = Session(1, threads: 1, own: true);
        using var run = new RunOptions();
        using var query = OrtValue.CreateTensorValueFromMemory(new float[4 * HeadWidth], [1, 4, HeadWidth]);
        using var key = OrtValue.CreateTensorValueFromMemory(new float[3 * HeadWidth], [1, 3, HeadWidth]);
        var error = Assert.Throws<OnnxRuntimeException>(() => session.Run(run, ["query", "key", "value"], [query, key, key], ["seen"]));
        Assert.Contains("of the same shape [batch, positions, heads * 64]", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Graph_WhereNobodyRegistersTheOperator_HasTheRuntimes()
    {
        var inputs = Inputs(1, 90, 2, seed: 4);
        using var session = Session(2, threads: 1, own: false);
        Assert.InRange(Difference(Exact(inputs, 1, 90, 2), Run(session, inputs, 1, 90, 2)), 0, 1e-5);
    }

    [Theory]
    [InlineData(OnnxPrecision.Int8, 128, 2, true)]
    [InlineData(OnnxPrecision.Float32, 128, 2, false)]
    [InlineData(OnnxPrecision.Int8, 128, 4, false)]
    public void Export_OfInt8AndHeadsOf64_HasTheOperatorAndItsMeaning(OnnxPrecision precision, int width, int heads, bool expected)
    {
        using var folder = new TemporaryFolder();
        var encoder = OnnxFile.Load(Path.Combine(Export(folder, precision, width, heads), FastLayout.EncoderFile));
        Assert.Equal(expected ? 2 : 0, encoder.Graph!.Nodes.Count(node => (node.Domain, node.OperatorType) == (FastLayout.OwnDomain, FastLayout.SelfAttention)));
        Assert.Equal(expected ? 0 : 2, encoder.Graph.Nodes.Count(node => node.OperatorType == "MultiHeadAttention"));
        Assert.Equal(expected ? 1 : 0, encoder.Functions.Count);
    }

    [Fact]
    public void Setting_ToTheRuntimesAttention_ChangesTheStatesByRoundingAlone()
    {
        SkipWithout();
        using var folder = new TemporaryFolder();
        var export = Export(folder, OnnxPrecision.Int8, 128, 2);
        var (own, theirs) = (Encode(own: true), Encode(own: false));
        Assert.NotEqual(own, theirs);
        Assert.InRange(Difference(Array.ConvertAll(theirs, value => (double)value), own), 0, Tolerance);

        float[] Encode(bool own)
        {
            using var model = new OrtBackend(new OnnxBackendOptions { OwnAttention = own }).Load(new ModelLoadOptions { ModelDirectory = export, Threads = 1 });
            var random = new Random(3);
            using var states = model.Encode(Array.ConvertAll(new float[80 * 120], _ => (float)random.NextDouble()), 1, 120);
            var values = new float[states.Positions * 128];
            states.CopyTo(values);
            return values;
        }
    }

    private static void SkipWithout() => Assert.SkipWhen(OwnAttention.Missing is not null, OwnAttention.Missing ?? "");

    private static string Export(TemporaryFolder folder, OnnxPrecision precision, int width, int heads)
    {
        var (checkpoint, export) = (Directory.CreateDirectory(folder.File("checkpoint")).FullName, folder.File("export"));
        var config = $$"""
            {"model_type": "whisper", "vocab_size": 100, "num_mel_bins": 80, "d_model": {{width}}, "encoder_layers": 2, "decoder_layers": 1, "encoder_attention_heads": {{heads}},
             "decoder_attention_heads": {{heads}}, "encoder_ffn_dim": 256, "decoder_ffn_dim": 256, "max_source_positions": 100, "max_target_positions": 32,
             "pad_token_id": 1, "bos_token_id": 1, "eos_token_id": 1, "decoder_start_token_id": 2}
            """;
        FreshCheckpoint.WriteWithoutTokenizer(checkpoint, WhisperConfig.Parse(config), seed: 1);
        OnnxExport.Write(checkpoint, export, new OnnxExportOptions { Layout = OnnxLayout.Fast, Precision = precision });
        return export;
    }

    // A graph of the operator alone, as the exporter writes it.
    private static InferenceSession Session(int heads, int threads, bool own)
    {
        using var folder = new TemporaryFolder();
        var encoder = OnnxFile.Load(Path.Combine(Export(folder, OnnxPrecision.Int8, heads * HeadWidth, heads), FastLayout.EncoderFile));
        var graph = new OnnxGraph { Name = "attention" };
        var node = new OnnxNode { Name = "attention", OperatorType = FastLayout.SelfAttention, Domain = FastLayout.OwnDomain };
        string[] names = ["query", "key", "value"];
        foreach (var name in names)
        {
            node.Inputs.Add(name);
            graph.Inputs.Add(new OnnxValueInfo { Name = name, ElementType = OnnxElementType.Float32, Shape = ["batch", "positions of " + name, heads * HeadWidth] });
        }

        node.Outputs.Add("seen");
        graph.Outputs.Add(new OnnxValueInfo { Name = "seen", ElementType = OnnxElementType.Float32, Shape = ["batch", "positions", heads * HeadWidth] });
        graph.Nodes.Add(node);
        var model = new OnnxModel { IrVersion = encoder.IrVersion, Graph = graph };
        model.OperatorSets.AddRange(encoder.OperatorSets);
        model.Functions.AddRange(encoder.Functions);
        OnnxFile.Save(folder.File("attention.onnx"), model, new OnnxSaveOptions());
        using var options = new SessionOptions { IntraOpNumThreads = threads, LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
        if (own)
        {
            OwnAttention.AddTo(options);
        }

        return new InferenceSession(folder.File("attention.onnx"), options);
    }

    private static float[] Run(InferenceSession session, float[][] inputs, int batch, int positions, int heads)
    {
        using var run = new RunOptions();
        long[] shape = [batch, positions, heads * HeadWidth];
        using var query = OrtValue.CreateTensorValueFromMemory(inputs[0], shape);
        using var key = OrtValue.CreateTensorValueFromMemory(inputs[1], shape);
        using var value = OrtValue.CreateTensorValueFromMemory(inputs[2], shape);
        using var outputs = session.Run(run, ["query", "key", "value"], [query, key, value], ["seen"]);
        return outputs[0].GetTensorDataAsSpan<float>().ToArray();
    }

    private static float[][] Inputs(int batch, int positions, int heads, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, 3).Select(part => Array.ConvertAll(new float[batch * positions * heads * HeadWidth], _ => Normal() * (part == 0 ? 2 : 1)))];

        float Normal() => (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
    }

    private static double[] Exact(float[][] inputs, int batch, int positions, int heads)
    {
        var (query, key, value) = (inputs[0], inputs[1], inputs[2]);
        var width = heads * HeadWidth;
        var seen = new double[batch * positions * width];
        Parallel.For(0, batch * heads * positions, i =>
        {
            var (row, head, position) = (i / positions / heads, i / positions % heads, i % positions);
            var at = (row * positions + position) * width + head * HeadWidth;
            var weights = new double[positions];
            for (var other = 0; other < positions; other++)
            {
                var there = (row * positions + other) * width + head * HeadWidth;
                for (var d = 0; d < HeadWidth; d++)
                {
                    weights[other] += (double)query[at + d] * key[there + d] / Math.Sqrt(HeadWidth);
                }
            }

            var most = weights.Max();
            var total = weights.Sum(weight => Math.Exp(weight - most));
            for (var other = 0; other < positions; other++)
            {
                var (weight, there) = (Math.Exp(weights[other] - most) / total, (row * positions + other) * width + head * HeadWidth);
                for (var d = 0; d < HeadWidth; d++)
                {
                    seen[at + d] += weight * value[there + d];
                }
            }
        });
        return seen;
    }

    private static double Difference(double[] expected, float[] found)
    {
        Assert.Equal(expected.Length, found.Length);
        return Math.Sqrt(expected.Zip(found, (a, b) => (a - b) * (a - b)).Sum() / expected.Sum(a => a * a));
    }
}
