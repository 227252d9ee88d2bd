using AsrPlatform.Whisper.Alignment;

namespace AsrPlatform.Whisper.Tests.Alignment;

public sealed class PunctuationTests
{
    [Fact]
    public void Merge_OpeningAndClosingMarks_JoinTheirWords()
    {
        var words = Words(" he", " said", " \"", "stop", ".", "\"", " (", " now", ")");

        Punctuation.Merge(words);

        Assert.Equal([" he", " said", "", " \"stop.\"", "", "", "", " ( now)", ""], words.Select(word => word.Word));
        Assert.Equal([1, 1, 0, 4, 0, 0, 0, 3, 0], words.Select(word => word.TokenCount));
    }

    [Fact]
    public void Merge_MarkWithoutSpaceBefore_OpensNothing()
    {
        var words = Words(" well", "-", "known", " fact");

        Punctuation.Merge(words);

        Assert.Equal([" well", "-", "known", " fact"], words.Select(word => word.Word));
    }

    [Fact]
    public void Merge_MarkAfterTrailingSpace_StaysAlone()
    {
        var words = Words("a ", ".", "b");

        Punctuation.Merge(words);

        Assert.Equal(["a ", ".", "b"], words.Select(word => word.Word));
    }

    private static List<WordTiming> Words(params string[] words) =>
        [.. words.Select((word, i) => new WordTiming { Word = word, TokenCount = 1, Start = i, End = i + 1, Probability = 1 })];
}
