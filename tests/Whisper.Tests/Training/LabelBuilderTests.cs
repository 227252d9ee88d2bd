using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Features;
using AsrPlatform.Abstractions.Training;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Tokens;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Whisper.Tests.Training;

public sealed class LabelBuilderTests
{
    private static WhisperTokenizer Tokenizer => WhisperTokenizer.Load(Fixtures.Path("micro"));

    [Fact]
    public void Build_Text_HasPrefixAndEnd()
    {
        var tokenizer = Tokenizer;
        var labels = new LabelBuilder(tokenizer, "en", TranscriptionTask.Transcribe).Build("live captions");
        Assert.Equal("<|startoftranscript|><|en|><|transcribe|><|notimestamps|>live captions<|endoftext|>", tokenizer.DecodeWithTimestamps(labels));
        Assert.Equal(tokenizer.StartOfTranscript, labels[0]);
        Assert.Equal(tokenizer.EndOfText, labels[^1]);
    }

    [Fact]
    public void Build_Silence_IsPrefixAndEnd() =>
        Assert.Equal(
            "<|startoftranscript|><|en|><|transcribe|><|notimestamps|><|endoftext|>",
            Tokenizer.DecodeWithTimestamps(new LabelBuilder(Tokenizer, "en", TranscriptionTask.Transcribe).Build("")));

    [Fact]
    public void Build_LanguageOfTheExample_GoesBeforeTheRuns() =>
        Assert.StartsWith(
            "<|startoftranscript|><|de|><|translate|>",
            Tokenizer.DecodeWithTimestamps(new LabelBuilder(Tokenizer, "en", TranscriptionTask.Translate).Build("x", "de")),
            StringComparison.Ordinal);

    [Fact]
    public void BuildTimed_Segments_HaveTheirTimes()
    {
        var tokenizer = Tokenizer;
        var labels = new LabelBuilder(tokenizer, "en", TranscriptionTask.Transcribe)
            .BuildTimed([new TimedText(0, 1.234, " one"), new TimedText(1.5, 2, " two")]);
        Assert.Equal(
            "<|startoftranscript|><|en|><|transcribe|><|0.00|> one<|1.24|><|1.50|> two<|2.00|><|endoftext|>",
            tokenizer.DecodeWithTimestamps(labels));
    }

    [Theory]
    [InlineData(-1, 1)]
    [InlineData(1, 0.5)]
    [InlineData(0, 31)]
    public void BuildTimed_ImpossibleTimes_AreRefused(double start, double end) =>
        Assert.Throws<AsrException>(() => new LabelBuilder(Tokenizer, "en", null).BuildTimed([new TimedText(start, end, "x")]));

    [Fact]
    public void Builder_UnknownLanguage_IsRefusedAtOnce() =>
        Assert.Throws<AsrException>(() => new LabelBuilder(Tokenizer, "klingon", null));

    [Fact]
    public void CtcTargets_Characters_AreTheTrainingTexts()
    {
        var data = new Texts("Bad  cab\n", "a");
        var targets = CtcTargets.Of(new TrainingArguments { CtcWeight = 0.3 }, data, endOfText: 100);
        Assert.Equal(6, targets.Classes); // blank, space, a, b, c, d
        Assert.Equal([3, 2, 5, 1, 4, 2, 3], targets.Encode(data.Load(0)));
        Assert.Equal([2, 3], targets.Encode(Sample("az b".Replace(" ", "", StringComparison.Ordinal))));
        Assert.Equal(targets.Encode(data.Load(0)), CtcTargets.FromJson(targets.ToJson()!).Encode(data.Load(0)));
        Assert.Throws<AsrException>(() => CtcTargets.Of(new TrainingArguments { CtcWeight = 0.3 }, new Texts("", " "), 100));
        Assert.Throws<AsrException>(() => CtcTargets.FromJson("[\"ab\"]"));
    }

    [Fact]
    public void CtcTargets_Tokens_AreTheTextsTokens()
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
