namespace AsrPlatform.Abstractions.Audio;

/// <summary>Loads networks that hear whether somebody speaks. A plugin registers it as a service (kind <c>voice-activity</c>).</summary>
/// <remarks>Safe for concurrent calls.</remarks>
public interface IVoiceActivityBackend
{
    /// <summary>Short name, such as <c>onnx</c>.</summary>
    string Name { get; }

    /// <summary>Whether a file looks like something that <see cref="Load"/> takes, by its name alone.</summary>
    /// <param name="path">The file; it need not exist.</param>
    bool CanLoad(string path);

    /// <summary>Loads a network. The caller disposes it, after its streams.</summary>
    /// <param name="path">Its file.</param>
    /// <exception cref="AsrException">It is missing, broken, or no network of a kind that is known; the message says which.</exception>
    IVoiceActivityNetwork Load(string path);
}

/// <summary>A network with its weights, which all of its streams share.</summary>
/// <remarks>Safe for concurrent calls; streams of one network may be heard by different threads at the same time.</remarks>
public interface IVoiceActivityNetwork : IDisposable
{
    /// <summary>Samples per second of what it hears.</summary>
    int SampleRateHz { get; }

    /// <summary>Samples of each frame.</summary>
    int FrameSamples { get; }

    /// <summary>Begins to hear a stream from its start. The caller disposes it.</summary>
    IVoiceActivityStream CreateStream();
}

/// <summary>What a network remembers of one stream. Not safe for concurrent calls; allocates nothing per frame.</summary>
public interface IVoiceActivityStream : IDisposable
{
    /// <summary>Hears the next frame.</summary>
    /// <param name="frame"><see cref="IVoiceActivityNetwork.FrameSamples"/> samples in −1…1; others count as the nearest of these, what is no number as 0.</param>
    /// <returns>The probability that somebody speaks in it, 0…1.</returns>
    /// <exception cref="AsrException">It cannot be computed.</exception>
    float Next(ReadOnlySpan<float> frame);
}
