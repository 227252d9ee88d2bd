using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.LoraAdapter.Configuration;
using AsrPlatform.LoraAdapter.Deltas;
using AsrPlatform.LoraAdapter.Files;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.LoraAdapter;

/// <summary>A LoRA or DoRA adapter on a model.</summary>
internal sealed class PeftAdapter : IAdapter<Tensor>
{
    private readonly IAdaptableModel<Tensor> _model;
    private readonly LoraConfig _config;
    private readonly IReadOnlyList<AdaptedModule> _modules;
    private readonly Dictionary<string, IAdaptableLayer<Tensor>> _layers;
    private readonly Residents _residents;
    private readonly TrainingState _state;
    private readonly List<(IAdaptableLayer<Tensor> Layer, ILayerDelta<Tensor> Delta)> _deltas = [];
    private readonly List<(Tensor Live, Tensor Kept)> _replaced = [];
    private bool _disposed;

    /// <param name="model">The model.</param>
    /// <param name="name">Its name for people.</param>
    /// <param name="config">The configuration, resolved.</param>
    /// <param name="modules">What it holds; taken over.</param>
    /// <param name="residents">The adapters of the family on the model.</param>
    /// <param name="isTrainable">Whether its tensors record gradients.</param>
    public PeftAdapter(
        IAdaptableModel<Tensor> model,
        string name,
        LoraConfig config,
        IReadOnlyList<AdaptedModule> modules,
        Residents residents,
        bool isTrainable)
    {
        _model = model;
        _config = config;
        _modules = modules;
        _residents = residents;
        _layers = model.AdaptableLayers.ToDictionary(layer => layer.Name);
        _state = new TrainingState(config.Dropout, isTrainable);
        Name = name;
        Id = model.AddAdapter();
        foreach (var module in modules)
        {
            var layer = _layers[module.Info.Name];
            _deltas.Add((layer, module.Factors is null ? new ReplacingDelta(layer, module)
                : module.Info.Kind == AdaptableLayerKind.Embedding ? new EmbeddingDelta(layer, module)
                : new LowRankDelta(layer, module, _state)));
        }

        Trainable = isTrainable
            ? [.. Owned.Select(parameter => new AdapterParameter<Tensor>(parameter.Name, parameter.StoredName, parameter.Value, parameter.Decays))]
            : [];
        residents.Add(this);
        SetDeltas(present: true);
    }

    /// <inheritdoc />
    public string Name { get; }

    /// <inheritdoc />
    public int Id { get; }

    /// <inheritdoc />
    public IReadOnlyList<string> Modules => [.. _modules.Select(module => module.Info.Name)];

    /// <inheritdoc />
    public long Parameters => Owned.Sum(parameter => parameter.Value.numel());

    /// <inheritdoc />
    public IReadOnlyList<AdapterParameter<Tensor>> Trainable { get; }

    /// <inheritdoc />
    public bool Training
    {
        get => _state.Training;
        set => _state.Training = value;
    }

    /// <summary>What it holds for each module.</summary>
    public IReadOnlyList<AdaptedModule> Contents => _modules;

    /// <summary>What it sets on each layer.</summary>
    public IReadOnlyList<(IAdaptableLayer<Tensor> Layer, ILayerDelta<Tensor> Delta)> Deltas => _deltas;

    /// <inheritdoc />
    public bool IsMerged => _replaced.Count > 0;

    private IEnumerable<Parameter> Owned => _modules.SelectMany(module => module.Parameters);

    /// <inheritdoc />
    public void Merge()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (IsMerged)
        {
            return;
        }

        if (_residents.Others(this) is { } other)
        {
            throw new AsrException($"The adapter {Name} cannot be merged into the model while {other.Name} is on it: rows of the other would use the merged weights.");
        }

        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var merged = new Dictionary<Tensor, Tensor>();
        foreach (var module in _modules)
        {
            Compute(module, merged);
        }

        foreach (var (live, values) in merged)
        {
            _replaced.Add((live, live.clone().DetachFromDisposeScope()));
            live.copy_(values);
        }

        SetDeltas(present: false);
    }

    /// <inheritdoc />
    public void Unmerge()
    {
        if (!IsMerged)
        {
            return;
        }

        using var noGrad = no_grad();
        foreach (var (live, kept) in _replaced)
        {
            using var scope = NewDisposeScope();
            live.copy_(kept);
            kept.Dispose();
        }

        _replaced.Clear();
        SetDeltas(present: true);
    }

    /// <inheritdoc />
    public void Save(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        ObjectDisposedException.ThrowIf(_disposed, this);
        StoredTensors.Write(directory, _config, Stored());
    }

    /// <summary>Frees its tensors. A merged adapter is unmerged first.</summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        Unmerge();
        _disposed = true;
        _residents.Remove(this);
        _model.RemoveAdapter(Id);
        foreach (var (_, delta) in _deltas)
        {
            (delta as IDisposable)?.Dispose();
        }

        foreach (var parameter in Owned)
        {
            parameter.Dispose();
        }
    }

    private void SetDeltas(bool present)
    {
        foreach (var (layer, delta) in _deltas)
        {
            layer.SetDelta(Id, present ? delta : null);
        }
    }

    /// <summary>Computes what merging one module changes, on top of what modules before it changed, and checks it.</summary>
    private void Compute(AdaptedModule module, Dictionary<Tensor, Tensor> merged)
    {
        var layer = _layers[module.Info.Name];
        if (module.ChangesWeight)
        {
            if (module.Weight is not null && _layers.Values.Any(other => other != layer && ReferenceEquals(other.Weight, layer.Weight)))
            {
                throw new AsrException($"The adapter {Name} replaces {layer.Name}, whose weight another layer shares: it cannot be merged.");
            }

            Add(layer.Weight, module.MergedWeight(merged.GetValueOrDefault(layer.Weight) ?? layer.Weight), "weight");
        }

        if (module.ChangesBias)
        {
            if (layer.Bias is not { } bias)
            {
                throw new AsrException($"The adapter {Name} adds a bias to {layer.Name}, which has none (lora_bias): it cannot be merged.");
            }

            Add(bias, module.MergedBias(bias)!, "bias");
        }

        void Add(Tensor live, Tensor values, string part)
        {
            values = values.to(live.dtype);
            if (!values.isfinite().all().item<bool>())
            {
                throw new AsrException($"Merging the adapter {Name} gives {layer.Name}.{part} a value that is not finite: the adapter is broken, or too large for the model's precision.");
            }

            merged[live] = values;
        }
    }

    private IEnumerable<SafetensorsEntry> Stored()
    {
        foreach (var module in _modules)
        {
            foreach (var parameter in module.Parameters)
            {
                yield return Entry(parameter.StoredName, () => parameter.Value);
            }

            if (module.Info.Kind == AdaptableLayerKind.Embedding || module.Factors is { IsShared: true })
            {
                // As PEFT does, so that an adapter of a resized vocabulary is whole.
                if (module.Factors is { } factors)
                {
                    var prefix = $"{AdapterBuilder.Prefix}{module.Info.Name}";
                    yield return Entry($"{prefix}.base_layer.weight", () => BaseWeight(module));
                    if (factors.IsShared)
                    {
                        yield return Entry($"{prefix}.lora_A.weight", () => factors.First(ScalarType.Float32));
                        yield return Entry($"{prefix}.lora_B.weight", () => factors.Second(ScalarType.Float32));
                    }
                }
            }
        }
    }

    private Tensor BaseWeight(AdaptedModule module)
    {
        var live = _layers[module.Info.Name].Weight;
        var replaced = _replaced.Find(pair => ReferenceEquals(pair.Live, live));
        return replaced.Kept ?? live;
    }

    private static SafetensorsEntry Entry(string name, Func<Tensor> values)
    {
        using var scope = NewDisposeScope();
        return new SafetensorsEntry(name, TensorElementType.F32, values().shape, stream =>
        {
            using var writing = NewDisposeScope();
            using var noGrad = no_grad();
            stream.Write(values().to(ScalarType.Float32, CPU).contiguous().bytes);
        });
    }
}

/// <summary>The adapters of this family on one model. Belongs to the model's thread.</summary>
internal sealed class Residents
{
    private readonly List<PeftAdapter> _adapters = [];

    /// <summary>The adapter that is merged into the model, or null.</summary>
    public PeftAdapter? Merged => _adapters.Find(adapter => adapter.IsMerged);

    public PeftAdapter? Others(PeftAdapter than) => _adapters.Find(adapter => adapter != than);

    public void Add(PeftAdapter adapter) => _adapters.Add(adapter);

    public void Remove(PeftAdapter adapter) => _adapters.Remove(adapter);
}
