namespace AsrPlatform.WhisperTorch.Training;

/// <summary>Where LibTorch's random numbers stood, so that a recomputation draws the same ones.</summary>
/// <remarks>
/// TorchSharp reads the state of the processor's generator only. On a card the point is a fresh seed, which is set when the point is
/// made and set again when it is restored.
/// </remarks>
internal sealed class RandomPoint : IDisposable
{
    private readonly Tensor _state;
    private readonly long? _seed;

    private RandomPoint(Tensor state, long? seed)
    {
        _state = state;
        _seed = seed;
    }

    /// <summary>Marks where the generators of a device stand now.</summary>
    public static RandomPoint Mark(Device device)
    {
        long? seed = null;
        if (device.type != DeviceType.CPU)
        {
            using var scope = NewDisposeScope();
            seed = randint(0, int.MaxValue, [1], ScalarType.Int64).item<long>();
            cuda.manual_seed_all(seed.Value);
        }

        return new RandomPoint(random.get_rng_state().DetachFromDisposeScope(), seed);
    }

    /// <summary>Goes back to this point.</summary>
    public void Restore()
    {
        random.set_rng_state(_state);
        if (_seed is { } seed)
        {
            cuda.manual_seed_all(seed);
        }
    }

    /// <inheritdoc />
    public void Dispose() => _state.Dispose();
}
