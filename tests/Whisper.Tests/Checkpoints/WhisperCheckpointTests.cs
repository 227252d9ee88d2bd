using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.Whisper.Tests.Checkpoints;

public sealed class WhisperCheckpointTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Open_Micro_ReadsEverything()
    {
        using var checkpoint = WhisperCheckpoint.Open(Fixtures.Path("micro"));
        Assert.Equal(64, checkpoint.Config.DModel);
        Assert.Equal(4, checkpoint.Config.DecoderAttentionHeads);
        Assert.Equal(256, checkpoint.Config.EncoderFfnDim);
        Assert.Equal(51865, checkpoint.Config.VocabSize);
        Assert.Equal(3000, checkpoint.Config.MaxFrames);
        Assert.Equal(50258, checkpoint.Generation.DecoderStartTokenId);
        Assert.Equal(50257, checkpoint.Generation.EosTokenId);
        Assert.Equal(50361, checkpoint.Generation.PrevSotTokenId);
        Assert.Equal(50363, checkpoint.Generation.NoTimestampsTokenId);
        Assert.Equal(50, checkpoint.Generation.MaxInitialTimestampIndex);
        Assert.Equal(448, checkpoint.Generation.MaxLength);
        Assert.True(checkpoint.Generation.IsMultilingual);
        Assert.Equal(50259, checkpoint.Generation.LangToId["<|en|>"]);
        Assert.Equal(50358, checkpoint.Generation.TaskToId["translate"]);
        Assert.Equal([220, 50257], checkpoint.Generation.BeginSuppressTokens);
        Assert.Contains(50361, checkpoint.Generation.SuppressTokens);
        Assert.Equal([new AttentionHead(1, 0), new AttentionHead(1, 1), new AttentionHead(1, 2)], checkpoint.Generation.AlignmentHeads);
        Assert.Equal(80, checkpoint.Preprocessor.FeatureSize);
        Assert.Equal(480000, checkpoint.Preprocessor.Samples);
        Assert.False(checkpoint.Preprocessor.DoNormalize);
        Assert.Equal(
            checkpoint.Weights.Tensors.Values.Sum(tensor => tensor.ElementCount),
            checkpoint.ParameterCount);
        Assert.Equal(TensorElementType.F16, checkpoint.Weights[WhisperTensors.TokenEmbedding].ElementType);
    }

    [Fact]
    public void Open_ShardedHalfPrecision_HasTheValuesOfTheSingleFile()
    {
        using var single = WhisperCheckpoint.Open(Fixtures.Path("checkpoints/fp32"));
        using var sharded = WhisperCheckpoint.Open(Fixtures.Path("checkpoints/fp16_sharded"));
        Assert.Equal(single.ParameterCount, sharded.ParameterCount);
        foreach (var tensor in WhisperTensors.Of(single.Config))
        {
            var expected = single.Weights[tensor.Name].ToSingle();
            var found = sharded.Weights[tensor.Name].ToSingle();
            Assert.Equal(expected.Length, found.Length);
            for (var i = 0; i < expected.Length; i++)
            {
                Assert.True(Math.Abs(expected[i] - found[i]) <= 1e-7f + (Math.Abs(expected[i]) / 2048), tensor.Name);
            }
        }
    }

    [Fact]
    public void Open_WithoutPreprocessorConfig_DerivesItFromTheConfiguration()
    {
        using var checkpoint = WhisperCheckpoint.Open(Fixtures.Path("checkpoints/fp32"));
        Assert.Equal(80, checkpoint.Preprocessor.FeatureSize);
        Assert.Equal(120, checkpoint.Preprocessor.MaxFrames);
        Assert.Equal(32, checkpoint.Generation.MaxLength);
        Assert.Empty(checkpoint.Generation.AlignmentHeads);
    }

    [Fact]
    public void Open_NamesWithoutPrefix_AreFound()
    {
        WriteCheckpoint(name => name.Replace("model.", "", StringComparison.Ordinal));
        using var checkpoint = WhisperCheckpoint.Open(_folder.Root);
        Assert.Equal(16, checkpoint.Weights["model.encoder.conv1.bias"].ElementCount);
    }

    [Fact]
    public void Open_StoredTiedProjection_IsAccepted()
    {
        WriteCheckpoint(extra: [Zeros(WhisperTensors.OutputProjection, [50, 16])]);
        using var checkpoint = WhisperCheckpoint.Open(_folder.Root);
        Assert.True(checkpoint.Weights.TryGet(WhisperTensors.OutputProjection, out _));
    }

    [Fact]
    public void Open_TiedProjectionOfAnotherShape_NamesTensorAndShapes()
    {
        WriteCheckpoint(extra: [Zeros(WhisperTensors.OutputProjection, [51, 16])]);
        AssertRefused("\"proj_out.weight\"", "[51, 16]", "[50, 16]");
    }

    [Fact]
    public void Open_UntiedProjectionMissing_NamesIt()
    {
        WriteCheckpoint();
        ChangeConfig(config => config["tie_word_embeddings"] = false);
        AssertRefused("\"proj_out.weight\"");
    }

    [Fact]
    public void Open_MissingTensor_NamesIt()
    {
        WriteCheckpoint(name => name == "model.decoder.layers.1.encoder_attn.q_proj.bias" ? null : name);
        AssertRefused("\"model.decoder.layers.1.encoder_attn.q_proj.bias\"");
    }

    [Fact]
    public void Open_TensorOfAnotherShape_NamesItWithBothShapes()
    {
        WriteCheckpoint();
        ChangeConfig(config => config["encoder_ffn_dim"] = 33);
        AssertRefused("\"model.encoder.layers.0.fc1.weight\"", "[32, 16]", "[33, 16]", "config.json");
    }

    [Fact]
    public void Open_TensorOfIntegers_NamesItAndItsType()
    {
        WriteCheckpoint(name => name == "model.encoder.conv1.bias" ? null : name, [SafetensorsEntry.FromBytes("model.encoder.conv1.bias", TensorElementType.I32, [16], new byte[64])]);
        AssertRefused("\"model.encoder.conv1.bias\"", "I32", "F32");
    }

    [Theory]
    [InlineData("encoder_layers")]
    [InlineData("decoder_layers")]
    public void Open_MoreLayersThanTheConfigurationSays_IsRefused(string key)
    {
        WriteCheckpoint();
        ChangeConfig(config => config[key] = 1);
        AssertRefused($"\"{key}\" is 1", "layers.1.", "at least 2");
    }

    [Theory]
    [InlineData("pytorch_model.bin")]
    [InlineData("model.bin")]
    [InlineData("tf_model.h5")]
    public void Open_WeightsOfAnotherFormat_SaysHowToConvert(string file)
    {
        _folder.Write(WhisperConfig.FileName, Config().ToJsonString());
        _folder.Write(file, "x");
        AssertRefused("no safetensors", file, "safe_serialization");
    }

    [Fact]
    public void Open_NoWeights_SaysWhatWasExpected()
    {
        _folder.Write(WhisperConfig.FileName, Config().ToJsonString());
        AssertRefused("model.safetensors");
    }

    [Fact]
    public void Open_NoFolder_GivesOneClearError()
    {
        AssertRefusedAt(_folder.File("none"), "does not exist");
        AssertRefusedAt(_folder.Write("file", "x"), "is a file");
        Directory.CreateDirectory(_folder.File("empty"));
        AssertRefusedAt(_folder.File("empty"), "is empty");
    }

    [Fact]
    public void Open_FolderWithoutConfig_NamesTheFile()
    {
        _folder.Write("readme.txt", "x");
        AssertRefused("config.json", "missing");
    }

    [Fact]
    public void Open_TruncatedWeights_NamesTheFile()
    {
        WriteCheckpoint();
        var path = _folder.File(CheckpointWeights.SingleFile);
        File.WriteAllBytes(path, File.ReadAllBytes(path)[..^100]);
        AssertRefused("model.safetensors", "cut off");
    }

    [Fact]
    public void Open_ShardMissing_NamesShardAndTensor()
    {
        _folder.CopyOf(Fixtures.Path("checkpoints/fp16_sharded"));
        File.Delete(_folder.File("model-00005-of-00010.safetensors"));
        AssertRefused("model-00005-of-00010.safetensors", "missing");
    }

    [Fact]
    public void Open_TensorNotInItsShard_NamesBoth()
    {
        _folder.CopyOf(Fixtures.Path("checkpoints/fp16_sharded"));
        ChangeIndex("model.encoder.conv1.weight", "model-00010-of-00010.safetensors");
        AssertRefused("model-00010-of-00010.safetensors", "model.encoder.conv1.weight");
    }

    [Theory]
    [InlineData("../model.safetensors")]
    [InlineData("/etc/passwd")]
    [InlineData("..")]
    [InlineData("sub/model.safetensors")]
    [InlineData("..\\model.safetensors")]
    [InlineData("")]
    public void Open_ShardOutsideTheFolder_IsRefused(string shard)
    {
        _folder.CopyOf(Fixtures.Path("checkpoints/fp16_sharded"));
        ChangeIndex("model.encoder.conv1.weight", shard);
        AssertRefused("weight_map", "same folder");
    }

    [Fact]
    public void Open_IndexWithoutMap_NamesTheKey()
    {
        _folder.CopyOf(Fixtures.Path("checkpoints/fp16_sharded"));
        _folder.Write(CheckpointWeights.IndexFile, "{}");
        AssertRefused("index.json", "\"weight_map\" is missing");
    }

    [Theory]
    [InlineData("d_model", null, "missing")]
    [InlineData("vocab_size", null, "missing")]
    [InlineData("num_mel_bins", null, "missing")]
    [InlineData("encoder_layers", null, "missing")]
    [InlineData("decoder_layers", null, "missing")]
    [InlineData("encoder_attention_heads", null, "missing")]
    [InlineData("decoder_attention_heads", null, "missing")]
    [InlineData("encoder_ffn_dim", null, "missing")]
    [InlineData("decoder_ffn_dim", null, "missing")]
    [InlineData("max_source_positions", null, "missing")]
    [InlineData("max_target_positions", null, "missing")]
    [InlineData("d_model", "-16", "at least|from 2")]
    [InlineData("d_model", "0", "from 2")]
    [InlineData("d_model", "\"16\"", "whole number")]
    [InlineData("d_model", "16.5", "whole number")]
    [InlineData("d_model", "99999999999", "whole number")]
    [InlineData("d_model", "15", "even")]
    [InlineData("encoder_attention_heads", "3", "divisor of d_model (16)")]
    [InlineData("decoder_attention_heads", "5", "divisor of d_model (16)")]
    [InlineData("num_mel_bins", "500", "from 1 to 201")]
    [InlineData("activation_function", "\"relu\"", "\"gelu\"")]
    [InlineData("activation_function", "7", "a text")]
    [InlineData("model_type", "\"bert\"", "\"whisper\"")]
    [InlineData("is_encoder_decoder", "false", "true")]
    [InlineData("scale_embedding", "1", "true or false")]
    [InlineData("dropout", "1.5", "from 0 to 1")]
    [InlineData("median_filter_width", "6", "odd")]
    [InlineData("eos_token_id", "50", "less than vocab_size (50)")]
    [InlineData("decoder_start_token_id", "-1", "at least 0")]
    [InlineData("suppress_tokens", "[1,\"x\"]", "whole number")]
    [InlineData("suppress_tokens", "5", "list")]
    [InlineData("forced_decoder_ids", "[[1]]", "pairs")]
    public void Open_ConfigKeyMissingOrWrong_NamesFileKeyAndExpectation(string key, string? value, string expected)
    {
        WriteCheckpoint();
        ChangeConfig(config =>
        {
            if (value is null)
            {
                config.Remove(key);
            }
            else
            {
                config[key] = JsonNode.Parse(value);
            }
        });
        var message = Refusal(_folder.Root);
        Assert.Contains(_folder.File(WhisperConfig.FileName), message, StringComparison.Ordinal);
        Assert.Contains($"\"{key}\"", message, StringComparison.Ordinal);
        Assert.Contains(expected.Split('|'), part => message.Contains(part, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("{", "no valid JSON")]
    [InlineData("", "no valid JSON")]
    [InlineData("[1]", "no JSON object")]
    [InlineData("""{"d_model": 16, "d_model": 32}""", "no valid JSON")]
    public void Open_ConfigThatIsNoObject_NamesTheFile(string text, string expected)
    {
        WriteCheckpoint();
        _folder.Write(WhisperConfig.FileName, text);
        AssertRefused("config.json", expected);
    }

    [Theory]
    [InlineData("no_timestamps_token_id", "50", "vocab_size (50)")]
    [InlineData("lang_to_id", """{"<|en|>": 77}""", "vocab_size (50)")]
    [InlineData("lang_to_id", "[]", "an object")]
    [InlineData("suppress_tokens", "[50]", "vocab_size (50)")]
    [InlineData("alignment_heads", "[[0]]", "pairs")]
    [InlineData("alignment_heads", "[[0,null]]", "pairs of layer and head")]
    [InlineData("max_length", "0", "at least 1")]
    [InlineData("is_multilingual", "\"yes\"", "true or false")]
    public void Open_GenerationConfigKeyWrong_NamesFileKeyAndExpectation(string key, string value, string expected)
    {
        WriteCheckpoint();
        _folder.Write(GenerationConfig.FileName, new JsonObject { [key] = JsonNode.Parse(value) }.ToJsonString());
        AssertRefused("generation_config.json", $"\"{key}", expected);
    }

    [Fact]
    public void Open_WithoutGenerationConfig_TakesWhatOldConfigurationsHold()
    {
        WriteCheckpoint();
        ChangeConfig(config =>
        {
            config["suppress_tokens"] = new JsonArray(1, 2);
            config["begin_suppress_tokens"] = new JsonArray(3, 40);
            config["forced_decoder_ids"] = JsonNode.Parse("[[1,null],[2,44]]");
        });
        using var checkpoint = WhisperCheckpoint.Open(_folder.Root);
        Assert.Equal([1, 2], checkpoint.Generation.SuppressTokens);
        Assert.Equal([3, 40], checkpoint.Generation.BeginSuppressTokens);
        Assert.Equal([(1, null), (2, 44)], checkpoint.Generation.ForcedDecoderIds);
        Assert.Equal(41, checkpoint.Generation.DecoderStartTokenId);
        Assert.Equal(40, checkpoint.Generation.EosTokenId);
        Assert.Equal(40, checkpoint.Generation.PadTokenId);
        Assert.Equal(24, checkpoint.Generation.MaxLength);
        Assert.Null(checkpoint.Generation.MaxInitialTimestampIndex);
    }

    [Fact]
    public void Open_NoStartTokenAnywhere_NamesTheKey()
    {
        WriteCheckpoint();
        ChangeConfig(config => config.Remove("decoder_start_token_id"));
        AssertRefused("config.json", "\"decoder_start_token_id\" is missing");
    }

    [Fact]
    public void Open_AlignmentHeadsOfATeacher_AreLeftOut()
    {
        WriteCheckpoint();
        _folder.Write(GenerationConfig.FileName, """{"alignment_heads": [[1, 0], [10, 12]]}""");
        using var checkpoint = WhisperCheckpoint.Open(_folder.Root);
        Assert.Empty(checkpoint.Generation.AlignmentHeads);
    }

    [Theory]
    [InlineData("feature_size", "128", "num_mel_bins")]
    [InlineData("sampling_rate", "8000", "16000")]
    [InlineData("n_fft", "512", "400")]
    [InlineData("hop_length", "80", "160")]
    [InlineData("chunk_length", "30", "max_source_positions")]
    [InlineData("n_samples", "480000", "max_source_positions")]
    [InlineData("nb_max_frames", "3000", "max_source_positions")]
    [InlineData("padding_value", "0.5", "expected 0")]
    [InlineData("dither", "0.1", "expected 0")]
    [InlineData("do_normalize", "1", "true or false")]
    public void Open_PreprocessorConfigKeyWrong_NamesFileKeyAndExpectation(string key, string value, string expected)
    {
        WriteCheckpoint();
        _folder.Write(PreprocessorConfig.FileName, new JsonObject { [key] = JsonNode.Parse(value) }.ToJsonString());
        AssertRefused("preprocessor_config.json", $"\"{key}\" is {value}", expected);
    }

    [Fact]
    public void Parse_TextWithByteOrderMark_IsAccepted()
    {
        var config = WhisperConfig.Parse("\uFEFF" + Config().ToJsonString());
        Assert.Equal(16, config.DModel);
    }

    private static JsonObject Config() => new()
    {
        ["model_type"] = "whisper",
        ["d_model"] = 16,
        ["encoder_layers"] = 2,
        ["encoder_attention_heads"] = 2,
        ["encoder_ffn_dim"] = 32,
        ["decoder_layers"] = 2,
        ["decoder_attention_heads"] = 4,
        ["decoder_ffn_dim"] = 24,
        ["vocab_size"] = 50,
        ["num_mel_bins"] = 20,
        ["max_source_positions"] = 12,
        ["max_target_positions"] = 24,
        ["decoder_start_token_id"] = 41,
        ["eos_token_id"] = 40,
        ["activation_function"] = "gelu",
    };

    private static SafetensorsEntry Zeros(string name, IReadOnlyList<long> shape) =>
        SafetensorsEntry.FromSingle(name, shape, new float[shape.Aggregate(1L, (product, size) => product * size)]);

    private void WriteCheckpoint(Func<string, string?>? rename = null, SafetensorsEntry[]? extra = null)
    {
        var text = Config().ToJsonString();
        _folder.Write(WhisperConfig.FileName, text);
        var tensors = WhisperTensors.Of(WhisperConfig.Parse(text))
            .Select(tensor => (Name: rename is null ? tensor.Name : rename(tensor.Name), tensor.Shape))
            .Where(tensor => tensor.Name is not null)
            .Select(tensor => Zeros(tensor.Name!, tensor.Shape));
        SafetensorsWriter.Write(_folder.File(CheckpointWeights.SingleFile), [.. tensors, .. extra ?? []]);
    }

    private void ChangeConfig(Action<JsonObject> change)
    {
        var config = Config();
        change(config);
        _folder.Write(WhisperConfig.FileName, config.ToJsonString());
    }

    private void ChangeIndex(string tensor, string shard)
    {
        var index = JsonNode.Parse(File.ReadAllText(_folder.File(CheckpointWeights.IndexFile)))!;
        index["weight_map"]![tensor] = shard;
        _folder.Write(CheckpointWeights.IndexFile, index.ToJsonString());
    }

    private void AssertRefused(params string[] parts) => AssertRefusedAt(_folder.Root, parts);

    private static void AssertRefusedAt(string path, params string[] parts)
    {
        var message = Refusal(path);
        foreach (var part in parts)
        {
            Assert.Contains(part, message, StringComparison.Ordinal);
        }
    }

    private static string Refusal(string path)
    {
        var message = Assert.Throws<AsrException>(() => WhisperCheckpoint.Open(path).Dispose()).Message;
        Assert.DoesNotContain('\n', message);
        return message;
    }
}
