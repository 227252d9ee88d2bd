namespace AsrPlatform.Abstractions.Audio;

/// <summary>The microphones of this machine, as one of its sound systems knows them. A plugin registers it as a service (kind <c>capture</c>).</summary>
/// <remarks>Safe for concurrent calls.</remarks>
public interface IAudioCapture
{
    /// <summary>Short name, such as <c>naudio</c>.</summary>
    string Name { get; }

    /// <summary>The microphones that are there now.</summary>
    /// <exception cref="AsrException">The sound system does not say; the message says why.</exception>
    IReadOnlyList<CaptureDevice> Devices { get; }

    /// <summary>Begins to capture. The caller disposes the stream.</summary>
    /// <param name="device">One of <see cref="Devices"/>.</param>
    /// <exception cref="AsrException">It is gone, in use, or gives audio that cannot be read; the message says which.</exception>
    ICaptureStream Open(CaptureDevice device);
}

/// <summary>A microphone.</summary>
/// <param name="Id">The sound system's id, which stays the same.</param>
/// <param name="Name">Its name for people.</param>
/// <param name="IsDefault">Whether the user has chosen it for speech.</param>
public sealed record CaptureDevice(string Id, string Name, bool IsDefault);

/// <summary>What a microphone hears, from when it was opened.</summary>
/// <remarks>
/// <see cref="IAudioReader.Read"/> belongs to one thread and waits for audio; it ends after <see cref="Stop"/>, once what was heard until then is
/// read. It gives everything that was heard, in order, or throws.
/// </remarks>
public interface ICaptureStream : IAudioReader
{
    /// <summary>Samples per second.</summary>
    int SampleRateHz { get; }

    /// <summary>Captures no more. Safe for concurrent calls; twice is once.</summary>
    void Stop();
}
