using AsrPlatform.Abstractions.Adapters;

namespace AsrPlatform.WhisperTorch.Model;

/// <summary><c>y = x Wᵀ + b</c>.</summary>
/// <param name="name">Its name in the checkpoint.</param>
/// <param name="weight"><c>[out, in]</c>.</param>
/// <param name="bias"><c>[out]</c>, or null.</param>
/// <param name="rows">Who uses which adapter.</param>
/// <param name="isOutput">Whether its outputs are the model's.</param>
/// <remarks>Inputs are <c>[row, in]</c>, where the rows are those of the batch one after the other.</remarks>
internal sealed class Linear(string name, Tensor weight, Tensor? bias, AdapterRows rows, bool isOutput = false)
    : AdaptableLayer(name, weight, bias, rows)
{
    private readonly long _outputs = weight.shape[0];
    private readonly long _inputs = weight.shape[1];

    /// <inheritdoc />
    public override AdaptableLayerKind Kind => AdaptableLayerKind.Linear;

    /// <inheritdoc />
    public override bool IsOutput => isOutput;

    /// <inheritdoc />
    public override Tensor Compute(Tensor input, Tensor weight, Tensor? bias) => nn.functional.linear(input, weight, bias);

    /// <param name="input"><c>[row, in]</c>.</param>
    /// <param name="batch">Batch rows in <paramref name="input"/>; a delta sees <c>[batch, position, in]</c>.</param>
    /// <param name="mode">How to compute.</param>
    public Tensor Forward(Tensor input, int batch, ForwardMode mode)
    {
        input = mode.ForProduct(input);
        return Adapt(input, nn.functional.linear(input, mode.ForProduct(Weight), Bias is { } bias ? mode.ForProduct(bias) : null), batch);
    }

    /// <summary>Adds the layer's output to the residual stream and returns the sum, which is the same tensor in inference.</summary>
    public Tensor AddTo(Tensor residual, Tensor input, int batch, ForwardMode mode)
    {
        var output = ForwardMode.Drop(Forward(input, batch, mode), mode.Dropout);
        return mode.InPlace ? residual.add_(output) : residual.add(output);
    }

    /// <summary>Applies the deltas to an output that was computed without them.</summary>
    /// <returns>The same tensor where it was overwritten.</returns>
    public Tensor Adapt(Tensor input, Tensor output, int batch)
    {
        if (!Adapts)
        {
            return output;
        }

        var byRow = output.view(batch, -1, _outputs);
        var adapted = Apply(input.reshape(batch, -1, _inputs), byRow);
        return ReferenceEquals(adapted, byRow) ? output : adapted.reshape(-1, _outputs);
    }
}

/// <summary>Linear layers of the same input, whose weights lie on top of each other so that one product computes them all.</summary>
/// <param name="members">The layers, in the order of their outputs.</param>
/// <param name="weight"><c>[Σ out, in]</c>; the members' weights are views of it.</param>
/// <param name="bias"><c>[Σ out]</c>, zero where a member has none.</param>
internal sealed class LinearGroup(IReadOnlyList<Linear> members, Tensor weight, Tensor bias)
{
    private readonly long[] _sizes = [.. members.Select(member => member.Weight.shape[0])];

    public IReadOnlyList<Linear> Members => members;

    /// <returns><c>[row, Σ out]</c>, with the deltas of the members.</returns>
    public Tensor Forward(Tensor input, int batch, ForwardMode mode)
    {
        input = mode.ForProduct(input);
        var output = nn.functional.linear(input, mode.ForProduct(weight), mode.ForProduct(bias));
        if (!AnyDelta())
        {
            return output;
        }

        var parts = output.split(_sizes, -1);
        for (var i = 0; i < parts.Length; i++)
        {
            var adapted = members[i].Adapt(input, parts[i], batch);
            if (!ReferenceEquals(adapted, parts[i]))
            {
                parts[i] = mode.InPlace ? parts[i].copy_(adapted) : adapted;
            }
        }

        return mode.InPlace ? output : cat(parts, -1);
    }

    private bool AnyDelta()
    {
        foreach (var member in members)
        {
            if (member.Adapts)
            {
                return true;
            }
        }

        return false;
    }
}
