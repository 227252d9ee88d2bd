using AsrPlatform.Host.Learning.Datasets;

namespace AsrPlatform.Host.Tests.Learning.Datasets;

public sealed class CorrectionSplitTests
{
    private static readonly string[] Words =
        [.. "amber basil cedar delta ember fjord glade heath islet jetty knoll ledge marsh notch oasis plain quarry ridge shoal tundra upland vale wharf yard zenith abbey bridge castle dome estate"
            .Split(' ')];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Assign_InAnyOrder_GivesTheSameSides(int seed)
    {
        var corrections = Some(120, seed);
        var expected = CorrectionSplit.Assign(corrections, 0.2);
        var shuffled = corrections.ToArray();
        new Random(seed + 100).Shuffle(shuffled);
        Assert.Equal(expected.OrderBy(pair => pair.Key), CorrectionSplit.Assign(shuffled, 0.2).OrderBy(pair => pair.Key));
        Assert.Equal(120, expected.Count);
    }

    [Fact]
    public void Assign_Enough_HoldsOutItsShareOfEachSpeaker()
    {
        var sides = CorrectionSplit.Assign([.. Some(100, 5, "anna"), .. Some(60, 6, "bert", first: 1000)], 0.2);
        Assert.InRange(sides.Count(pair => pair.Value == SplitSide.HeldOut && pair.Key < 1000), 19, 20);
        Assert.InRange(sides.Count(pair => pair.Value == SplitSide.HeldOut && pair.Key >= 1000), 11, 13);
    }

    [Fact]
    public void Assign_TooFewToHoldOutTen_TrainsOnAll()
    {
        Assert.All(CorrectionSplit.Assign(Some(49, 1), 0.2).Values, side => Assert.Equal(SplitSide.Train, side));
        Assert.Equal(10, CorrectionSplit.Assign(Some(50, 1), 0.2).Values.Count(side => side == SplitSide.HeldOut));
        Assert.All(CorrectionSplit.Assign(Some(500, 1), 0).Values, side => Assert.Equal(SplitSide.Train, side));
    }

    /// <summary>Corrections come one after the other, some of them like earlier ones: whoever has a side keeps it, and no two of a kind are apart.</summary>
    [Theory]
    [InlineData(11)]
    [InlineData(12)]
    [InlineData(13)]
    [InlineData(14)]
    public void Assign_MoreAndMoreWithNearDuplicates_NeverPartsThemNorMovesAnybody(int seed)
    {
        var random = new Random(seed);
        var all = new List<DatasetCorrection>();
        var kin = new Dictionary<long, long>();
        for (var round = 0; round < 12; round++)
        {
            for (var index = 0; index < 15; index++)
            {
                var number = all.Count + 1;
                if (all.Count > 0 && random.Next(3) == 0)
                {
                    var like = all[random.Next(all.Count)];
                    kin[number] = Origin(kin, like.Number);
                    all.Add(random.Next(3) switch
                    {
                        0 => Correction(number, like.Text.ToUpperInvariant() + "!", like.Speaker),
                        1 => Correction(number, string.Join(' ', Sentence(random)), "somebody else", like.Clip),
                        _ => Correction(number, like.Text + " " + like.Text.Split(' ')[0], "a third"),
                    });
                }
                else
                {
                    all.Add(Correction(number, string.Join(' ', Sentence(random)), "speaker " + random.Next(3)));
                }
            }

            var given = CorrectionSplit.Assign(all, 0.2);
            Assert.All(all.Where(one => one.Side is not null), one => Assert.False(given.ContainsKey(one.Number)));
            all = all.ConvertAll(one => given.TryGetValue(one.Number, out var side) ? one with { Side = side } : one);
            Assert.All(all, one => Assert.NotNull(one.Side));
            foreach (var family in all.GroupBy(one => Origin(kin, one.Number)))
            {
                Assert.Single(family.Select(one => one.Side).Distinct());
            }
        }

        Assert.InRange(all.Count(one => one.Side == SplitSide.HeldOut) / (double)all.Count, 0.1, 0.25);
    }

    [Fact]
    public void Assign_AnUtteranceNearToBothSides_GetsNone()
    {
        var train = Correction(1, "one two three four five", "a") with { Side = SplitSide.Train };
        var held = Correction(2, "six seven eight nine ten", "a") with { Side = SplitSide.HeldOut };
        Assert.Empty(CorrectionSplit.Assign([train, held, Correction(3, "six seven eight nine ten", "a", train.Clip)], 0.2));
    }

    /// <summary>A person thinks again: the clip of the earlier correction is gone, its side is not.</summary>
    [Fact]
    public void Assign_ASuccessorOfTheSameUtterance_FollowsIt()
    {
        var earlier = Correction(1, "one two three", "a") with { Side = SplitSide.HeldOut, Clip = null, Utterance = "7 16000", IsReady = false };
        var given = CorrectionSplit.Assign([earlier, Correction(2, "something quite different", "a") with { Utterance = "7 16000" }], 0.2);
        Assert.Equal(SplitSide.HeldOut, Assert.Single(given).Value);
    }

    [Fact]
    public void Assign_TextsWithoutSpaces_AreComparedByLetters()
    {
        var train = Correction(1, "この薬は毎朝食後に飲んでください", "a") with { Side = SplitSide.Train };
        var held = Correction(2, "明日の会議は十時に始まります", "a") with { Side = SplitSide.HeldOut };
        var given = CorrectionSplit.Assign([train, held, Correction(3, "明日の会議は十時に始まりますよ", "b")], 0.2);
        Assert.Equal(SplitSide.HeldOut, given[3]);
    }

    private static long Origin(Dictionary<long, long> kin, long number) => kin.TryGetValue(number, out var origin) ? origin : number;

    private static List<DatasetCorrection> Some(int count, int seed, string speaker = "anna", long first = 1)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(index => Correction(first + index, string.Join(' ', Sentence(random)), speaker))];
    }

    /// <summary>Eight words of thirty: two such sentences share four of five with a chance of one in a million.</summary>
    private static string[] Sentence(Random random)
    {
        var words = Words.ToArray();
        random.Shuffle(words);
        return words[..8];
    }

    private static DatasetCorrection Correction(long number, string text, string speaker, string? clip = null) => new()
    {
        Number = number,
        Hypothesis = "",
        Text = text,
        Speaker = speaker,
        Clip = clip ?? $"clip-{number}",
        IsReady = true,
    };
}
