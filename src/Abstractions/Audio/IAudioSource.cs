namespace AsrPlatform.Abstractions.Audio;

/// <summary>Mono audio that can be read from its start any number of times.</summary>
/// <remarks>
/// Long audio is never held in memory as a whole: an algorithm that needs two passes (Whisper's log-mel is normalised by the
/// maximum of the whole file) opens two readers. Implementations are safe for concurrent calls; a reader belongs to one thread.
/// </remarks>
public interface IAudioSource
{
    /// <summary>Samples per second.</summary>
    int SampleRateHz { get; }

    /// <summary>Length in samples at <see cref="SampleRateHz"/>, or null where it is not known before reading.</summary>
    long? LengthSamples { get; }

    /// <summary>Opens a reader at the first sample. The caller disposes it.</summary>
    /// <exception cref="AsrException">The audio cannot be read.</exception>
    IAudioReader OpenReader();
}

/// <summary>A forward reader of mono samples in −1…1. Not safe for concurrent calls.</summary>
public interface IAudioReader : IDisposable
{
    /// <summary>Reads up to <paramref name="destination"/>.Length samples; blocks until at least one is there.</summary>
    /// <returns>The number of samples read; 0 only at the end.</returns>
    /// <exception cref="AsrException">The audio is broken at this point or holds a sample that is not a number.</exception>
    int Read(Span<float> destination);
}
