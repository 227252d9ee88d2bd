using System.Text.RegularExpressions;
using AsrPlatform.Whisper.Tokens;
using FsCheck;
using FsCheck.Fluent;

namespace AsrPlatform.Whisper.Tests.Tokens;

public partial class PreTokenizerTests
{
    [Theory]
    [InlineData("don't I'Ve we'll'd", "don|'t| I|'|Ve| we|'ll|'d")]
    [InlineData("a  b \n c   ", "a| | b| \n| c|   ")]
    [InlineData("\n\nx\ty", "\n|\n|x|\t|y")]
    [InlineData("12ab-- 3,4", "12|ab|--| 3|,|4")]
    [InlineData(" 's '' s", " '|s| ''| s")]
    [InlineData("\u2003\u2003é½٣", "\u2003|\u2003|é|½٣")]
    public void NextLength_Texts_SplitsAsGpt2(string text, string pieces) => Assert.Equal(pieces, string.Join('|', Split(text)));

    [Fact]
    public void NextLength_AnyTextOfTheFirstPlane_SplitsAsTheExpression()
    {
        // .NET's expressions know no characters beyond the first plane, the fixtures test those.
        var piece = Gen.Frequency(
            (5, Gen.Elements(" ", "  ", "\n", "'", "'s", "'ll", "'LL", "a", "1", ".", "\u00A0", "\u0085", "\u2028", "²", "ª", "\u0301")),
            (2, Gen.Choose(0, 0xD7FF).Select(value => ((char)value).ToString())));
        Prop.ForAll(piece.ArrayOf().Select(string.Concat).ToArbitrary(), text =>
            Split(text).SequenceEqual(Gpt2().Matches(text).Select(match => match.Value)))
            .QuickCheckThrowOnFailure();
    }

    private static List<string> Split(string text)
    {
        var pieces = new List<string>();
        for (var rest = text; rest.Length > 0; rest = rest[pieces[^1].Length..])
        {
            pieces.Add(rest[..PreTokenizer.NextLength(rest)]);
        }

        return pieces;
    }

    [GeneratedRegex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", RegexOptions.CultureInvariant)]
    private static partial Regex Gpt2();
}
