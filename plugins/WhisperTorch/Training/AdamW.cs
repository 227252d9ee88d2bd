namespace AsrPlatform.WhisperTorch.Training;

/// <summary>Settings of <see cref="AdamW"/>.</summary>
/// <param name="Beta1">Decay of the mean of gradients.</param>
/// <param name="Beta2">Decay of the mean of their squares.</param>
/// <param name="Epsilon">Added to the bias-corrected root.</param>
/// <param name="WeightDecay">Share by which a learning rate of 1 would shrink what decays in a step.</param>
internal readonly record struct AdamWSettings(double Beta1 = 0.9, double Beta2 = 0.999, double Epsilon = 1e-8, double WeightDecay = 0);

/// <summary>Adam with decoupled weight decay (Loshchilov and Hutter 2019, in PyTorch's form and order).</summary>
internal sealed class AdamW : IDisposable
{
    /// <summary>
    /// Values that are updated together on the processor: the five tensors of a block (1.3 MB) stay in the second-level cache, and so
    /// memory is read and written once and not once an operation.
    /// </summary>
    private const long BlockLength = 1 << 16;

    private readonly TrainableParameters _parameters;
    private readonly AdamWSettings _settings;
    private readonly List<Block> _blocks = [];
    private readonly List<Tensor> _owned = [];

    public AdamW(TrainableParameters parameters, AdamWSettings settings)
    {
        _parameters = parameters;
        _settings = settings;
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Mean = Keep(parameters.Values.zeros_like());
        Square = Keep(parameters.Values.zeros_like());
        var length = parameters.Values.numel();
        var blockLength = parameters.Values.device_type == DeviceType.CPU ? BlockLength : length;
        for (var start = 0L; start < length;)
        {
            // No block lies on both sides of the border of weight decay.
            var decays = start < parameters.DecayedLength;
            var end = Math.Min(start + blockLength, decays ? parameters.DecayedLength : length);
            _blocks.Add(new Block(Part(parameters.Values), Part(parameters.Gradients), Part(Mean), Part(Square), decays));
            start = end;

            Tensor Part(Tensor all) => Keep(all.narrow(0, start, end - start));
        }
    }

    /// <summary>Updates done.</summary>
    public long Steps { get; set; }

    /// <summary>Running mean of gradients, laid out as the parameters.</summary>
    public Tensor Mean { get; }

    /// <summary>Running mean of squared gradients, laid out as the parameters.</summary>
    public Tensor Square { get; }

    /// <summary>Updates the parameters and clears their gradients.</summary>
    /// <param name="learningRate">Of this step.</param>
    /// <param name="gradientFactor">Multiplies the gradients first (clipping, loss scale).</param>
    public void Update(double learningRate, double gradientFactor)
    {
        Steps++;
        var (beta1, beta2, epsilon, weightDecay) = _settings;
        using Scalar keep = 1 - (learningRate * weightDecay), factor = gradientFactor, mean = beta1, newMean = 1 - beta1, square = beta2, newSquare = 1 - beta2;
        using Scalar root = Math.Sqrt(1 - Math.Pow(beta2, Steps)), small = epsilon, rate = -learningRate / (1 - Math.Pow(beta1, Steps));
        using var noGrad = no_grad();
        foreach (var block in _blocks)
        {
            using var scope = NewDisposeScope();
            if (block.Decays && weightDecay != 0)
            {
                block.Values.mul_(keep);
            }

            if (gradientFactor != 1)
            {
                block.Gradients.mul_(factor);
            }

            block.Mean.mul_(mean).add_(block.Gradients, newMean);
            block.Square.mul_(square).addcmul_(block.Gradients, block.Gradients, newSquare);
            block.Values.addcdiv_(block.Mean, block.Square.sqrt().div_(root).add_(small), rate);
            block.Gradients.zero_();
        }
    }

    /// <summary>Clears the gradients of a step that is not taken.</summary>
    public void Skip()
    {
        using var noGrad = no_grad();
        _parameters.Gradients.zero_();
    }

    /// <inheritdoc />
    public void Dispose() => _owned.ForEach(tensor => tensor.Dispose());

    private Tensor Keep(Tensor tensor)
    {
        _owned.Add(tensor.DetachFromDisposeScope());
        return tensor;
    }

    private sealed record Block(Tensor Values, Tensor Gradients, Tensor Mean, Tensor Square, bool Decays);
}
