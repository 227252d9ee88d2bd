using System.Text.Json.Nodes;
using AsrPlatform.Host.Cli.Soak;

namespace AsrPlatform.Host.Tests.Cli;

/// <summary>The soak: whether it finds what grows, and that a host whose recogniser is a stand-in does not.</summary>
public sealed class SoakTests
{
    [Fact]
    public void Soak_OfAShortTime_UsesTheHostInEveryWayAndFindsItsMemoryFlat()
    {
        var report = JsonNode.Parse(AsrProcess.Run("bench", "soak", "--stand-in", "--minutes", "1.5", "--sessions", "4", "--viewers", "8", "--json").ShouldSucceed())!;
        Assert.True((double)report["audioSeconds"]! > 120);
        foreach (var counted in new[] { "sessions", "viewers", "updates", "committedCaptions", "corrections", "droppedConnections" })
        {
            Assert.True((int)report[counted]! > 0, counted);
        }

        Assert.InRange(report["samples"]!.AsArray().Count, 10, 41);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(20, true)]
    [InlineData(200, false)]
    [InlineData(5000, false)]
    public void Trend_OfAHost_IsFlatUnlessItGrows(double growthPerHour, bool flat)
    {
        var random = new Random(3);

        // Caches fill in the beginning; a collection or a burst of sessions moves single samples far.
        var samples = Enumerable.Range(1, 40)
            .Select(i => 45.0 * i)
            .Select(seconds => Sample(seconds, 80 + Math.Min(40, seconds / 10) + (growthPerHour * seconds / 3600) + (4 * random.NextDouble()) + (random.Next(8) == 0 ? 60 : 0)))
            .ToArray();
        var trend = MemoryTrend.Of(samples, sample => sample.ManagedMiB, perHour: 30, noise: 10);
        Assert.Equal(flat, trend.IsFlat);
        Assert.InRange(trend.MiBPerHour, growthPerHour - 15, growthPerHour + 15);
    }

    [Fact]
    public void Trend_OfTooFewSamples_IsRefused() =>
        Assert.Throws<ArgumentException>(() => MemoryTrend.Of([.. Enumerable.Range(1, 5).Select(i => Sample(i, 1))], sample => sample.ManagedMiB, 1, 1));

    private static MemorySample Sample(double seconds, double managed) => new(seconds, 2 * managed, managed, 3 * managed, 1, 1);
}
