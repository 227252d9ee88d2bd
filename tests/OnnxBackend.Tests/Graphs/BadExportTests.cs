using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Tests;
using static AsrPlatform.OnnxBackend.Tests.OnnxModels;

namespace AsrPlatform.OnnxBackend.Tests.Graphs;

/// <summary>Exports that are broken, or other than the configuration says: one error that names the file and what was expected.</summary>
public sealed class BadExportTests
{
    [Theory]
    [InlineData("encoder_model.onnx", "encoder_model.onnx")]
    [InlineData("decoder_model_merged.onnx", "decoder_model_merged.onnx", "encoder_model.onnx")]
    public void Load_MergedExportWithoutAFile_NamesIt(string missing, params string[] mentioned)
    {
        using var folder = new TemporaryFolder();
        Small(folder, Merged);
        File.Delete(folder.File(missing));
        Fails(folder, mentioned);
    }

    [Theory]
    [InlineData("decoder_model.onnx", "decoder_with_past_model.onnx")]
    [InlineData("decoder_with_past_model.onnx", "decoder_model.onnx")]
    public void Load_OneDecoderOfTwo_NamesTheOther(string missing, string there)
    {
        using var folder = new TemporaryFolder();
        Small(folder, Pair);
        File.Delete(folder.File(missing));
        Fails(folder, missing, there);
    }

    [Fact]
    public void Load_PrecisionThatIsNotThere_NamesItsFiles()
    {
        using var folder = new TemporaryFolder();
        Small(folder, Merged);
        var backend = Backend("int8");
        Assert.False(backend.CanLoad(folder.Root, out var reason));
        Assert.Contains("encoder_model_int8.onnx", reason, StringComparison.Ordinal);

        File.Move(folder.File("encoder_model.onnx"), folder.File("encoder_model_int8.onnx"));
        File.Move(folder.File("decoder_model_merged.onnx"), folder.File("decoder_model_merged_int8.onnx"));
        Load(folder.Root, "int8").Dispose();
        Load(folder.Root).Dispose();
    }

    [Theory]
    [InlineData("\"d_model\": 64", "\"d_model\": 32", "encoder_model.onnx", "last_hidden_state", "32")]
    [InlineData("\"vocab_size\": 300", "\"vocab_size\": 301", "decoder_model_merged.onnx", "logits", "301")]
    [InlineData("\"num_mel_bins\": 80", "\"num_mel_bins\": 128", "encoder_model.onnx", "input_features", "128")]
    [InlineData("\"max_source_positions\": 60", "\"max_source_positions\": 1500", "encoder_model.onnx", "input_features", "3000")]
    [InlineData("\"decoder_layers\": 3", "\"decoder_layers\": 4", "decoder_model_merged.onnx", "present.3.decoder.key")]
    [InlineData("\"decoder_layers\": 3", "\"decoder_layers\": 2", "decoder_model_merged.onnx", "more than 2 layers", "decoder_layers")]
    [InlineData("\"decoder_attention_heads\": 4", "\"decoder_attention_heads\": 8", "decoder_model_merged.onnx", "present.0.decoder.key", "8")]
    public void Load_GraphOfOtherDimensions_NamesTensorAndExpectation(string said, string instead, params string[] mentioned)
    {
        using var folder = new TemporaryFolder();
        Small(folder, Merged);
        var config = File.ReadAllText(folder.File("config.json"));
        Assert.Contains(said, config, StringComparison.Ordinal);
        File.WriteAllText(folder.File("config.json"), config.Replace(said, instead, StringComparison.Ordinal));
        Fails(folder, mentioned);
    }

    [Theory]
    [InlineData("input_features", "pixel_values")]
    [InlineData("last_hidden_state", "output")]
    public void Load_EncoderWithOtherNames_SaysWhatItHas(string name, string other)
    {
        using var folder = new TemporaryFolder();
        Small(folder, Merged);
        Change(folder.File("encoder_model.onnx"), model => model.Change(OnnxMessage.ModelGraph, graph => Renamed(graph, name, other)));
        Fails(folder, "encoder_model.onnx", name, other);
    }

    [Fact]
    public void Load_DecoderWithAnUnknownInput_NamesIt()
    {
        using var folder = new TemporaryFolder();
        Small(folder, Merged);
        Change(folder.File("decoder_model_merged.onnx"), model => model.Change(OnnxMessage.ModelGraph, graph => WithInput(graph, "head_mask", 1)));
        Fails(folder, "decoder_model_merged.onnx", "head_mask", "past_key_values");
    }

    /// <summary>Some versions of Optimum add inputs that tell what the length of the past tells too: they are found and filled.</summary>
    [Fact]
    public void Load_DecoderWithCachePositionAndMask_FillsThem()
    {
        using var plain = new TemporaryFolder();
        using var folder = new TemporaryFolder();
        Small(folder, Merged);
        Change(folder.File("decoder_model_merged.onnx"), model => model.Change(
            OnnxMessage.ModelGraph,
            graph => WithInput(WithInput(graph, "cache_position", 1), "decoder_attention_mask", 2)));
        using var model = Load(folder.Root);
        using var expected = Load(Small(plain, Merged));
        using var states = EncodeSmall(model);
        using var expectedStates = EncodeSmall(expected);
        using var cache = model.CreateCache(states, [0, 1], new DecoderCacheOptions());
        using var expectedCache = expected.CreateCache(expectedStates, [0, 1], new DecoderCacheOptions());
        foreach (int[] tokens in (int[][])[[1, 2, 3, 4], [5, 6]])
        {
            Assert.Equal(Decode(expected, expectedCache, tokens), Decode(model, cache, tokens));
        }
    }

    [Theory]
    [InlineData(99)]
    [InlineData(27)]
    public void Load_OpsetOfTheFuture_SaysWhichAreRun(int opset)
    {
        using var folder = new TemporaryFolder();
        Small(folder, Merged);
        Change(folder.File("encoder_model.onnx"), model => model.Change(OnnxMessage.ModelOpset, import =>
        {
            import.Fields.RemoveAll(field => field.Field == OnnxMessage.OpsetVersion);
            return import.With(OnnxMessage.OpsetVersion, (ulong)opset);
        }));
        Fails(folder, "encoder_model.onnx", $"opset {opset}", "26");
    }

    [Fact]
    public void Load_ExternalDataThatIsCutOrMissing_NamesTheFileAndItsSize()
    {
        using var folder = new TemporaryFolder();
        Small(folder, Merged);
        var bytes = MoveOutside(folder.File("encoder_model.onnx"), "encoder_model.onnx_data");
        Load(folder.Root).Dispose();

        File.WriteAllBytes(folder.File("encoder_model.onnx_data"), bytes[..^1]);
        Fails(folder, "encoder_model.onnx_data", $"{bytes.Length - 1} bytes", $"{bytes.Length}", "encoder_model.onnx");
        File.Delete(folder.File("encoder_model.onnx_data"));
        Fails(folder, "encoder_model.onnx_data", "missing");
    }

    [Fact]
    public void Load_ExternalDataOutsideTheFolder_IsRefused()
    {
        using var folder = new TemporaryFolder();
        Small(folder, Merged);
        MoveOutside(folder.File("encoder_model.onnx"), "../secret");
        Fails(folder, "encoder_model.onnx", "../secret", "own folder");
    }

    [Fact]
    public void Load_CutAtAnyPlace_IsOneClearError()
    {
        using var folder = new TemporaryFolder();
        Small(folder, Merged);
        var path = folder.File("encoder_model.onnx");
        var whole = File.ReadAllBytes(path);
        var random = new Random(5);
        for (var i = 0; i < 40; i++)
        {
            File.WriteAllBytes(path, whole[..(i < 10 ? i : random.Next(whole.Length))]);
            Fails(folder, "encoder_model.onnx");
        }
    }

    [Fact]
    public void Load_BytesChangedAnywhere_IsOneClearErrorOrAModel()
    {
        using var folder = new TemporaryFolder();
        Small(folder, Merged);
        var path = folder.File("encoder_model.onnx");
        var whole = File.ReadAllBytes(path);
        var random = new Random(6);
        for (var i = 0; i < 40; i++)
        {
            // Half of them among the nodes, which come first: the weights behind them are numbers that may be any.
            var broken = (byte[])whole.Clone();
            for (var change = 0; change < 3; change++)
            {
                broken[random.Next(i % 2 == 0 ? 20_000 : whole.Length)] = (byte)random.Next(256);
            }

            File.WriteAllBytes(path, broken);
            try
            {
                Load(folder.Root).Dispose();
            }
            catch (AsrException error)
            {
                Assert.Contains("encoder_model.onnx", error.Message, StringComparison.Ordinal);
                Assert.DoesNotContain('\n', error.Message);
            }
        }
    }

    private static void Fails(TemporaryFolder folder, params string[] mentioned)
    {
        var error = Assert.Throws<AsrException>(() => Load(folder.Root).Dispose());
        Assert.All(mentioned, text => Assert.Contains(text, error.Message, StringComparison.Ordinal));
        Assert.DoesNotContain('\n', error.Message);
    }

    private static OnnxMessage WithInput(OnnxMessage graph, string name, int dimensions)
    {
        var shape = new OnnxMessage();
        for (var i = 0; i < dimensions; i++)
        {
            shape.With(1, Array.Empty<byte>());
        }

        const ulong int64 = 7;
        var type = new OnnxMessage().With(1, new OnnxMessage().With(1, int64).With(2, shape.ToArray()).ToArray()).ToArray();
        return graph.With(OnnxMessage.GraphInput, new OnnxMessage().With(OnnxMessage.ValueName, name).With(OnnxMessage.ValueType, type).ToArray());
    }

    private static OnnxMessage Renamed(OnnxMessage graph, string name, string other)
    {
        foreach (var (list, place) in ((int, int)[])[(OnnxMessage.GraphNode, OnnxMessage.NodeInput), (OnnxMessage.GraphNode, OnnxMessage.NodeOutput), (OnnxMessage.GraphInput, OnnxMessage.ValueName), (OnnxMessage.GraphOutput, OnnxMessage.ValueName)])
        {
            graph.Change(list, one =>
            {
                for (var i = 0; i < one.Fields.Count; i++)
                {
                    if (one.Fields[i].Field == place && one.Fields[i].Bytes is { } text && text.AsSpan().SequenceEqual(System.Text.Encoding.UTF8.GetBytes(name)))
                    {
                        one.Fields[i] = (place, false, 0, System.Text.Encoding.UTF8.GetBytes(other));
                    }
                }

                return one;
            });
        }

        return graph;
    }

    /// <summary>Moves the larger weights of a graph into another file, and returns that file's bytes.</summary>
    private static byte[] MoveOutside(string path, string location)
    {
        var data = new List<byte>();
        Change(path, model => model.Change(OnnxMessage.ModelGraph, graph =>
        {
            graph.Change(OnnxMessage.GraphInitializer, tensor =>
            {
                var at = tensor.Fields.FindIndex(field => field.Field == OnnxMessage.TensorRawData);
                if (at < 0 || tensor.Fields[at].Bytes!.Length < 1024)
                {
                    return tensor;
                }

                var raw = tensor.Fields[at].Bytes!;
                tensor.Fields.RemoveAt(at);
                foreach (var (key, value) in ((string, string)[])[("location", location), ("offset", $"{data.Count}"), ("length", $"{raw.Length}")])
                {
                    tensor.With(OnnxMessage.TensorExternalData, new OnnxMessage().With(1, key).With(2, value).ToArray());
                }

                data.AddRange(raw);
                return tensor.With(OnnxMessage.TensorDataLocation, 1UL);
            });
            return graph;
        }));
        byte[] bytes = [.. data];
        if (!location.Contains("..", StringComparison.Ordinal))
        {
            File.WriteAllBytes(Path.Combine(Path.GetDirectoryName(path)!, location), bytes);
        }

        return bytes;
    }
}
