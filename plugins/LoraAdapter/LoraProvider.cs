using System.Runtime.CompilerServices;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.LoraAdapter.Configuration;
using AsrPlatform.LoraAdapter.Files;

namespace AsrPlatform.LoraAdapter;

/// <summary>LoRA, rsLoRA and DoRA for models of the torch binding; LoRA and rsLoRA for models that take factors as numbers.</summary>
internal sealed class LoraProvider : IAdapterProvider
{
    private readonly ConditionalWeakTable<IMultiAdapterModel, Residents> _residents = [];

    /// <inheritdoc />
    public string Name => "lora";

    /// <inheritdoc />
    public bool CanLoad(string directory, out string? reason)
    {
        ArgumentNullException.ThrowIfNull(directory);
        try
        {
            LoraConfig.Load(directory);
            reason = File.Exists(Path.Combine(directory, StoredTensors.FileName)) ? null : $"{directory} has no {StoredTensors.FileName}.";
        }
        catch (AsrException error)
        {
            reason = error.Message;
        }

        return reason is null;
    }

    /// <inheritdoc />
    public IAdapter Create(ISeq2SeqModel model, string name, string configJson, long seed)
    {
        ArgumentNullException.ThrowIfNull(configJson);
        var config = LoraConfig.Parse(name, configJson);
        if (config.Start == StartValues.Foreign)
        {
            throw new AsrException($"{name}: init_lora_weights must be true, false or gaussian for a fresh adapter.");
        }

        using var source = new FreshTensors();
        return Make(Adaptable(model), name, config, source, isTrainable: true, seed);
    }

    /// <inheritdoc />
    public IAdapter Load(ISeq2SeqModel model, string name, string directory, bool trainable = false)
    {
        ArgumentNullException.ThrowIfNull(directory);
        return model is ILowRankModel lowRank && !trainable
            ? FactorAdapter.Load(lowRank, name, directory)
            : LoadModules(model, name, directory, trainable);
    }

    // Apart, so that a model without the engine's tensors does not need the engine.
    private PeftAdapter LoadModules(ISeq2SeqModel model, string name, string directory, bool trainable)
    {
        var config = LoraConfig.Load(directory);
        using var source = StoredTensors.Open(directory);
        var adapter = Make(Adaptable(model), name, config, source, trainable, seed: 0);
        try
        {
            source.RequireAllRead();
            return adapter;
        }
        catch
        {
            adapter.Dispose();
            throw;
        }
    }

    /// <inheritdoc />
    public ICheckpointMerger OpenMerger(string directory, IReadOnlyList<CheckpointTensor> checkpoint) => CheckpointMerger.Open(directory, checkpoint);

    private static IAdaptableModel<Tensor> Adaptable(ISeq2SeqModel model)
    {
        ArgumentNullException.ThrowIfNull(model);
        return model as IAdaptableModel<Tensor>
            ?? throw new AsrException(model is ILowRankModel
                ? $"The backend {model.Info.Backend} trains no adapters: use the backend torch."
                : $"The backend {model.Info.Backend} takes no LoRA adapters: use the backend torch, or merge the adapter into a checkpoint.");
    }

    private PeftAdapter Make(IAdaptableModel<Tensor> model, string name, LoraConfig config, TensorSource source, bool isTrainable, long seed)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        var residents = _residents.GetOrCreateValue(model);
        if (residents.Merged is { } merged)
        {
            throw new AsrException($"The adapter {merged.Name} is merged into the model: unmerge it before {name} is added.");
        }

        var layers = model.AdaptableLayers;
        var modules = layers.Select(layer => new BaseModule(
            new ModuleInfo(layer.Name, layer.Kind, layer.IsOutput),
            layer.Weight.shape,
            layer.Bias?.numel() ?? 0,
            layers.FirstOrDefault(other => other != layer && other.Kind == AdaptableLayerKind.Embedding && ReferenceEquals(other.Weight, layer.Weight))?.Name,
            layer.Weight,
            layer.Bias)).ToList();
        config = ModuleMatcher.Resolve(config, modules.Select(module => module.Info));
        using var builder = new AdapterBuilder(config, source, layers[0].Weight.device, isTrainable, seed);
        return new PeftAdapter(model, name, config, builder.Build(modules), residents, isTrainable);
    }
}
