namespace AsrPlatform.WhisperTorch.Training;

/// <summary>The encoder's states of examples, for a run that changes neither the encoder nor its input: each example is encoded once.</summary>
/// <remarks>
/// An example is encoded for itself, at its own length, as it is when it is transcribed: its states do not depend on the batch that it comes in, nor on
/// whether they were kept. Belongs to the model's thread.
/// </remarks>
internal sealed class EncodedExamples : IDisposable
{
    /// <summary>Memory that may be taken.</summary>
    public const long MaximumBytes = 1L << 30;

    private readonly Dictionary<UInt128, Tensor> _states = []; // [position, width]
    private long _bytes;

    /// <summary>Examples that are kept.</summary>
    public int Count => _states.Count;

    /// <summary>The states of an example, <c>[position, width]</c>: its own where it is kept, else the caller's scope's.</summary>
    /// <param name="key">What the example's features are known by.</param>
    /// <param name="encode">Encodes it; called where it is not kept.</param>
    public Tensor Of(UInt128 key, Func<Tensor> encode)
    {
        if (_states.TryGetValue(key, out var known))
        {
            return known;
        }

        var states = encode();
        var bytes = states.numel() * sizeof(float);
        if (_bytes + bytes <= MaximumBytes)
        {
            _bytes += bytes;
            _states[key] = states.DetachFromDisposeScope();
        }

        return states;
    }

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var states in _states.Values)
        {
            states.Dispose();
        }

        _states.Clear();
    }
}
