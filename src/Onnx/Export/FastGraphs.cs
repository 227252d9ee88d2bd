using AsrPlatform.Abstractions;
using AsrPlatform.Onnx.Format;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.Onnx.Export;

/// <summary>The two graphs of the fast layout, in ONNX Runtime's own operators; <c>docs/onnx.md</c> describes their inputs and outputs.</summary>
/// <param name="config">The architecture.</param>
/// <param name="weights">The weights.</param>
/// <param name="quantizes">Whether a linear layer of this name is quantized.</param>
/// <param name="scalesRows">Whether each row of a quantized layer's input has its own scale.</param>
/// <param name="quantizesMemory">Whether the keys and values that the decoder attends to are of 8 bits: it reads all of them for each token.</param>
/// <param name="takesAdapters">Whether the factors of adapters are inputs.</param>
internal sealed class FastGraphs(
    WhisperConfig config,
    GraphWeights weights,
    Func<string, bool> quantizes,
    Func<string, bool> scalesRows,
    bool quantizesMemory,
    bool takesAdapters)
{
    private const int OperatorSet = 20;
    private const int FormatVersion = 10;
    private const float Epsilon = 1e-5f;

    // What signed bytes go up to.
    private const float ByteRange = 127;

    // What they go up to where unsigned ones of up to 255 meet them: processors without VNNI add two products in 16 bits.
    private const float SafeRange = 63;

    private const string AttentionOperator = "MultiHeadAttention";
    private const string EncoderName = "encoder";
    private const string DecoderName = "decoder";
    private const string Batch = "batch";
    private const string Sources = "sources";
    private const string Positions = "positions";

    private readonly int _width = config.DModel;
    private readonly int _heads = config.DecoderAttentionHeads;
    private readonly int _headWidth = config.DModel / config.DecoderAttentionHeads;
    private readonly PlainOperators _plain = new(weights, _ => false);
    private readonly Dictionary<(GraphBuilder Graph, string Value), (string Bytes, string Scale)> _rows = [];

    /// <summary>The graphs by the names of their files.</summary>
    /// <exception cref="AsrException">The model's heads are of a width that the operators do not take.</exception>
    public IEnumerable<(string Name, OnnxModel Model)> Models => FastLayout.Fits(config)
        ? [(FastLayout.EncoderFile, Encoder()), (FastLayout.DecoderFile, Decoder())]
        : throw new AsrException($"The decoder's heads are {_headWidth} wide; the fast layout needs a multiple of {FastLayout.HeadMultiple}. Export in Optimum's layout.");

    /// <summary>What the folder says of itself.</summary>
    public static FastLayout Description(OnnxPrecision precision) => new()
    {
        Precision = precision == OnnxPrecision.Int8 ? "int8" : "fp32",
    };

    private static OnnxModel Model(GraphBuilder graph) => ExportedModel.Of(graph, FormatVersion, OperatorSet, contributed: true);

    private OnnxModel Encoder()
    {
        var graph = new GraphBuilder(EncoderName);
        var features = graph.Input("input_features", OnnxElementType.Float32, Batch, config.NumMelBins, "frames");
        var channels = Gelu(graph, Convolution(graph, Gelu(graph, Convolution(graph, features, "conv1", 1)), "conv2", 2));
        graph.Scope = "encoder";
        var states = graph.Transpose(channels, 0, 2, 1);
        var positions = graph.Add("Slice", [weights.Plain(graph, "model.encoder.embed_positions.weight"), graph.Vector(0), graph.Size(channels, 2), graph.Vector(0)]);
        var (residual, normed) = (graph.Add("Add", [states, positions]), "");
        normed = _plain.Norm(graph, residual, "model.encoder.layers.0.self_attn_layer_norm");
        for (var i = 0; i < config.EncoderLayers; i++)
        {
            var layer = $"model.encoder.layers.{i}";
            graph.Scope = $"encoder/layers.{i}";
            string[] heard = [Linear(graph, normed, layer + ".self_attn.q_proj"), Linear(graph, normed, layer + ".self_attn.k_proj", bias: false), Linear(graph, normed, layer + ".self_attn.v_proj")];
            var seen = HasOwnAttention
                ? graph.Add(FastLayout.OwnDomain, FastLayout.SelfAttention, heard, 1)[0]
                : graph.AddContributed(AttentionOperator, heard, AttentionHeads);
            (residual, normed) = AddAndNorm(graph, residual, Linear(graph, seen, layer + ".self_attn.out_proj"), layer + ".final_layer_norm");
            var next = i + 1 < config.EncoderLayers ? $"model.encoder.layers.{i + 1}.self_attn_layer_norm" : "model.encoder.layer_norm";
            (residual, normed) = AddAndNorm(graph, residual, FeedForward(graph, normed, layer), next);
        }

        for (var i = 0; i < config.DecoderLayers; i++)
        {
            var attention = $"model.decoder.layers.{i}.encoder_attn";
            graph.Scope = $"memory/layers.{i}";

            // Keys lie ready for the product with a query, [head width, position], so that the decoder never turns them.
            var keys = graph.Transpose(graph.Reshape(Linear(graph, normed, attention + ".k_proj", bias: false), 0, 0, _heads, _headWidth), 0, 2, 3, 1);
            var values = PlainOperators.Heads(graph, Linear(graph, normed, attention + ".v_proj"), _heads, _headWidth);
            if (quantizesMemory)
            {
                (keys, var keyScales) = Quantized(graph, keys, 3);
                var sums = graph.Add("ReduceSum", [graph.Cast(keys, OnnxElementType.Int32), graph.Vector(2)]);

                // With what a query is divided by before it meets the keys, and as a share of what its bytes go up to.
                var factors = graph.Add("Mul", [graph.Transpose(keyScales, 0, 1, 3, 2), graph.Scalar(1 / (ByteRange * MathF.Sqrt(_headWidth)), OnnxElementType.Float32)]);
                Cross(FastLayout.KeyScalePart, factors, OnnxElementType.Float32, 1, _headWidth);
                Cross(FastLayout.KeySumPart, graph.Add("Mul", [sums, Int32(graph, 128)]), OnnxElementType.Int32, 1, Positions);
                (values, var valueScales) = Quantized(graph, values, 2);
                Cross(FastLayout.ValueScalePart, valueScales, OnnxElementType.Float32, 1, _headWidth);
            }

            var type = quantizesMemory ? OnnxElementType.Int8 : OnnxElementType.Float32;
            Cross(FastLayout.KeyPart, keys, type, _headWidth, Positions);
            Cross(FastLayout.ValuePart, values, type, Positions, _headWidth);

            void Cross(string part, string value, OnnxElementType type, OnnxDimension outer, OnnxDimension inner) =>
                graph.Output(value, $"cross.{i}.{part}", type, Batch, _heads, outer, inner);
        }

        graph.Output(normed, "last_hidden_state", OnnxElementType.Float32, Batch, Positions, _width);
        var model = Model(graph);
        if (HasOwnAttention)
        {
            model.OperatorSets.Add(new OnnxOperatorSet { Domain = FastLayout.OwnDomain, Version = 1 });
            model.Functions.Add(SelfAttention());
        }

        return model;
    }

    // Whether the encoder's attention may be computed in bytes and bfloat16, where the processor has products of these: as exact as the layers about it.
    private bool HasOwnAttention => quantizesMemory && _width / config.EncoderAttentionHeads == FastLayout.OwnHeadWidth;

    private OnnxAttribute AttentionHeads => OnnxAttribute.Of("num_heads", (long)config.EncoderAttentionHeads);

    // What it is where the program that loads the graph has no operator for it.
    private OnnxFunction SelfAttention()
    {
        var node = new OnnxNode { Name = AttentionOperator, OperatorType = AttentionOperator, Domain = GraphBuilder.Contributed };
        node.Inputs.AddRange(["query", "key", "value"]);
        node.Outputs.Add("seen");
        node.Attributes.Add(AttentionHeads);
        var function = new OnnxFunction { Name = FastLayout.SelfAttention, Domain = FastLayout.OwnDomain };
        function.Inputs.AddRange(node.Inputs);
        function.Outputs.AddRange(node.Outputs);
        function.Nodes.Add(node);
        function.OperatorSets.Add(new OnnxOperatorSet { Domain = GraphBuilder.Contributed, Version = 1 });
        return function;
    }

    private OnnxModel Decoder()
    {
        var graph = new GraphBuilder(DecoderName);
        var ids = graph.Input("input_ids", OnnxElementType.Int64, Batch, "tokens");
        var past = graph.Input("past_lengths", OnnxElementType.Int32, Batch);
        var wanted = graph.Input("logit_positions", OnnxElementType.Int64, "wanted");
        var sourceLengths = graph.Input("source_lengths", OnnxElementType.Int64, Sources);
        graph.Scope = "decoder";

        // GroupQueryAttention wants each row's last place, and the length of the longest row.
        var count = graph.ToScalar(graph.Size(ids, 1));
        var narrowCount = graph.Cast(count, OnnxElementType.Int32);
        var last = graph.Add("Sub", [graph.Add("Add", [past, narrowCount]), Int32(graph, 1)]);
        var longest = graph.Add("Add", [graph.Add("ReduceMax", [past], OnnxAttribute.Of("keepdims", 0L)), narrowCount]);
        var steps = graph.Add("Range", [graph.Scalar(0L), count, graph.Scalar(1L)]);
        var places = graph.Add("Add", [graph.Add("Unsqueeze", [graph.Cast(past, OnnxElementType.Int64), graph.Vector(1)]), steps]);

        // What is padded may lie beyond the last position; nobody looks at it.
        places = graph.Add("Min", [places, graph.Scalar(config.MaxTargetPositions - 1L)]);
        var residual = graph.Add("Add", [Embed(graph, ids), graph.Add("Gather", [weights.Plain(graph, "model.decoder.embed_positions.weight"), places])]);

        var memory = Enumerable.Range(0, config.DecoderLayers).Select(i => CrossMemory(graph, i)).ToArray();
        var mask = SourceMask(graph, memory[0].Keys, sourceLengths);
        var sources = graph.Size(memory[0].Keys, 0);
        var split = graph.Add("Concat", [sources, graph.Vector(-1, _heads, _headWidth)], OnnxAttribute.Of("axis", 0L));
        var rows = graph.Add("Shape", [residual]);

        var normed = _plain.Norm(graph, residual, "model.decoder.layers.0.self_attn_layer_norm");
        for (var i = 0; i < config.DecoderLayers; i++)
        {
            var layer = $"model.decoder.layers.{i}";
            graph.Scope = $"decoder/layers.{i}/self_attn";
            var cache = Array.ConvertAll(new[] { "key", "value" }, part => graph.Input($"past.{i}.{part}", OnnxElementType.Float32, Batch, _heads, "capacity", _headWidth));
            var attended = graph.Add(
                GraphBuilder.Contributed,
                "GroupQueryAttention",
                [
                    Linear(graph, normed, layer + ".self_attn.q_proj"), Linear(graph, normed, layer + ".self_attn.k_proj", bias: false), Linear(graph, normed, layer + ".self_attn.v_proj"),
                    cache[0], cache[1], last, longest,
                ],
                3,
                OnnxAttribute.Of("num_heads", (long)_heads),
                OnnxAttribute.Of("kv_num_heads", (long)_heads));
            graph.Output(attended[1], $"present.{i}.key", OnnxElementType.Float32, Batch, _heads, "capacity", _headWidth);
            graph.Output(attended[2], $"present.{i}.value", OnnxElementType.Float32, Batch, _heads, "capacity", _headWidth);
            (residual, normed) = AddAndNorm(graph, residual, Linear(graph, attended[0], layer + ".self_attn.out_proj"), layer + ".encoder_attn_layer_norm");

            graph.Scope = $"decoder/layers.{i}/encoder_attn";

            // Rows of one source stand together and become one matrix: [source, head, row of source · token, head width].
            var queries = graph.Transpose(graph.Add("Reshape", [Linear(graph, normed, layer + ".encoder_attn.q_proj"), split]), 0, 2, 1, 3);
            var scores = graph.Add("Add", [Scores(graph, queries, memory[i]), mask]);
            var attention = graph.Add("Softmax", [scores], OnnxAttribute.Of("axis", -1L));
            var seen = graph.Transpose(Seen(graph, attention, memory[i]), 0, 2, 1, 3);
            graph.Output(attention, $"attention.{i}", OnnxElementType.Float32, Sources, _heads, "queries", Positions);
            seen = graph.Add("Reshape", [seen, rows]);
            (residual, normed) = AddAndNorm(graph, residual, Linear(graph, seen, layer + ".encoder_attn.out_proj"), layer + ".final_layer_norm");

            graph.Scope = $"decoder/layers.{i}";
            var next = i + 1 < config.DecoderLayers ? $"model.decoder.layers.{i + 1}.self_attn_layer_norm" : "model.decoder.layer_norm";
            (residual, normed) = AddAndNorm(graph, residual, FeedForward(graph, normed, layer), next);
        }

        graph.Scope = "decoder";
        graph.Output(Logits(graph, graph.Add("Gather", [graph.Reshape(normed, -1, _width), wanted])), "logits", OnnxElementType.Float32, "wanted", config.VocabSize);
        return Model(graph);
    }

    private CrossInputs CrossMemory(GraphBuilder graph, int layer)
    {
        var type = quantizesMemory ? OnnxElementType.Int8 : OnnxElementType.Float32;
        return new CrossInputs(
            Cross(FastLayout.KeyPart, type, _headWidth, Positions),
            Cross(FastLayout.ValuePart, type, Positions, _headWidth),
            quantizesMemory ? Cross(FastLayout.KeyScalePart, OnnxElementType.Float32, 1, _headWidth) : "",
            quantizesMemory ? Cross(FastLayout.KeySumPart, OnnxElementType.Int32, 1, Positions) : "",
            quantizesMemory ? Cross(FastLayout.ValueScalePart, OnnxElementType.Float32, 1, _headWidth) : "");

        string Cross(string part, OnnxElementType type, OnnxDimension outer, OnnxDimension inner) =>
            graph.Input($"cross.{layer}.{part}", type, Sources, _heads, outer, inner);
    }

    // q k / √d, [source, head, query, position].
    private string Scores(GraphBuilder graph, string queries, CrossInputs memory)
    {
        if (!quantizesMemory)
        {
            return graph.Add("MatMul", [graph.Add("Mul", [queries, graph.Scalar(1 / MathF.Sqrt(_headWidth), OnnxElementType.Float32)]), memory.Keys]);
        }

        // Each dimension's scale goes into the query. Its bytes stand about 128, which the keys' sums take away again: ONNX Runtime reads a matrix
        // in one go, without packing it first, for the product of one row of unsigned bytes with signed ones where nothing has a zero point.
        var scaled = graph.Add("Mul", [queries, memory.KeyScales]);
        var scale = Largest(graph, scaled, -1);
        var bytes = graph.Add("QuantizeLinear", [graph.Add("Div", [scaled, scale]), graph.Scalar(1f / ByteRange, OnnxElementType.Float32), Middle(graph)]);
        var product = graph.Add("Sub", [graph.Add("MatMulInteger", [bytes, memory.Keys]), memory.KeySums]);
        return graph.Add("Mul", [graph.Cast(product, OnnxElementType.Float32), scale]);
    }

    // Attention times values, [source, head, query, head width].
    private string Seen(GraphBuilder graph, string attention, CrossInputs memory)
    {
        if (!quantizesMemory)
        {
            return graph.Add("MatMul", [attention, memory.Values]);
        }

        // 16 bits for the attention, in units of its largest / 255 and of a 255th of that: much of it may lie in many small values.
        var unit = graph.Add("Mul", [graph.Add("ReduceMax", [attention, graph.Vector(-1)]), graph.Scalar(1f / 255, OnnxElementType.Float32)]);
        var inUnits = graph.Add("Div", [attention, unit]);
        var whole = graph.Add("Floor", [inUnits]);
        var rest = graph.Add("QuantizeLinear", [graph.Add("Sub", [inUnits, whole]), graph.Scalar(1f / 255, OnnxElementType.Float32), Byte(graph, 0)]);
        var product = graph.Add(
            "Add",
            [
                graph.Cast(graph.Add("MatMulInteger", [graph.Cast(whole, OnnxElementType.UInt8), memory.Values]), OnnxElementType.Float32),
                graph.Add("Mul", [graph.Cast(graph.Add("MatMulInteger", [rest, memory.Values]), OnnxElementType.Float32), graph.Scalar(1f / 255, OnnxElementType.Float32)]),
            ]);
        return graph.Add("Mul", [graph.Add("Mul", [product, unit]), memory.ValueScales]);
    }

    // Signed bytes, with a scale for all values along an axis.
    private static (string Bytes, string Scales) Quantized(GraphBuilder graph, string values, long axis)
    {
        var scales = graph.Add("Mul", [Largest(graph, values, axis), graph.Scalar(1f / SafeRange, OnnxElementType.Float32)]);
        var zero = graph.Constant("int8(0)", () => OnnxTensor.Of("", OnnxElementType.Int8, [], TensorData.Of(new byte[] { 0 })));
        return (graph.Add("QuantizeLinear", [graph.Add("Div", [values, scales]), graph.Scalar(1f, OnnxElementType.Float32), zero]), scales);
    }

    // The largest magnitude along an axis, above 0: zeros alone have none to be divided by.
    private static string Largest(GraphBuilder graph, string values, long axis) =>
        graph.Add("Max", [graph.Add("ReduceMax", [graph.Add("Abs", [values]), graph.Vector(axis)]), graph.Scalar(1e-10f, OnnxElementType.Float32)]);

    // [source, 1, 1, position]: 0 where the source has a position, a huge negative number beyond its length.
    private static string SourceMask(GraphBuilder graph, string keys, string lengths)
    {
        var places = graph.Add("Range", [graph.Scalar(0L), graph.ToScalar(graph.Size(keys, 3)), graph.Scalar(1L)]);
        var inside = graph.Add("Less", [places, graph.Reshape(lengths, -1, 1, 1, 1)]);
        return graph.Add("Where", [inside, graph.Scalar(0f, OnnxElementType.Float32), graph.Scalar(float.MinValue, OnnxElementType.Float32)]);
    }

    private string Embed(GraphBuilder graph, string ids)
    {
        const string Table = WhisperTensors.TokenEmbedding;
        string rows;
        if (SharesBytes)
        {
            var (bytes, scales) = weights.Blocks(graph, Table, Block);
            var blocks = (_width + Block - 1) / Block;
            var values = graph.Add("Sub", [graph.Cast(graph.Add("Gather", [bytes, ids]), OnnxElementType.Float32), graph.Scalar(128f, OnnxElementType.Float32)]);
            values = graph.Add("Mul", [values, graph.Add("Unsqueeze", [graph.Add("Gather", [scales, ids]), graph.Vector(-1)])]);
            rows = graph.Reshape(values, 0, 0, blocks * Block);
            rows = blocks * Block == _width ? rows : graph.Add("Slice", [rows, graph.Vector(0), graph.Vector(_width), graph.Vector(2)]);
        }
        else
        {
            rows = graph.Add("Gather", [weights.Plain(graph, Table), ids]);
        }

        return config.ScaleEmbedding ? graph.Add("Mul", [rows, graph.Scalar(MathF.Sqrt(_width), OnnxElementType.Float32)]) : rows;
    }

    // The embedding reads the projection's 8 bits where the two are one.
    private bool SharesBytes => config.TieWordEmbeddings && quantizes(WhisperTensors.TokenEmbedding);

    // Values that share a scale: with fewer, ONNX Runtime takes up to a quarter more time for a token.
    private const int Block = 128;

    private string Logits(GraphBuilder graph, string states)
    {
        var name = config.TieWordEmbeddings ? WhisperTensors.TokenEmbedding : WhisperTensors.OutputProjection;
        if (!quantizes(name))
        {
            return graph.Add("Gemm", [states, weights.Plain(graph, name)], OnnxAttribute.Of("transB", 1L));
        }

        return BlockProduct(graph, states, name);
    }

    // x Wᵀ of 8-bit weights with a scale for each block, and of inputs that are brought to 8 bits in the same blocks.
    private string BlockProduct(GraphBuilder graph, string input, string name)
    {
        var (bytes, scales) = weights.Blocks(graph, name, Block);
        var shape = weights.ShapeOf(name);
        return graph.AddContributed(
            "MatMulNBits",
            [input, bytes, scales],
            OnnxAttribute.Of("K", shape[1]),
            OnnxAttribute.Of("N", shape[0]),
            OnnxAttribute.Of("bits", 8L),
            OnnxAttribute.Of("block_size", (long)Block),
            OnnxAttribute.Of("accuracy_level", 4L));
    }

    private string Convolution(GraphBuilder graph, string input, string name, long stride)
    {
        graph.Scope = "encoder/" + name;
        return graph.Add(
            "Conv",
            [input, weights.Plain(graph, $"model.encoder.{name}.weight"), weights.Plain(graph, $"model.encoder.{name}.bias")],
            OnnxAttribute.Of("kernel_shape", new long[] { 3 }),
            OnnxAttribute.Of("pads", 1L, 1L),
            OnnxAttribute.Of("strides", new[] { stride }));
    }

    private static string Gelu(GraphBuilder graph, string value) => graph.Add("Gelu", [value]);

    private string FeedForward(GraphBuilder graph, string normed, string layer) =>
        Linear(graph, Gelu(graph, Linear(graph, normed, layer + ".fc1")), layer + ".fc2");

    // Adds a layer's output to the residual and normalises the sum for the next.
    private (string Residual, string Normed) AddAndNorm(GraphBuilder graph, string residual, string output, string norm)
    {
        if (graph.Graph.Name == EncoderName)
        {
            // ONNX Runtime's operator for both is made for a token: for 1,500 positions it takes five times as long as these two.
            var sum = graph.Add("Add", [residual, output]);
            return (sum, _plain.Norm(graph, sum, norm));
        }

        var results = graph.Add(
            GraphBuilder.Contributed,
            "SkipLayerNormalization",
            [residual, output, weights.Plain(graph, norm + ".weight"), weights.Plain(graph, norm + ".bias")],
            4,
            OnnxAttribute.Of("epsilon", Epsilon));
        graph.Graph.Nodes[^1].Outputs[1] = graph.Graph.Nodes[^1].Outputs[2] = "";
        return (results[3], results[0]);
    }

    private string Linear(GraphBuilder graph, string input, string name, bool bias = true)
    {
        var output = BaseLinear(graph, input, name, bias);
        if (!takesAdapters)
        {
            return output;
        }

        // x A B beside x W, with factors for each row, or one pair for all; a rank of 0 adds nothing.
        var shape = weights.ShapeOf(name + ".weight");
        var first = graph.Input(name + FastLayout.FirstFactor, OnnxElementType.Float32, Batch, shape[1], name + ".rank");
        var second = graph.Input(name + FastLayout.SecondFactor, OnnxElementType.Float32, Batch, name + ".rank", shape[0]);
        return graph.Add("Add", [output, graph.Add("MatMul", [graph.Add("MatMul", [input, first]), second])]);
    }

    private string BaseLinear(GraphBuilder graph, string input, string name, bool bias)
    {
        if (!quantizes(name))
        {
            return _plain.Linear(graph, input, name, bias);
        }

        if (graph.Graph.Name == DecoderName)
        {
            // A token's product is as fast as its weights are read, and ONNX Runtime reads these one and a half times as fast as the encoder's.
            var sum = BlockProduct(graph, input, name + ".weight");
            return bias ? graph.Add("Add", [sum, weights.Plain(graph, name + ".bias")]) : sum;
        }

        var (matrix, scales) = (weights.Int8(graph, name + ".weight", transpose: true), weights.Int8Scales(graph, name + ".weight"));
        var offset = bias ? weights.Plain(graph, name + ".bias") : "";
        if (!scalesRows(name))
        {
            return graph.AddContributed("DynamicQuantizeMatMul", [input, matrix, scales, "", offset]);
        }

        var (bytes, rowScale) = RowScaled(graph, input);
        var product = graph.AddContributed(
            "MatMulIntegerToFloat",
            [bytes, matrix, graph.Scalar(1f, OnnxElementType.Float32), scales, Middle(graph)]);
        product = graph.Add("Mul", [product, rowScale]);
        return bias ? graph.Add("Add", [product, offset]) : product;
    }

    // Each row in units of its largest magnitude / 127, as unsigned bytes about 128.
    private (string Bytes, string Scale) RowScaled(GraphBuilder graph, string input)
    {
        if (!_rows.TryGetValue((graph, input), out var row))
        {
            var scale = graph.Add("Mul", [Largest(graph, input, -1), graph.Scalar(1f / ByteRange, OnnxElementType.Float32)]);
            var bytes = graph.Add("QuantizeLinear", [graph.Add("Div", [input, scale]), graph.Scalar(1f, OnnxElementType.Float32), Middle(graph)]);
            _rows[(graph, input)] = row = (bytes, scale);
        }

        return row;
    }

    private static string Middle(GraphBuilder graph) => Byte(graph, 128);

    private static string Byte(GraphBuilder graph, byte value) =>
        graph.Constant($"uint8({value})", () => OnnxTensor.Of("", OnnxElementType.UInt8, [], TensorData.Of(new[] { value })));

    private static string Int32(GraphBuilder graph, int value) =>
        graph.Constant($"int32({value})", () => OnnxTensor.Of("", OnnxElementType.Int32, [], TensorData.Of(BitConverter.GetBytes(value))));

    /// <summary>What the decoder has of the encoder for a layer; the last three for 8 bits only.</summary>
    private sealed record CrossInputs(string Keys, string Values, string KeyScales, string KeySums, string ValueScales);
}
