using System.Runtime.InteropServices;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using NAudio.CoreAudioApi;

namespace AsrPlatform.NAudioCapture;

/// <summary>The microphones that Windows has, in the form in which its mixer gives their audio.</summary>
internal sealed class WasapiMicrophones : IAudioCapture
{
    /// <summary>How much audio the driver gives at once: less than a live session's chunk.</summary>
    private const int BufferMilliseconds = 50;

    public string Name => "naudio";

    public IReadOnlyList<CaptureDevice> Devices => Ask(static () =>
    {
        using var enumerator = new MMDeviceEnumerator();
        var standard = enumerator.HasDefaultAudioEndpoint(DataFlow.Capture, Role.Communications)
            ? enumerator.GetDefaultAudioEndpoint(DataFlow.Capture, Role.Communications).ID
            : null;
        return (IReadOnlyList<CaptureDevice>)[.. enumerator.EnumerateAudioEndPoints(DataFlow.Capture, DeviceState.Active)
            .Select(device => new CaptureDevice(device.ID, device.FriendlyName, device.ID == standard))];
    });

    public ICaptureStream Open(CaptureDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        return Ask(() =>
        {
            using var enumerator = new MMDeviceEnumerator();
            return new WaveInStream(new WasapiCapture(enumerator.GetDevice(device.Id), true, BufferMilliseconds), device.Name);
        });
    }

    private static T Ask<T>(Func<T> question)
    {
        try
        {
            return question();
        }
        catch (Exception error) when (error is COMException or UnauthorizedAccessException or InvalidOperationException)
        {
            // Access to microphones is a setting of Windows' privacy.
            throw new AsrException($"Windows gives no microphone: {error.Message.ReplaceLineEndings(" ").Trim()}", error);
        }
    }
}
