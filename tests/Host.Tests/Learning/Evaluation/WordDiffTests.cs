using AsrPlatform.Host.Learning.Evaluation;

namespace AsrPlatform.Host.Tests.Learning.Evaluation;

public sealed class WordDiffTests
{
    [Fact]
    public void Render_ErrorsOfAllKinds_StandUnderEachOther() =>
        Assert.Equal(
            "  REF: the quick fox jumps over the **** dogs now\n" +
            "  HYP: the quack fox ***** over the lazy dogs now\n" +
            "           S         D              I\n",
            WordDiff.Render("the quick fox jumps over the dogs now", "the quack fox over the lazy dogs now", 100, colour: false));

    [Fact]
    public void Render_WideCharacters_TakeTwoColumns() =>
        Assert.Equal("  REF: 日本 ok\n  HYP: aaaa ok\n       S\n", WordDiff.Render("日本 ok", "aaaa ok", 100, colour: false));

    [Fact]
    public void Render_LongLines_AreBroken()
    {
        var text = WordDiff.Render("one two three four", "one two three four", 17, colour: false);
        Assert.Equal("  REF: one two\n  HYP: one two\n\n  REF: three\n  HYP: three\n\n  REF: four\n  HYP: four\n\n", text);
    }

    [Fact]
    public void Render_Colour_MarksErrorsAlone()
    {
        var text = WordDiff.Render("a b", "a c", 100, colour: true);
        Assert.Contains(" a \u001b[33mb\u001b[0m", text, StringComparison.Ordinal);
        Assert.Contains(" a \u001b[33mc\u001b[0m", text, StringComparison.Ordinal);
    }
}
