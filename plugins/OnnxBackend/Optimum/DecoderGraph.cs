using System.Globalization;
using AsrPlatform.OnnxBackend.Graphs;
using AsrPlatform.OnnxBackend.Memory;
using WhisperConfig = AsrPlatform.Whisper.Checkpoints.WhisperConfig;

namespace AsrPlatform.OnnxBackend.Optimum;

/// <summary>What a run of the decoder reads and writes. Tensors are borrowed.</summary>
internal readonly ref struct DecoderTensors
{
    /// <summary>Rows of the batch.</summary>
    public required int Rows { get; init; }

    /// <summary>Tokens that every row gets.</summary>
    public required int Count { get; init; }

    /// <summary>Tokens that every row holds.</summary>
    public required int Past { get; init; }

    /// <summary>Token ids, <c>[row, count]</c>, in the graph's type.</summary>
    public required OrtValue Tokens { get; init; }

    /// <summary>Encoder states, <c>[row, position, width]</c>; a graph that does not look at them may get those of other rows.</summary>
    public required OrtValue States { get; init; }

    /// <summary>Encoder positions.</summary>
    public required int Positions { get; init; }

    /// <summary>With past: keys and values of the tokens so far, <c>[row, head, past, head width]</c>, keys and values of each layer in turn.</summary>
    public OrtValue[]? PastDecoder { get; init; }

    /// <summary>With past: keys and values of the encoder, <c>[row, head, position, head width]</c>.</summary>
    public OrtValue[]? PastEncoder { get; init; }

    /// <summary>Logits, <c>[row, count, vocabulary]</c>.</summary>
    public required OrtValue Logits { get; init; }

    /// <summary>Keys and values with the new tokens, <c>[row, head, past + count, head width]</c>.</summary>
    public required OrtValue[] PresentDecoder { get; init; }

    /// <summary>Without past: keys and values of the encoder; null where they are not wanted.</summary>
    public OrtValue[]? PresentEncoder { get; init; }

    /// <summary>Cross-attention by layer, <c>[row, head, count, position]</c>; null for those that are not wanted.</summary>
    public ReadOnlySpan<OrtValue?> Attention { get; init; }
}

/// <summary>One of the two decoders of an Optimum export: without past (a text begins) or with it (a text goes on).</summary>
/// <remarks>In a merged file both are the same graph, switched by an input. Whatever inputs a graph has are found out here, once.</remarks>
internal sealed class DecoderGraph : IDisposable
{
    private const string LogitsName = "logits";
    private const string StatesName = "encoder_hidden_states";
    private const string BranchName = "use_cache_branch";

    private readonly Graph _graph;
    private readonly WhisperConfig _config;
    private readonly OrtIoBinding _binding;
    private readonly RunOptions _run = new();
    private readonly string _tokens;
    private readonly List<Counter> _counters = [];
    private readonly string[] _pastDecoder;
    private readonly string[] _pastEncoder;
    private readonly string[] _presentDecoder;
    private readonly string[] _presentEncoder;
    private readonly string[] _attention;
    private readonly Scratch _numbers = new();
    private readonly NativeBuffer _constants;
    private OrtValue[]? _boundEncoder;

    /// <param name="graph">The graph; stays the caller's.</param>
    /// <param name="config">What it should be.</param>
    /// <param name="withPast">Which of the two it is to be.</param>
    /// <exception cref="Abstractions.AsrException">It is another one; the message says in what.</exception>
    public DecoderGraph(Graph graph, WhisperConfig config, bool withPast)
    {
        _graph = graph;
        _config = config;
        WithPast = withPast;
        HeadWidth = config.DModel / config.DecoderAttentionHeads;
        _tokens = graph.Inputs.ContainsKey("decoder_input_ids") ? "decoder_input_ids" : "input_ids";
        TokenType = graph.Input(_tokens, Elements.IsInteger, -1, -1).Type;
        LogitsType = graph.Output(LogitsName, Elements.IsFloating, -1, -1, config.VocabSize).Type;
        TakesStates = graph.Inputs.ContainsKey(StatesName);
        if (TakesStates)
        {
            var states = graph.Input(StatesName, Elements.IsFloating, -1, -1, config.DModel);
            StatesType = states.Type;
            FixedPositions = states.Shape[1] < 0 ? null : states.Shape[1];
        }
        else if (!withPast)
        {
            throw graph.Wrong($"has no input {StatesName}", "a decoder that reads the encoder's states");
        }

        var isSwitched = graph.Inputs.ContainsKey(BranchName);
        _presentDecoder = Names("present", "decoder");
        _presentEncoder = withPast ? [] : Names("present", "encoder");
        _pastDecoder = withPast || isSwitched ? Names("past_key_values", "decoder") : [];
        _pastEncoder = withPast || isSwitched ? Names("past_key_values", "encoder") : [];
        StoreType = CheckStore(withPast);
        if (graph.Inputs[_tokens].Shape[0] >= 0)
        {
            throw graph.Wrong($"takes batches of {graph.Inputs[_tokens].Shape[0]} alone", "any batch: export it again with dynamic axes");
        }

        string[] attention = [.. Enumerable.Range(0, config.DecoderLayers).Select(i => string.Create(CultureInfo.InvariantCulture, $"cross_attentions.{i}"))];
        _attention = Array.TrueForAll(attention, graph.Outputs.ContainsKey) ? attention : [];
        foreach (var name in _attention)
        {
            AttentionType = graph.Output(name, Elements.IsFloating, -1, config.DecoderAttentionHeads, -1, -1).Type;
        }

        FindCounters(isSwitched);
        _binding = graph.Bind();
        _constants = new NativeBuffer(Math.Max(1, TensorMemory.Bytes(StoreType, config.DecoderAttentionHeads, HeadWidth)) + 1);
        _constants.Span(0, checked((int)_constants.Length)).Clear();
        BindConstants(isSwitched);
    }

    /// <summary>Whether it goes on from what rows hold.</summary>
    public bool WithPast { get; }

    /// <summary>Type of token ids.</summary>
    public TensorElementType TokenType { get; }

    /// <summary>Whether encoder states are an input, looked at or not.</summary>
    public bool TakesStates { get; }

    /// <summary>Type of encoder states, where they are an input.</summary>
    public TensorElementType StatesType { get; } = TensorElementType.Float;

    /// <summary>The one number of encoder positions that it takes, or null for any.</summary>
    public int? FixedPositions { get; }

    /// <summary>Type of keys and values.</summary>
    public TensorElementType StoreType { get; }

    /// <summary>Type of logits.</summary>
    public TensorElementType LogitsType { get; }

    /// <summary>Type of cross-attention, where it is an output.</summary>
    public TensorElementType AttentionType { get; } = TensorElementType.Float;

    /// <summary>Whether it gives cross-attention.</summary>
    public bool HasAttention => _attention.Length > 0;

    /// <summary>The file.</summary>
    public string Path => _graph.Path;

    private int HeadWidth { get; }

    /// <summary>Computes.</summary>
    /// <exception cref="Abstractions.AsrException">The graph refuses.</exception>
    public void Run(in DecoderTensors tensors)
    {
        _binding.BindInput(_tokens, tensors.Tokens);
        if (TakesStates)
        {
            _binding.BindInput(StatesName, tensors.States);
        }

        if (WithPast)
        {
            Bind(_pastDecoder, tensors.PastDecoder!);

            // Those of the encoder stay the same from token to token.
            if (_boundEncoder != tensors.PastEncoder)
            {
                Bind(_pastEncoder, tensors.PastEncoder!);
                _boundEncoder = tensors.PastEncoder;
            }
        }

        BindCounters(tensors);
        _binding.ClearBoundOutputs();
        _binding.BindOutput(LogitsName, tensors.Logits);
        for (var i = 0; i < _presentDecoder.Length; i++)
        {
            _binding.BindOutput(_presentDecoder[i], tensors.PresentDecoder[i]);
        }

        for (var i = 0; i < _presentEncoder.Length && tensors.PresentEncoder is not null; i++)
        {
            _binding.BindOutput(_presentEncoder[i], tensors.PresentEncoder[i]);
        }

        for (var layer = 0; layer < tensors.Attention.Length; layer++)
        {
            if (tensors.Attention[layer] is { } attention)
            {
                _binding.BindOutput(_attention[layer], attention);
            }
        }

        _graph.Run(_run, _binding);
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _binding.Dispose();
        _run.Dispose();
        _numbers.Dispose();
        _constants.Dispose();
    }

    private void Bind(string[] names, OrtValue[] values)
    {
        for (var i = 0; i < names.Length; i++)
        {
            _binding.BindInput(names[i], values[i]);
        }
    }

    private string[] Names(string prefix, string side) =>
    [
        .. Enumerable.Range(0, _config.DecoderLayers).SelectMany(i => (string[])
        [
            string.Create(CultureInfo.InvariantCulture, $"{prefix}.{i}.{side}.key"),
            string.Create(CultureInfo.InvariantCulture, $"{prefix}.{i}.{side}.value"),
        ]),
    ];

    private TensorElementType CheckStore(bool withPast)
    {
        var type = _graph.Output(_presentDecoder[0], Elements.IsFloating, -1, _config.DecoderAttentionHeads, -1, HeadWidth).Type;
        foreach (var name in _presentDecoder.Concat(_presentEncoder))
        {
            Same(_graph.Output(name, Elements.IsFloating, -1, _config.DecoderAttentionHeads, -1, HeadWidth));
        }

        foreach (var name in _pastDecoder.Concat(_pastEncoder))
        {
            Same(_graph.Input(name, Elements.IsFloating, -1, _config.DecoderAttentionHeads, -1, HeadWidth));
        }

        // More layers than the configuration says would otherwise be left out silently.
        var next = string.Create(CultureInfo.InvariantCulture, $"{_config.DecoderLayers}.decoder.key");
        if (_graph.Outputs.ContainsKey($"present.{next}") || (withPast && _graph.Inputs.ContainsKey($"past_key_values.{next}")))
        {
            throw _graph.Wrong($"has more than {_config.DecoderLayers} layers", $"{_config.DecoderLayers}, as config.json's decoder_layers says");
        }

        return type;

        void Same(GraphTensor tensor)
        {
            if (tensor.Type != type)
            {
                throw _graph.Wrong($"has {tensor.Name} of the type {tensor.Type}", $"{type}, as {_presentDecoder[0]} is");
            }
        }
    }

    /// <summary>Finds the inputs that tell positions and masks, and refuses those that nothing is known of.</summary>
    private void FindCounters(bool isSwitched)
    {
        HashSet<string> known = [_tokens, StatesName, .. _pastDecoder, .. _pastEncoder];
        if (isSwitched)
        {
            known.Add(BranchName);
        }

        foreach (var input in _graph.Inputs.Values.Where(input => !known.Contains(input.Name)))
        {
            var kind = input.Name switch
            {
                "cache_position" => CounterKind.Position,
                "position_ids" or "decoder_position_ids" => CounterKind.Position,
                "attention_mask" or "decoder_attention_mask" => CounterKind.DecoderMask,
                "encoder_attention_mask" => CounterKind.EncoderMask,
                _ => throw _graph.Wrong(
                    $"has the input {input.Name} {input.ShapeText}, which nothing is known to fill",
                    $"{_tokens}, {StatesName}, {BranchName}, past_key_values.*, cache_position, position_ids or masks"),
            };
            if (!Elements.IsInteger(input.Type) && input.Type != TensorElementType.Bool)
            {
                throw _graph.Wrong($"has the input {input.Name} of the type {input.Type}", "Int64, Int32 or Bool");
            }

            if (input.Shape.Length is not (1 or 2))
            {
                throw _graph.Wrong($"has the input {input.Name} of the shape {input.ShapeText}", "one or two dimensions");
            }

            _counters.Add(new Counter(input, kind));
        }
    }

    private void BindCounters(in DecoderTensors tensors)
    {
        if (_counters.Count == 0)
        {
            return;
        }

        var most = tensors.Rows * Math.Max(tensors.Positions, tensors.Past + tensors.Count);
        var stride = TensorMemory.Bytes(TensorElementType.Int64, most);
        var buffer = _numbers.Need(_counters.Count * stride);
        for (var i = 0; i < _counters.Count; i++)
        {
            var (input, kind) = _counters[i];
            var columns = kind switch
            {
                CounterKind.Position => tensors.Count,
                CounterKind.DecoderMask => tensors.Past + tensors.Count,
                _ => tensors.Positions,
            };
            long[] shape = input.Shape.Length == 1 ? [columns] : [tensors.Rows, columns];
            var values = buffer.Span(i * stride, checked((int)TensorMemory.Bytes(input.Type, shape)));
            for (var place = 0; place < shape.Aggregate(1L, (product, size) => product * size); place++)
            {
                var value = kind == CounterKind.Position ? tensors.Past + (place % columns) : 1;
                if (input.Type == TensorElementType.Bool)
                {
                    values[place] = (byte)value;
                }
                else
                {
                    Elements.Write(value, input.Type, values, place);
                }
            }

            using var tensor = TensorMemory.Tensor(buffer, i * stride, input.Type, shape);
            _binding.BindInput(input.Name, tensor);
        }
    }

    /// <summary>Binds what no run changes: the switch, and for a beginning the past that is not looked at.</summary>
    private void BindConstants(bool isSwitched)
    {
        if (!isSwitched)
        {
            return;
        }

        var branch = _graph.Inputs[BranchName];
        if (branch.Type != TensorElementType.Bool || !branch.Allows(1))
        {
            throw _graph.Wrong($"has the input {BranchName} {branch.ShapeText} of the type {branch.Type}", "Bool [1]");
        }

        var place = _constants.Length - 1;
        _constants.Span(place, 1)[0] = WithPast ? (byte)1 : (byte)0;
        using var value = TensorMemory.Tensor(_constants, place, TensorElementType.Bool, 1);
        _binding.BindInput(BranchName, value);
        if (!WithPast)
        {
            using var nothing = TensorMemory.Tensor(_constants, 0, StoreType, 1, _config.DecoderAttentionHeads, 1, HeadWidth);
            foreach (var name in _pastDecoder.Concat(_pastEncoder))
            {
                _binding.BindInput(name, nothing);
            }
        }
    }

    private enum CounterKind
    {
        Position,
        DecoderMask,
        EncoderMask,
    }

    private sealed record Counter(GraphTensor Input, CounterKind Kind);
}
