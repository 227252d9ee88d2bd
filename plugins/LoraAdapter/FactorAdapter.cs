using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.LoraAdapter.Configuration;
using AsrPlatform.LoraAdapter.Files;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.LoraAdapter;

/// <summary>A PEFT folder on a model that takes low-rank factors as numbers: no engine is needed.</summary>
internal sealed class FactorAdapter : IAdapter
{
    private readonly ILowRankModel _model;
    private readonly LoraConfig _config;
    private readonly List<SafetensorsEntry> _stored = [];
    private readonly List<string> _modules = [];
    private bool _disposed;

    private FactorAdapter(ILowRankModel model, string name, LoraConfig config)
    {
        _model = model;
        _config = config;
        Name = name;
        Id = model.AddAdapter();
    }

    /// <inheritdoc />
    public string Name { get; }

    /// <inheritdoc />
    public int Id { get; }

    /// <inheritdoc />
    public IReadOnlyList<string> Modules => _modules;

    /// <inheritdoc />
    public long Parameters { get; private set; }

    /// <inheritdoc />
    public bool Training { get; set; }

    /// <inheritdoc />
    public bool IsMerged => false;

    /// <summary>Reads the folder and hands its factors to the model.</summary>
    /// <exception cref="AsrException">It is broken, does not fit, or holds more than low-rank factors.</exception>
    public static FactorAdapter Load(ILowRankModel model, string name, string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        var layers = model.LowRankLayers;
        var infos = layers.Select(layer => new ModuleInfo(layer.Name, AdaptableLayerKind.Linear, IsOutput: false)).ToList();
        var config = ModuleMatcher.Resolve(LoraConfig.Load(directory), infos);
        RequireFactorsAlone(config, model.Info.Backend);
        using var file = StoredTensors.OpenFile(directory);
        var adapter = new FactorAdapter(model, name, config);
        try
        {
            adapter.Read(file, layers.Zip(infos));
            return adapter;
        }
        catch
        {
            adapter.Dispose();
            throw;
        }
    }

    /// <inheritdoc />
    public void Merge() => throw new AsrException($"The backend {_model.Info.Backend} merges no adapters while it runs: merge {Name} into a checkpoint or an export.");

    /// <inheritdoc />
    public void Unmerge()
    {
        // Nothing was merged.
    }

    /// <inheritdoc />
    public void Save(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        ObjectDisposedException.ThrowIf(_disposed, this);
        StoredTensors.Write(directory, _config, _stored);
    }

    /// <inheritdoc />
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _model.RemoveAdapter(Id);
        }
    }

    private static void RequireFactorsAlone(LoraConfig config, string backend)
    {
        var more = config switch
        {
            { UseDora: true } => "use_dora",
            { LoraBias: true } => "lora_bias",
            { Bias: not BiasMode.None } => "bias",
            { ModulesToSave.Count: > 0 } => "modules_to_save",
            _ => null,
        };
        if (more is not null)
        {
            throw new AsrException(
                $"{config.Source}: {more} changes more than the low-rank factors of linear layers, which the backend {backend} takes alone: use the backend torch, or merge the adapter into an export (./asr export onnx --adapter).");
        }
    }

    private void Read(SafetensorsFile file, IEnumerable<(LowRankLayer Layer, ModuleInfo Info)> layers)
    {
        var matcher = new ModuleMatcher(_config);
        var unread = file.Tensors.Keys.ToHashSet(StringComparer.Ordinal);
        foreach (var (layer, info) in layers)
        {
            if (!matcher.IsTarget(info))
            {
                continue;
            }

            var rank = matcher.Rank(layer.Name);
            var first = Get(file, $"{AdapterBuilder.Prefix}{layer.Name}.lora_A.weight", [rank, layer.Inputs], unread);
            var second = Get(file, $"{AdapterBuilder.Prefix}{layer.Name}.lora_B.weight", [layer.Outputs, rank], unread);
            var scale = matcher.Scale(layer.Name);
            _model.SetFactors(Id, layer.Name, first, Array.ConvertAll(second, value => (float)(value * scale)));
            _modules.Add(layer.Name);
        }

        if (unread.Count > 0)
        {
            throw new AsrException(
                $"{file.Path}: {unread.Order(StringComparer.Ordinal).First()} belongs to nothing that the backend {_model.Info.Backend} adapts in this model"
                + $"{(unread.Count > 1 ? $", and {unread.Count - 1} more tensors" : "")}: use the backend torch, or merge the adapter into an export (./asr export onnx --adapter).");
        }

        if (_modules.Count == 0)
        {
            throw new AsrException($"{_config.Source}: target_modules means no linear layer of the model.");
        }
    }

    private float[] Get(SafetensorsFile file, string name, long[] shape, HashSet<string> unread)
    {
        if (!file.Tensors.TryGetValue(name, out var tensor))
        {
            throw new AsrException($"{file.Path} lacks the tensor {name}, which its {LoraConfig.FileName} asks for.");
        }

        if (!tensor.Shape.SequenceEqual(shape))
        {
            throw new AsrException(
                $"{file.Path}: {name} has the shape {tensor.ShapeText}; [{string.Join(", ", shape)}] fits the model and {LoraConfig.FileName}. Is it an adapter of another model?");
        }

        unread.Remove(name);
        var values = tensor.ToSingle();
        if (Array.Exists(values, value => !float.IsFinite(value)))
        {
            throw new AsrException($"{file.Path}: {name} holds a value that is not finite: the adapter is broken.");
        }

        _stored.Add(SafetensorsEntry.FromSingle(name, shape, values));
        Parameters += values.Length;
        return values;
    }
}
