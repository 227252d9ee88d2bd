using AsrPlatform.Abstractions;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Tests.Tokens;

public sealed class BytePairTrainerTests
{
    [Fact]
    public void Train_CountsByHand_GiveTheseMerges()
    {
        // Pieces: "low" ×5, " lowest" ×2, " newer" ×6. Pairs: we 8 (ids decide nothing yet), ne ew wer er 6 …
        var texts = Enumerable.Repeat("low", 5).Concat(Enumerable.Repeat("a lowest", 2)).Concat(Enumerable.Repeat("a newer", 6));

        var vocabulary = BytePairTrainer.Train(texts, 256 + 4, addPrefixSpace: false);

        // w-e occurs 2 + 6 times, l-o and o-w 5 + 2 times: l has the smaller id. Then o-w is gone (lo-w 7), and of the pairs with 6 e-r leads.
        Assert.Equal([("w", "e"), ("l", "o"), ("e", "we"), ("n", "ewe")], vocabulary.Merges);
        Assert.Equal(260, vocabulary.Tokens.Count);
        Assert.Equal("newe", vocabulary.Tokens[^1]);
    }

    [Fact]
    public void Train_OrderOfTexts_DoesNotMatter()
    {
        string[] texts = ["the cat sat on the mat", "that is the hat", "a bat and a rat", "the rat ate the mat"];

        var one = BytePairTrainer.Train(texts, 264, addPrefixSpace: true);
        var other = BytePairTrainer.Train(texts.Reverse(), 264, addPrefixSpace: true);

        Assert.Equal(one.Merges, other.Merges);
    }

    [Fact]
    public void Train_EqualCounts_TheSmallerIdsLead() =>
        Assert.Equal(("a", "b"), BytePairTrainer.Train(["cd", "cd", "ab", "ab"], 257, addPrefixSpace: false).Merges[0]);

    [Fact]
    public void Train_TooLittleText_SaysHowManyTokensThereAre()
    {
        var error = Assert.Throws<AsrException>(() => BytePairTrainer.Train(["abab", "ab"], 1000, addPrefixSpace: false));

        Assert.Contains("257 tokens at the most", error.Message, StringComparison.Ordinal);
    }
}
