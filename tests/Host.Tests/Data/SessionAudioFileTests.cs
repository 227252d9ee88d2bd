using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Data;

namespace AsrPlatform.Host.Tests.Data;

public sealed class SessionAudioFileTests : IDisposable
{
    private readonly string _file = Path.Combine(Directory.CreateTempSubdirectory("asr-audio-").FullName, "audio.wav");

    public void Dispose() => Directory.Delete(Path.GetDirectoryName(_file)!, recursive: true);

    /// <summary>Also the bytes of a write that a killed process got half through.</summary>
    [Theory]
    [InlineData(0, 0)]
    [InlineData(7, 0)]
    [InlineData(43, 0)]
    [InlineData(44, 0)]
    [InlineData(45, 0)]
    [InlineData(46, 1)]
    [InlineData(2045, 1000)]
    public void Open_AFileOfAnyLength_GoesOnAfterItsWholeSamples(int bytes, int samples)
    {
        using (var file = SessionAudioFile.Open(_file, 16000))
        {
            file.Append(0, Ramp(0, 1200));
        }

        using (var handle = File.OpenHandle(_file, FileMode.Open, FileAccess.ReadWrite))
        {
            RandomAccess.SetLength(handle, bytes);
        }

        using (var file = SessionAudioFile.Open(_file, 16000))
        {
            Assert.Equal(samples, file.Samples);
            file.Append(samples, Ramp(samples, 50));
            file.Close();
        }

        Assert.Equal(Ramp(0, samples + 50), Read());
    }

    [Fact]
    public void Append_OverWhatAFailedOneLeft_ReplacesIt()
    {
        using var file = SessionAudioFile.Open(_file, 16000);
        file.Append(0, Ramp(0, 100));
        file.Append(60, Ramp(60, 10));
        file.Close();
        Assert.Equal(70, file.Samples);
        var samples = new float[100];
        Assert.Equal(70, file.Read(0, samples));
        Assert.Equal(Ramp(0, 70), samples[..70]);
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Append(71, Ramp(0, 1)));
    }

    [Fact]
    public void Header_WhileItGrowsAndAfterwards_FitsTheFile()
    {
        using var file = SessionAudioFile.Open(_file, 16000);
        file.Append(0, Ramp(0, 100));

        // Readers of pipes take such a length for "until the end".
        using (var growing = AudioFile.Open(_file))
        {
            Assert.Equal(100, growing.LengthSamples);
        }

        using (var now = WavStream.Open(_file, 16000)!)
        {
            var header = WavHeader.Read(now, "now")!;
            Assert.Equal((200L, 16000, 1), (header.DataBytes!.Value, header.SampleRateHz, header.Channels));
        }

        file.Append(100, Ramp(100, 1));
        file.Close();
        using var stream = File.Open(_file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        Assert.Equal((202L, null), (WavHeader.Read(stream, "closed")!.DataBytes!.Value, WavHeader.Read(Rewound(stream), "closed")!.Warning));

        static Stream Rewound(Stream stream)
        {
            stream.Position = 0;
            return stream;
        }
    }

    private static float[] Ramp(int from, int count) => [.. Enumerable.Range(from, count).Select(i => ((i % 2000) - 1000) / 32768f)];

    private float[] Read()
    {
        using var audio = AudioFile.Open(_file);
        using var reader = audio.OpenReader();
        var samples = new float[audio.LengthSamples!.Value];
        Assert.Equal(samples.Length, reader.Read(samples));
        return samples;
    }
}
