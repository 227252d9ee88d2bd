using AsrPlatform.Abstractions;
using AsrPlatform.Host.Learning.Corrections;
using AsrPlatform.Whisper.Decoding.Scoring;

namespace AsrPlatform.Host.Tests.Learning.Corrections;

public sealed class CorrectionScreenTests
{
    [Theory]
    [InlineData("hello there", "hello their", "en", null)]
    [InlineData("Grüße aus Köln", "Grüsse aus Köln", "de", null)]
    [InlineData("", "hello", "en", "the text is empty")]
    [InlineData("   ", "hello", "en", "the text is empty")]
    [InlineData("привет, как дела", "hello", "en", "the text is written in Cyrillic letters, which the language 'en' is not")]
    [InlineData("привет, как дела", "привет", "ru", null)]
    [InlineData("привет Paul", "привет", null, null)]
    [InlineData("今日はいい天気です", "hello", "en", "the text is written in Japanese letters, which the language 'en' is not")]
    [InlineData("今日はいい天気です", "今日", "ja", null)]
    [InlineData("今天天气很好", "今", "zh", null)]
    [InlineData("OpenAI Whisper", "オープン", "ja", null)]
    public void Rule_ByText_HoldsWhatNoModelNeedsToJudge(string text, string hypothesis, string? language, string? reason)
    {
        var verdict = Judge(Correction(text, hypothesis, language), seconds: 2);
        Assert.Equal(reason is null, verdict.IsPlausible);
        Assert.StartsWith(reason ?? "", verdict.Reason ?? "", StringComparison.Ordinal);
    }

    [Fact]
    public void Rule_ByLength_HoldsWhatNobodySaysSoFast()
    {
        var correction = Correction(new string('a', 100), "aa", "en");
        Assert.StartsWith("the text is too long for the audio: 100 characters in 2.0 s", Judge(correction, seconds: 2).Reason, StringComparison.Ordinal);
        Assert.True(Judge(correction, seconds: 6).IsPlausible);
        Assert.Contains("too short for a word", Judge(Correction("a", "b", "en"), seconds: 0.05).Reason, StringComparison.Ordinal);
    }

    /// <summary>Changes count per token of their own, however long the utterance is around them; a few tokens as six.</summary>
    [Theory]
    [InlineData("a b c d", "w x y z", 8, 4.9, true)]
    [InlineData("a b c d", "w x y z", 8, 5.1, false)]
    [InlineData("e f g h i j k l a b c d", "e f g h i j k l w x y z", 8, 4.9, true)]
    [InlineData("e f g h i j k l a b c d", "e f g h i j k l w x y z", 8, 5.1, false)]
    [InlineData("e f g a", "e f g w", 6, 14.9, true)]
    [InlineData("e f g a", "e f g w", 6, 15.1, false)]
    [InlineData("e f g", "e f g w x y z", 8, 0, true)]
    public void Judge_AgainstWhatWasHeard_HoldsChangesThatAreMuchLessLikely(string text, string hypothesis, int changed, double lessPerWord, bool isReady)
    {
        var verdict = CorrectionScreen.Judge(
            Correction(text, hypothesis, "en"),
            new float[64000],
            new ScriptedScorer(word => word is "a" or "b" or "c" or "d" ? -1 - lessPerWord : -1),
            TestContext.Current.CancellationToken);
        Assert.Equal(isReady, verdict.IsPlausible);
        var words = text.Split(' ').Length - hypothesis.Split(' ').Length;
        Assert.Equal(((text.Split(' ').Count(word => word is "a" or "b" or "c" or "d") * lessPerWord) + words) / changed, verdict.Scores!.Gap, 1e-3);
    }

    /// <summary>A word that the model never met is very unlikely; the words around it say that the text is of this clip.</summary>
    [Theory]
    [InlineData(3.9, -5.1, true)]
    [InlineData(4.1, -5.1, false)]
    [InlineData(2.6, -4.9, false)]
    [InlineData(2.4, -4.9, true)]
    public void Reason_OfANewWordInATextThatFitsOtherwise_AllowsMore(double gap, double shuffled, bool isReady) => Assert.Equal(
        isReady,
        CorrectionScreen.Reason(new ScreeningScores { Text = 0, Silence = -20, Hypothesis = 0, Shuffled = shuffled, Gap = gap, Tokens = 8 }) is null);

    [Theory]
    [InlineData(14.9, true)]
    [InlineData(15.1, false)]
    public void Judge_WhenNothingWasHeard_ComparesWithSilence(double lessLikely, bool isReady)
    {
        var verdict = CorrectionScreen.Judge(Correction("hello", "", "en"), new float[32000], new ScriptedScorer(_ => -lessLikely), TestContext.Current.CancellationToken);
        Assert.Equal(isReady, verdict.IsPlausible);
        Assert.Equal((null, 0), (verdict.Scores!.Hypothesis, verdict.Scores.Silence));
    }

    [Fact]
    public void Judge_WhenWordsFitInAnyOrder_Holds()
    {
        var verdict = CorrectionScreen.Judge(Correction("one two three", "", "en"), new float[32000], new Orderless(), TestContext.Current.CancellationToken);
        Assert.Equal("the text does not fit the audio: its words are as likely in any other order", verdict.Reason);
        Assert.Null(verdict.Scores!.Hypothesis);

        // A single word has no other order.
        Assert.True(CorrectionScreen.Judge(Correction("one", "", "en"), new float[32000], new Orderless(), TestContext.Current.CancellationToken).IsPlausible);
    }

    [Fact]
    public void Judge_WhatTheModelHeardItself_IsReadyUnasked() =>
        Assert.True(CorrectionScreen.Judge(Correction("one", "one", "en"), new float[32000], new Failing(), TestContext.Current.CancellationToken).IsPlausible);

    [Fact]
    public void Judge_WhatTheModelRefuses_IsHeldWithItsReason() => Assert.Equal(
        "the model cannot judge it: too many tokens",
        CorrectionScreen.Judge(Correction("one", "two", "en"), new float[32000], new Failing(), TestContext.Current.CancellationToken).Reason);

    private static ScreeningVerdict Judge(StoredCorrection correction, double seconds) =>
        CorrectionScreen.Judge(correction, new float[(int)(seconds * 16000)], new ScriptedScorer(_ => -1), TestContext.Current.CancellationToken);

    private static StoredCorrection Correction(string text, string hypothesis, string? language) => new()
    {
        Number = 1,
        Id = "c",
        Hypothesis = hypothesis,
        Text = text,
        Language = language,
        AdapterVersion = "base",
        Diff = [],
        State = CorrectionState.Stored,
        CreatedAt = DateTimeOffset.UnixEpoch,
    };

    private sealed class Orderless : ICorrectionScorer
    {
        public IReadOnlyList<TextScore> Score(ReadOnlyMemory<float> samples, string? language, IReadOnlyList<string> texts, CancellationToken cancellationToken) =>
            [.. texts.Select(_ => new TextScore(-4, 4, []))];
    }

    private sealed class Failing : ICorrectionScorer
    {
        public IReadOnlyList<TextScore> Score(ReadOnlyMemory<float> samples, string? language, IReadOnlyList<string> texts, CancellationToken cancellationToken) =>
            throw new AsrException("too many tokens");
    }
}
