using AsrPlatform.Abstractions;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Text;

namespace AsrPlatform.Whisper.Tests.Text;

public class NormalizerTests
{
    [Theory]
    [InlineData("basic")]
    [InlineData("basic_no_diacritics")]
    [InlineData("basic_split_letters")]
    [InlineData("english")]
    public void Normalize_EveryStringOfTheCorpus_IsAsUpstream(string kind)
    {
        ITextNormalizer normalizer = kind switch
        {
            "basic" => new BasicTextNormalizer(),
            "basic_no_diacritics" => new BasicTextNormalizer(removeDiacritics: true),
            "basic_split_letters" => new BasicTextNormalizer(splitLetters: true),
            _ => EnglishTextNormalizer.Load(Fixtures.Path("micro")),
        };
        var lines = Fixtures.Lines("metrics/normalizer.jsonl").ToArray();
        Assert.Equal(1983, lines.Length);
        var wrong = lines
            .Select(line => (Text: (string)line["text"]!, Expected: (string)line[kind]!))
            .Where(line => normalizer.Normalize(line.Text) != line.Expected)
            .Select(line => $"'{line.Text}': '{normalizer.Normalize(line.Text)}', not '{line.Expected}'")
            .ToArray();
        Assert.True(wrong.Length == 0, $"{wrong.Length} differ:\n{string.Join('\n', wrong.Take(20))}");
    }

    // Computed with openai/whisper's normalisers, for rules that the corpus does not reach.
    [Theory]
    [InlineData("ΟΔΟΣ ΣΑΣ", "οδος σας")]
    [InlineData("İstanbul", "i stanbul")]
    [InlineData("ﬁ ½ ① ㍿ Ⅷ", "fi 1 2 1 株式会社 viii")]
    [InlineData("e\u0301 \u1100\u1161\u11A8 한", "é 각 한")]
    [InlineData("(a) () [b> <c] (unclosed", " unclosed")]
    [InlineData("a\u001Cb\u00A0c", "a b c")]
    [InlineData("𝐇𝐞𝐥𝐥𝐨 𐐀", "hello 𐐨")]
    public void Basic_UnicodeForms_AreAsPythons(string text, string expected) => Assert.Equal(expected, new BasicTextNormalizer().Normalize(text));

    [Theory]
    [InlineData("twenty five thousand and one", "25001")]
    [InlineData("two and a half million dollars", "$2500000")]
    [InlineData("three dollars and seven cents", "$3.07")]
    [InlineData("minus five point oh two percent", "-5.02%")]
    [InlineData("double oh seven triple nine", "007999")]
    [InlineData("the nineteen sixties twenty first", "the 1960s 21st")]
    [InlineData("$0.07 is one thing, 1s", "¢7 is one thing ones")]
    [InlineData("١٢ decillion", "12000000000000000000000000000000000")]
    [InlineData("1,2,3 and 1,000,000", "12 3 and 1000000")]
    [InlineData("I won't, Mr. O'Neil's colour", "i will not mister 0 neil is colour")]
    public void English_NumbersWithoutSpellings_AreAsUpstream(string text, string expected) =>
        Assert.Equal(expected, new EnglishTextNormalizer().Normalize(text));

    [Fact]
    public void English_NumberOfManyDigits_IsKept()
    {
        var digits = new string('7', 20_000);
        Assert.Equal(digits, new EnglishTextNormalizer().Normalize(digits));
    }

    [Fact]
    public void Load_NoSpellings_ChangesNone()
    {
        using var folder = new TemporaryFolder();
        Assert.Equal("colour", EnglishTextNormalizer.Load(folder.Root).Normalize("Colour"));
        folder.Write("normalizer.json", """{"colour": "color"}""");
        Assert.Equal("color", EnglishTextNormalizer.Load(folder.Root).Normalize("Colour"));
    }

    [Theory]
    [InlineData("{\"colour\": ")]
    [InlineData("[1]")]
    [InlineData("{\"colour\": 3}")]
    public void Load_DamagedSpellings_NamesTheFile(string json)
    {
        using var folder = new TemporaryFolder();
        folder.Write("normalizer.json", json);
        var error = Assert.Throws<AsrException>(() => EnglishTextNormalizer.Load(folder.Root));
        Assert.Contains("normalizer.json", error.Message, StringComparison.Ordinal);
    }
}
