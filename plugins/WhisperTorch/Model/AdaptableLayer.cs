using AsrPlatform.Abstractions.Adapters;

namespace AsrPlatform.WhisperTorch.Model;

/// <summary>A layer that applies the delta of each row's adapter to its own output.</summary>
/// <param name="name">Its name in the checkpoint.</param>
/// <param name="weight">Its weight.</param>
/// <param name="bias">Its bias, or null.</param>
/// <param name="rows">Who uses which adapter.</param>
internal abstract class AdaptableLayer(string name, Tensor weight, Tensor? bias, AdapterRows rows) : IAdaptableLayer<Tensor>
{
    private Dictionary<int, ILayerDelta<Tensor>>? _deltas; // null while there are none, which is what a forward pass looks at

    /// <inheritdoc />
    public string Name => name;

    /// <inheritdoc />
    public abstract AdaptableLayerKind Kind { get; }

    /// <inheritdoc />
    public virtual bool IsOutput => false;

    /// <inheritdoc />
    public Tensor Weight => weight;

    /// <inheritdoc />
    public Tensor? Bias => bias;

    /// <summary>Counts the changes of deltas, so that whatever was computed with older ones can be told.</summary>
    public int Version { get; private set; }

    /// <summary>Whether there is a delta for a row of the computation under way.</summary>
    public bool Adapts => _deltas is not null && (rows.Common is not { } adapter || _deltas.ContainsKey(adapter));

    /// <inheritdoc />
    public void SetDelta(int adapter, ILayerDelta<Tensor>? delta)
    {
        Version++;
        if (delta is not null)
        {
            rows.Check(adapter);
            _deltas ??= [];
            _deltas[adapter] = delta;
        }
        else if (_deltas is not null && _deltas.Remove(adapter) && _deltas.Count == 0)
        {
            _deltas = null;
        }
    }

    /// <inheritdoc />
    public abstract Tensor Compute(Tensor input, Tensor weight, Tensor? bias);

    /// <summary>Applies the deltas to an output that was computed without them.</summary>
    /// <param name="input">Batch rows outermost.</param>
    /// <param name="output">Batch rows outermost; overwritten and returned where no gradients are recorded and the deltas do so.</param>
    protected Tensor Apply(Tensor input, Tensor output)
    {
        if (_deltas is null)
        {
            return output;
        }

        if (rows.Common is { } adapter)
        {
            return _deltas.TryGetValue(adapter, out var delta) ? delta.Apply(input, output) : output;
        }

        return is_grad_enabled() ? ApplyApart(input, output) : ApplyInPlace(input, output);
    }

    private Tensor ApplyInPlace(Tensor input, Tensor output)
    {
        foreach (var run in rows.Runs)
        {
            if (_deltas!.TryGetValue(run.Adapter, out var delta))
            {
                var part = output.narrow(0, run.FirstRow, run.Rows);
                var adapted = delta.Apply(input.narrow(0, run.FirstRow, run.Rows), part);
                if (!ReferenceEquals(adapted, part))
                {
                    part.copy_(adapted);
                }
            }
        }

        return output;
    }

    private Tensor ApplyApart(Tensor input, Tensor output)
    {
        var parts = new List<Tensor>();
        foreach (var run in rows.Runs)
        {
            var part = output.narrow(0, run.FirstRow, run.Rows);
            parts.Add(_deltas!.TryGetValue(run.Adapter, out var delta) ? delta.Apply(input.narrow(0, run.FirstRow, run.Rows), part) : part);
        }

        return cat(parts, 0);
    }
}
