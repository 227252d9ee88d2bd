using System.Runtime.InteropServices;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.LoraAdapter.Configuration;
using AsrPlatform.LoraAdapter.Files;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.LoraAdapter;

/// <summary>Merges a PEFT folder into the tensors of a checkpoint.</summary>
internal sealed class CheckpointMerger : ICheckpointMerger
{
    private const string WeightEnding = ".weight";
    private const string BiasEnding = ".bias";

    private readonly string _directory;
    private readonly IReadOnlyList<AdaptedModule> _modules;
    private readonly Dictionary<string, (long[] Shape, List<Func<Tensor, Tensor>> Steps)> _changes = new(StringComparer.Ordinal);

    private CheckpointMerger(string directory, IReadOnlyList<AdaptedModule> modules)
    {
        _directory = directory;
        _modules = modules;
    }

    /// <inheritdoc />
    public IReadOnlyCollection<string> Changed => _changes.Keys;

    /// <inheritdoc />
    public IReadOnlyList<string> Warnings { get; private set; } = [];

    /// <summary>Reads the adapter and checks that it fits.</summary>
    public static CheckpointMerger Open(string directory, IReadOnlyList<CheckpointTensor> checkpoint)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        ArgumentNullException.ThrowIfNull(checkpoint);
        var modules = ModulesOf(checkpoint);
        var config = ModuleMatcher.Resolve(LoraConfig.Load(directory), modules.Select(module => module.Info));
        using var source = StoredTensors.Open(directory);
        using var builder = new AdapterBuilder(config, source, CPU, isTrainable: false, seed: 0);
        var merger = new CheckpointMerger(directory, builder.Build(modules));
        try
        {
            source.RequireAllRead();
            merger.Plan(modules);
            return merger;
        }
        catch
        {
            merger.Dispose();
            throw;
        }
    }

    /// <inheritdoc />
    public void Merge(string tensor, Span<float> values)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var (shape, steps) = _changes[tensor];
        var merged = empty(shape, ScalarType.Float32);
        values.CopyTo(MemoryMarshal.Cast<byte, float>(merged.bytes));
        merged = steps.Aggregate(merged, (current, step) => step(current)).contiguous();
        if (!merged.isfinite().all().item<bool>())
        {
            throw new AsrException($"Merging {_directory} gives {tensor} a value that is not finite: the adapter is broken.");
        }

        MemoryMarshal.Cast<byte, float>(merged.bytes).CopyTo(values);
    }

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var parameter in _modules.SelectMany(module => module.Parameters))
        {
            parameter.Dispose();
        }
    }

    /// <summary>What the tensors' names and dimensions say of the modules.</summary>
    private static List<BaseModule> ModulesOf(IReadOnlyList<CheckpointTensor> checkpoint)
    {
        var tensors = checkpoint.ToDictionary(tensor => tensor.Name, StringComparer.Ordinal);
        var modules = new List<BaseModule>();
        foreach (var tensor in checkpoint.Where(tensor => tensor.Name.EndsWith(WeightEnding, StringComparison.Ordinal)))
        {
            var name = tensor.Name[..^WeightEnding.Length];
            AdaptableLayerKind? kind = tensor.Shape.Count switch
            {
                1 => AdaptableLayerKind.Normalization,
                2 when name.EndsWith(".embed_positions", StringComparison.Ordinal) => null,
                2 when tensor.Name == WhisperTensors.TokenEmbedding => AdaptableLayerKind.Embedding,
                2 => AdaptableLayerKind.Linear,
                3 => AdaptableLayerKind.Convolution,
                _ => null,
            };
            if (kind is { } known)
            {
                var bias = tensors.TryGetValue(name + BiasEnding, out var found) ? found.Shape[0] : 0;
                modules.Add(new BaseModule(new ModuleInfo(name, known, tensor.Name == WhisperTensors.OutputProjection), [.. tensor.Shape], bias, null));
            }
        }

        if (!tensors.ContainsKey(WhisperTensors.OutputProjection) && tensors.TryGetValue(WhisperTensors.TokenEmbedding, out var tied))
        {
            modules.Add(new BaseModule(
                new ModuleInfo(WhisperTensors.OutputProjection[..^WeightEnding.Length], AdaptableLayerKind.Linear, IsOutput: true),
                [.. tied.Shape],
                BiasLength: 0,
                SharesWeightWith: WhisperTensors.TokenEmbedding[..^WeightEnding.Length]));
        }

        return modules;
    }

    private void Plan(List<BaseModule> modules)
    {
        var byName = modules.ToDictionary(module => module.Info.Name, StringComparer.Ordinal);
        var tied = modules.Find(module => module.SharesWeightWith is not null);
        foreach (var adapted in _modules)
        {
            var module = byName[adapted.Info.Name];
            var isTied = tied is not null && (module == tied || module.Info.Name == tied.SharesWeightWith);
            if (adapted.ChangesWeight)
            {
                if (isTied && adapted.Weight is not null)
                {
                    throw new AsrException($"{_directory} replaces {module.Info.Name}, whose weight another layer shares: it cannot be merged.");
                }

                if (isTied)
                {
                    var shares = _modules.Any(other => other.Factors is { IsShared: true });
                    Warnings = shares ? Warnings :
                    [
                        .. Warnings,
                        $"{module.Info.Name} shares its weight with the {(module == tied ? "token embedding" : "output projection")}: merging changes both, so that the result is not what the adapter computes.",
                    ];
                }

                Add((module.SharesWeightWith ?? module.Info.Name) + WeightEnding, module.WeightShape, adapted.MergedWeight);
            }

            if (adapted.ChangesBias)
            {
                if (module.BiasLength == 0)
                {
                    throw new AsrException($"{_directory} adds a bias to {module.Info.Name}, which has none (lora_bias): it cannot be merged.");
                }

                Add(module.Info.Name + BiasEnding, [module.BiasLength], bias => adapted.MergedBias(bias)!);
            }
        }
    }

    private void Add(string tensor, long[] shape, Func<Tensor, Tensor> step)
    {
        if (!_changes.TryGetValue(tensor, out var change))
        {
            _changes[tensor] = change = (shape, []);
        }

        change.Steps.Add(step);
    }
}
