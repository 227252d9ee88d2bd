using AsrPlatform.Abstractions.Adapters;

namespace AsrPlatform.WhisperTorch.Model;

/// <summary><c>y = x Wᵀ + b</c>, plus a delta where one is set.</summary>
/// <remarks>Inputs are <c>[row, in]</c>, where the rows are those of the batch one after the other.</remarks>
internal sealed class Linear(string name, Tensor weight, Tensor? bias) : IAdaptableLayer<Tensor>
{
    private readonly long _outputs = weight.shape[0];
    private readonly long _inputs = weight.shape[1];
    private ILayerDelta<Tensor>? _delta;

    /// <inheritdoc />
    public string Name => name;

    /// <inheritdoc />
    public Tensor Weight => weight;

    /// <summary>Counts the changes of the delta, so that whatever was computed with an older one can be told.</summary>
    public int Version { get; private set; }

    public bool HasDelta => _delta is not null;

    /// <inheritdoc />
    public void SetDelta(ILayerDelta<Tensor>? delta)
    {
        _delta = delta;
        Version++;
    }

    /// <param name="input"><c>[row, in]</c>.</param>
    /// <param name="batch">Batch rows in <paramref name="input"/>; a delta sees <c>[batch, position, in]</c>.</param>
    /// <param name="mode">How to compute.</param>
    public Tensor Forward(Tensor input, int batch, ForwardMode mode)
    {
        input = mode.ForProduct(input);
        return Adapt(input, nn.functional.linear(input, mode.ForProduct(weight), bias is null ? null : mode.ForProduct(bias)), batch);
    }

    /// <summary>Adds the layer's output to the residual stream and returns the sum, which is the same tensor in inference.</summary>
    public Tensor AddTo(Tensor residual, Tensor input, int batch, ForwardMode mode)
    {
        var output = ForwardMode.Drop(Forward(input, batch, mode), mode.Dropout);
        return mode.InPlace ? residual.add_(output) : residual.add(output);
    }

    /// <summary>Applies the delta to an output that was computed without it.</summary>
    public Tensor Adapt(Tensor input, Tensor output, int batch) => _delta is null
        ? output
        : _delta.Apply(input.reshape(batch, -1, _inputs), output.reshape(batch, -1, _outputs)).reshape(-1, _outputs);
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
            if (!members[i].HasDelta)
            {
                continue;
            }

            var adapted = members[i].Adapt(input, parts[i], batch);
            parts[i] = mode.InPlace ? parts[i].copy_(adapted) : adapted;
        }

        return mode.InPlace ? output : cat(parts, -1);
    }

    private bool AnyDelta()
    {
        foreach (var member in members)
        {
            if (member.HasDelta)
            {
                return true;
            }
        }

        return false;
    }
}
