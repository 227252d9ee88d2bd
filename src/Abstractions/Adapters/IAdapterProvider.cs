using AsrPlatform.Abstractions.Models;

namespace AsrPlatform.Abstractions.Adapters;

/// <summary>Makes, reads and merges adapters of one family. A plugin registers it as a service (kind <c>adapter</c>).</summary>
/// <remarks>Its own methods are safe for concurrent calls; those that take a model belong to the model's thread.</remarks>
public interface IAdapterProvider
{
    /// <summary>Short name, such as <c>lora</c>.</summary>
    string Name { get; }

    /// <summary>Says whether a folder looks like an adapter of this family, without reading weights.</summary>
    /// <param name="directory">A PEFT folder.</param>
    /// <param name="reason">When it does not: why, for the user.</param>
    bool CanLoad(string directory, out string? reason);

    /// <summary>Makes a fresh adapter for training on a model. It is resident, but not active; its layers compute what the base computes.</summary>
    /// <param name="model">A model that takes adapters.</param>
    /// <param name="name">Its name for people.</param>
    /// <param name="configJson">An object with keys of PEFT's <c>adapter_config.json</c>; what is left out has PEFT's default.</param>
    /// <param name="seed">Seed of the start values.</param>
    /// <returns>An adapter that the caller disposes, before the model. It is an <see cref="IAdapter{TTensor}"/> of the model's tensors.</returns>
    /// <exception cref="AsrException">The model takes no adapters of this family, or the configuration cannot be used; the message says why.</exception>
    IAdapter Create(ISeq2SeqModel model, string name, string configJson, long seed);

    /// <summary>Reads a PEFT folder for a model. The adapter is resident, but not active.</summary>
    /// <param name="model">A model that takes adapters.</param>
    /// <param name="name">Its name for people.</param>
    /// <param name="directory">The folder.</param>
    /// <param name="trainable">Whether training goes on from it: its tensors then record gradients.</param>
    /// <returns>An adapter that the caller disposes, before the model.</returns>
    /// <exception cref="AsrException">A file is missing or broken, or does not fit the model; the message names the key or tensor.</exception>
    IAdapter Load(ISeq2SeqModel model, string name, string directory, bool trainable = false);

    /// <summary>Reads a PEFT folder to merge it into a checkpoint's tensors, without a model.</summary>
    /// <param name="directory">The folder.</param>
    /// <param name="checkpoint">The checkpoint's tensors under their names with the <c>model.</c> prefix.</param>
    /// <returns>The merger, which the caller disposes.</returns>
    /// <exception cref="AsrException">The adapter cannot be read, does not fit, or cannot be merged; the message says why.</exception>
    ICheckpointMerger OpenMerger(string directory, IReadOnlyList<CheckpointTensor> checkpoint);
}

/// <summary>An adapter on a model: from its making until it is disposed it is one that the model's rows can choose.</summary>
/// <remarks>Belongs to the model's thread.</remarks>
public interface IAdapter : IDisposable
{
    /// <summary>The name that it was given.</summary>
    string Name { get; }

    /// <summary>The model's number for it, to choose it by: <see cref="IMultiAdapterModel.ActiveAdapter"/>.</summary>
    int Id { get; }

    /// <summary>Names of the layers that it changes, in the order of the forward pass.</summary>
    IReadOnlyList<string> Modules { get; }

    /// <summary>Number of its values.</summary>
    long Parameters { get; }

    /// <summary>Whether dropout is applied; false (default) for anything but training steps.</summary>
    bool Training { get; set; }

    /// <summary>Whether it is merged into the model's weights.</summary>
    bool IsMerged { get; }

    /// <summary>
    /// Computes the merged weights aside, checks that they are finite, and only then writes them into the model, which from then on
    /// computes with them for every row and at the base's cost. The old weights are kept. No other adapter of the family may be resident.
    /// </summary>
    /// <exception cref="AsrException">It cannot be merged, or a merged weight is not finite; the model is then as before.</exception>
    void Merge();

    /// <summary>Restores the weights that <see cref="Merge"/> replaced, bit by bit.</summary>
    void Unmerge();

    /// <summary>Writes a PEFT folder that PEFT loads: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c>, each atomically.</summary>
    /// <param name="directory">The folder; made where it is missing.</param>
    /// <exception cref="AsrException">It cannot be written.</exception>
    void Save(string directory);
}

/// <summary>An adapter as its engine's trainer sees it.</summary>
/// <typeparam name="TTensor">The tensor type of the engine.</typeparam>
public interface IAdapter<TTensor> : IAdapter
{
    /// <summary>What training changes: leaves that record gradients, float32, on the model's device; owned by the adapter. Empty unless it is trainable.</summary>
    /// <remarks>An optimizer changes the values in place.</remarks>
    IReadOnlyList<AdapterParameter<TTensor>> Trainable { get; }
}

/// <summary>A trainable tensor of an adapter.</summary>
/// <typeparam name="TTensor">The tensor type of the engine.</typeparam>
/// <param name="Name">The parameter's name in a PEFT model whose adapter is <c>default</c>, such as <c>base_model.model.….lora_A.default.weight</c>.</param>
/// <param name="StoredName">Its name in <c>adapter_model.safetensors</c>.</param>
/// <param name="Value">The tensor; owned by the adapter.</param>
/// <param name="Decays">Whether weight decay applies: to all but biases and weights of normalizations, as in Hugging Face's trainer.</param>
public sealed record AdapterParameter<TTensor>(string Name, string StoredName, TTensor Value, bool Decays);

/// <summary>A tensor of a checkpoint.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Shape">Dimensions, outermost first.</param>
public sealed record CheckpointTensor(string Name, IReadOnlyList<long> Shape);

/// <summary>Merges an adapter into the tensors of a checkpoint, one at a time. Belongs to one thread.</summary>
public interface ICheckpointMerger : IDisposable
{
    /// <summary>Names of the tensors that it changes.</summary>
    IReadOnlyCollection<string> Changed { get; }

    /// <summary>What the user should know before merging, a sentence each; empty when the result computes what the adapter computes.</summary>
    IReadOnlyList<string> Warnings { get; }

    /// <summary>Merges into one tensor.</summary>
    /// <param name="tensor">One of <see cref="Changed"/>.</param>
    /// <param name="values">The checkpoint's values, C order; overwritten with the merged ones.</param>
    /// <exception cref="AsrException">A merged value is not finite.</exception>
    void Merge(string tensor, Span<float> values);
}
