using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Decoding.HuggingFace;
using AsrPlatform.Whisper.Features;

namespace AsrPlatform.Whisper.Tests.Decoding.HuggingFace;

public sealed class AudioWindowsTests
{
    private const int WindowFrames = 3000;
    private const int Bins = 80;

    [Fact]
    public void Open_LongAudio_StreamsTheSameFeatures()
    {
        var samples = WavFixture.Read("audio/long_en.wav");
        var audio = new MemoryAudioSource(samples, 16000);
        var extractor = new LogMelExtractor(Bins);
        var (whole, seconds, nothing) = AudioWindows.Open(audio, extractor, WindowFrames, default);
        Assert.Null(nothing);
        Assert.Equal(samples.Length / 16000.0, seconds);
        var (streamed, streamedSeconds, owner) = AudioWindows.Open(audio, extractor, WindowFrames, default, longestInMemorySeconds: 40);
        using (Assert.IsType<LogMelStream>(owner))
        {
            Assert.Equal(seconds, streamedSeconds);
            Assert.Equal(whole.Frames, streamed.Frames);
            foreach (var start in (int[])[0, 2500, whole.Frames - 800])
            {
                // The last two frames hear the mirrored end of the signal in the one and silence in the other.
                var frames = Math.Min(WindowFrames, whole.Frames - start);
                var compared = start + frames == whole.Frames ? frames - 2 : frames;
                var (expected, actual) = (new float[Bins * WindowFrames], new float[Bins * WindowFrames]);
                whole.Read(start, frames, expected, WindowFrames);
                streamed.Read(start, frames, actual, WindowFrames);
                for (var bin = 0; bin < Bins; bin++)
                {
                    for (var i = bin * WindowFrames; i < (bin * WindowFrames) + compared; i++)
                    {
                        Assert.True(Math.Abs(expected[i] - actual[i]) < 1e-5f, $"Bin {bin}, frame {start + (i % WindowFrames)}: {expected[i]}, {actual[i]}.");
                    }
                }
            }
        }
    }

    [Fact]
    public void Open_ShortAudio_IsPaddedToOneWindow()
    {
        var (windows, seconds, _) = AudioWindows.Open(
            new MemoryAudioSource(WavFixture.Read("audio/fox.wav"), 16000), new LogMelExtractor(Bins), WindowFrames, default);
        Assert.Equal((WindowFrames, 344), (windows.Frames, windows.ValidFrames));
        Assert.Equal(55015 / 16000.0, seconds);
    }
}
