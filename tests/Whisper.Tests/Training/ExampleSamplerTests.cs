using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Whisper.Tests.Training;

public sealed class ExampleSamplerTests
{
    [Fact]
    public void Order_Random_IsAnotherPermutationEveryEpochAndTheSameForASeed()
    {
        var sampler = Sampler(SamplingStrategy.Random, 100, seed: 3);
        var orders = Enumerable.Range(0, 5).Select(sampler.Order).ToArray();
        Assert.All(orders, order => Assert.Equal(Enumerable.Range(0, 100), order.Order()));
        Assert.Equal(5, orders.Select(order => string.Join(',', order)).Distinct().Count());
        Assert.Equal(orders[3], Sampler(SamplingStrategy.Random, 100, seed: 3).Order(3));
        Assert.NotEqual(orders[3], Sampler(SamplingStrategy.Random, 100, seed: 4).Order(3));
    }

    /// <summary>Frozen, and computed apart from this code: another order would break the resumption of a run that an older version began.</summary>
    [Fact]
    public void Order_Random_StaysWhatItWas() =>
        Assert.Equal(FrozenOrder, Sampler(SamplingStrategy.Random, 10, seed: 42).Order(1));

    private static readonly int[] FrozenOrder = [9, 8, 5, 7, 3, 2, 1, 4, 6, 0];

    [Fact]
    public void Order_Random_PutsEveryExampleEverywhere()
    {
        // 4,000 epochs of 5: each example is expected 800 times at each place, standard deviation 25.
        var sampler = Sampler(SamplingStrategy.Random, 5, seed: 1);
        var counts = new int[5, 5];
        for (var epoch = 0; epoch < 4000; epoch++)
        {
            var order = sampler.Order(epoch);
            for (var place = 0; place < 5; place++)
            {
                counts[place, order[place]]++;
            }
        }

        Assert.All(counts.Cast<int>(), count => Assert.InRange(count, 675, 925));
    }

    [Fact]
    public void Order_Sequential_IsTheDataSets() => Assert.Equal(Enumerable.Range(0, 7), Sampler(SamplingStrategy.Sequential, 7).Order(2));

    [Fact]
    public void Order_GroupByLength_PutsLikeLengthsTogetherAndTheLongestFirst()
    {
        var lengths = SeededRandom.Of(9, "lengths").Permutation(400);
        var sampler = Sampler(SamplingStrategy.GroupByLength, 400, lengths: lengths);
        var order = sampler.Order(0);
        Assert.Equal(Enumerable.Range(0, 400), order.Order());
        Assert.Equal(399, lengths[order[0]]);
        Assert.NotEqual(order, sampler.Order(1));

        // Batches of 2 × 2 from groups of 25: the spread within a batch is far below that of a random one (some 240).
        var spread = order.Chunk(4).Average(batch => batch.Max(index => lengths[index]) - batch.Min(index => lengths[index]));
        Assert.InRange(spread, 0, 40);
    }

    [Fact]
    public void Order_ShortFirst_SortsTheFirstEpochAndGroupsTheOthers()
    {
        var lengths = SeededRandom.Of(9, "lengths").Permutation(400);
        var sampler = Sampler(SamplingStrategy.ShortFirst, 400, lengths: lengths);
        Assert.Equal(Enumerable.Range(0, 400), sampler.Order(0).Select(index => lengths[index]));
        Assert.Equal(Sampler(SamplingStrategy.GroupByLength, 400, lengths: lengths).Order(1), sampler.Order(1));
    }

    [Fact]
    public void Next_ManyDraws_AreUniform()
    {
        var random = SeededRandom.Of(1, "test");
        var counts = new int[7];
        for (var draw = 0; draw < 70_000; draw++)
        {
            counts[random.Next(7)]++;
        }

        // Standard deviation 93.
        Assert.All(counts, count => Assert.InRange(count, 9_500, 10_500));
    }

    private static ExampleSampler Sampler(SamplingStrategy strategy, int count, int seed = 0, int[]? lengths = null) =>
        ExampleSampler.Create(
            new TrainingArguments { TrainSamplingStrategy = strategy, Seed = seed, PerDeviceTrainBatchSize = 2, GradientAccumulationSteps = 2 }, count, lengths);
}
