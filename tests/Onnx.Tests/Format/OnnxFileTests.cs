using AsrPlatform.Abstractions;
using AsrPlatform.Onnx.Format;
using AsrPlatform.Tests;

namespace AsrPlatform.Onnx.Tests.Format;

/// <summary>Files come back as they were written, and broken ones give one error.</summary>
public sealed class OnnxFileTests
{
    private static readonly float[] Weights = [.. Enumerable.Range(0, 600).Select(i => i / 7f)];

    [Theory]
    [InlineData(2_000_000_000)]
    [InlineData(100)]
    public void Load_OfWhatSaveWrote_GivesItBack(long maxInlineBytes)
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("model.onnx");
        OnnxFile.Save(path, Sample(), new OnnxSaveOptions { MaxInlineBytes = maxInlineBytes });
        Assert.Equal(maxInlineBytes == 100, File.Exists(path + OnnxFile.ExternalSuffix));
        var model = OnnxFile.Load(path);
        Assert.Equal(10, model.IrVersion);
        Assert.Equal("producer", model.ProducerName);
        Assert.Equal([("", 20L), ("com.microsoft", 1L)], model.OperatorSets.Select(set => (set.Domain, set.Version)));
        Assert.Equal(("key", "text"), (model.Metadata[0].Key, model.Metadata[0].Value));
        var graph = model.Graph!;
        Assert.Equal("x float? [2, n, ?]", $"{graph.Inputs[0].Name} float? [{string.Join(", ", graph.Inputs[0].Shape!)}]");
        Assert.Null(graph.Outputs[0].Shape);
        var node = graph.Nodes[0];
        Assert.Equal(("Sample", "com.microsoft", "node"), (node.OperatorType, node.Domain, node.Name));
        Assert.Equal(["x", "", "weights"], node.Inputs);
        Assert.Equal([0L, -5L], node.Attributes.Single(attribute => attribute.Name == "integers").IntegerValues);
        Assert.Equal(0L, node.Attributes.Single(attribute => attribute.Name == "integer").IntegerValue);
        Assert.Equal(-0.5f, node.Attributes.Single(attribute => attribute.Name == "number").SingleValue);
        Assert.Equal("größer", node.Attributes.Single(attribute => attribute.Name == "text").TextValue);
        Assert.Equal("inner", node.Attributes.Single(attribute => attribute.Name == "branch").GraphValue!.Nodes[0].Name);
        var tensor = graph.Initializers[0];
        Assert.Equal([20L, 30L], tensor.Shape);
        Assert.Equal(Weights, System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(tensor.Data!.Load().Span).ToArray());
    }

    [Fact]
    public void Load_OfOptimumsGraph_FindsItsNodesAndWeights()
    {
        var model = OnnxFile.Load(Fixtures.Path("onnx/small/decoder_model_merged.onnx"));
        Assert.Equal(["input_ids", "encoder_hidden_states"], model.Graph!.Inputs.Take(2).Select(input => input.Name));
        var branch = Assert.Single(model.Graph.Nodes, node => node.OperatorType == "If");
        Assert.All(branch.Attributes, attribute => Assert.NotEmpty(attribute.GraphValue!.Nodes));
        var embedding = model.Graph.Initializers.Single(tensor => tensor.Name.Contains("embed_tokens", StringComparison.Ordinal));
        Assert.Equal(300 * 64 * sizeof(float), embedding.Data!.Load().Length);
    }

    [Fact]
    public void Load_OfNumbersInTheirOwnFields_GivesTheirBytes()
    {
        using var folder = new TemporaryFolder();

        // ModelProto {1: 8, 7: GraphProto {5: TensorProto {1: 2, 2: INT32, 5: packed 1, -1, 8: "t"}, 12: {1: "y"}}, 8: {2: 18}}
        byte[] tensor = [0x08, 2, 0x10, 6, 0x2A, 11, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0x42, 1, (byte)'t'];
        byte[] graph = [0x2A, (byte)tensor.Length, .. tensor, 0x62, 3, 0x0A, 1, (byte)'y'];
        File.WriteAllBytes(folder.File("model.onnx"), [0x08, 8, 0x3A, (byte)graph.Length, .. graph, 0x42, 2, 0x10, 18]);
        var found = OnnxFile.Load(folder.File("model.onnx")).Graph!.Initializers[0];
        Assert.Equal(OnnxElementType.Int32, found.ElementType);
        Assert.Equal(new byte[] { 1, 0, 0, 0, 255, 255, 255, 255 }, found.Data!.Load().ToArray());
    }

    [Fact]
    public void Load_OfWhatIsNoFile_SaysSo()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("does not exist", Fails(folder.File("none.onnx")), StringComparison.Ordinal);
        Assert.Contains("is a folder", Fails(folder.Root), StringComparison.Ordinal);
        Assert.Contains("no graph", Fails(folder.Write("empty.onnx", "")), StringComparison.Ordinal);
        Assert.Contains("no whole ONNX model", Fails(folder.Write("text.onnx", "<html>404 not found</html>")), StringComparison.Ordinal);
    }

    [Fact]
    public void Load_OfATruncatedFile_NeverReturnsSilently()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("model.onnx");
        OnnxFile.Save(path, Sample());
        var bytes = File.ReadAllBytes(path);
        var whole = 0;
        for (var length = 0; length < bytes.Length; length += length < 200 ? 1 : 13)
        {
            File.WriteAllBytes(path, bytes[..length]);
            try
            {
                // Between two of the message's own fields a file ends as a shorter model ends: all that matters must be there then.
                Assert.NotEmpty(OnnxFile.Load(path).Graph!.Outputs);
                whole++;
            }
            catch (AsrException error)
            {
                Assert.Contains(path, error.Message, StringComparison.Ordinal);
                Assert.DoesNotContain('\n', error.Message);
            }
        }

        Assert.InRange(whole, 0, 2);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Load_OfGarbledBytes_GivesAModelOrOneError(int seed)
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("model.onnx");
        OnnxFile.Save(path, Sample());
        var original = File.ReadAllBytes(path);
        var random = new Random(seed);
        var refused = 0;
        for (var i = 0; i < 500; i++)
        {
            var bytes = (byte[])original.Clone();
            for (var changes = random.Next(1, 5); changes > 0; changes--)
            {
                // The weights are most of the file and may be anything.
                var place = random.Next(2) == 0 ? random.Next(400) : bytes.Length - 1 - random.Next(200);
                bytes[place] = random.Next(3) switch { 0 => 0xFF, 1 => (byte)random.Next(256), _ => (byte)(bytes[place] ^ (1 << random.Next(8))) };
            }

            File.WriteAllBytes(path, bytes);
            try
            {
                foreach (var tensor in OnnxFile.Tensors(OnnxFile.Load(path).Graph!))
                {
                    _ = tensor.Data?.Load();
                }
            }
            catch (AsrException error)
            {
                refused++;
                Assert.Contains(folder.Root, error.Message, StringComparison.Ordinal);
                Assert.DoesNotContain('\n', error.Message);
            }
        }

        Assert.InRange(refused, 50, 500);
    }

    [Theory]
    [InlineData("weights.bin", 0, 2400, "is missing")]
    [InlineData("../weights.bin", 0, 2400, "expected a file beside the model")]
    [InlineData("/etc/hostname", 0, 2400, "expected a file beside the model")]
    [InlineData("", 0, 2400, "expected a file beside the model")]
    [InlineData("short.bin", 0, 2400, "is truncated")]
    [InlineData("short.bin", 9_000_000_000_000_000_000, 2400, "is truncated")]
    [InlineData("short.bin", 0, 100, "need 2400")]
    [InlineData("short.bin", -1, 2400, "expected a number")]
    public void Load_OfExternalDataThatAreNotThere_SaysWhatIsWrong(string location, long offset, long length, string expected)
    {
        using var folder = new TemporaryFolder();
        folder.Write("short.bin", new string('x', 2399));
        var model = Sample();
        model.Graph!.Initializers[0].External.AddRange(
        [
            new OnnxEntry { Key = "location", Value = location },
            new OnnxEntry { Key = "offset", Value = $"{offset}" },
            new OnnxEntry { Key = "length", Value = $"{length}" },
        ]);
        OnnxFile.Save(folder.File("model.onnx"), model);
        Assert.Contains(expected, Fails(folder.File("model.onnx")), StringComparison.Ordinal);
    }

    [Fact]
    public void Load_OfATensorWithTooFewBytes_NamesIt()
    {
        using var folder = new TemporaryFolder();
        var model = Sample();
        model.Graph!.Initializers[0].Shape[1] = 31;
        OnnxFile.Save(folder.File("model.onnx"), model);
        Assert.Contains("\"weights\" has 2400 bytes; its shape and type need 2480", Fails(folder.File("model.onnx")), StringComparison.Ordinal);
        model.Graph.Initializers[0].Shape[1] = long.MaxValue;
        OnnxFile.Save(folder.File("model.onnx"), model);
        Assert.Contains("the dimension 9223372036854775807", Fails(folder.File("model.onnx")), StringComparison.Ordinal);
    }

    private static string Fails(string path) => Assert.Throws<AsrException>(() => OnnxFile.Load(path)).Message;

    private static OnnxModel Sample()
    {
        var branch = new OnnxGraph { Name = "branch" };
        branch.Nodes.Add(new OnnxNode { Name = "inner", OperatorType = "Constant" });
        branch.Nodes[0].Attributes.Add(OnnxAttribute.Of("value", OnnxTensor.Of("", [2], [3L, -4L])));
        var node = new OnnxNode { Name = "node", OperatorType = "Sample", Domain = "com.microsoft" };
        node.Inputs.AddRange(["x", "", "weights"]);
        node.Outputs.Add("y");
        node.Attributes.AddRange(
        [
            OnnxAttribute.Of("integers", 0L, -5L),
            OnnxAttribute.Of("integer", 0L),
            OnnxAttribute.Of("number", -0.5f),
            new OnnxAttribute { Name = "text", Kind = OnnxAttributeKind.Text, TextValue = "größer" },
            OnnxAttribute.Of("branch", branch),
        ]);
        var graph = new OnnxGraph { Name = "sample" };
        graph.Nodes.Add(node);
        graph.Initializers.Add(OnnxTensor.Of("weights", [20, 30], Weights));
        graph.Inputs.Add(new OnnxValueInfo { Name = "x", ElementType = OnnxElementType.Float32, Shape = [2, "n", default] });
        graph.Outputs.Add(new OnnxValueInfo { Name = "y", ElementType = OnnxElementType.Float32 });
        var model = new OnnxModel { IrVersion = 10, ProducerName = "producer", Graph = graph };
        model.OperatorSets.Add(new OnnxOperatorSet { Version = 20 });
        model.OperatorSets.Add(new OnnxOperatorSet { Domain = "com.microsoft", Version = 1 });
        model.Metadata.Add(new OnnxEntry { Key = "key", Value = "text" });
        return model;
    }
}
