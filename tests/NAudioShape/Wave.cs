namespace NAudio.Wave;

public enum WaveFormatEncoding : ushort
{
    Unknown = 0,
    Pcm = 1,
    Adpcm = 2,
    IeeeFloat = 3,
}

public class WaveFormat(int rate, int bits, int channels)
{
    public WaveFormatEncoding Encoding { get; private set; } = WaveFormatEncoding.Pcm;

    public int SampleRate => rate;

    public int BitsPerSample => bits;

    public int Channels => channels;

    public static WaveFormat CreateIeeeFloatWaveFormat(int sampleRate, int channels) => new(sampleRate, 32, channels) { Encoding = WaveFormatEncoding.IeeeFloat };

    public static WaveFormat CreateCustomFormat(WaveFormatEncoding tag, int sampleRate, int channels, int averageBytesPerSecond, int blockAlign, int bitsPerSample)
    {
        _ = (averageBytesPerSecond, blockAlign);
        return new WaveFormat(sampleRate, bitsPerSample, channels) { Encoding = tag };
    }
}

public class WaveInEventArgs(byte[] buffer, int bytes) : EventArgs
{
    public byte[] Buffer => buffer;

    public int BytesRecorded => bytes;
}

public class StoppedEventArgs(Exception? exception = null) : EventArgs
{
    public Exception? Exception => exception;
}

public interface IWaveIn : IDisposable
{
    event EventHandler<WaveInEventArgs> DataAvailable;

    event EventHandler<StoppedEventArgs> RecordingStopped;

    WaveFormat WaveFormat { get; set; }

    void StartRecording();

    void StopRecording();
}
