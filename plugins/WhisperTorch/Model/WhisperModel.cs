using System.Runtime.InteropServices;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Models;
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
        Info = config.Describe(backend, device.type == DeviceType.CPU ? "cpu" : $"cuda:{Math.Max(device.index, 0)}") with { Parameters = _parameters.Count };
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
        Seq2SeqArguments.CheckEncode(Info, features, batch, frames);
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
        if (states is not EncoderStates own || own.Model != this)
        {
            throw new ArgumentException("These encoder states come from another model.", nameof(states));
        }

        ObjectDisposedException.ThrowIf(own.IsDisposed, own);
        var (capacity, maxRows) = Seq2SeqArguments.CheckCache(Info, own, sourceRows, options);
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

        ObjectDisposedException.ThrowIf(own.IsDisposed, own);
        ObjectDisposedException.ThrowIf(own.States.IsDisposed, own.States);
        var width = Seq2SeqArguments.CheckTokens(Info, own, tokens, counts);
        var attention = (long)own.AlignmentHeads.Length * own.States.Positions;
        Seq2SeqArguments.CheckOutputs(Info, own.Rows, width, attention, positions, logits, alignment);

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
