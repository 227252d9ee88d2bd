using AsrPlatform.Abstractions.Adapters;

namespace AsrPlatform.WhisperTorch.Model;

/// <summary><c>y = x Wᵀ + b</c>, plus a delta where one is set.</summary>
/// <remarks>
/// Inputs are <c>[row, in]</c>, where the rows are those of the batch one after the other, or a single vector <c>[in]</c>: BLAS reads a
/// weight 2–3 times faster for a matrix-vector product than for a matrix product with one row.
/// </remarks>
internal sealed class Linear(string name, Tensor weight, Tensor transposed, Tensor? bias) : IAdaptableLayer<Tensor>
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

    /// <param name="input"><c>[row, in]</c> or <c>[in]</c>.</param>
    /// <param name="batch">Batch rows in <paramref name="input"/>; a delta sees <c>[batch, position, in]</c>.</param>
    public Tensor Forward(Tensor input, int batch) => Adapt(input, Product(input, weight, transposed, bias), batch);

    /// <summary>Adds the layer's output to the residual stream and returns the sum, which is the same tensor in inference.</summary>
    public Tensor AddTo(Tensor residual, Tensor input, int batch, ForwardMode mode)
    {
        if (!mode.InPlace)
        {
            return residual.add(ForwardMode.Drop(Forward(input, batch), mode.Dropout));
        }

        if (HasDelta)
        {
            return residual.add_(Forward(input, batch));
        }

        var sum = input.dim() == 1 ? residual.addmv_(weight, input) : residual.addmm_(input, transposed);
        return bias is null ? sum : sum.add_(bias);
    }

    /// <summary>Applies the delta to an output that was computed without it.</summary>
    public Tensor Adapt(Tensor input, Tensor output, int batch)
    {
        if (_delta is null)
        {
            return output;
        }

        var adapted = _delta.Apply(input.reshape(batch, -1, _inputs), output.reshape(batch, -1, _outputs));
        return adapted.reshape(output.shape);
    }

    internal static Tensor Product(Tensor input, Tensor weight, Tensor transposed, Tensor? bias) => (bias, input.dim()) switch
    {
        (null, 1) => weight.mv(input),
        (null, _) => input.mm(transposed),
        (_, 1) => bias.addmv(weight, input),
        _ => bias.addmm(input, transposed),
    };
}

/// <summary>Linear layers of the same input, whose weights lie side by side so that one product computes them all.</summary>
/// <param name="members">The layers, in the order of their outputs.</param>
/// <param name="weight"><c>[Σ out, in]</c>; the members' weights are views of it.</param>
/// <param name="transposed">Its transpose.</param>
/// <param name="bias"><c>[Σ out]</c>, zero where a member has none.</param>
internal sealed class LinearGroup(IReadOnlyList<Linear> members, Tensor weight, Tensor transposed, Tensor bias)
{
    private readonly long[] _sizes = [.. members.Select(member => member.Weight.shape[0])];

    public IReadOnlyList<Linear> Members => members;

    /// <returns><c>[row, Σ out]</c> or <c>[Σ out]</c>, with the deltas of the members.</returns>
    public Tensor Forward(Tensor input, int batch, ForwardMode mode)
    {
        var output = Linear.Product(input, weight, transposed, bias);
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
