using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Tests.Checkpoints;

public sealed class FreshCheckpointTests
{
    internal static readonly FreshCheckpointOptions Small = new()
    {
        Vocabulary = 266,
        Languages = ["de", "en"],
        Width = 16,
        EncoderLayers = 1,
        DecoderLayers = 2,
        Heads = 2,
        ContextSeconds = 4,
        MaxTokens = 32,
    };

    internal static readonly string[] Texts =
        ["the cat sat on the mat", "the rat sat there", "that is the hat of the cat", "where is the mat", "then the cat ate the rat", "a bat and a hat"];

    [Fact]
    public void Write_Folder_OpensAsACheckpoint()
    {
        using var folder = new TemporaryFolder();
        var directory = folder.File("model");

        FreshCheckpoint.Write(directory, Texts, Small);

        using var checkpoint = WhisperCheckpoint.Open(directory);
        var tokenizer = WhisperTokenizer.Load(directory);
        Assert.Equal(200, checkpoint.Config.MaxSourcePositions);
        Assert.Equal(64000, checkpoint.Preprocessor.Samples);
        Assert.Equal(tokenizer.VocabularySize, checkpoint.Config.VocabSize);
        Assert.Equal(266, tokenizer.EndOfText);
        Assert.Equal(["en", "de"], tokenizer.Languages.Select(language => language.Code));
        Assert.Equal(201, tokenizer.TimestampCount);
        Assert.True(tokenizer.IsMultilingual);
        Assert.Equal(
            new[] { "<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>" }.Select(text => tokenizer.TokenToId(text)!.Value),
            tokenizer.Prefix("en", TranscriptionTask.Transcribe, timestamps: false));
        Assert.Empty(checkpoint.Generation.BeginSuppressTokens);
        Assert.Contains(tokenizer.NoSpeech, checkpoint.Generation.SuppressTokens);
        Assert.Contains(tokenizer.EncodePlain(" (")[^1], checkpoint.Generation.SuppressTokens);
        Assert.Equal(tokenizer.NoTimestamps, checkpoint.Generation.NoTimestampsTokenId);
    }

    [Fact]
    public void Write_Tokenizer_RoundTripsAndBeginsWordsAlike()
    {
        using var folder = new TemporaryFolder();
        var directory = folder.File("model");
        FreshCheckpoint.Write(directory, Texts, Small);
        var tokenizer = WhisperTokenizer.Load(directory);

        Assert.Equal(" the zebra's café – 7", tokenizer.Decode(tokenizer.Encode("the zebra's café – 7")));
        Assert.Equal(tokenizer.Encode("cat"), tokenizer.Encode("the cat")[tokenizer.Encode("the").Length..]);

        // The old files say the same as tokenizer.json.
        File.Delete(Path.Combine(directory, "tokenizer.json"));
        var slow = WhisperTokenizer.Load(directory);
        Assert.Equal(tokenizer.Encode("that hat<|en|><|0.50|>"), slow.Encode("that hat<|en|><|0.50|>"));
        Assert.True(slow.IsSpecial(slow.NoSpeech));
        Assert.False(slow.IsSpecial(slow.TimestampBegin));
    }

    [Fact]
    public void Write_Weights_AreAsTransformersMakesThem()
    {
        using var folder = new TemporaryFolder();
        FreshCheckpoint.Write(folder.File("a"), Texts, Small);
        FreshCheckpoint.Write(folder.File("b"), Texts, Small);
        FreshCheckpoint.Write(folder.File("c"), Texts, Small with { Seed = 7 });

        using (var checkpoint = WhisperCheckpoint.Open(folder.File("a")))
        {
            var weights = checkpoint.Weights[WhisperTensors.TokenEmbedding].ToSingle();
            Assert.InRange(weights.Average(), -0.002, 0.002);
            Assert.InRange(Math.Sqrt(weights.Average(value => value * value)), 0.019, 0.021);
            Assert.All(checkpoint.Weights["model.encoder.layer_norm.weight"].ToSingle(), value => Assert.Equal(1, value));
            Assert.All(checkpoint.Weights["model.encoder.conv1.bias"].ToSingle(), value => Assert.Equal(0, value));

            // Position 1: sin and cos of 1 at the fastest scale, of 1e-4 at the slowest.
            var positions = checkpoint.Weights["model.encoder.embed_positions.weight"].ToSingle();
            Assert.Equal(Math.Sin(1), positions[16], 1e-6);
            Assert.Equal(1e-4, positions[23], 1e-9);
            Assert.Equal(Math.Cos(1), positions[24], 1e-6);
        }

        var same = File.ReadAllBytes(folder.File("a/model.safetensors"));
        Assert.Equal(same, File.ReadAllBytes(folder.File("b/model.safetensors")));
        Assert.NotEqual(same, File.ReadAllBytes(folder.File("c/model.safetensors")));
    }

    [Fact]
    public void Write_WrongOptionsOrAFullFolder_AreRefused()
    {
        using var folder = new TemporaryFolder();
        var directory = folder.File("model");
        string Message(FreshCheckpointOptions options) => Assert.Throws<AsrException>(() => FreshCheckpoint.Write(directory, Texts, options)).Message;

        Assert.Contains("--width 15", Message(Small with { Width = 15 }), StringComparison.Ordinal);
        Assert.Contains("--context-seconds 31", Message(Small with { ContextSeconds = 31 }), StringComparison.Ordinal);
        Assert.Contains("'xx'", Message(Small with { Languages = ["xx"] }), StringComparison.Ordinal);
        Assert.False(Directory.Exists(directory));
        FreshCheckpoint.Write(directory, Texts, Small);
        Assert.Contains("holds a checkpoint already", Message(Small), StringComparison.Ordinal);
    }

    [Fact]
    public void WriteAlignmentHeads_ChangesThemAlone()
    {
        using var folder = new TemporaryFolder();
        var directory = folder.File("model");
        FreshCheckpoint.Write(directory, Texts, Small);
        var config = WhisperConfig.Load(directory);
        var before = GenerationConfig.Load(directory, config);

        GenerationConfig.WriteAlignmentHeads(directory, [new AttentionHead(0, 1), new AttentionHead(1, 0)]);

        var after = GenerationConfig.Load(directory, config);
        Assert.Equal([new AttentionHead(0, 1), new AttentionHead(1, 0)], after.AlignmentHeads);
        Assert.Equal(before.SuppressTokens, after.SuppressTokens);
        Assert.Equal(before.LangToId, after.LangToId);
        File.Delete(Path.Combine(directory, GenerationConfig.FileName));
        Assert.Throws<AsrException>(() => GenerationConfig.WriteAlignmentHeads(directory, []));
    }
}
