using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Features;
using AsrPlatform.Abstractions.Training;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Whisper.Tests.Training;

public sealed class CtcTargetsTests
{
    [Fact]
    public void Encode_Characters_AreTheTrainingTexts()
    {
        var data = new Texts("Bad  cab\n", "a");
        var targets = CtcTargets.Of(new TrainingArguments { CtcWeight = 0.3 }, data, endOfText: 100);
        Assert.Equal(6, targets.Classes); // blank, space, a, b, c, d
        Assert.Equal([3, 2, 5, 1, 4, 2, 3], targets.Encode(data.Load(0)));
        Assert.Equal([2, 3], targets.Encode(Sample("azb")));
        Assert.Equal(targets.Encode(data.Load(0)), CtcTargets.FromJson(targets.ToJson()!).Encode(data.Load(0)));
        Assert.Throws<AsrException>(() => CtcTargets.Of(new TrainingArguments { CtcWeight = 0.3 }, new Texts("", " "), 100));
        Assert.Throws<AsrException>(() => CtcTargets.FromJson("[\"ab\"]"));
    }

    [Fact]
    public void Encode_Tokens_AreTheTextsTokens()
    {
        var targets = CtcTargets.Of(new TrainingArguments { CtcUnits = CtcUnits.Tokens }, new Texts("x"), endOfText: 100);
        Assert.Equal(101, targets.Classes);
        Assert.Equal([1, 100], targets.Encode(Sample("x") with { Labels = [101, 110, 0, 99, 100] }));
        Assert.Null(targets.ToJson());
    }

    private static TrainingSample Sample(string text) => new() { Features = new FeatureMatrix([0], 1, 1, 1), Labels = [1], Text = text };

    private sealed class Texts(params string[] texts) : ITrainingDataset
    {
        public int Count => texts.Length;

        public TrainingSampleInfo Describe(int index) => new() { Id = $"{index}", Text = texts[index], Frames = 1 };

        public TrainingSample Load(int index) => Sample(texts[index]);
    }
}
