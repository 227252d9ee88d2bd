using AsrPlatform.Host.Live;

namespace AsrPlatform.Host.Tests.Live.Vad;

public sealed class SpeechHangoverTests
{
    [Theory]
    [InlineData("1.......", "1.......")]
    [InlineData("11......", "11......")]
    [InlineData("111.....", "11111...")]
    [InlineData("111.1...", "111111..")]
    [InlineData("111...1.", "11111.1.")]
    public void Extend_AfterABurst_HoldsOnForItsFrames(string certain, string expected)
    {
        var hangover = new SpeechHangover(burst: 3, frames: 2);
        Assert.Equal(expected, string.Concat(certain.Select(frame => hangover.Extend(frame == '1') ? '1' : '.')));
    }
}
