using AsrPlatform.Whisper.Streaming;

namespace AsrPlatform.Whisper.Tests.Streaming;

/// <summary>Policies on hypotheses that a script gives.</summary>
public sealed class CaptionStreamTests
{
    [Fact]
    public void AlignAtt_WordsThatRestOnTheEndOfTheAudio_StayTentativeWithAllBehindThem()
    {
        var stream = new CaptionStream(new AlignAttPolicy(0.5));
        var (committed, tentative) = stream.Step(Heard(2, ("the", 0.1, 0.4, 0.4), ("quick", 0.4, 0.9, 1.6), ("fox", 0.9, 1.4, 1.2)), 10, isFinal: false);
        Assert.Equal(["the"], Texts(committed));
        Assert.Equal(["quick", "fox"], Texts(tentative));
        Assert.Equal((10.1, 10.4), (committed[0].Start, committed[0].End));
        Assert.Equal([3], stream.Forced);
    }

    /// <summary>The script's model is equally sure of all words; calibrated, that means much for one version, and little for another.</summary>
    [Theory]
    [InlineData("good", new[] { "the", "quick" }, new[] { "fox", "ran" })]
    [InlineData("poor", new[] { "the" }, new[] { "quick", "fox", "ran" })]
    public void AlignAtt_WithEarlyCommit_WordsThatAreProbablyRightNeedLessAudioBehindThem(string version, string[] final, string[] open)
    {
        var stream = new CaptionStream(new AlignAttPolicy(0.8, new EarlyCommit(0.9, 0.4, (confidence, adapter) => adapter == "good" ? confidence : confidence / 2)));
        var heard = Heard(2, ("the", 0.1, 0.4, 0.4), ("quick", 0.4, 0.9, 1.5), ("fox", 0.9, 1.4, 1.7), ("ran", 1.4, 1.5, 1.5)) with { AdapterVersion = version };
        var (committed, tentative) = stream.Step(heard, 10, isFinal: false);
        Assert.Equal(final, Texts(committed));
        Assert.Equal(open, Texts(tentative));
    }

    [Fact]
    public void AlignAtt_WithEarlyCommit_AnUnsureWordHoldsThoseBehindItBack()
    {
        var policy = new AlignAttPolicy(0.8, new EarlyCommit(0.9, 0.4, (confidence, _) => confidence));
        var heard = Heard(2, ("quick", 0.4, 0.9, 1.5), ("fox", 0.9, 1.4, 1.5));
        Assert.Equal(2, policy.Settle(heard.Words, heard, 2, isFinal: false));
        heard = heard with { Words = [heard.Words[0] with { Confidence = 0.89 }, heard.Words[1]] };
        Assert.Equal(0, policy.Settle(heard.Words, heard, 2, isFinal: false));

        // Nobody is held back for longer than without it.
        Assert.Equal(2, new AlignAttPolicy(0.4, new EarlyCommit(0.9, 5, (confidence, _) => confidence)).Settle(heard.Words, heard, 2, isFinal: false));
    }

    [Fact]
    public void AlignAtt_AtTheEnd_CommitsTheTail()
    {
        var stream = new CaptionStream(new AlignAttPolicy(0.5));
        stream.Step(Heard(1, ("the", 0.1, 0.4, 0.3)), 0, isFinal: false);
        var (committed, tentative) = stream.Step(Heard(1.2, ("fox", 0.5, 1.2, 1.2)), 0, isFinal: true);
        Assert.Equal(["fox"], Texts(committed));
        Assert.Empty(tentative);
    }

    [Theory]
    [InlineData(6.0, 1)]
    [InlineData(3.0, 2)]
    public void AlignAtt_AttentionThatJumpsFarBack_CommitsNothingFromThere(double first, int settled)
    {
        var policy = new AlignAttPolicy(0.5);
        var heard = Heard(10, ("a", 5, 6, first), ("b", 6, 7, 1.5));
        Assert.Equal(settled, policy.Settle(heard.Words, heard, 10, isFinal: false));
    }

    [Fact]
    public void AlignAtt_AWordThatRepeats_IsNotCommittedBeforeTheEnd()
    {
        var policy = new AlignAttPolicy(0.5);
        var heard = Heard(10, ("a", 1, 2, 2), ("b", 2, 3, 3));
        heard = heard with { Words = [heard.Words[0], heard.Words[1] with { Repeats = true }] };
        Assert.Equal(1, policy.Settle(heard.Words, heard, 10, isFinal: false));
        Assert.Equal(2, policy.Settle(heard.Words, heard, 10, isFinal: true));
    }

    [Fact]
    public void LocalAgreement_WordsWithoutTimes_ContinueBehindTheCommittedText()
    {
        var stream = new CaptionStream(new LocalAgreementPolicy());
        stream.Step(Untimed(2, "the", "quick"), 0, isFinal: false);
        Assert.Equal(["the", "quick"], Texts(stream.Step(Untimed(3, "the", "quick", "fox"), 0, isFinal: false).Committed));

        // More audio moves every word: by its time "quick" would be new, and "fox" old.
        Assert.Equal(["fox"], Texts(stream.Step(Untimed(9, "the", "quick", "fox", "jumps"), 0, isFinal: false).Committed));
        Assert.Equal(["jumps"], Texts(stream.Step(Untimed(3, "a", "the", "quick", "fox", "jumps"), 0, isFinal: false).Committed));

        // Where the text is not found, times are all there is.
        Assert.Empty(stream.Step(Untimed(2, "so", "what"), 0, isFinal: true).Committed);

        static StreamHypothesis Untimed(double seconds, params string[] words)
        {
            var share = seconds / (words.Length + 1);
            return new StreamHypothesis
            {
                Seconds = seconds,
                Words = [.. words.Select((word, i) => new StreamWord(word, i * share, (i + 1) * share, 0.9) { IsTimed = false, Tokens = [i] })],
            };
        }
    }

    [Fact]
    public void LocalAgreement_WhatTwoPassesAgreeOn_IsCommittedOnce()
    {
        var stream = new CaptionStream(new LocalAgreementPolicy());
        Assert.Empty(stream.Step(Heard(1, ("the", 0, 0.3), ("quack", 0.3, 0.8)), 0, isFinal: false).Committed);
        var (committed, tentative) = stream.Step(Heard(2, ("the", 0.02, 0.32), ("quick", 0.32, 0.8), ("fox", 0.9, 1.4)), 0, isFinal: false);
        Assert.Equal(["the"], Texts(committed));
        Assert.Equal(["quick", "fox"], Texts(tentative));

        // The window is heard from its start again: what is committed is not said twice, though its times differ.
        (committed, tentative) = stream.Step(Heard(3, ("the", 0.35, 0.4), ("quick", 0.4, 0.8), ("fox", 0.9, 1.4), ("jumps", 1.5, 2)), 0, isFinal: false);
        Assert.Equal(["quick", "fox"], Texts(committed));
        Assert.Equal(["jumps"], Texts(tentative));
        Assert.Equal(["the", "quick", "fox"], Texts(stream.Committed));
        Assert.Empty(stream.Forced);
    }

    [Fact]
    public void LocalAgreement_AtTheEnd_CommitsTheTailWithoutASecondOpinion()
    {
        var stream = new CaptionStream(new LocalAgreementPolicy());
        stream.Step(Heard(1, ("the", 0, 0.3)), 0, isFinal: false);
        Assert.Equal(["the", "fox"], Texts(stream.Step(Heard(2, ("the", 0, 0.3), ("fox", 0.9, 1.4)), 0, isFinal: true).Committed));
    }

    [Fact]
    public void Preview_OfAnyPolicy_CommitsNothing()
    {
        foreach (var policy in new IStreamingPolicy[] { new AlignAttPolicy(0.5), new LocalAgreementPolicy(), new UtterancePolicy() })
        {
            var stream = new CaptionStream(policy);
            for (var i = 0; i < 3; i++)
            {
                Assert.Equal(["the", "fox"], Texts(stream.Preview(Heard(9, ("the", 0, 0.3, 0.3), ("fox", 0.9, 1.4, 1.4)), 0)));
            }

            Assert.Empty(stream.Committed);
            var (committed, _) = stream.Step(Heard(9, ("the", 0, 0.3, 0.3)), 0, isFinal: false);
            Assert.Equal(policy is AlignAttPolicy ? 1 : 0, committed.Count);
        }
    }

    [Fact]
    public void Utterance_BeforeItsEnd_CommitsNothing()
    {
        var stream = new CaptionStream(new UtterancePolicy());
        Assert.Empty(stream.Step(Heard(9, ("the", 0, 0.3)), 0, isFinal: false).Committed);
        Assert.Equal(["the"], Texts(stream.Step(Heard(9, ("the", 0, 0.3)), 0, isFinal: true).Committed));
    }

    [Fact]
    public void Step_WhoseWordsStartInsideACommittedOne_KeepsTimeInOrder()
    {
        var stream = new CaptionStream(new AlignAttPolicy(0.5));
        stream.Step(Heard(9, ("the", 0, 1, 1)), 0, isFinal: false);
        var (committed, _) = stream.Step(Heard(9, ("fox", 0.8, 0.9, 2), ("jumps", 0.9, 1.5, 2)), 0, isFinal: false);
        Assert.Equal([(1.0, 1.0), (1.0, 1.5)], committed.Select(word => (word.Start, word.End)));
    }

    [Fact]
    public void FindCut_OfALongWindow_IsBehindACommittedWordAtTheLongestPause()
    {
        var stream = new CaptionStream(new AlignAttPolicy(0.5));
        Assert.Null(stream.FindCut(0, 12));
        stream.Step(Heard(12, ("a", 0, 1, 1), ("b", 2, 5, 5), ("c", 5.6, 7, 7), ("d", 7.1, 8, 8), ("e", 9, 11, 11)), 0, isFinal: false);
        Assert.Equal(8.5, stream.FindCut(0, 12));
        stream.MoveTo(8.5);
        Assert.Equal(["e"], Texts(stream.Committed));
        Assert.Equal([1], stream.Forced);
        Assert.Equal([1, 1, 1, 1], stream.Previous);
    }

    [Fact]
    public void Previous_OfAStreamWithoutEnd_StaysBounded()
    {
        var stream = new CaptionStream(new AlignAttPolicy(0.5));
        for (var i = 0; i < 1000; i++)
        {
            stream.Step(Heard(2, ("word", 0, 1, 1)), 2 * i, isFinal: true);
            stream.End();
        }

        Assert.InRange(stream.Previous.Count, 50, 200);
        Assert.Empty(stream.Committed);
    }

    [Fact]
    public void Language_OnceSomethingIsCommitted_StaysUntilTheUtteranceEnds()
    {
        var stream = new CaptionStream(new AlignAttPolicy(0.5));
        stream.Step(Heard(2) with { Language = "de" }, 0, isFinal: false);
        Assert.Null(stream.Language);
        stream.Step(Heard(2, ("the", 0, 1, 1)) with { Language = "en" }, 0, isFinal: false);
        stream.Step(Heard(2, ("fox", 1, 1.2, 1.2)) with { Language = "nl" }, 0, isFinal: false);
        Assert.Equal("en", stream.Language);
        stream.End();
        Assert.Null(stream.Language);
    }

    [Theory]
    [InlineData(new[] { 1, 2, 3, 4, 5, 6 }, null, null)]
    [InlineData(new[] { 9, 7, 7, 7, 7, 7, 7, 7 }, null, null)]
    [InlineData(new[] { 9, 7, 7, 7, 7, 7, 7, 7, 7 }, 2, 1)]
    [InlineData(new[] { 9, 1, 2, 3, 1, 2, 3, 1, 2, 3 }, null, null)]
    [InlineData(new[] { 9, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4 }, 5, 4)]
    public void FindRepetition_AtTheEndOfAText_SaysWhatToKeep(int[] tokens, int? keep, int? period)
    {
        var found = HallucinationGuards.FindRepetition(tokens);
        Assert.Equal((keep, period), (found?.Keep, found?.Period));
    }

    [Fact]
    public void Plausible_OfWhatCannotBeSaid_LeavesWhatCan()
    {
        StreamWord[] words = [.. Enumerable.Range(0, 40).Select(i => new StreamWord(" abcdefghi", i * 0.05, (i * 0.05) + 0.05, 0.9))];
        Assert.Equal(40, HallucinationGuards.Plausible(words, 20));
        Assert.InRange(HallucinationGuards.Plausible(words, 2), 5, 10);
        Assert.Equal(0, HallucinationGuards.Plausible([new StreamWord(" thanks", 3, 3, 0.1)], 3));
        Assert.Equal(1, HallucinationGuards.Plausible([new StreamWord(" thanks", 3, 3, 0.9)], 3));
    }

    private static StreamHypothesis Heard(double seconds, params (string Text, double Start, double End, double AttendedTo)[] words) => new()
    {
        Words = [.. words.Select(word => new StreamWord(" " + word.Text, word.Start, word.End, 0.9) { Tokens = [word.Text.Length], AttendedTo = word.AttendedTo })],
        Seconds = seconds,
    };

    private static StreamHypothesis Heard(double seconds, params (string Text, double Start, double End)[] words) =>
        Heard(seconds, [.. words.Select(word => (word.Text, word.Start, word.End, word.End))]);

    private static StreamHypothesis Heard(double seconds) => Heard(seconds, Array.Empty<(string, double, double)>());

    private static IEnumerable<string> Texts(IEnumerable<StreamWord> words) => words.Select(word => word.Text.Trim());
}
