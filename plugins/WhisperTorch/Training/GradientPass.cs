using System.Runtime.InteropServices;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.WhisperTorch.Model;

namespace AsrPlatform.WhisperTorch.Training;

/// <summary>Forward and backward passes of training over the layers of a model.</summary>
/// <remarks>
/// <para>With checkpointing the graph is cut before each layer: only the inputs of the layers are kept, and the
/// backward pass goes through them from the last to the first, computes each again with recording, and hands its input's gradient to the
/// one before. The gradients are the same to the bit where a parameter is used once; random numbers are drawn again as they were.</para>
/// <para>Belongs to the model's thread. Nothing but gradients outlives a call.</para>
/// </remarks>
internal sealed class GradientPass
{
    private readonly WhisperModel _model;
    private readonly WhisperConfig _config;
    private readonly GradientPassOptions _options;
    private readonly CtcHead? _ctc;
    private readonly EncodedExamples? _encoded;
    private readonly ForwardMode _mode;
    private readonly long _start;
    private readonly long _padding;

    /// <param name="model">A model whose parameters are float32.</param>
    /// <param name="config">Its configuration.</param>
    /// <param name="options">How to compute.</param>
    /// <param name="startToken">The token before the first label.</param>
    /// <param name="paddingToken">Stands for ignored labels in the decoder's input; its embedding learns nothing from being an input.</param>
    /// <param name="ctc">The head of the CTC loss, or null.</param>
    /// <param name="encoded">Keeps the states of examples that a micro-batch names; null where the encoder is trained, or draws random numbers.</param>
    public GradientPass(
        WhisperModel model, WhisperConfig config, GradientPassOptions options, int startToken, int paddingToken, CtcHead? ctc = null, EncodedExamples? encoded = null)
    {
        if (encoded is not null && (!options.FreezeEncoder || options.Checkpointing))
        {
            throw new ArgumentException("States are kept where the encoder is frozen and nothing is computed twice.", nameof(encoded));
        }

        if (options.CtcWeight > 0 && ctc is null)
        {
            throw new ArgumentException("A CTC loss needs a head.", nameof(ctc));
        }

        _model = model;
        _config = config;
        _options = options;
        _ctc = ctc;
        _encoded = encoded;
        _start = startToken;
        _padding = paddingToken;
        _mode = new ForwardMode(InPlace: false, config.Dropout, config.AttentionDropout, config.ActivationDropout, options.ProductType);
    }

    /// <summary>Adds the gradients of a micro-batch to what the parameters hold, and returns its loss.</summary>
    /// <param name="batch">The examples; at least one label that counts.</param>
    /// <param name="factors">What each term is multiplied by.</param>
    /// <param name="lossScale">Multiplies the gradients alone, so that small ones survive float16.</param>
    /// <param name="clock">Told how long each phase took, or null.</param>
    /// <returns>A scalar of float32 on the device; the caller's.</returns>
    public Tensor Accumulate(MicroBatch batch, LossFactors factors, double lossScale = 1, PhaseClock? clock = null)
    {
        _model.UseThreads();
        using var scope = NewDisposeScope();
        using var grad = enable_grad();
        var baseline = Baseline(batch, clock);
        var loss = _options.Checkpointing
            ? Recomputed(batch, Upload(batch), baseline, factors, lossScale, clock)
            : Recorded(batch, baseline, factors, lossScale, clock);
        return loss.detach().MoveToOuterDisposeScope();
    }

    /// <summary>The sum of the (smoothed) cross-entropy of a batch's tokens, without dropout, CTC or gradients.</summary>
    public double Evaluate(MicroBatch batch)
    {
        _model.UseThreads();
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        return Infer(batch) is var (logits, tokens) && logits is not null
            ? nn.functional.cross_entropy(logits, tokens.Targets, reduction: nn.Reduction.Sum, label_smoothing: _options.LabelSmoothing).ToDouble()
            : 0;
    }

    /// <summary>The logits of a batch's targets without dropout; null where there is no target. No gradients may be recorded.</summary>
    private (Tensor? Logits, DecoderTokens Tokens) Infer(MicroBatch batch)
    {
        var mode = ForwardMode.Inference with { ProductType = _options.ProductType };
        var (states, beyond) = KeepsStates(batch) ? Encoded(batch) : (_model.Encoder.Forward(Upload(batch), mode), null);
        var tokens = DecoderTokens.Of(batch, _start, _padding, _model.TorchDevice);
        var context = new SequenceContext(_model.Decoder.Layers, states, _config.DecoderAttentionHeads, tokens.Length, mode, beyond);
        var hidden = _model.Decoder.Forward(_model.Decoder.Embed(tokens.Ids, tokens.Positions, batch.Batch, mode), batch.Batch, context, mode);
        return (Logits(hidden, tokens, mode), tokens);
    }

    /// <summary>What the base says of the targets of the replayed rows, <c>[target, vocabulary]</c>: logarithms of probabilities; null where nothing is asked.</summary>
    private Tensor? Baseline(MicroBatch batch, PhaseClock? clock)
    {
        if (_options.KlWeight == 0 || batch.Replay.Count == 0)
        {
            return null;
        }

        using var forward = clock?.Enter(Phase.Forward);
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var adapter = _model.ActiveAdapter;
        _model.ActiveAdapter = IMultiAdapterModel.NoAdapter;
        try
        {
            return Infer(batch.Only(batch.Replay)).Logits?.log_softmax(-1).MoveToOuterDisposeScope();
        }
        finally
        {
            _model.ActiveAdapter = adapter;
        }
    }

    private bool KeepsStates(MicroBatch batch) => _encoded is not null && batch.Examples.Count > 0;

    /// <summary>The encoder's states of rows that are encoded once, and what keeps attention from the places beyond the shorter ones.</summary>
    private (Tensor States, Tensor? Beyond) Encoded(MicroBatch batch)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var mode = ForwardMode.Inference with { ProductType = _options.ProductType };
        Tensor[] rows = [.. batch.Examples.Select((example, row) => _encoded!.Of(example.Key, () => _model.Encoder.Forward(Upload(batch, row, example.Frames), mode).squeeze(0)))];
        var longest = rows.Max(row => row.shape[0]);
        var states = zeros(rows.Length, longest, _config.DModel, ScalarType.Float32, _model.TorchDevice);
        var isRagged = Array.Exists(rows, row => row.shape[0] < longest);
        var beyond = isRagged ? zeros(rows.Length, 1, 1, longest, ScalarType.Float32, _model.TorchDevice) : null;
        for (var row = 0; row < rows.Length; row++)
        {
            var positions = rows[row].shape[0];
            states.select(0, row).narrow(0, 0, positions).copy_(rows[row]);
            if (positions < longest)
            {
                beyond!.select(0, row).narrow(2, positions, longest - positions).fill_(float.NegativeInfinity);
            }
        }

        return (states.MoveToOuterDisposeScope(), beyond?.MoveToOuterDisposeScope());
    }

    private Tensor Recorded(MicroBatch batch, Tensor? baseline, LossFactors factors, double lossScale, PhaseClock? clock)
    {
        var forward = clock?.Enter(Phase.Forward);
        Tensor states;
        Tensor? beyond = null;
        if (KeepsStates(batch))
        {
            (states, beyond) = Encoded(batch);
        }
        else
        {
            using var noGrad = _options.FreezeEncoder ? no_grad() : null;
            var stream = _model.Encoder.Embed(Upload(batch), _mode);
            foreach (var layer in _model.Encoder.Layers)
            {
                if (!Dropped(_config.EncoderLayerdrop))
                {
                    stream = layer.Forward(stream, batch.Batch, _mode);
                }
            }

            states = _model.Encoder.Finish(stream, batch.Batch);
        }

        var tokens = DecoderTokens.Of(batch, _start, _padding, _model.TorchDevice);
        var context = new SequenceContext(_model.Decoder.Layers, states, _config.DecoderAttentionHeads, tokens.Length, _mode, beyond);
        var hidden = Embed(tokens, batch.Batch);
        foreach (var layer in _model.Decoder.Layers)
        {
            if (!Dropped(_config.DecoderLayerdrop))
            {
                hidden = layer.Forward(hidden, batch.Batch, context, _mode);
            }
        }

        var loss = Loss(batch, states, hidden, baseline, tokens, factors);
        forward?.Dispose();
        using var backward = clock?.Enter(Phase.Backward);
        Begin(loss, lossScale);
        return loss;
    }

    private Tensor Recomputed(MicroBatch batch, Tensor features, Tensor? baseline, LossFactors factors, double lossScale, PhaseClock? clock)
    {
        // Forward: only what lies outside the layers is recorded.
        var forward = clock?.Enter(Phase.Forward);
        var recordsEncoder = !_options.FreezeEncoder;
        Tensor embedded;
        using (recordsEncoder ? null : no_grad())
        {
            embedded = _model.Encoder.Embed(features, _mode);
        }

        using var encoder = new LayerTape(_model.TorchDevice, records: recordsEncoder);
        var stream = embedded.detach();
        foreach (var layer in _model.Encoder.Layers)
        {
            if (!Dropped(_config.EncoderLayerdrop))
            {
                stream = encoder.Run(stream, input => layer.Forward(input, batch.Batch, _mode));
            }
        }

        var last = stream.detach().requires_grad_(recordsEncoder);
        var finished = _model.Encoder.Finish(last, batch.Batch);
        var states = finished.detach().requires_grad_(recordsEncoder);
        var tokens = DecoderTokens.Of(batch, _start, _padding, _model.TorchDevice);
        var context = new SequenceContext(_model.Decoder.Layers, states, _config.DecoderAttentionHeads, tokens.Length, _mode);
        var embeddedTokens = Embed(tokens, batch.Batch);
        using var decoder = new LayerTape(_model.TorchDevice, records: true);
        var hidden = embeddedTokens.detach();
        foreach (var layer in _model.Decoder.Layers)
        {
            if (!Dropped(_config.DecoderLayerdrop))
            {
                hidden = decoder.Run(hidden, input => layer.Forward(input, batch.Batch, context, _mode));
            }
        }

        hidden = hidden.detach().requires_grad_();
        var loss = Loss(batch, states, hidden, baseline, tokens, factors);

        // Backward, in the opposite order; the decoder's layers and CTC add to the gradient of the encoder's states.
        forward?.Dispose();
        using var backward = clock?.Enter(Phase.Backward);
        Begin(loss, lossScale);
        Continue(embeddedTokens, decoder.Backward(hidden.grad));
        if (recordsEncoder)
        {
            Continue(finished, states.grad);
            Continue(embedded, encoder.Backward(last.grad));
        }

        return loss;
    }

    private static void Continue(Tensor output, Tensor? gradient)
    {
        if (gradient is not null && output.requires_grad)
        {
            autograd.backward([output], [gradient]);
        }
    }

    private static void Begin(Tensor loss, double scale)
    {
        // Where every layer with an adapter is skipped, nothing that is trained had a part in the loss.
        if (loss.requires_grad)
        {
            (scale == 1 ? loss : loss.mul(scale)).backward();
        }
    }

    private Tensor Loss(MicroBatch batch, Tensor states, Tensor hidden, Tensor? baseline, DecoderTokens tokens, LossFactors factors)
    {
        var logits = Logits(hidden, tokens, _mode);
        var loss = logits is null ? hidden.sum().mul(0) : CrossEntropy(logits, tokens, batch).mul(factors.Token);
        if (_ctc is not null && _options.CtcWeight > 0)
        {
            var ctc = _ctc.Loss(states, batch.Positions, batch.Symbols, _mode, batch.Weights);
            loss = loss.mul(1 - _options.CtcWeight).add(ctc.mul(_options.CtcWeight * factors.Row));
        }

        return logits is null || baseline is null ? loss : loss.add(Divergence(baseline, logits, tokens, batch).mul(_options.KlWeight * factors.Replay));
    }

    /// <summary>The sum over targets, by the weights of their rows.</summary>
    private Tensor CrossEntropy(Tensor logits, DecoderTokens tokens, MicroBatch batch)
    {
        var smoothing = _options.LabelSmoothing;
        return batch.Weights.Count == 0
            ? nn.functional.cross_entropy(logits, tokens.Targets, reduction: nn.Reduction.Sum, label_smoothing: smoothing)
            : nn.functional.cross_entropy(logits, tokens.Targets, reduction: nn.Reduction.None, label_smoothing: smoothing)
                .mul(WeightsOf(tokens.TargetRows, batch, logits.device)).sum();
    }

    /// <summary>KL(base ‖ adapted), the sum over the targets of replayed rows, by the weights of their rows.</summary>
    private static Tensor Divergence(Tensor baseline, Tensor logits, DecoderTokens tokens, MicroBatch batch)
    {
        var replayed = batch.Replay.ToHashSet();
        var targets = Enumerable.Range(0, tokens.TargetRows.Count).Where(target => replayed.Contains(tokens.TargetRows[target])).ToArray();
        var adapted = logits.index_select(0, tensor(Array.ConvertAll(targets, target => (long)target), device: logits.device)).log_softmax(-1);
        var each = nn.functional.kl_div(adapted, baseline, log_target: true, reduction: nn.Reduction.None);
        return batch.Weights.Count == 0
            ? each.sum()
            : each.sum(-1).mul(WeightsOf(Array.ConvertAll(targets, target => tokens.TargetRows[target]), batch, logits.device)).sum();
    }

    private static Tensor WeightsOf(IReadOnlyList<int> rows, MicroBatch batch, Device device) =>
        tensor(rows.Select(row => (float)batch.Weights[row]).ToArray(), device: device);

    /// <summary>Logits of the tokens that have a target, <c>[target, vocabulary]</c> of float32; null if none has.</summary>
    private Tensor? Logits(Tensor hidden, DecoderTokens tokens, ForwardMode mode)
    {
        if (tokens.Targets.numel() == 0)
        {
            return null;
        }

        // What is ignored needs no product with the whole vocabulary. The rows that are left have one adapter: the active one.
        return _model.Decoder.Project(hidden.index_select(0, tokens.Counting), 1, mode).to(ScalarType.Float32);
    }

    private Tensor Embed(DecoderTokens tokens, int batch) =>
        _model.Decoder.Embed(tokens.Ids, tokens.Positions, batch, _mode, tokens.IsPadding);

    private Tensor Upload(MicroBatch batch)
    {
        var input = empty(batch.Batch, _config.NumMelBins, batch.Frames, ScalarType.Float32);
        batch.Features.CopyTo(MemoryMarshal.Cast<byte, float>(input.bytes));
        return input.to(_model.TorchDevice);
    }

    /// <summary>A row without its batch's padding.</summary>
    private Tensor Upload(MicroBatch batch, int row, int frames)
    {
        var input = empty(1, _config.NumMelBins, frames, ScalarType.Float32);
        var values = MemoryMarshal.Cast<byte, float>(input.bytes);
        for (var bin = 0; bin < _config.NumMelBins; bin++)
        {
            batch.Features.AsSpan(((row * _config.NumMelBins) + bin) * batch.Frames, frames).CopyTo(values[(bin * frames)..]);
        }

        return input.to(_model.TorchDevice);
    }

    private static bool Dropped(double probability)
    {
        if (probability <= 0)
        {
            return false;
        }

        using var scope = NewDisposeScope();
        return rand(1).item<float>() < probability;
    }
}
