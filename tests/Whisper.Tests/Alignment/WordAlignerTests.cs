using AsrPlatform.Abstractions.Models;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Alignment;
using AsrPlatform.Whisper.Decoding;
using AsrPlatform.Whisper.Tests.Decoding;

namespace AsrPlatform.Whisper.Tests.Alignment;

/// <summary>Times and probabilities themselves are held against OpenAI's in the parity tests of its decoder.</summary>
public sealed class WordAlignerTests(MicroRecognizer micro) : IClassFixture<MicroRecognizer>
{
    private WhisperDecoderInput Parts => micro.Parts;

    [Fact]
    public void Align_OneHeadAtATime_GivesTheSameTimes()
    {
        using var states = EncodeFox();
        var text = Parts.Tokenizer.Encode(" The quick brown fox jumps over the lazy dog.");
        var start = Parts.Tokenizer.Prefix("en", Abstractions.Decoding.TranscriptionTask.Transcribe, timestamps: true);

        var atOnce = Aligner(Parts.Generation.AlignmentHeads, 1 << 24).Align(states, start, text, 344, "en");
        var oneByOne = Aligner(Parts.Generation.AlignmentHeads, 1).Align(states, start, text, 344, "en");

        Assert.Equal(
            [" The", " quick", " brown", " fox", " jumps", " over", " the", " lazy", " dog", "."], atOnce.Select(word => word.Word));
        Assert.Equal(atOnce.Select(word => (word.Start, word.End)), oneByOne.Select(word => (word.Start, word.End)));
        Assert.All(atOnce.Zip(oneByOne), pair => Assert.Equal(pair.First.Probability, pair.Second.Probability, 1e-6));
        Assert.All(atOnce, word => Assert.InRange(word.Probability, 0.99, 1));
        Assert.True(atOnce[^1].End > 1, "The words end where they started.");
    }

    [Fact]
    public void Align_NoHeadsGiven_FollowsTheUpperHalf()
    {
        using var states = EncodeFox();
        var text = Parts.Tokenizer.Encode(" The quick brown fox");
        AttentionHead[] upper = [new(1, 0), new(1, 1), new(1, 2), new(1, 3)];

        var words = Aligner([], 1 << 24).Align(states, [Parts.Tokenizer.StartOfTranscript], text, 344, "en");
        var expected = Aligner(upper, 1 << 24).Align(states, [Parts.Tokenizer.StartOfTranscript], text, 344, "en");

        Assert.Equal(upper, WordAligner.UpperHalf(Parts.Model.Info));
        Assert.Equal(expected.Select(word => (word.Start, word.End)), words.Select(word => (word.Start, word.End)));
    }

    [Fact]
    public void Align_HardlyAnyAudio_GivesWordsWithoutLength()
    {
        using var states = EncodeFox();

        var words = Aligner([], 1 << 24).Align(states, [Parts.Tokenizer.StartOfTranscript], Parts.Tokenizer.Encode(" The fox"), 1, "en");

        Assert.Equal([(0, 0), (0, 0)], words.Select(word => (word.Start, word.End)));
    }

    [Fact]
    public void Align_NoText_GivesNoWords()
    {
        using var states = EncodeFox();

        Assert.Empty(Aligner([], 1 << 24).Align(states, [Parts.Tokenizer.StartOfTranscript], [], 344, "en"));
    }

    private WordAligner Aligner(IReadOnlyList<AttentionHead> heads, int maxHeldWeights) =>
        new(Parts.Model, Parts.Tokenizer, heads, Parts.PositionsPerSecond, Parts.Config.MedianFilterWidth) { MaxHeldWeights = maxHeldWeights };

    private IEncoderStates EncodeFox()
    {
        var features = Parts.Features.Extract(WavFixture.Read("audio/fox.wav"), padToSamples: 480000);
        return Parts.Model.Encode(features.Values, 1, features.Frames);
    }
}
