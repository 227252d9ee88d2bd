using AsrPlatform.Tests;
using AsrPlatform.Whisper.Text;

namespace AsrPlatform.Whisper.Tests.Text;

public class CompressionRatioTests
{
    [Fact]
    public void OfText_TheCorpus_IsAsPythonsZlib()
    {
        var exact = 0;
        var lines = Fixtures.Lines("metrics/compression.jsonl").ToArray();
        foreach (var line in lines)
        {
            // Two bytes more or less of a text of 20 are a tenth.
            var expected = (double)line["ratio"]!;
            var actual = CompressionRatio.OfText((string)line["text"]!);
            Assert.InRange(actual, expected * 0.9, expected * 1.1);
            exact += Math.Abs(actual - expected) < 1e-9 ? 1 : 0;
        }

        Assert.InRange(exact, lines.Length * 9 / 10, lines.Length);
    }

    [Fact]
    public void OfTokens_TwoBytesAnId_CompressesTheirBytes()
    {
        int[] ids = [50257, 220, 50257, 220, 50257, 220, 50257, 220];
        byte[] bytes = [.. ids.SelectMany(id => new[] { (byte)id, (byte)(id >> 8) })];
        Assert.Equal(CompressionRatio.OfBytes(bytes), CompressionRatio.OfTokens(ids, 51865));
        Assert.Equal(0, CompressionRatio.OfTokens([], 51865));
        Assert.Equal(0, CompressionRatio.OfText(""));
    }
}
