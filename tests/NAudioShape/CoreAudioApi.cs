using System.Collections;
using NAudio.Wave;

#pragma warning disable CA1002, CA1008, CA1027, CA1028, CA1063, CA1065, CA1711, CA1714, CA1716, CA1720, CA1816, CA1822 // The names and forms are NAudio's.

namespace NAudio.CoreAudioApi;

public enum DataFlow
{
    Render,
    Capture,
    All,
}

public enum Role
{
    Console,
    Multimedia,
    Communications,
}

[Flags]
public enum DeviceState
{
    Active = 1,
    Disabled = 2,
    NotPresent = 4,
    Unplugged = 8,
    All = 15,
}

public class MMDevice
{
    public string ID => throw new PlatformNotSupportedException();

    public string FriendlyName => throw new PlatformNotSupportedException();
}

public class MMDeviceCollection : IEnumerable<MMDevice>
{
    public IEnumerator<MMDevice> GetEnumerator() => throw new PlatformNotSupportedException();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

public class MMDeviceEnumerator : IDisposable
{
    public MMDeviceCollection EnumerateAudioEndPoints(DataFlow dataFlow, DeviceState dwStateMask) => throw new PlatformNotSupportedException();

    public MMDevice GetDefaultAudioEndpoint(DataFlow dataFlow, Role role) => throw new PlatformNotSupportedException();

    public bool HasDefaultAudioEndpoint(DataFlow dataFlow, Role role) => throw new PlatformNotSupportedException();

    public MMDevice GetDevice(string id) => throw new PlatformNotSupportedException();

    public void Dispose()
    {
    }
}

public class WasapiCapture(MMDevice captureDevice, bool useEventSync, int audioBufferMillisecondsLength) : IWaveIn
{
    public event EventHandler<WaveInEventArgs>? DataAvailable;

    public event EventHandler<StoppedEventArgs>? RecordingStopped;

    public virtual WaveFormat WaveFormat
    {
        get => throw new PlatformNotSupportedException();
        set => throw new PlatformNotSupportedException();
    }

    public void StartRecording() => throw new PlatformNotSupportedException($"{captureDevice} {useEventSync} {audioBufferMillisecondsLength}");

    public void StopRecording()
    {
        DataAvailable?.Invoke(this, new WaveInEventArgs([], 0));
        RecordingStopped?.Invoke(this, new StoppedEventArgs());
    }

    public void Dispose()
    {
    }
}
