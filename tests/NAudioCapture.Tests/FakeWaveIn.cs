using NAudio.Wave;

namespace AsrPlatform.NAudioCapture.Tests;

/// <summary>A recording that a test feeds.</summary>
internal sealed class FakeWaveIn(WaveFormat format) : IWaveIn
{
    public event EventHandler<WaveInEventArgs>? DataAvailable;

    public event EventHandler<StoppedEventArgs>? RecordingStopped;

    public WaveFormat WaveFormat { get; set; } = format;

    public Exception? StartFails { get; init; }

    public bool IsRecording { get; private set; }

    public bool IsDisposed { get; private set; }

    public bool HasListeners => DataAvailable is not null || RecordingStopped is not null;

    /// <summary>The driver brings bytes; as WASAPI does, in a buffer that is longer and used again.</summary>
    public void Bring(params byte[] bytes)
    {
        byte[] buffer = [.. bytes, 99, 99, 99, 99];
        DataAvailable?.Invoke(this, new WaveInEventArgs(buffer, bytes.Length));
        Array.Clear(buffer);
    }

    public void Fail(Exception error) => RecordingStopped?.Invoke(this, new StoppedEventArgs(error));

    public void StartRecording()
    {
        if (StartFails is not null)
        {
            throw StartFails;
        }

        IsRecording = true;
    }

    public void StopRecording()
    {
        IsRecording = false;
        RecordingStopped?.Invoke(this, new StoppedEventArgs());
    }

    public void Dispose() => IsDisposed = true;
}
