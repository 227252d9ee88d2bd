using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Training;
using AsrPlatform.WhisperTorch.Model;
using AsrPlatform.WhisperTorch.Weights;

namespace AsrPlatform.WhisperTorch.Training;

/// <summary>The adapter that a run trains, on its model.</summary>
internal sealed class TrainedAdapter : IDisposable
{
    private const string Name = "default";

    private readonly IAdapter<Tensor> _adapter;

    private TrainedAdapter(WhisperModel model, IAdapter<Tensor> adapter)
    {
        _adapter = adapter;
        model.ActiveAdapter = adapter.Id;
        Parameters = [.. adapter.Trainable.Select(parameter => new ParameterBlock(
            parameter.Value,
            [new ParameterSlice(parameter.StoredName, parameter.Value, 0, parameter.Value.shape[0])]))];
    }

    /// <summary>What is trained, under the names of <c>adapter_model.safetensors</c>.</summary>
    public IReadOnlyList<ParameterBlock> Parameters { get; }

    /// <summary>Whether a layer of the encoder is adapted.</summary>
    public bool ReachesEncoder => _adapter.Modules.Any(module => module.StartsWith("model.encoder.", StringComparison.Ordinal));

    /// <summary>Whether dropout is applied.</summary>
    public bool Training
    {
        get => _adapter.Training;
        set => _adapter.Training = value;
    }

    /// <summary>Makes the adapter that a request asks for, or reads the one to go on from.</summary>
    /// <param name="model">The model.</param>
    /// <param name="request">Asks for an adapter.</param>
    /// <param name="checkpoint">The checkpoint that is resumed, or null.</param>
    /// <param name="seed">Of the start values.</param>
    /// <exception cref="AsrException">The adapter is of another engine, or its settings do not fit the model.</exception>
    public static TrainedAdapter Open(WhisperModel model, TrainingRequest request, string? checkpoint, int seed)
    {
        var settings = request.Adapter!;
        var provider = settings.Provider;
        var folder = checkpoint ?? settings.Directory;
        var adapter = folder is null
            ? provider.Create(model, Name, settings.ConfigJson, seed)
            : provider.Load(model, Name, folder, trainable: true);
        if (adapter is IAdapter<Tensor> { Trainable.Count: > 0 } trainable)
        {
            return new TrainedAdapter(model, trainable);
        }

        adapter.Dispose();
        throw new AsrException($"Adapters of \"{provider.Name}\" cannot be trained here: nothing in this one is trainable on the backend torch.");
    }

    /// <summary>Writes the PEFT folder.</summary>
    public void Save(string directory) => _adapter.Save(directory);

    /// <inheritdoc />
    public void Dispose() => _adapter.Dispose();
}
