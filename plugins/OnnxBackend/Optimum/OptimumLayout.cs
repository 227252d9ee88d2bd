using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.OnnxBackend.Graphs;
using AsrPlatform.OnnxBackend.Memory;
using AsrPlatform.OnnxBackend.Model;
using WhisperConfig = AsrPlatform.Whisper.Checkpoints.WhisperConfig;

namespace AsrPlatform.OnnxBackend.Optimum;

/// <summary>Optimum's layout: an encoder, a decoder that begins and a decoder that goes on, which returns the past with every token.</summary>
internal sealed class OptimumLayout : IGraphLayout
{
    /// <summary>Encoder positions of the trial runs, where the graph lets them be few.</summary>
    private const int TrialPositions = 2;

    private readonly OwnedParts _owned = new();
    private readonly EncoderGraph _encoder;
    private readonly DecoderGraph _first;
    private readonly DecoderGraph _next;
    private readonly StoreShape _store;
    private readonly Scratch _tokens = new();
    private readonly Scratch _logits = new();
    private readonly Scratch _states = new();
    private readonly Scratch[] _attention;

    // What the graphs can do beyond what their names promise; found out by trial, since exporters differ.
    private bool _feedsSeveral; // the decoder that goes on takes several tokens at once, each seeing those before it
    private bool _startsEmpty; // it also begins, with a past of no tokens
    private bool _sharesSource; // its rows may read one row of the encoder's keys and values

    private OptimumLayout(OptimumFiles files, WhisperConfig config, GraphCache graphs, int threads, string backend, CancellationToken cancellationToken)
    {
        Pool = _owned.Add(new BufferPool());
        try
        {
            _encoder = _owned.Add(new EncoderGraph(Open(files.Encoder, fixedShapes: true), config));
            var first = Open(files.Merged ?? files.First!, fixedShapes: false);
            var next = files.Merged is null ? Open(files.Next!, fixedShapes: false) : first;
            _first = _owned.Add(new DecoderGraph(first, config, withPast: false));
            _next = _owned.Add(new DecoderGraph(next, config, withPast: true));
            Check(config);
            _store = new StoreShape(config.DecoderLayers, config.DecoderAttentionHeads, config.DModel / config.DecoderAttentionHeads, _first.StoreType);
            _attention = [.. Enumerable.Range(0, config.DecoderLayers).Select(_ => _owned.Add(new Scratch()))];
            _owned.Add(_tokens);
            _owned.Add(_logits);
            _owned.Add(_states);
            Info = config.Describe(backend, "cpu") with
            {
                SupportsAlignment = _first.HasAttention && _next.HasAttention,
                SupportsShortContext = _encoder.TakesFewerFrames && _first.FixedPositions is null && _next.FixedPositions is null,
            };
            cancellationToken.ThrowIfCancellationRequested();
            FindAbilities();
        }
        catch
        {
            Dispose();
            throw;
        }

        Graph Open(string path, bool fixedShapes)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return _owned.Add(graphs.Open(path, threads, fixedShapes)).Graph;
        }
    }

    /// <inheritdoc />
    public Seq2SeqModelInfo Info { get; }

    /// <summary>Where states and caches have their memory from.</summary>
    public BufferPool Pool { get; }

    /// <summary>Loads an export.</summary>
    /// <param name="files">Its graphs.</param>
    /// <param name="config">What they should be.</param>
    /// <param name="graphs">The graphs of the process.</param>
    /// <param name="threads">Threads of a run.</param>
    /// <param name="backend">The backend's name.</param>
    /// <param name="cancellationToken">Stops between two files.</param>
    /// <exception cref="AsrException">A file is damaged, or other than the configuration says.</exception>
    public static OptimumLayout Load(OptimumFiles files, WhisperConfig config, GraphCache graphs, int threads, string backend, CancellationToken cancellationToken) =>
        new(files, config, graphs, threads, backend, cancellationToken);

    /// <inheritdoc />
    public OnnxStates Encode(ReadOnlySpan<float> features, int batch, int frames)
    {
        var type = _first.StatesType;
        var states = new OptimumStates(this, batch, frames / 2, type);
        try
        {
            if (_encoder.StatesType == type)
            {
                _encoder.Run(features, batch, Info.FeatureSize, frames, states.Tensor);
                return states;
            }

            // Encoder and decoder of different precision.
            var buffer = _states.Need(TensorMemory.Bytes(_encoder.StatesType, batch, states.Positions, states.Width));
            using var tensor = TensorMemory.Tensor(buffer, 0, _encoder.StatesType, batch, states.Positions, states.Width);
            _encoder.Run(features, batch, Info.FeatureSize, frames, tensor);
            var values = new float[batch * states.Positions * states.Width];
            Elements.Read(buffer.Span(0, checked((int)TensorMemory.Bytes(_encoder.StatesType, values.Length))), _encoder.StatesType, values);
            states.Write(values);
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
        new OptimumCache((OptimumStates)states, _store, Pool, sourceRows, capacity, maxRows, alignmentHeads);

    /// <inheritdoc />
    public void Decode(OnnxCache cache, ReadOnlySpan<int> tokens, ReadOnlySpan<int> counts, LogitPositions positions, Span<float> logits, Span<float> alignment)
    {
        var own = (OptimumCache)cache;
        var width = tokens.Length / own.Rows;
        foreach (var block in own.Arrange(counts))
        {
            var count = counts[block.Rows[0]];
            for (var from = 0; from < count;)
            {
                var begins = block.Length == 0 && Begins(own, block, count);
                var part = new Part(width, from, begins || _feedsSeveral ? count - from : 1, !alignment.IsEmpty);
                if (begins)
                {
                    Begin(own, block, tokens, part);
                }
                else
                {
                    Continue(own, block, tokens, part);
                }

                var graph = begins ? _first : _next;
                DeliverLogits(graph, block, part, count, positions, logits);
                DeliverAlignment(graph, own, block, part, alignment);
                from += part.Count;
            }

            own.Append(block, count);
        }
    }

    /// <inheritdoc />
    public void Dispose() => _owned.Dispose();

    private void Check(WhisperConfig config)
    {
        if (_next.StoreType != _first.StoreType || (_next.StatesType != _first.StatesType && _next.TakesStates) || _next.TokenType != _first.TokenType)
        {
            throw new AsrException($"{_next.Path} computes with other types than {_first.Path}; expected two files of one export.");
        }

        foreach (var graph in (DecoderGraph[])[_first, _next])
        {
            if (graph.FixedPositions is { } positions && positions != config.MaxSourcePositions)
            {
                throw new AsrException($"{graph.Path} reads {positions} encoder positions; expected {config.MaxSourcePositions}, as config.json's max_source_positions says.");
            }
        }
    }

    /// <summary>Whether the rows of an empty block go through the decoder without past.</summary>
    private bool Begins(OptimumCache cache, RowBlock block, int count) =>
        !_startsEmpty
        || (count > 1 && !_feedsSeveral)
        || (((OptimumStates)cache.States).Memory is null && IsWhole(cache, block));

    /// <summary>Whether a block's rows are the encoder's rows, each once.</summary>
    private static bool IsWhole(OptimumCache cache, RowBlock block) =>
        cache.SourcesOf(block).AsSpan().SequenceEqual([.. Enumerable.Range(0, cache.States.Batch)]);

    private void Begin(OptimumCache cache, RowBlock block, ReadOnlySpan<int> tokens, Part part)
    {
        var states = (OptimumStates)cache.States;
        if (IsWhole(cache, block))
        {
            BeginWhole(cache, states, block, tokens, part);
            return;
        }

        EnsureMemory(states);
        var sources = cache.SourcesOf(block);
        var rowBytes = TensorMemory.Bytes(_first.StatesType, states.Positions, states.Width);
        var buffer = _states.Need(sources.Length * rowBytes);
        for (var row = 0; row < sources.Length; row++)
        {
            NativeBuffer.Copy(states.Buffer, sources[row] * rowBytes, buffer, row * rowBytes, rowBytes);
        }

        using var gathered = TensorMemory.Tensor(buffer, 0, _first.StatesType, sources.Length, states.Positions, states.Width);
        Run(_first, cache, block, tokens, part, gathered, null, null);
    }

    /// <summary>The beginning of all encoder rows also gives the encoder's keys and values, where nobody has them yet.</summary>
    private void BeginWhole(OptimumCache? cache, OptimumStates states, RowBlock block, ReadOnlySpan<int> tokens, Part part)
    {
        var memory = states.Memory is null ? new SourceMemory(_store.Memory, Pool, states.Batch, states.Positions) : null;
        try
        {
            Run(_first, cache, block, tokens, part, states.Tensor, null, memory?.Tensors);
        }
        catch
        {
            memory?.Dispose();
            throw;
        }

        states.Memory ??= memory;
    }

    private void Continue(OptimumCache cache, RowBlock block, ReadOnlySpan<int> tokens, Part part)
    {
        var states = (OptimumStates)cache.States;
        var memory = EnsureMemory(states);
        Run(_next, cache, block, tokens, part, states.Tensor, block.Source(memory, cache.SourcesOf(block), _sharesSource), null);
    }

    private SourceMemory EnsureMemory(OptimumStates states)
    {
        if (states.Memory is null)
        {
            // One token of each row, of which only the encoder's keys and values are kept.
            using var block = new RowBlock(_store, Pool, [.. Enumerable.Range(0, states.Batch)], 0, states.Batch, 1);
            BeginWhole(null, states, block, new int[states.Batch], new Part(1, 0, 1, WantsAttention: false));
        }

        return states.Memory!;
    }

    private void Run(
        DecoderGraph graph,
        OptimumCache? cache,
        RowBlock block,
        ReadOnlySpan<int> tokens,
        Part part,
        OrtValue states,
        OrtValue[]? pastEncoder,
        OrtValue[]? presentEncoder)
    {
        var rows = block.Rows.Length;
        var positions = cache?.States.Positions ?? (int)states.GetTensorTypeAndShape().Shape[1];
        using var ids = Ids(graph, block, tokens, part);
        using var logits = TensorMemory.Tensor(
            _logits.Need(TensorMemory.Bytes(graph.LogitsType, rows, part.Count, Info.VocabularySize)), 0, graph.LogitsType, rows, part.Count, Info.VocabularySize);
        var attention = new OrtValue?[part.WantsAttention ? Info.DecoderLayers : 0];
        var present = block.Present(part.Count);
        var isTaken = false;
        try
        {
            if (part.WantsAttention)
            {
                foreach (var head in cache!.AlignmentHeads)
                {
                    attention[head.Layer] ??= TensorMemory.Tensor(
                        _attention[head.Layer].Need(TensorMemory.Bytes(graph.AttentionType, rows, Info.DecoderHeads, part.Count, positions)),
                        0,
                        graph.AttentionType,
                        rows,
                        Info.DecoderHeads,
                        part.Count,
                        positions);
                }
            }

            graph.Run(new DecoderTensors
            {
                Rows = rows,
                Count = part.Count,
                Past = block.Length,
                Tokens = ids,
                States = states,
                Positions = positions,
                PastDecoder = graph.WithPast ? block.Past : null,
                PastEncoder = pastEncoder,
                Logits = logits,
                PresentDecoder = present,
                PresentEncoder = presentEncoder,
                Attention = attention,
            });
            block.Take(present, part.Count);
            isTaken = true;
        }
        finally
        {
            attention.DisposeAll();
            if (!isTaken)
            {
                present.DisposeAll();
            }
        }
    }

    private OrtValue Ids(DecoderGraph graph, RowBlock block, ReadOnlySpan<int> tokens, Part part)
    {
        var rows = block.Rows.Length;
        var bytes = TensorMemory.Bytes(graph.TokenType, rows, part.Count);
        var buffer = _tokens.Need(bytes);
        var ids = buffer.Span(0, checked((int)bytes));
        for (var place = 0; place < rows; place++)
        {
            for (var i = 0; i < part.Count; i++)
            {
                Elements.Write(tokens[(block.Rows[place] * part.Width) + part.From + i], graph.TokenType, ids, (place * part.Count) + i);
            }
        }

        return TensorMemory.Tensor(buffer, 0, graph.TokenType, rows, part.Count);
    }

    private void DeliverLogits(DecoderGraph graph, RowBlock block, Part part, int count, LogitPositions positions, Span<float> logits)
    {
        var isLast = part.From + part.Count == count;
        if (positions == LogitPositions.None || (positions == LogitPositions.Last && !isLast))
        {
            return;
        }

        var type = graph.LogitsType;
        var vocabulary = Info.VocabularySize;
        var wanted = positions == LogitPositions.Last ? 1 : part.Count;
        var bytes = checked((int)TensorMemory.Bytes(type, wanted, vocabulary));
        for (var place = 0; place < block.Rows.Length; place++)
        {
            var row = block.Rows[place];
            var from = TensorMemory.Bytes(type, ((place + 1) * part.Count) - wanted, vocabulary);
            var to = positions == LogitPositions.Last ? row : (row * part.Width) + part.From;
            Elements.Read(_logits.Buffer.Span(from, bytes), type, logits.Slice(to * vocabulary, wanted * vocabulary));
        }
    }

    private void DeliverAlignment(DecoderGraph graph, OptimumCache cache, RowBlock block, Part part, Span<float> alignment)
    {
        var heads = cache.AlignmentHeads;
        var positions = cache.States.Positions;
        var type = graph.AttentionType;
        var bytes = checked((int)TensorMemory.Bytes(type, part.Count, positions));
        for (var place = 0; place < block.Rows.Length && part.WantsAttention; place++)
        {
            for (var i = 0; i < heads.Length; i++)
            {
                // [row, head, token, position] of a layer, into [row, chosen head, token, position].
                var from = ((place * Info.DecoderHeads) + heads[i].Head) * (long)bytes;
                var to = ((((block.Rows[place] * heads.Length) + i) * part.Width) + part.From) * positions;
                Elements.Read(_attention[heads[i].Layer].Buffer.Span(from, bytes), type, alignment.Slice(to, part.Count * positions));
            }
        }
    }

    /// <summary>Finds out what the graphs can do: tries it on a few tokens, and believes it where it equals the way that always works.</summary>
    /// <exception cref="AsrException">The graphs do not even work that way.</exception>
    private void FindAbilities()
    {
        var positions = _first.FixedPositions ?? _next.FixedPositions ?? Math.Min(TrialPositions, Info.MaxSourcePositions);
        using var states = new OptimumStates(this, 1, positions, _first.StatesType);
        var random = new Random(1);
        states.Write([.. Enumerable.Range(0, positions * Info.Width).Select(_ => (random.NextSingle() * 2) - 1)]);
        int[] tokens = [.. Enumerable.Range(0, Math.Min(3, Info.MaxTargetPositions)).Select(_ => random.Next(Info.VocabularySize))];

        var begun = Try(states, [0], tokens, tokens.Length); // [token, vocabulary]
        if (Array.Exists(begun, value => !float.IsFinite(value)))
        {
            throw new AsrException($"{_first.Path} gives logits that are no numbers.");
        }

        var stepped = Try(states, [0], tokens, 1);
        var precise = _store.Type == TensorElementType.Float && _next.LogitsType == TensorElementType.Float;
        var tolerance = (precise ? 1e-4f : 5e-3f) * (stepped.Max() - stepped.Min());

        _feedsSeveral = Works(ref _feedsSeveral, () => Close(Try(states, [0], tokens, 1, tokens.Length - 1), stepped));
        _startsEmpty = Works(ref _startsEmpty, () => Close(Try(states, [0], tokens, _feedsSeveral ? tokens.Length : 1), _feedsSeveral ? begun : stepped));
        _sharesSource = Works(ref _sharesSource, () =>
        {
            // Two rows, of which the second says something else.
            int[] second = [.. tokens.Reverse()];
            var alone = Try(states, [0], second, 1);
            var both = Try(states, [0, 0], [.. tokens.Zip(second).SelectMany(pair => (int[])[pair.First, pair.Second])], 1);
            var half = Info.VocabularySize;
            return Enumerable.Range(0, tokens.Length).All(step =>
                Close(both[(2 * step * half)..(((2 * step) + 1) * half)], stepped[(step * half)..((step + 1) * half)])
                && Close(both[(((2 * step) + 1) * half)..(((2 * step) + 2) * half)], alone[(step * half)..((step + 1) * half)]));
        });

        bool Works(ref bool ability, Func<bool> trial)
        {
            ability = true;
            try
            {
                return trial();
            }
            catch (AsrException)
            {
                return false;
            }
        }

        bool Close(float[] actual, float[] expected)
        {
            for (var i = 0; i < expected.Length; i++)
            {
                // Written so that what is no number is not close.
                if (!(Math.Abs(actual[i] - expected[i]) <= tolerance))
                {
                    return false;
                }
            }

            return true;
        }
    }

    /// <summary>Decodes tokens <c>[step, row]</c> in calls of some steps each, the last of which is repeated.</summary>
    /// <returns>The logits, <c>[step, row, vocabulary]</c>.</returns>
    private float[] Try(OptimumStates states, int[] sources, int[] tokens, params ReadOnlySpan<int> calls)
    {
        var steps = tokens.Length / sources.Length;
        using var cache = CreateCache(states, sources, steps, sources.Length, []);
        var all = new float[tokens.Length * Info.VocabularySize];
        for (var (step, call) = (0, 0); step < steps; call++)
        {
            var count = calls[Math.Min(call, calls.Length - 1)];
            var counts = new int[sources.Length];
            Array.Fill(counts, count);

            // Several steps are tried with one row alone, where both orders are one.
            Decode(cache, tokens.AsSpan(step * sources.Length, count * sources.Length), counts, LogitPositions.All, all.AsSpan(step * sources.Length * Info.VocabularySize), []);
            step += count;
        }

        return all;
    }

    /// <summary>Some of the tokens of a call, all rows alike.</summary>
    /// <param name="Width">Tokens of a row in the call.</param>
    /// <param name="From">The first of them.</param>
    /// <param name="Count">How many.</param>
    /// <param name="WantsAttention">Whether the alignment heads' weights are wanted.</param>
    private readonly record struct Part(int Width, int From, int Count, bool WantsAttention);
}
