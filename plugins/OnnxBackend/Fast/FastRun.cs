using System.Runtime.InteropServices;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.OnnxBackend.Memory;
using AsrPlatform.OnnxBackend.Model;

namespace AsrPlatform.OnnxBackend.Fast;

/// <summary>What a call of the model's <see cref="ISeq2SeqModel.Decode"/> is about, with a count for every row.</summary>
internal readonly ref struct FastCall
{
    /// <summary><c>[row, width]</c>.</summary>
    public required ReadOnlySpan<int> Tokens { get; init; }

    /// <summary>Tokens of each row that count.</summary>
    public required ReadOnlySpan<int> Counts { get; init; }

    /// <summary>Places of a row in <see cref="Tokens"/>.</summary>
    public required int Width { get; init; }

    /// <summary>Which logits are wanted.</summary>
    public required LogitPositions Positions { get; init; }

    /// <summary>Where they go.</summary>
    public required Span<float> Logits { get; init; }

    /// <summary>Where the alignment heads' weights go; empty where nobody wants them.</summary>
    public required Span<float> Alignment { get; init; }
}

/// <summary>The decoder bound to some rows of a cache that follow each other: bound once, run for every step.</summary>
internal sealed class FastRun : IDisposable
{
    private readonly FastGraphLayout _layout;
    private readonly FastCache _cache;
    private readonly int _first;
    private readonly int _rows;
    private readonly int _rowsOfSource;
    private readonly OrtIoBinding _binding;
    private readonly SourceMemory? _gathered;
    private readonly BoundFactors? _factors;
    private readonly BoundTensor _sourceLengths;
    private readonly BoundTensor _tokens;
    private readonly BoundTensor _past;
    private readonly BoundTensor _wanted;
    private readonly BoundTensor _logits;
    private readonly BoundTensor?[] _attention;

    /// <param name="layout">The layout.</param>
    /// <param name="cache">The cache.</param>
    /// <param name="first">The first row.</param>
    /// <param name="rows">How many.</param>
    /// <param name="givesAttention">Whether the layers of the cache's alignment heads give their attention.</param>
    public FastRun(FastGraphLayout layout, FastCache cache, int first, int rows, bool givesAttention)
    {
        _layout = layout;
        _cache = cache;
        _first = first;
        _rows = rows;
        GivesAttention = givesAttention;
        _binding = layout.Decoder.Bind();
        _tokens = Tensor("input_ids", isOutput: false, TensorElementType.Int64);
        _past = Tensor("past_lengths", isOutput: false, TensorElementType.Int32);
        _wanted = Tensor("logit_positions", isOutput: false, TensorElementType.Int64);
        _sourceLengths = Tensor("source_lengths", isOutput: false, TensorElementType.Int64);
        _logits = Tensor("logits", isOutput: true, TensorElementType.Float);
        _attention = new BoundTensor?[layout.Info.DecoderLayers];
        if (givesAttention)
        {
            foreach (var head in cache.AlignmentHeads)
            {
                _attention[head.Layer] ??= Tensor(layout.Names.Attention[head.Layer], isOutput: true, TensorElementType.Float);
            }
        }

        for (var i = 0; i < layout.Store.Tensors; i++)
        {
            using var past = cache.View(i, first, rows);
            _binding.BindInput(layout.Names.Past[i], past);
            _binding.BindOutput(layout.Names.Present[i], past);
        }

        _rowsOfSource = RowsOfASource(cache.Sources.Slice(first, rows));
        _gathered = BindSources();
        _factors = layout.DecoderLayers.Count > 0 ? BindFactors() : null;
    }

    /// <summary>Whether it gives cross-attention.</summary>
    public bool GivesAttention { get; }

    private int SourceCount => _rows / _rowsOfSource;

    /// <summary>Feeds some tokens of a call; the cache's lengths stay.</summary>
    /// <param name="call">The call.</param>
    /// <param name="from">The first token of each row.</param>
    /// <param name="count">How many; a row that has fewer repeats its last one behind its end.</param>
    /// <exception cref="Abstractions.AsrException">The graph refuses.</exception>
    public void Run(in FastCall call, int from, int count)
    {
        var ids = MemoryMarshal.Cast<byte, long>(_tokens.Bind(_rows, count));
        var past = MemoryMarshal.Cast<byte, int>(_past.Bind(_rows));
        var wanted = 0;
        for (var i = 0; i < _rows; i++)
        {
            var row = _first + i;
            var total = call.Counts[row];
            past[i] = _cache.Length(row) + Math.Min(from, total);
            for (var token = 0; token < count; token++)
            {
                ids[(i * count) + token] = call.Tokens[(row * call.Width) + Math.Min(from + token, total - 1)];
                wanted += Wants(call, row, from + token) ? 1 : 0;
            }
        }

        var places = MemoryMarshal.Cast<byte, long>(_wanted.Bind(wanted));
        for (var (place, next) = (0, 0); place < _rows * count; place++)
        {
            if (Wants(call, _first + (place / count), from + (place % count)))
            {
                places[next++] = place;
            }
        }

        var logits = MemoryMarshal.Cast<byte, float>(_logits.Bind(wanted, _layout.Info.VocabularySize));
        foreach (var attention in _attention)
        {
            attention?.Bind(SourceCount, _layout.Info.DecoderHeads, _rowsOfSource * count, _cache.States.Positions);
        }

        _layout.Run(_binding);
        DeliverLogits(call, from, count, places, logits);
        if (GivesAttention)
        {
            DeliverAttention(call, from, count);
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        _binding.Dispose();
        foreach (var tensor in (BoundTensor?[])[_tokens, _past, _wanted, _sourceLengths, _logits, .. _attention])
        {
            tensor?.Dispose();
        }

        _gathered?.Dispose();
        _factors?.Dispose();
    }

    private static bool Wants(in FastCall call, int row, int token) => call.Positions switch
    {
        LogitPositions.Last => token == call.Counts[row] - 1,
        LogitPositions.All => token < call.Counts[row],
        _ => false,
    };

    /// <summary>How many rows side by side share a source, alike for all of them: the graph takes no other order without copies.</summary>
    private static int RowsOfASource(ReadOnlySpan<int> sources)
    {
        var each = 0;
        for (var row = 0; row < sources.Length;)
        {
            var rest = sources[row..];
            var run = rest.IndexOfAnyExcept(rest[0]) is var end and >= 0 ? end : rest.Length;
            (each, var remainder) = (run, each);
            while (remainder != 0)
            {
                (each, remainder) = (remainder, each % remainder);
            }

            row += run;
        }

        return each;
    }

    private BoundTensor Tensor(string name, bool isOutput, TensorElementType type) => new(_binding, name, isOutput, type, _layout.Pool);

    /// <summary>Binds the keys and values that the rows attend to: where the encoder wrote them, or copies in the rows' order.</summary>
    private SourceMemory? BindSources()
    {
        var memory = ((FastStates)_cache.States).Memory;
        var sources = new int[SourceCount];
        var isRun = true;
        for (var i = 0; i < sources.Length; i++)
        {
            sources[i] = _cache.Sources[_first + (i * _rowsOfSource)];
            isRun &= sources[i] == sources[0] + i;
        }

        var gathered = isRun ? null : memory.Gather(sources);
        var tensors = gathered?.Tensors ?? memory.View(sources[0], sources.Length);
        for (var i = 0; i < tensors.Length; i++)
        {
            _binding.BindInput(_layout.Names.Cross[i], tensors[i]);
        }

        if (isRun)
        {
            tensors.DisposeAll();
        }

        MemoryMarshal.Cast<byte, long>(_sourceLengths.Bind(sources.Length)).Fill(_cache.States.Positions);
        return gathered;
    }

    /// <summary>Binds the factors of the adapters that made what the rows attend to.</summary>
    private BoundFactors BindFactors()
    {
        var adapters = new AdapterFactors?[_rows];
        for (var i = 0; i < _rows; i++)
        {
            adapters[i] = ((FastStates)_cache.States).Adapters[_cache.Sources[_first + i]];
        }

        return new BoundFactors(_binding, _layout.DecoderLayers, adapters, _layout.Pool);
    }

    private void DeliverLogits(in FastCall call, int from, int count, ReadOnlySpan<long> places, ReadOnlySpan<float> logits)
    {
        var vocabulary = _layout.Info.VocabularySize;
        for (var i = 0; i < places.Length; i++)
        {
            var (row, token) = (_first + ((int)places[i] / count), from + ((int)places[i] % count));
            var to = call.Positions == LogitPositions.Last ? row : (row * call.Width) + token;
            logits.Slice(i * vocabulary, vocabulary).CopyTo(call.Logits[(to * vocabulary)..]);
        }
    }

    private void DeliverAttention(in FastCall call, int from, int count)
    {
        var (heads, positions) = (_cache.AlignmentHeads, _cache.States.Positions);
        for (var chosen = 0; chosen < heads.Length; chosen++)
        {
            // [source, head, row of the source · token, position] of a layer, into [row, chosen head, token, position].
            var values = MemoryMarshal.Cast<byte, float>(
                _attention[heads[chosen].Layer]!.Bind(SourceCount, _layout.Info.DecoderHeads, _rowsOfSource * count, positions));
            for (var i = 0; i < _rows; i++)
            {
                var row = _first + i;
                var place = (((i / _rowsOfSource * _layout.Info.DecoderHeads) + heads[chosen].Head) * _rowsOfSource) + (i % _rowsOfSource);
                var length = Math.Clamp(call.Counts[row] - from, 0, count) * positions;
                var to = ((((row * heads.Length) + chosen) * call.Width) + from) * positions;
                values.Slice(place * count * positions, length).CopyTo(call.Alignment[to..]);
            }
        }
    }
}
