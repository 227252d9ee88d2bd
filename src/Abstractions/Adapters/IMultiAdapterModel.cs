using AsrPlatform.Abstractions.Models;

namespace AsrPlatform.Abstractions.Adapters;

/// <summary>A model that holds several adapters at once and chooses among them for every row of a batch.</summary>
/// <remarks>Belongs to the model's thread. Without adapters it is the plain model, at the plain model's cost.</remarks>
public interface IMultiAdapterModel : ISeq2SeqModel
{
    /// <summary>The number that stands for the base model.</summary>
    const int NoAdapter = -1;

    /// <summary>
    /// The adapter of rows for which none is chosen: <see cref="NoAdapter"/> (default) or one that was added. Setting it costs nothing
    /// else: encoder states that exist keep the adapters that made them.
    /// </summary>
    /// <exception cref="ArgumentException">There is no such adapter.</exception>
    int ActiveAdapter { get; set; }

    /// <summary>Makes room for an adapter.</summary>
    /// <returns>Its number, 0 or more and never used again.</returns>
    int AddAdapter();

    /// <summary>Removes an adapter and its deltas. Where it was active, none is.</summary>
    /// <exception cref="ArgumentException">There is no such adapter.</exception>
    void RemoveAdapter(int adapter);

    /// <summary>As <see cref="ISeq2SeqModel.Encode"/>, with an adapter for every row; caches of the states decode each row with its adapter.</summary>
    /// <param name="features"><c>[batch, feature, frame]</c>, C order.</param>
    /// <param name="batch">Rows.</param>
    /// <param name="frames">Frames of each row.</param>
    /// <param name="adapters">For every row <see cref="NoAdapter"/> or an adapter; empty: <see cref="ActiveAdapter"/> for all. Equal ones side by side are fastest.</param>
    /// <exception cref="ArgumentException">The shape does not fit the model, or there is no such adapter.</exception>
    IEncoderStates Encode(ReadOnlySpan<float> features, int batch, int frames, ReadOnlySpan<int> adapters);
}
