using AsrPlatform.Whisper.Decoding.Biasing;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Tests.Decoding.Biasing;

public sealed class PhraseSpotterTests(MicroRecognizer micro) : IClassFixture<MicroRecognizer>
{
    private WhisperTokenizer Tokenizer => micro.Parts.Tokenizer;

    [Theory]
    [InlineData("Catherine", "Kathryn")]
    [InlineData("phone", "fone")]
    [InlineData("Knight", "nite")]
    [InlineData("Müller", "muller")]
    [InlineData("żółć", "ŻÓŁĆ")]
    [InlineData("dictation", "dikteishun", 2)]
    public void SoundKey_TextsThatSoundAlike_AreNear(string left, string right, int most = 1) =>
        Assert.InRange(Distance(SoundKey.Of(left), SoundKey.Of(right)), 0, most);

    [Theory]
    [InlineData("week", "doctor")]
    [InlineData("zenlacraft", "battery")]
    [InlineData("Москва", "Казань")]
    public void SoundKey_TextsThatDoNot_AreFar(string left, string right)
    {
        var (one, other) = (SoundKey.Of(left), SoundKey.Of(right));
        Assert.InRange(Distance(one, other) / Math.Max(one.Length, other.Length), 0.5, 1);
    }

    [Theory]
    [InlineData(" he stopped taking rabbta depine last week", "rabtodipine", " rabbta depine")]
    [InlineData(" we sold the zen la craft today", "zenlacraft", " zen la craft")]
    [InlineData(" I met miss Fonder Berg there", "van der Berg", " Fonder Berg")]
    public void Find_WordsThatSoundLikeAPhrase_FindsThem(string text, string phrase, string expected)
    {
        var tokens = Tokenizer.Encode(text);
        var spot = Assert.Single(Spotter(0.5, phrase).Find(tokens));
        Assert.Equal(expected, Tokenizer.Decode(tokens.AsSpan(spot.Start, spot.End - spot.Start)));
        Assert.InRange(spot.Distance, 0, 0.5);
    }

    [Fact]
    public void Find_ATextThatHasThePhrase_FindsNothingElseThere()
    {
        var spotter = Spotter(0.5, "rabtodipine", "listodipine");
        Assert.Equal([(0, true)], spotter.Find(Tokenizer.Encode(" He took Rabtodipine, we think.")).Select(spot => (spot.Phrase, spot.IsWritten)));
        Assert.Contains(spotter.Find(Tokenizer.Encode(" He took Rabtodipine, then rabbta depine.")), spot => spot is { Phrase: 0, IsWritten: false });
    }

    [Fact]
    public void Find_OrdinaryText_FindsNothing() => Assert.Empty(
        Spotter(0.4, "rabtodipine", "zenlacraft", "oxinezole", "Kowalczyk").Find(Tokenizer.Encode(" And so my fellow Americans, ask not what your country can do for you.")));

    [Fact]
    public void FindOpen_TheBeginningOfAPhraseAtTheEnd_IsOpen()
    {
        var spotter = Spotter(0.5, "zenlacraft");
        var tokens = Tokenizer.Encode(" we sold the zen la");
        Assert.Equal(" zen la", Tokenizer.Decode(tokens.AsSpan(spotter.FindOpen(tokens))));
        var other = Tokenizer.Encode(" we sold the zen la books");
        Assert.Equal(other.Length, spotter.FindOpen(other));
    }

    private PhraseSpotter Spotter(double most, params string[] phrases) => new(phrases, most, Tokenizer);

    private static double Distance(string left, string right)
    {
        var costs = new double[left.Length + 1, right.Length + 1];
        for (var i = 0; i <= left.Length; i++)
        {
            for (var j = 0; j <= right.Length; j++)
            {
                costs[i, j] = (i, j) switch
                {
                    (0, 0) => 0,
                    (0, _) => costs[0, j - 1] + SoundKey.Gap(right[j - 1]),
                    (_, 0) => costs[i - 1, 0] + SoundKey.Gap(left[i - 1]),
                    _ => Math.Min(
                        costs[i - 1, j - 1] + SoundKey.Substitution(left[i - 1], right[j - 1]),
                        Math.Min(costs[i - 1, j] + SoundKey.Gap(left[i - 1]), costs[i, j - 1] + SoundKey.Gap(right[j - 1]))),
                };
            }
        }

        return costs[left.Length, right.Length];
    }
}
