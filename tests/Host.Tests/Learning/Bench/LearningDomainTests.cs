using AsrPlatform.Abstractions;
using AsrPlatform.Host.Learning.Bench;

namespace AsrPlatform.Host.Tests.Learning.Bench;

public sealed class LearningDomainTests
{
    public static TheoryData<string> Names => [.. LearningDomain.Sequence.Append(LearningDomain.Final).Select(domain => domain.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Make_Texts_AreDistinctAndTheSameForASeed(string name)
    {
        var texts = LearningDomain.Find(name).Make(seed: 3);
        Assert.Equal((LearningDomain.Correctable, LearningDomain.Evaluated), (texts.Corrections.Count, texts.Evaluation.Count));
        string[] all = [.. texts.Corrections.Concat(texts.Evaluation).Select(text => text.Text)];
        Assert.Equal(all.Length, all.Distinct().Count());
        Assert.All(all, text => Assert.Matches("^[a-z]+( [a-z]+)*$", text));
        Assert.Equal(all, LearningDomain.Find(name).Make(seed: 3) is var again ? [.. again.Corrections.Concat(again.Evaluation).Select(text => text.Text)] : []);
        Assert.NotEqual(all, LearningDomain.Find(name).Make(seed: 4) is var other ? [.. other.Corrections.Concat(other.Evaluation).Select(text => text.Text)] : []);
    }

    [Theory]
    [InlineData("medicines")]
    [InlineData("products")]
    [InlineData("places")]
    public void Make_OfNewWords_SharesTheWordsAndNoFrame(string name)
    {
        for (var seed = 1; seed <= 5; seed++)
        {
            var texts = LearningDomain.Find(name).Make(seed);
            var learned = Frames(texts.Corrections);
            var tested = Frames(texts.Evaluation);
            Assert.Empty(learned.Intersect(tested));
            Assert.Equal((6, 6), (learned.Count, tested.Count));
            Assert.Equal(LearningDomain.Words, texts.Corrections.Take(LearningDomain.Words).Select(text => text.Word).Distinct().Count());
            Assert.Equal(texts.Corrections.Select(text => text.Word).Distinct().Order(), texts.Evaluation.Select(text => text.Word).Distinct().Order());
            Assert.Equal(LearningDomain.Words, texts.Corrections.Select(text => text.Word![..2]).Distinct().Count());
        }

        static HashSet<string> Frames(IEnumerable<DomainText> texts) => [.. texts.Select(text =>
        {
            Assert.Contains(text.Word!, text.Text.Split(' '));
            return text.Text.Replace(text.Word!, "{}", StringComparison.Ordinal);
        })];
    }

    [Fact]
    public void Sequence_LeavesTheFinalDomainOut()
    {
        Assert.Equal(["medicines", "products", "voice"], LearningDomain.Sequence.Select(domain => domain.Name));
        Assert.DoesNotContain(LearningDomain.Final, LearningDomain.Sequence);
        Assert.Contains("medicines, products, voice, places", Assert.Throws<AsrException>(() => LearningDomain.Find("films")).Message);
    }
}
