using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Host.Plugins;

namespace AsrPlatform.Host.Audio;

/// <summary>A microphone that is captured now, as an audio source that can be read once.</summary>
/// <remarks>Read by one thread; <see cref="Stop"/> is safe on any.</remarks>
internal sealed class Microphone : IAudioSource, IDisposable
{
    private readonly ICaptureStream _stream;
    private bool _isRead;

    private Microphone(string name, ICaptureStream stream)
    {
        Name = name;
        _stream = stream;
    }

    /// <summary>Its name for people.</summary>
    public string Name { get; }

    public int SampleRateHz => _stream.SampleRateHz;

    public long? LengthSamples => null;

    /// <summary>Begins to capture.</summary>
    /// <param name="plugins">Where captures come from.</param>
    /// <param name="device">A device's id, its name, or a part of its name that no other has; null: the default one.</param>
    /// <exception cref="AsrException">There is no capture here, or no such device; the message says what there is.</exception>
    public static Microphone Open(PluginCatalog plugins, string? device)
    {
        var captures = plugins.GetServices<IAudioCapture>();
        if (captures.Count == 0)
        {
            // The catalogue's own message says which plugins are missing and what would bring them.
            plugins.Get<IAudioCapture>();
        }

        var all = captures.SelectMany(capture => capture.Devices.Select(found => (Capture: capture, Device: found))).ToList();
        if (all.Count == 0)
        {
            throw new AsrException("there is no microphone: connect one, or see whether the system lets programs use it");
        }

        (IAudioCapture Capture, CaptureDevice Device)[] chosen = device is null
            ? [all.Find(one => one.Device.IsDefault) is { Device: not null } standard ? standard : all[0]]
            : all.FindAll(one => one.Device.Id == device) is { Count: > 0 } byId ? [.. byId]
            : all.FindAll(one => string.Equals(one.Device.Name, device, StringComparison.OrdinalIgnoreCase)) is { Count: > 0 } byName ? [.. byName]
            : [.. all.FindAll(one => one.Device.Name.Contains(device, StringComparison.OrdinalIgnoreCase))];
        return chosen.Length == 1
            ? new Microphone(chosen[0].Device.Name, chosen[0].Capture.Open(chosen[0].Device))
            : throw new AsrException($"{(chosen.Length == 0 ? "no" : "more than one")} microphone is '{device}'; there are {string.Join(", ", all.Select(one => $"'{one.Device.Name}'"))}");
    }

    public IAudioReader OpenReader()
    {
        if (_isRead)
        {
            throw new InvalidOperationException("What a microphone heard cannot be read again.");
        }

        _isRead = true;
        return new Reader(_stream);
    }

    /// <summary>Captures no more: its reader ends after what was heard.</summary>
    public void Stop() => _stream.Stop();

    public void Dispose() => _stream.Dispose();

    /// <summary>The stream stays the microphone's.</summary>
    private sealed class Reader(ICaptureStream stream) : IAudioReader
    {
        public int Read(Span<float> destination) => stream.Read(destination);

        public void Dispose()
        {
        }
    }
}
