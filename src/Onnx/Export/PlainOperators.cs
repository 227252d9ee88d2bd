using AsrPlatform.Onnx.Format;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.Onnx.Export;

/// <summary>Whisper's building blocks in operators that any ONNX program has. States are <c>[batch, position, width]</c>.</summary>
/// <param name="weights">The weights.</param>
/// <param name="quantizes">Whether a linear layer of this name is quantized.</param>
internal sealed class PlainOperators(GraphWeights weights, Func<string, bool> quantizes)
{
    // Finite, so that no sum or difference of two is not a number.
    private const float Float32Masked = float.MinValue;
    private const float Float16Masked = -65504;
    private const float Epsilon = 1e-5f;

    // A graph's quantized inputs: queries, keys and values share one.
    private readonly Dictionary<(GraphBuilder Graph, string Value), string[]> _quantized = [];

    // The tied projection's bytes, made once of the embedding's in the outermost graph, where the runtime can fold them.
    private readonly Dictionary<GraphBuilder, string> _projection = [];

    private OnnxElementType Type => weights.Type;

    /// <summary>A float32 value in the type that the graph computes in.</summary>
    public string Enter(GraphBuilder graph, string value) => Type == OnnxElementType.Float32 ? value : graph.Cast(value, Type);

    /// <summary>A value as float32.</summary>
    public string Leave(GraphBuilder graph, string value) => Type == OnnxElementType.Float32 ? value : graph.Cast(value, OnnxElementType.Float32);

    /// <summary>Layer normalisation.</summary>
    public string Norm(GraphBuilder graph, string states, string name) => graph.Add(
        "LayerNormalization",
        [states, weights.Plain(graph, name + ".weight"), weights.Plain(graph, name + ".bias")],
        OnnxAttribute.Of("axis", -1L),
        OnnxAttribute.Of("epsilon", Epsilon));

    /// <summary>GELU with the exact error function, spelt out: the operator itself came with a later operator set, and runtimes know the pattern.</summary>
    public string Gelu(GraphBuilder graph, string value)
    {
        var error = graph.Add("Erf", [graph.Add("Div", [value, graph.Scalar(MathF.Sqrt(2), Type)])]);
        var product = graph.Add("Mul", [value, graph.Add("Add", [error, graph.Scalar(1f, Type)])]);
        return graph.Add("Mul", [product, graph.Scalar(0.5f, Type)]);
    }

    /// <summary>The encoder's two convolutions: <c>[batch, position, width]</c> of <c>[batch, feature, frame]</c>.</summary>
    public string FrontEnd(GraphBuilder graph, string features)
    {
        string Convolution(string input, string name, long stride)
        {
            graph.Scope = "encoder/" + name;
            var output = graph.Add(
                "Conv",
                [input, weights.Plain(graph, $"model.encoder.{name}.weight"), weights.Plain(graph, $"model.encoder.{name}.bias")],
                OnnxAttribute.Of("kernel_shape", new long[] { 3 }),
                OnnxAttribute.Of("pads", 1L, 1L),
                OnnxAttribute.Of("strides", new[] { stride }));
            return Gelu(graph, output);
        }

        return graph.Transpose(Convolution(Convolution(features, "conv1", 1), "conv2", 2), 0, 2, 1);
    }

    /// <summary>A linear layer.</summary>
    public string Linear(GraphBuilder graph, string input, string name, bool bias = true)
    {
        var product = quantizes(name) ? QuantizedProduct(graph, input, name) : graph.Add("MatMul", [input, weights.Transposed(graph, name + ".weight")]);
        return bias ? graph.Add("Add", [product, weights.Plain(graph, name + ".bias")]) : product;
    }

    /// <summary><c>[batch, position, width]</c> as <c>[batch, head, position, head width]</c>.</summary>
    public static string Heads(GraphBuilder graph, string value, int heads, int headWidth) =>
        graph.Transpose(graph.Reshape(value, 0, 0, heads, headWidth), 0, 2, 1, 3);

    /// <summary>The queries of an attention, already scaled.</summary>
    public string Queries(GraphBuilder graph, string states, string attention, int heads, int headWidth) => Heads(
        graph,
        graph.Add("Mul", [Linear(graph, states, attention + ".q_proj"), graph.Scalar(1 / MathF.Sqrt(headWidth), Type)]),
        heads,
        headWidth);

    /// <summary>softmax(q kᵀ + mask) v of scaled queries.</summary>
    public static string Attention(GraphBuilder graph, string queries, string keys, string values, string? mask, int width)
    {
        var scores = graph.Add("MatMul", [queries, graph.Transpose(keys, 0, 1, 3, 2)]);
        if (mask is not null)
        {
            scores = graph.Add("Add", [scores, mask]);
        }

        var seen = graph.Add("MatMul", [graph.Add("Softmax", [scores], OnnxAttribute.Of("axis", -1L)), values]);
        return graph.Reshape(graph.Transpose(seen, 0, 2, 1, 3), 0, 0, width);
    }

    /// <summary>0 where a token may look, a huge negative number where it may not: <c>[token, seen]</c>.</summary>
    public string CausalMask(GraphBuilder graph, string places, string seen)
    {
        var allowed = graph.Add("LessOrEqual", [seen, graph.Add("Unsqueeze", [places, graph.Vector(1)])]);
        return graph.Add("Where", [allowed, graph.Scalar(0f, Type), graph.Scalar(Type == OnnxElementType.Float16 ? Float16Masked : Float32Masked, Type)]);
    }

    /// <summary>A layer's feed-forward part, with the residual.</summary>
    public string FeedForward(GraphBuilder graph, string states, string layer)
    {
        var inner = Gelu(graph, Linear(graph, Norm(graph, states, layer + ".final_layer_norm"), layer + ".fc1"));
        return graph.Add("Add", [states, Linear(graph, inner, layer + ".fc2")]);
    }

    /// <summary>Token embeddings.</summary>
    public string Embed(GraphBuilder graph, string ids, float? scale)
    {
        const string Table = WhisperTensors.TokenEmbedding;
        string rows;
        if (quantizes(Table))
        {
            var scales = graph.Add("Unsqueeze", [graph.Add("Gather", [weights.Int8Scales(graph, Table), ids]), graph.Vector(-1)]);
            rows = graph.Add("Mul", [graph.Cast(graph.Add("Gather", [weights.Int8(graph, Table, transpose: false), ids]), OnnxElementType.Float32), scales]);
        }
        else
        {
            rows = graph.Add("Gather", [weights.Plain(graph, Table), ids]);
        }

        return scale is { } factor ? graph.Add("Mul", [rows, graph.Scalar(factor, Type)]) : rows;
    }

    /// <summary>Adds to a graph of branches what they share and must not compute each time.</summary>
    public void Prepare(GraphBuilder graph) => _ = quantizes(WhisperTensors.TokenEmbedding) ? ProjectionBytes(graph) : "";

    /// <summary>Logits <c>[batch, position, vocabulary]</c>. A tied projection is the embedding's own constant.</summary>
    public string Logits(GraphBuilder graph, string states, WhisperConfig config)
    {
        var name = config.TieWordEmbeddings ? WhisperTensors.TokenEmbedding : WhisperTensors.OutputProjection;
        if (quantizes(WhisperTensors.TokenEmbedding) && config.TieWordEmbeddings)
        {
            return QuantizedProduct(graph, states, ProjectionBytes(graph), weights.Int8Scales(graph, name));
        }

        if (quantizes(name))
        {
            return QuantizedProduct(graph, states, weights.Int8(graph, name, transpose: true), weights.Int8Scales(graph, name));
        }

        var rows = graph.Reshape(states, -1, config.DModel);
        var logits = graph.Add("Gemm", [rows, weights.Plain(graph, name)], OnnxAttribute.Of("transB", 1L));
        var shape = graph.Add(
            "Concat",
            [graph.Add("Shape", [states], OnnxAttribute.Of("start", 0L), OnnxAttribute.Of("end", 2L)), graph.Vector(config.VocabSize)],
            OnnxAttribute.Of("axis", 0L));
        return graph.Add("Reshape", [logits, shape]);
    }

    private string QuantizedProduct(GraphBuilder graph, string input, string name) =>
        QuantizedProduct(graph, input, weights.Int8(graph, name + ".weight", transpose: true), weights.Int8Scales(graph, name + ".weight"));

    // The pattern of dynamic quantization; ONNX Runtime makes one operation of the product, the cast and the scales.
    private string QuantizedProduct(GraphBuilder graph, string input, string matrix, string scales)
    {
        if (!_quantized.TryGetValue((graph, input), out var parts))
        {
            _quantized[(graph, input)] = parts = graph.Add("", "DynamicQuantizeLinear", [input], 3);
        }

        var product = graph.Cast(graph.Add("MatMulInteger", [parts[0], matrix, parts[2]]), OnnxElementType.Float32);
        return graph.Add("Mul", [product, graph.Add("Mul", [parts[1], scales])]);
    }

    private string ProjectionBytes(GraphBuilder graph) =>
        _projection.TryGetValue(graph.Root, out var value)
            ? value
            : _projection[graph.Root] = graph.Root.Transpose(weights.Int8(graph, WhisperTensors.TokenEmbedding, transpose: false), 1, 0);
}
