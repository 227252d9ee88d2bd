using System.Numerics.Tensors;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Onnx;
using AsrPlatform.OnnxBackend.Graphs;
using AsrPlatform.OnnxBackend.Memory;
using AsrPlatform.OnnxBackend.Model;
using WhisperConfig = AsrPlatform.Whisper.Checkpoints.WhisperConfig;

namespace AsrPlatform.OnnxBackend.Fast;

/// <summary>
/// This project's own layout (<see cref="FastLayout"/>): the encoder also gives the decoder's keys and values of its states, and the decoder
/// writes its past in place.
/// </summary>
internal sealed class FastGraphLayout : IGraphLayout
{
    private readonly OwnedParts _owned = new();
    private readonly Graph _encoder;
    private readonly OrtIoBinding _encoding;
    private readonly RunOptions _run;

    private FastGraphLayout(string directory, WhisperConfig config, GraphCache graphs, int threads, bool ownAttention, string backend, CancellationToken cancellationToken)
    {
        Pool = _owned.Add(new BufferPool());
        Adapters = _owned.Add(new AdapterSet());
        try
        {
            var layout = FastLayout.Load(directory);
            Store = new StoreShape(config.DecoderLayers, config.DecoderAttentionHeads, config.DModel / config.DecoderAttentionHeads, TensorElementType.Float);
            Names = new FastNames(config.DecoderLayers, layout.CrossParts);
            Memory = [.. Enumerable.Range(0, config.DecoderLayers).SelectMany(_ => layout.CrossParts.Select(part => PartOf(part, layout.QuantizesMemory)))];
            _encoder = Open(FastLayout.EncoderFile);
            Decoder = Open(FastLayout.DecoderFile);
            EncoderLayers = Takers(_encoder);
            DecoderLayers = Takers(Decoder);
            CheckEncoder(config);
            CheckDecoder(config);
            _encoding = _owned.Add(_encoder.Bind());
            _run = _owned.Add(new RunOptions());
            Info = config.Describe(backend, "cpu") with
            {
                SupportsAlignment = true,
                SupportsShortContext = true,
            };
        }
        catch
        {
            Dispose();
            throw;
        }

        Graph Open(string file)
        {
            cancellationToken.ThrowIfCancellationRequested();

            // Contexts are of any length: a plan of the memory for each would only be kept.
            return _owned.Add(graphs.Open(Path.Combine(directory, file), threads, fixedShapes: false, ownAttention)).Graph;
        }
    }

    /// <inheritdoc />
    public Seq2SeqModelInfo Info { get; }

    /// <summary>Where states and caches have their memory from.</summary>
    public BufferPool Pool { get; }

    /// <summary>What keys and values look like.</summary>
    public StoreShape Store { get; }

    /// <summary>What the encoder's graph gives the decoder's, in the order of <see cref="FastNames.Cross"/>.</summary>
    public IReadOnlyList<MemoryPart> Memory { get; }

    /// <summary>Names of the decoder's inputs and outputs.</summary>
    public FastNames Names { get; }

    /// <summary>The decoder.</summary>
    public Graph Decoder { get; }

    /// <summary>The encoder's layers that take factors of adapters, those of the decoder's keys and values of its states among them.</summary>
    public IReadOnlyList<LowRankLayer> EncoderLayers { get; }

    /// <summary>The decoder's layers that take factors of adapters.</summary>
    public IReadOnlyList<LowRankLayer> DecoderLayers { get; }

    /// <summary>The adapters.</summary>
    public AdapterSet Adapters { get; }

    /// <summary>Loads a folder of this layout.</summary>
    /// <param name="directory">The folder.</param>
    /// <param name="config">What it should be.</param>
    /// <param name="graphs">The graphs of the process.</param>
    /// <param name="threads">Threads of a run.</param>
    /// <param name="backend">The backend's name.</param>
    /// <param name="cancellationToken">Stops between two files.</param>
    /// <exception cref="AsrException">A file is missing or damaged, or other than the configuration says.</exception>
    public static FastGraphLayout Load(string directory, WhisperConfig config, GraphCache graphs, int threads, bool ownAttention, string backend, CancellationToken cancellationToken) =>
        new(directory, config, graphs, threads, ownAttention, backend, cancellationToken);

    /// <inheritdoc />
    public unsafe OnnxStates Encode(ReadOnlySpan<float> features, int batch, int frames)
    {
        var states = new FastStates(this, batch, frames / 2, Adapters.Rows(batch));
        try
        {
            using var factors = EncoderLayers.Count > 0 ? new BoundFactors(_encoding, EncoderLayers, states.Adapters, Pool) : null;
            fixed (float* pinned = features)
            {
                using var input = OrtValue.CreateTensorValueWithData(
                    OrtMemoryInfo.DefaultInstance, TensorElementType.Float, [batch, Info.FeatureSize, frames], (nint)pinned, (long)features.Length * sizeof(float));
                _encoding.BindInput("input_features", input);
                _encoding.BindOutput("last_hidden_state", states.Tensor);
                for (var i = 0; i < Names.Cross.Length; i++)
                {
                    _encoding.BindOutput(Names.Cross[i], states.Memory.Tensors[i]);
                }

                try
                {
                    _encoder.Run(_run, _encoding);
                }
                finally
                {
                    // The features are the caller's, and the states may go: nothing of them stays bound.
                    _encoding.ClearBoundInputs();
                    _encoding.ClearBoundOutputs();
                }
            }

            return states;
        }
        catch
        {
            states.Dispose();
            throw;
        }
    }

    /// <inheritdoc />
    public OnnxCache CreateCache(OnnxStates states, ReadOnlySpan<int> sourceRows, int capacity, int maxRows, AttentionHead[] alignmentHeads) =>
        new FastCache(this, (FastStates)states, sourceRows, capacity, maxRows, alignmentHeads);

    /// <inheritdoc />
    public void Decode(OnnxCache cache, ReadOnlySpan<int> tokens, ReadOnlySpan<int> counts, LogitPositions positions, Span<float> logits, Span<float> alignment)
    {
        var own = (FastCache)cache;
        var call = new FastCall
        {
            Tokens = tokens,
            Counts = counts,
            Width = tokens.Length / own.Rows,
            Positions = positions,
            Logits = logits,
            Alignment = alignment,
        };
        var most = TensorPrimitives.Max(counts);
        var givesAttention = !alignment.IsEmpty && own.AlignmentHeads.Length > 0;

        // GroupQueryAttention takes several tokens behind no past, or of one row: else rows by turns or tokens by turns, whichever are fewer.
        if (most == 1 || own.Rows == 1 || own.IsEmpty)
        {
            own.All(givesAttention).Run(call, 0, most);
        }
        else if (most <= own.Rows)
        {
            for (var token = 0; token < most; token++)
            {
                own.All(givesAttention).Run(call, token, 1);
            }
        }
        else
        {
            for (var row = 0; row < own.Rows; row++)
            {
                using var run = new FastRun(this, own, row, 1, givesAttention);
                run.Run(call, 0, counts[row]);
            }
        }

        own.Append(counts);
    }

    /// <summary>Runs the decoder.</summary>
    /// <exception cref="AsrException">The graph refuses.</exception>
    public void Run(OrtIoBinding binding) => Decoder.Run(_run, binding);

    /// <inheritdoc />
    public void Dispose() => _owned.Dispose();

    private static bool IsFloat(TensorElementType type) => type == TensorElementType.Float;

    private void CheckEncoder(WhisperConfig config)
    {
        var features = _encoder.Input("input_features", IsFloat, -1, config.NumMelBins, -1);
        if (features.Shape[0] >= 0 || features.Shape[2] >= 0)
        {
            throw _encoder.Wrong($"has the input input_features {features.ShapeText}", "one of any batch and frames: export the model again");
        }

        _encoder.Output("last_hidden_state", IsFloat, -1, -1, config.DModel);
        CheckCross(_encoder, areInputs: false, config);
        CheckKnown(_encoder, ["input_features"], EncoderLayers);
    }

    private void CheckDecoder(WhisperConfig config)
    {
        Decoder.Input("input_ids", Elements.IsInteger, -1, -1);
        Decoder.Input("past_lengths", Elements.IsInteger, -1);
        Decoder.Input("logit_positions", Elements.IsInteger, -1);
        Decoder.Input("source_lengths", Elements.IsInteger, -1);
        Decoder.Output("logits", IsFloat, -1, config.VocabSize);
        CheckCross(Decoder, areInputs: true, config);
        int[] stored = [-1, Store.Heads, -1, Store.HeadWidth];
        Array.ForEach(Names.Past, name => Decoder.Input(name, IsFloat, stored));
        Array.ForEach(Names.Present, name => Decoder.Output(name, IsFloat, stored));
        foreach (var name in Names.Attention)
        {
            Decoder.Output(name, IsFloat, -1, config.DecoderAttentionHeads, -1, -1);
        }

        CheckKnown(Decoder, ["input_ids", "past_lengths", "logit_positions", "source_lengths", .. Names.Cross, .. Names.Past], DecoderLayers);
    }

    private MemoryPart PartOf(string part, bool isQuantized) => part switch
    {
        FastLayout.KeyPart => new MemoryPart(isQuantized ? TensorElementType.Int8 : TensorElementType.Float, Store.Heads, Store.HeadWidth, null),
        FastLayout.ValuePart => new MemoryPart(isQuantized ? TensorElementType.Int8 : TensorElementType.Float, Store.Heads, null, Store.HeadWidth),
        FastLayout.KeySumPart => new MemoryPart(TensorElementType.Int32, Store.Heads, 1, null),
        _ => new MemoryPart(TensorElementType.Float, Store.Heads, 1, Store.HeadWidth),
    };

    private void CheckCross(Graph graph, bool areInputs, WhisperConfig config)
    {
        for (var i = 0; i < Memory.Count; i++)
        {
            var type = Memory[i].Type;
            bool IsIts(TensorElementType found) => found == type;
            _ = areInputs ? graph.Input(Names.Cross[i], IsIts, Memory[i].Declared) : graph.Output(Names.Cross[i], IsIts, Memory[i].Declared);
        }

        // More layers than the configuration says would otherwise be left out silently.
        if ((areInputs ? graph.Inputs : graph.Outputs).ContainsKey(Names.CrossBeyond))
        {
            throw graph.Wrong($"has more than {config.DecoderLayers} layers", $"{config.DecoderLayers}, as config.json's decoder_layers says");
        }
    }

    private static void CheckKnown(Graph graph, IEnumerable<string> known, IReadOnlyList<LowRankLayer> takers)
    {
        var factors = takers.SelectMany(layer => (string[])[layer.Name + FastLayout.FirstFactor, layer.Name + FastLayout.SecondFactor]);
        if (graph.Inputs.Keys.Except(known).Except(factors).FirstOrDefault() is { } other)
        {
            throw graph.Wrong($"has the input {other} {graph.Inputs[other].ShapeText}, which nothing is known to fill", $"the inputs of the fast layout, version {FastLayout.CurrentVersion}: export the model again");
        }
    }

    /// <summary>The layers of a graph that take factors, by its inputs.</summary>
    private static LowRankLayer[] Takers(Graph graph) =>
    [
        .. graph.Inputs.Keys.Where(name => name.EndsWith(FastLayout.FirstFactor, StringComparison.Ordinal)).Select(name =>
        {
            var layer = name[..^FastLayout.FirstFactor.Length];
            return new LowRankLayer(
                layer,
                graph.Input(name, IsFloat, -1, -1, -1).Shape[1],
                graph.Input(layer + FastLayout.SecondFactor, IsFloat, -1, -1, -1).Shape[2]);
        }),
    ];
}
