using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Features;

namespace AsrPlatform.Whisper.Tests.Features;

public sealed class LogMelStreamTests
{
    private const int Window = 3000;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(159)]
    [InlineData(160)]
    [InlineData(200)]
    [InlineData(201)]
    [InlineData(4000)]
    [InlineData(81921)] // 512 frames and one sample
    [InlineData(176000)]
    public void Read_ShortAudio_IsTheWholeFilesLogMel(int length)
    {
        var samples = WavFixture.Read("audio/jfk.wav").AsSpan(0, length).ToArray();
        using var stream = new LogMelStream(new LogMelExtractor(80), new Source(samples));
        var expected = Whole(samples);

        Assert.Equal(length, stream.SampleCount);
        Assert.Equal(length / 160, stream.Frames);
        AssertWindow(expected, stream, 0, stream.Frames);
        AssertWindow(expected, stream, 0, Window);
        AssertWindow(expected, stream, stream.Frames / 2, stream.Frames - (stream.Frames / 2));
    }

    [Fact]
    public void Read_ForwardInLongAudio_ReadsItTwiceInAll()
    {
        var samples = Long();
        var source = new Source(samples);
        using var stream = new LogMelStream(new LogMelExtractor(80), source);
        var expected = Whole(samples);
        var random = new Random(7);
        for (var seek = 0; seek < stream.Frames; seek += random.Next(1, Window))
        {
            AssertWindow(expected, stream, seek, Math.Min(Window, stream.Frames - seek));
        }

        Assert.Equal(2, source.Opened);
    }

    [Fact]
    public void Read_BackwardInLongAudio_StartsAgain()
    {
        var samples = Long();
        var source = new Source(samples);
        using var stream = new LogMelStream(new LogMelExtractor(80), source);
        var expected = Whole(samples);
        AssertWindow(expected, stream, 50000, Window);
        AssertWindow(expected, stream, 50000, Window);
        Assert.Equal(2, source.Opened);
        AssertWindow(expected, stream, 1000, Window);
        AssertWindow(expected, stream, 65000, stream.Frames - 65000);
        Assert.Equal(3, source.Opened);
    }

    [Fact]
    public void Read_ShortAudioBackward_ReadsItOnce()
    {
        var source = new Source(WavFixture.Read("audio/long_en.wav"));
        using var stream = new LogMelStream(new LogMelExtractor(128), source);
        var buffer = new float[128 * Window];
        stream.Read(5000, Window, buffer);
        stream.Read(0, Window, buffer);
        Assert.Equal(1, source.Opened);
    }

    [Fact]
    public void Read_BeyondTheSilenceBehindTheAudio_IsZero()
    {
        using var stream = new LogMelStream(new LogMelExtractor(80), new Source(new float[1600]));
        var buffer = new float[80 * Window];
        stream.Read(10, Window, buffer);
        Assert.All(buffer, value => Assert.Equal(-1.5f, value)); // log10 of silence is −10; (−10 + 4) / 4
        stream.Read(3009, 2, buffer);
        Assert.Equal([-1.5f, 0], buffer[..2]);
    }

    [Fact]
    public void Constructor_AnHourOfAudio_NeedsBoundedMemory()
    {
        var source = new Source(new float[16000], repetitions: 3600);
        var before = GC.GetAllocatedBytesForCurrentThread();
        using var stream = new LogMelStream(new LogMelExtractor(80), source);
        var buffer = new float[80 * Window];
        stream.Read(300000, Window, buffer);
        Assert.Equal(360000, stream.Frames);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 40L << 20);
    }

    [Fact]
    public void Constructor_Cancelled_Stops()
    {
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() => new LogMelStream(new LogMelExtractor(80), new Source(new float[16000]), cancelled.Token).Dispose());
    }

    [Fact]
    public void Constructor_OfAnotherRateOrWithNormalization_IsRefused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new LogMelStream(new LogMelExtractor(80), new MemoryAudioSource(new float[9], 8000)).Dispose());
        Assert.Throws<AsrException>(() => new LogMelStream(new LogMelExtractor(80, normalize: true), new Source(new float[9])).Dispose());
    }

    private static float[] Long()
    {
        // Eleven minutes and a bit, quiet at first: the maximum lies far behind the first window.
        var jfk = WavFixture.Read("audio/jfk.wav");
        var samples = new float[(61 * jfk.Length) + 77];
        for (var i = 0; i < samples.Length; i++)
        {
            samples[i] = jfk[i % jfk.Length] * Math.Min(1, (i + 1f) / samples.Length * 2);
        }

        return samples;
    }

    /// <summary>OpenAI's definition at once: 30 s of silence appended, one log-mel over all.</summary>
    private static float[][] Whole(float[] samples)
    {
        var matrix = new LogMelExtractor(80).Extract(samples, samples.Length + 480000);
        return [.. matrix.Values.Chunk(matrix.Frames)];
    }

    private static void AssertWindow(float[][] expected, LogMelStream stream, int first, int frames)
    {
        var found = new float[80 * Window];
        Array.Fill(found, float.NaN);
        stream.Read(first, frames, found);
        for (var bin = 0; bin < 80; bin++)
        {
            for (var frame = 0; frame < Window; frame++)
            {
                var value = frame < frames ? expected[bin][first + frame] : 0;
                if (Math.Abs(value - found[(bin * Window) + frame]) > 1e-6)
                {
                    Assert.Fail($"bin {bin}, frame {first} + {frame}: {found[(bin * Window) + frame]}, expected {value}");
                }
            }
        }
    }

    /// <summary>Audio that comes in uneven pieces, as from a pipe.</summary>
    private sealed class Source(float[] samples, int repetitions = 1) : IAudioSource
    {
        public int Opened { get; private set; }

        public int SampleRateHz => 16000;

        public long? LengthSamples => null;

        public IAudioReader OpenReader()
        {
            Opened++;
            return new Reader(samples, repetitions);
        }

        private sealed class Reader(float[] samples, int repetitions) : IAudioReader
        {
            private readonly Random _random = new(1);
            private long _position;

            public int Read(Span<float> destination)
            {
                var offset = samples.Length == 0 ? 0 : (int)(_position % samples.Length);
                var rest = Math.Min(samples.Length - offset, ((long)samples.Length * repetitions) - _position);
                var count = (int)Math.Min(rest, Math.Min(destination.Length, _random.Next(1, 9000)));
                samples.AsSpan(offset, count).CopyTo(destination);
                _position += count;
                return count;
            }

            public void Dispose()
            {
            }
        }
    }
}
