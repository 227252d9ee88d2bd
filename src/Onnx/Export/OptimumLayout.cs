using AsrPlatform.Onnx.Format;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.Onnx.Export;

/// <summary>Optimum's graphs of a Whisper checkpoint: plain operators of operator set 18, Optimum's names of inputs and outputs.</summary>
/// <param name="config">The architecture.</param>
/// <param name="weights">The weights.</param>
/// <param name="quantizes">Whether a linear layer of this name is quantized.</param>
internal sealed class OptimumLayout(WhisperConfig config, GraphWeights weights, Func<string, bool> quantizes)
{
    private const int OperatorSet = 18;
    private const int FormatVersion = 9;

    private const string Batch = "batch_size";
    private const string Tokens = "decoder_sequence_length";
    private const string Source = "encoder_sequence_length";
    private const string Past = "past_decoder_sequence_length";
    private const string Present = "past_decoder_sequence_length + decoder_sequence_length";
    private const string Ids = "input_ids";
    private const string States = "encoder_hidden_states";

    private static readonly string[] Parts = ["key", "value"];

    private readonly PlainOperators _operators = new(weights, quantizes);
    private readonly int _heads = config.DecoderAttentionHeads;
    private readonly int _headWidth = config.DModel / config.DecoderAttentionHeads;

    /// <summary>The graphs by the names of their files, without suffix.</summary>
    public IEnumerable<(string Name, OnnxModel Model)> Models =>
    [
        ("encoder_model", Encoder()),
        ("decoder_model", First()),
        ("decoder_with_past_model", Cached()),
        ("decoder_model_merged", Merged()),
    ];

    private static string PastName(int layer, string side, string part) => $"past_key_values.{layer}.{side}.{part}";

    private static string PresentName(int layer, string side, string part) => $"present.{layer}.{side}.{part}";

    private OnnxModel Encoder()
    {
        var graph = new GraphBuilder("encoder_model");
        var features = _operators.Enter(graph, graph.Input("input_features", OnnxElementType.Float32, Batch, config.NumMelBins, config.MaxFrames));
        var states = _operators.FrontEnd(graph, features);
        graph.Scope = "encoder";
        states = graph.Add("Add", [states, weights.Plain(graph, "model.encoder.embed_positions.weight")]);
        var headWidth = config.DModel / config.EncoderAttentionHeads;
        for (var i = 0; i < config.EncoderLayers; i++)
        {
            var layer = $"model.encoder.layers.{i}";
            graph.Scope = $"encoder/layers.{i}/self_attn";
            var normed = _operators.Norm(graph, states, layer + ".self_attn_layer_norm");
            var queries = _operators.Queries(graph, normed, layer + ".self_attn", config.EncoderAttentionHeads, headWidth);
            var keys = PlainOperators.Heads(graph, _operators.Linear(graph, normed, layer + ".self_attn.k_proj", bias: false), config.EncoderAttentionHeads, headWidth);
            var values = PlainOperators.Heads(graph, _operators.Linear(graph, normed, layer + ".self_attn.v_proj"), config.EncoderAttentionHeads, headWidth);
            var seen = PlainOperators.Attention(graph, queries, keys, values, mask: null, config.DModel);
            states = graph.Add("Add", [states, _operators.Linear(graph, seen, layer + ".self_attn.out_proj")]);
            graph.Scope = $"encoder/layers.{i}";
            states = _operators.FeedForward(graph, states, layer);
        }

        graph.Scope = "encoder";
        var output = _operators.Leave(graph, _operators.Norm(graph, states, "model.encoder.layer_norm"));
        graph.Output(output, "last_hidden_state", OnnxElementType.Float32, Batch, config.MaxSourcePositions, config.DModel);
        return Model(graph);
    }

    private OnnxModel First()
    {
        var graph = new GraphBuilder("decoder_model");
        var ids = IdsInput(graph);
        Declare(graph, Decode(graph, ids, StatesInput(graph), past: null), Tokens);
        return Model(graph);
    }

    private OnnxModel Cached()
    {
        var graph = new GraphBuilder("decoder_with_past_model");
        var ids = IdsInput(graph);
        Declare(graph, Decode(graph, ids, states: null, PastInputs(graph)), "1");
        return Model(graph);
    }

    private OnnxModel Merged()
    {
        var graph = new GraphBuilder("decoder_model_merged");
        var ids = IdsInput(graph);
        var states = StatesInput(graph);
        var past = PastInputs(graph);
        var useCache = graph.Input("use_cache_branch", OnnxElementType.Boolean, 1);
        _operators.Prepare(graph);

        var first = graph.Branch("first");
        var outputs = Decode(first, ids, states, past: null);
        outputs.ForEach(output => first.BranchOutput(output.Value, OnnxElementType.Float32));

        // Encoder keys and values do not change: this branch gives empty ones instead of copies, and the caller keeps those it has.
        var cached = graph.Branch("cached");
        var computed = Decode(cached, ids, states: null, past).ToDictionary(output => output.Name, output => output.Value);
        foreach (var (name, _, _) in outputs)
        {
            cached.BranchOutput(computed.TryGetValue(name, out var value) ? value : Empty(cached), OnnxElementType.Float32);
        }

        var results = graph.Add(
            "",
            "If",
            [useCache],
            outputs.Count,
            OnnxAttribute.Of("then_branch", cached.Graph),
            OnnxAttribute.Of("else_branch", first.Graph));
        Declare(graph, [.. outputs.Select((output, i) => output with { Value = results[i] })], Tokens);
        return Model(graph);
    }

    private string Empty(GraphBuilder graph) =>
        graph.Add("Constant", [], OnnxAttribute.Of("value", OnnxTensor.Of("", [0, _heads, 1, _headWidth], ReadOnlySpan<float>.Empty)));

    private static string IdsInput(GraphBuilder graph) => graph.Input(Ids, OnnxElementType.Int64, Batch, Tokens);

    private string StatesInput(GraphBuilder graph) => graph.Input(States, OnnxElementType.Float32, Batch, Source, config.DModel);

    private Dictionary<string, string> PastInputs(GraphBuilder graph)
    {
        var inputs = new Dictionary<string, string>(StringComparer.Ordinal);
        for (var i = 0; i < config.DecoderLayers; i++)
        {
            foreach (var (side, length) in new[] { ("decoder", Past), ("encoder", Source) })
            {
                foreach (var name in Parts.Select(part => PastName(i, side, part)))
                {
                    inputs[name] = graph.Input(name, OnnxElementType.Float32, Batch, _heads, length, _headWidth);
                }
            }
        }

        return inputs;
    }

    private void Declare(GraphBuilder graph, List<DecoderOutput> outputs, string logitLength)
    {
        foreach (var (name, value, length) in outputs)
        {
            if (length is null)
            {
                graph.Output(value, name, OnnxElementType.Float32, Batch, logitLength, config.VocabSize);
            }
            else
            {
                graph.Output(value, name, OnnxElementType.Float32, Batch, _heads, length, _headWidth);
            }
        }
    }

    // With states: the first tokens. With past: those that follow.
    private List<DecoderOutput> Decode(GraphBuilder graph, string ids, string? states, Dictionary<string, string>? past)
    {
        graph.Scope = "decoder";
        states = states is null ? null : _operators.Enter(graph, states);
        var count = graph.ToScalar(graph.Size(ids, 1));
        var start = past is null ? graph.Scalar(0L) : graph.ToScalar(graph.Size(past[PastName(0, "decoder", "key")], 2));
        var end = past is null ? count : graph.Add("Add", [start, count]);
        var places = graph.Add("Range", [start, end, graph.Scalar(1L)]);
        var hidden = graph.Add("Add", [_operators.Embed(graph, ids, config.ScaleEmbedding ? MathF.Sqrt(config.DModel) : null), graph.Add("Gather", [weights.Plain(graph, "model.decoder.embed_positions.weight"), places])]);
        var mask = _operators.CausalMask(graph, places, past is null ? places : graph.Add("Range", [graph.Scalar(0L), end, graph.Scalar(1L)]));
        var outputs = new List<DecoderOutput>();
        for (var i = 0; i < config.DecoderLayers; i++)
        {
            var layer = $"model.decoder.layers.{i}";
            string Remember(string side, string part, string value, string length)
            {
                outputs.Add(new DecoderOutput(PresentName(i, side, part), _operators.Leave(graph, value), length));
                return value;
            }

            graph.Scope = $"decoder/layers.{i}/self_attn";
            var normed = _operators.Norm(graph, hidden, layer + ".self_attn_layer_norm");
            var queries = _operators.Queries(graph, normed, layer + ".self_attn", _heads, _headWidth);
            string Cache(string part, bool bias)
            {
                var value = PlainOperators.Heads(graph, _operators.Linear(graph, normed, $"{layer}.self_attn.{part[0]}_proj", bias), _heads, _headWidth);
                return Remember("decoder", part, past is null ? value : graph.Add("Concat", [_operators.Enter(graph, past[PastName(i, "decoder", part)]), value], OnnxAttribute.Of("axis", 2L)), Present);
            }

            var seen = PlainOperators.Attention(graph, queries, Cache("key", bias: false), Cache("value", bias: true), mask, config.DModel);
            hidden = graph.Add("Add", [hidden, _operators.Linear(graph, seen, layer + ".self_attn.out_proj")]);

            graph.Scope = $"decoder/layers.{i}/encoder_attn";
            normed = _operators.Norm(graph, hidden, layer + ".encoder_attn_layer_norm");
            queries = _operators.Queries(graph, normed, layer + ".encoder_attn", _heads, _headWidth);
            string Memory(string part, bool bias) => states is null
                ? _operators.Enter(graph, past![PastName(i, "encoder", part)])
                : Remember("encoder", part, PlainOperators.Heads(graph, _operators.Linear(graph, states, $"{layer}.encoder_attn.{part[0]}_proj", bias), _heads, _headWidth), Source);

            seen = PlainOperators.Attention(graph, queries, Memory("key", bias: false), Memory("value", bias: true), mask: null, config.DModel);
            hidden = graph.Add("Add", [hidden, _operators.Linear(graph, seen, layer + ".encoder_attn.out_proj")]);
            graph.Scope = $"decoder/layers.{i}";
            hidden = _operators.FeedForward(graph, hidden, layer);
        }

        graph.Scope = "decoder";
        hidden = _operators.Norm(graph, hidden, "model.decoder.layer_norm");
        var logits = _operators.Logits(graph, hidden, config);
        outputs.Insert(0, new DecoderOutput("logits", _operators.Leave(graph, logits), null));
        return outputs;
    }

    private static OnnxModel Model(GraphBuilder graph) => ExportedModel.Of(graph, FormatVersion, OperatorSet, contributed: false);

    private sealed record DecoderOutput(string Name, string Value, string? Length);
}
