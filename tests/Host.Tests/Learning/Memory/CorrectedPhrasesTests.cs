using AsrPlatform.Host.Learning.Memory;

namespace AsrPlatform.Host.Tests.Learning.Memory;

public sealed class CorrectedPhrasesTests
{
    [Theory]
    [InlineData("he stopped taking rabbta depine last week", "he stopped taking rabtodipine last week", "rabtodipine")]
    [InlineData("we met an a covert chick there", "we met Anna Kowalczyk there", "Kowalczyk|Anna Kowalczyk")]
    [InlineData("I saw fun their book.", "I saw van der Berg.", "van der Berg")]
    [InlineData("take a bus too", "Take a bus, two!", "")]
    [InlineData("the b m w stood there", "the BMW stood there", "BMW")]
    [InlineData("call nine eleven", "call 911", "911")]
    [InlineData("all of it was different from this", "nothing here resembles anything written above", "nothing|resembles|anything|written|above")]
    [InlineData("hello world", "hello world", "")]
    [InlineData("", "Zenlacraft.", "Zenlacraft")]
    public void Of_ACorrection_GivesTheWordsThatTheHypothesisLacked(string hypothesis, string text, string expected) =>
        Assert.Equal(expected.Split('|', StringSplitOptions.RemoveEmptyEntries), CorrectedPhrases.Of(hypothesis, text));
}
