using System.Text.Json.Nodes;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Whisper.Tests.Training;

public sealed class SpecAugmentMasksTests
{
    public static TheoryData<int> Cases => [.. Enumerable.Range(0, 7)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Spans_ManyDraws_CoverTheExpectedShare(int index)
    {
        var rows = JsonNode.Parse(File.ReadAllText(Fixtures.Path("trainer/specaugment/statistics.json")))!.AsArray();
        Assert.Equal(7, rows.Count);
        var row = rows[index]!;
        var width = row["axis_length"]!.GetValue<int>();
        var random = SeededRandom.Of(1, "spans", index);
        var shares = new List<double>();
        var (least, most) = (int.MaxValue, 0);
        for (var call = 0; call < 1600; call++)
        {
            var masked = SpecAugmentMasks.Spans(
                [width, width, width, width],
                width,
                row["mask_prob"]!.GetValue<double>(),
                row["mask_length"]!.GetValue<int>(),
                row["min_masks"]!.GetValue<int>(),
                random);
            var counts = masked.Chunk(width).Select(frames => frames.Count(frame => frame)).ToArray();
            (least, most) = (Math.Min(least, counts.Min()), Math.Max(most, counts.Max()));
            shares.Add(counts.Average() / width);
        }

        // Calls are independent, the rows of a call are not (they share the number of spans).
        var mean = shares.Average();
        var error = Math.Sqrt(shares.Sum(share => (share - mean) * (share - mean)) / (shares.Count - 1.0) / shares.Count);
        var expected = row["expected_fraction_exact"]!.GetValue<double>();
        Assert.InRange(mean, expected - (4.5 * error), expected + (4.5 * error));
        Assert.InRange(error, 1e-7, expected * 0.05);
        Assert.InRange(most, 1, Most(row));
        Assert.True(least <= most);
    }

    /// <summary>The most that can be masked: all spans side by side.</summary>
    private static int Most(JsonNode row) =>
        (row["spans_floor"]!.GetValue<int>() + (row["prob_one_more"]!.GetValue<double>() > 0 ? 1 : 0)) * row["mask_length"]!.GetValue<int>();

    [Fact]
    public void Spans_RowsOfOtherLengths_StayWithinTheirOwnFrames()
    {
        var random = SeededRandom.Of(2, "rows");
        for (var call = 0; call < 200; call++)
        {
            var masked = SpecAugmentMasks.Spans([200, 50, 12, 9, 0], 200, 0.1, 10, 2, random);
            var counts = masked.Chunk(200).Select(row => row.Count(frame => frame)).ToArray();
            var last = masked.Chunk(200).Select(row => Array.LastIndexOf(row, true)).ToArray();
            Assert.InRange(counts[0], 11, 20);
            Assert.InRange(counts[1], 11, 20);
            Assert.InRange(counts[2], 11, 12);
            Assert.Equal([0, 0], counts[3..]);
            Assert.True(last[0] < 200 && last[1] < 50 && last[2] < 12);
        }
    }

    [Fact]
    public void Apply_TheFixturesMasks_ZeroesTheirFramesAndBins()
    {
        using var masks = SafetensorsFile.Open(Fixtures.Path("trainer/specaugment/masks.safetensors"));
        using var batches = SafetensorsFile.Open(Fixtures.Path("trainer/batches.safetensors"));
        var time = masks["time_mask"].Bytes.ToArray().Select(value => value != 0).ToArray();
        var feature = masks["feature_mask"].Bytes.ToArray().Select(value => value != 0).ToArray();
        Assert.Contains(true, time);
        Assert.Contains(true, feature);
        var original = batches["input_features"].ToSingle()[..(4 * 80 * 200)];
        var masked = (float[])original.Clone();
        new SpecAugmentMasks(4, time, feature).Apply(masked, 80, 200);
        for (var index = 0; index < masked.Length; index++)
        {
            var (row, bin, frame) = (index / (80 * 200), index / 200 % 80, index % 200);
            Assert.Equal(time[(row * 200) + frame] || feature[(row * 80) + bin] ? 0 : original[index], masked[index]);
        }
    }

    [Fact]
    public void Draw_SameStream_IsTheSame()
    {
        var settings = new SpecAugmentSettings(0.3, 5, 2, 0.3, 5, 1);
        var batch = Batch();
        var masks = SpecAugmentMasks.Draw(settings, batch, SeededRandom.Of(1, "spec-augment", 7, 0));
        var again = SpecAugmentMasks.Draw(settings, batch, SeededRandom.Of(1, "spec-augment", 7, 0));
        var other = SpecAugmentMasks.Draw(settings, batch, SeededRandom.Of(1, "spec-augment", 8, 0));
        Assert.Equal(masks.Time.ToArray(), again.Time.ToArray());
        Assert.Equal(masks.Feature.ToArray(), again.Feature.ToArray());
        Assert.NotEqual(masks.Time.ToArray(), other.Time.ToArray());
        Assert.Equal(2 * 100, masks.Time.Length);
        Assert.Equal(2 * 80, masks.Feature.Length);
        Assert.True(SpecAugmentMasks.Draw(settings with { FeatureProb = 0 }, batch, SeededRandom.Of(1, "x")).Feature.IsEmpty);
    }

    [Fact]
    public void Settings_OfArguments_GoBeforeTheModels()
    {
        var config = WhisperConfig.Load(Fixtures.Path("trainer/init"));
        Assert.Null(SpecAugmentSettings.Of(new TrainingArguments(), config));
        Assert.Equal(
            new SpecAugmentSettings(0.05, 10, 2, 0.2, 10, 0),
            SpecAugmentSettings.Of(new TrainingArguments { ApplySpecAugment = true, MaskFeatureProb = 0.2 }, config));
        Assert.Null(SpecAugmentSettings.Of(new TrainingArguments { ApplySpecAugment = false }, config with { ApplySpecAugment = true }));
    }

    private static TrainingBatch Batch() => new()
    {
        Features = new float[2 * 80 * 100],
        Batch = 2,
        FeatureSize = 80,
        Frames = 100,
        FrameCounts = [100, 60],
        Labels = [],
        LabelLength = 0,
        LabelCounts = [0, 0],
        DecoderInputs = [],
        Samples = [],
    };
}
