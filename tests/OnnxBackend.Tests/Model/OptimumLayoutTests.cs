using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Tests;
using AsrPlatform.Whisper;
using AsrPlatform.Whisper.Streaming;
using AsrPlatform.Whisper.Tests.Decoding;
using static AsrPlatform.OnnxBackend.Tests.OnnxModels;

namespace AsrPlatform.OnnxBackend.Tests.Model;

public sealed class OptimumLayoutTests
{
    [Fact]
    public void Encode_MicroOnJfk_MatchesHuggingFaceAtEveryFrame()
    {
        using var folder = new TemporaryFolder();
        using var model = Load(Micro(folder, withAttention: false));
        using var states = model.Encode(FeatureFixture.Read("jfk"), 1, 3000);
        AssertClose(NpyArray.Read(Fixtures.Path("model/jfk_encoder.npy")).ToSingle(), Copy(states, model), 1e-5);
    }

    [Fact]
    public void Transcribe_GraphWithoutAttention_GivesTextAndRefusesWordTimes()
    {
        using var folder = new TemporaryFolder();
        using var recognizer = WhisperRecognizer.Load(Backend(), new ModelLoadOptions { ModelDirectory = Micro(folder, withAttention: false) });
        Assert.False(recognizer.Info.SupportsWordTimes);
        Assert.Equal("onnx (cpu)", recognizer.Info.Backend);
        Assert.Equal(" Guten Morgen, wie geht es Ihnen heute?", recognizer.Transcribe(MicroRecognizer.Audio("de"), new TranscriptionOptions()).Text);
        var error = Assert.Throws<AsrException>(() => recognizer.Transcribe(MicroRecognizer.Audio("de"), new TranscriptionOptions { WordTimestamps = true }));
        Assert.Contains("attention", error.Message, StringComparison.Ordinal);
        Assert.Contains("onnx", error.Message, StringComparison.Ordinal);
        using var states = recognizer.Parts.Model.Encode(new float[80 * 3000], 1, 3000);
        Assert.Throws<ArgumentException>("options", () => recognizer.Parts.Model.CreateCache(states, [0], new DecoderCacheOptions { AlignmentHeads = [new(0, 0)] }));
        Assert.Throws<ArgumentException>("frames", () => recognizer.Parts.Model.Encode(new float[80 * 100], 1, 100));
    }

    [Fact]
    public void StreamingDecoder_GraphWithoutAttention_SharesTheAudioAmongTheWords()
    {
        using var folder = new TemporaryFolder();
        using var recognizer = WhisperRecognizer.Load(Backend(), new ModelLoadOptions { ModelDirectory = Micro(folder, withAttention: false) });
        var decoder = new StreamingDecoder(recognizer.Parts, new StreamingOptions { ShortContext = true });
        Assert.False(decoder.HasAlignmentHeads);
        Assert.Equal(3000, decoder.FramesOf(16000));
        var samples = WavFixture.Read("audio/fox.wav");
        var heard = Assert.Single(decoder.Decode([new StreamPass { Samples = samples, Language = "en" }], TestContext.Current.CancellationToken));
        Assert.Equal(" The quick brown fox jumps over the lazy dog.", string.Concat(heard.Words.Select(word => word.Text)));
        Assert.All(heard.Words, word => Assert.False(word.IsTimed));
        Assert.Equal(heard.Words.Select(word => word.Start).Order(), heard.Words.Select(word => word.Start));
        Assert.Equal(0, heard.Words[0].Start);
        Assert.InRange(heard.Words[^1].End, 0.75 * samples.Length / 16000, samples.Length / 16000.0);
    }
}
