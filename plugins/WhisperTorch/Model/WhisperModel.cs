using System.Runtime.InteropServices;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.WhisperTorch.Weights;

namespace AsrPlatform.WhisperTorch.Model;

/// <summary>Whisper on a torch device.</summary>
/// <remarks>
/// Belongs to one thread, as its tensors do. Native memory is freed deterministically: every call works inside a dispose scope, and what
/// outlives it is owned by the model, the encoder states or the cache.
/// </remarks>
internal sealed class WhisperModel : IAdaptableModel<Tensor>
{
    private readonly ParameterStore _parameters;
    private readonly int _threads;
    private bool _disposed;

    /// <param name="config">The architecture.</param>
    /// <param name="source">The values; read in this constructor only.</param>
    /// <param name="backend">Name of the backend, for <see cref="Info"/>.</param>
    /// <param name="device">Where to compute.</param>
    /// <param name="type">Element type of weights and states.</param>
    /// <param name="threads">Threads on the processor.</param>
    /// <param name="cancellationToken">Stops the loading.</param>
    public WhisperModel(WhisperConfig config, WeightSource source, string backend, Device device, ScalarType type, int threads, CancellationToken cancellationToken)
    {
        TorchDevice = device;
        Type = type;
        QueryScale = Attention.Scale(config.DModel / config.DecoderAttentionHeads);
        _threads = threads;
        _parameters = new ParameterStore(source, device, type, cancellationToken);
        try
        {
            using var scope = NewDisposeScope();
            using var noGrad = no_grad();
            UseThreads();
            Encoder = new Encoder(_parameters, config);
            Decoder = new Decoder(_parameters, config);
        }
        catch
        {
            _parameters.Dispose();
            throw;
        }

        AdaptableLayers = [.. Encoder.AdaptableLayers, .. Decoder.AdaptableLayers];
        Info = new Seq2SeqModelInfo
        {
            Backend = backend,
            Device = device.type == DeviceType.CPU ? "cpu" : $"cuda:{Math.Max(device.index, 0)}",
            FeatureSize = config.NumMelBins,
            Width = config.DModel,
            VocabularySize = config.VocabSize,
            MaxSourcePositions = config.MaxSourcePositions,
            MaxTargetPositions = config.MaxTargetPositions,
            EncoderLayers = config.EncoderLayers,
            DecoderLayers = config.DecoderLayers,
            DecoderHeads = config.DecoderAttentionHeads,
            Parameters = _parameters.Count,
        };
    }

    /// <inheritdoc />
    public Seq2SeqModelInfo Info { get; }

    public Encoder Encoder { get; }

    public Decoder Decoder { get; }

    /// <inheritdoc />
    public IReadOnlyList<IAdaptableLayer<Tensor>> AdaptableLayers { get; }

    /// <inheritdoc />
    public int ActiveAdapter
    {
        get => _parameters.Adapters.Active;
        set => _parameters.Adapters.Active = value;
    }

    /// <summary>Where the parameters lie; owned by the model.</summary>
    public IReadOnlyList<ParameterBlock> Parameters => _parameters.Blocks;

    public Device TorchDevice { get; }

    public ScalarType Type { get; }

    /// <summary>The factor of the decoder's queries.</summary>
    public Scalar QueryScale { get; }

    /// <summary>Changes whenever a delta of a layer that makes cross-attention's keys and values changes.</summary>
    public int SourceMemoryVersion => Decoder.Layers.Sum(layer => layer.SourceMemory.Members.Sum(member => member.Version));

    /// <inheritdoc />
    public int AddAdapter() => _parameters.Adapters.Add();

    /// <inheritdoc />
    public void RemoveAdapter(int adapter)
    {
        _parameters.Adapters.Remove(adapter);
        foreach (var layer in AdaptableLayers)
        {
            layer.SetDelta(adapter, null);
        }
    }

    /// <inheritdoc />
    public IEncoderStates Encode(ReadOnlySpan<float> features, int batch, int frames) => Encode(features, batch, frames, []);

    /// <inheritdoc />
    public IEncoderStates Encode(ReadOnlySpan<float> features, int batch, int frames, ReadOnlySpan<int> adapters)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (batch < 1)
        {
            throw new ArgumentException($"A batch of {batch} rows; it must have at least 1.", nameof(batch));
        }

        if (frames < 2 || frames % 2 != 0 || frames > 2 * Info.MaxSourcePositions)
        {
            throw new ArgumentException($"{frames} frames; there must be an even number from 2 to {2 * Info.MaxSourcePositions}.", nameof(frames));
        }

        if (features.Length != (long)batch * Info.FeatureSize * frames)
        {
            throw new ArgumentException($"{features.Length} features are not [{batch}, {Info.FeatureSize}, {frames}].", nameof(features));
        }

        var rows = AdaptersOf(adapters, batch);
        UseThreads();
        using var scope = NewDisposeScope();
        using var inference = inference_mode();
        using var choice = _parameters.Adapters.Choose(AdapterRun.Of(rows));
        var input = empty(batch, Info.FeatureSize, frames, ScalarType.Float32);
        features.CopyTo(MemoryMarshal.Cast<byte, float>(input.bytes));
        var states = Encoder.Forward(input.to(Type, TorchDevice), ForwardMode.Inference);
        return new EncoderStates(this, states.DetachFromDisposeScope(), rows);
    }

    /// <inheritdoc />
    public IDecoderCache CreateCache(IEncoderStates states, ReadOnlySpan<int> sourceRows, DecoderCacheOptions options)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentNullException.ThrowIfNull(options);
        if (states is not EncoderStates own || own.Model != this)
        {
            throw new ArgumentException("These encoder states come from another model.", nameof(states));
        }

        ObjectDisposedException.ThrowIf(own.IsDisposed, own);
        if (sourceRows.IsEmpty)
        {
            throw new ArgumentException("A cache needs at least one row.", nameof(sourceRows));
        }

        foreach (var row in sourceRows)
        {
            if ((uint)row >= (uint)own.Batch)
            {
                throw new ArgumentException($"Source row {row} is not one of the {own.Batch} encoder rows.", nameof(sourceRows));
            }
        }

        var capacity = options.Capacity == 0 ? Info.MaxTargetPositions : options.Capacity;
        if (capacity < 1 || capacity > Info.MaxTargetPositions)
        {
            throw new ArgumentException($"A capacity of {options.Capacity}; it must be from 1 to {Info.MaxTargetPositions}.", nameof(options));
        }

        var maxRows = options.MaxRows == 0 ? sourceRows.Length : options.MaxRows;
        if (maxRows < sourceRows.Length)
        {
            throw new ArgumentException($"At most {options.MaxRows} rows, but {sourceRows.Length} to begin with.", nameof(options));
        }

        foreach (var head in options.AlignmentHeads)
        {
            if ((uint)head.Layer >= (uint)Info.DecoderLayers || (uint)head.Head >= (uint)Info.DecoderHeads)
            {
                throw new ArgumentException(
                    $"Alignment head {head.Head} of layer {head.Layer}: the model has {Info.DecoderLayers} layers of {Info.DecoderHeads} heads.", nameof(options));
            }
        }

        UseThreads();
        using var inference = inference_mode();
        return new DecoderCache(this, own, sourceRows, capacity, maxRows, options.AlignmentHeads);
    }

    /// <inheritdoc />
    public void Decode(
        IDecoderCache cache,
        ReadOnlySpan<int> tokens,
        ReadOnlySpan<int> counts,
        LogitPositions positions,
        Span<float> logits,
        Span<float> alignment)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (cache is not DecoderCache own || own.States.Model != this)
        {
            throw new ArgumentException("This cache belongs to another model.", nameof(cache));
        }

        var width = CheckTokens(own, tokens, counts);
        CheckOutputs(own, width, positions, logits, alignment);

        UseThreads();
        using var scope = NewDisposeScope();
        using var inference = inference_mode();
        using var choice = _parameters.Adapters.Choose(own.Adapters);
        var step = new DecoderStep(own, this, width, counts, wantsAlignment: !alignment.IsEmpty);
        var states = Decoder.Forward(Embed(own, step, tokens, width), own.Rows, step, ForwardMode.Inference);
        if (positions != LogitPositions.None)
        {
            HostMemory.Copy(Decoder.Project(positions == LogitPositions.Last ? LastOfEachRow(own, step, states, width) : states, own.Rows, ForwardMode.Inference), logits);
        }

        CopyAlignment(own, step, width, alignment);
        for (var row = 0; row < own.Rows; row++)
        {
            own.Append(row, step.Count(row));
        }
    }

    /// <inheritdoc />
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _parameters.Dispose();
        }
    }

    /// <summary>Keys and values of cross-attention, with each row's adapter.</summary>
    internal SourceMemory ComputeMemory(Tensor states, AdapterRun[] adapters, int version)
    {
        using var choice = _parameters.Adapters.Choose(adapters);
        return SourceMemory.Compute(Decoder.Layers, states, Info.DecoderHeads, version);
    }

    private int[] AdaptersOf(ReadOnlySpan<int> adapters, int batch)
    {
        if (adapters.IsEmpty)
        {
            var all = new int[batch];
            Array.Fill(all, ActiveAdapter);
            return all;
        }

        if (adapters.Length != batch)
        {
            throw new ArgumentException($"{adapters.Length} adapters for {batch} rows.", nameof(adapters));
        }

        foreach (var adapter in adapters)
        {
            _parameters.Adapters.Check(adapter);
        }

        return adapters.ToArray();
    }

    private static int CheckTokens(DecoderCache cache, ReadOnlySpan<int> tokens, ReadOnlySpan<int> counts)
    {
        ObjectDisposedException.ThrowIf(cache.IsDisposed, cache);
        ObjectDisposedException.ThrowIf(cache.States.IsDisposed, cache.States);
        if (tokens.IsEmpty || tokens.Length % cache.Rows != 0)
        {
            throw new ArgumentException($"{tokens.Length} tokens do not divide among {cache.Rows} rows.", nameof(tokens));
        }

        if (!counts.IsEmpty && counts.Length != cache.Rows)
        {
            throw new ArgumentException($"{counts.Length} counts for {cache.Rows} rows.", nameof(counts));
        }

        var width = tokens.Length / cache.Rows;
        var vocabulary = cache.States.Model.Info.VocabularySize;
        for (var row = 0; row < cache.Rows; row++)
        {
            var count = counts.IsEmpty ? width : counts[row];
            if (count < 1 || count > width)
            {
                throw new ArgumentException($"Row {row} counts {count} of {width} tokens.", nameof(counts));
            }

            if (count > cache.Capacity - cache.Length(row))
            {
                throw new ArgumentException($"Row {row} holds {cache.Length(row)} of at most {cache.Capacity} tokens; {count} more do not fit.", nameof(tokens));
            }

            foreach (var token in tokens.Slice(row * width, count))
            {
                if ((uint)token >= (uint)vocabulary)
                {
                    throw new ArgumentException($"Token {token} is outside the vocabulary of {vocabulary}.", nameof(tokens));
                }
            }
        }

        return width;
    }

    private void CheckOutputs(DecoderCache cache, int width, LogitPositions positions, Span<float> logits, Span<float> alignment)
    {
        var needed = positions switch
        {
            LogitPositions.None => 0L,
            LogitPositions.Last => (long)cache.Rows * Info.VocabularySize,
            LogitPositions.All => (long)cache.Rows * width * Info.VocabularySize,
            _ => throw new ArgumentException($"Unknown positions {positions}.", nameof(positions)),
        };
        if (logits.Length < needed)
        {
            throw new ArgumentException($"{logits.Length} values cannot hold {needed} logits.", nameof(logits));
        }

        needed = (long)cache.Rows * cache.AlignmentHeads.Length * width * cache.States.Positions;
        if (!alignment.IsEmpty && alignment.Length < needed)
        {
            throw new ArgumentException($"{alignment.Length} values cannot hold {needed} attention weights.", nameof(alignment));
        }
    }

    private Tensor Embed(DecoderCache cache, DecoderStep step, ReadOnlySpan<int> tokens, int width)
    {
        var ids = new long[tokens.Length];
        var places = new long[tokens.Length];
        for (var i = 0; i < ids.Length; i++)
        {
            // Padding may hold anything: it becomes token 0 at the position of its row's last token.
            var (row, column) = Math.DivRem(i, width);
            var count = step.Count(row);
            ids[i] = column < count ? tokens[i] : 0;
            places[i] = cache.Length(row) + Math.Min(column, count - 1);
        }

        return Decoder.Embed(tensor(ids, device: TorchDevice), tensor(places, device: TorchDevice), cache.Rows, ForwardMode.Inference);
    }

    private Tensor LastOfEachRow(DecoderCache cache, DecoderStep step, Tensor states, int width)
    {
        if (width == 1)
        {
            return states;
        }

        var last = new long[cache.Rows];
        for (var row = 0; row < last.Length; row++)
        {
            last[row] = (row * width) + step.Count(row) - 1;
        }

        return states.index_select(0, tensor(last, device: TorchDevice));
    }

    private static void CopyAlignment(DecoderCache cache, DecoderStep step, int width, Span<float> alignment)
    {
        var heads = cache.AlignmentHeads.Length;
        var size = width * cache.States.Positions;
        foreach (var (place, firstRow, weights) in step.Alignment)
        {
            // [row, token, position] of one head, into [row, head, token, position].
            for (var row = 0; row < weights.shape[0]; row++)
            {
                HostMemory.Copy(weights.select(0, row), alignment.Slice((((firstRow + row) * heads) + place) * size, size));
            }
        }
    }

    // LibTorch keeps the number for the process and TorchSharp for each thread; a call that changes nothing costs nothing.
    internal void UseThreads()
    {
        if (TorchDevice.type == DeviceType.CPU && get_num_threads() != _threads)
        {
            set_num_threads(_threads);
        }
    }
}
