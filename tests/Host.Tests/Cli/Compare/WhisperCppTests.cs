using AsrPlatform.Abstractions;
using AsrPlatform.Host.Cli.Compare;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.Host.Tests.Cli.Compare;

public sealed class WhisperCppTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("asr-compare-test-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void PerRun_OfTimings_IsTheStagesOwn()
    {
        const string Printed = """
            whisper_print_timings:      mel time =     0.00 ms
            whisper_print_timings:   encode time =  1681.30 ms /     1 runs (  1681.30 ms per run)
            whisper_print_timings:   decode time =  1638.40 ms /   256 runs (     6.40 ms per run)
            """;
        Assert.Equal(1681.3, WhisperCpp.PerRun(Printed, "encode"));
        Assert.Equal(6.4, WhisperCpp.PerRun(Printed, "decode"));
        Assert.Contains("\"batchd\"", Assert.Throws<AsrException>(() => WhisperCpp.PerRun(Printed, "batchd")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WhisperCpp_OfAFolderWithoutPrograms_SaysWhatToBuild()
    {
        var error = Assert.Throws<AsrException>(() => new WhisperCpp(_folder.FullName));
        Assert.Contains("whisper-bench", error.Message, StringComparison.Ordinal);
    }

    /// <summary>Read back as whisper.cpp reads it: 11 numbers, filters, tokens, then tensors to the end of the file, 10 and 15 + 24 a layer.</summary>
    [Fact]
    public void ModelFile_OfDimensions_HoldsEveryTensor()
    {
        var config = WhisperConfig.Parse("""
            {"model_type": "whisper", "d_model": 8, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_layers": 1,
             "decoder_attention_heads": 2, "decoder_ffn_dim": 32, "vocab_size": 50, "num_mel_bins": 80, "max_source_positions": 20,
             "max_target_positions": 10, "decoder_start_token_id": 1, "eos_token_id": 2, "pad_token_id": 2, "bos_token_id": 2}
            """);
        var path = Path.Combine(_folder.FullName, "model.bin");
        GgmlModelFile.Write(path, config, seed: 1);

        using var reader = new BinaryReader(File.OpenRead(path));
        Assert.Equal([0x67676d6c, 50, 20, 8, 2, 2, 10, 8, 2, 1, 80, 1, 80, 201], Enumerable.Range(0, 14).Select(_ => reader.ReadInt32()));
        reader.BaseStream.Seek(80 * 201 * sizeof(float), SeekOrigin.Current);
        Assert.Equal(0, reader.ReadInt32());
        Dictionary<string, int[]> tensors = [];
        while (reader.BaseStream.Position < reader.BaseStream.Length)
        {
            var (rank, length, type) = (reader.ReadInt32(), reader.ReadInt32(), reader.ReadInt32());
            var shape = Enumerable.Range(0, rank).Select(_ => reader.ReadInt32()).ToArray();
            tensors.Add(new string(reader.ReadChars(length)), shape);
            reader.BaseStream.Seek(shape.Aggregate(type == 1 ? 2 : 4, static (size, dimension) => size * dimension), SeekOrigin.Current);
        }

        Assert.Equal(7 + (15 * 2) + 4 + 24, tensors.Count);
        Assert.Equal([3, 80, 8], tensors["encoder.conv1.weight"]);
        Assert.Equal([1, 8], tensors["encoder.conv2.bias"]);
        Assert.Equal([8, 32], tensors["encoder.blocks.1.mlp.0.weight"]);
        Assert.Equal([8, 50], tensors["decoder.token_embedding.weight"]);
        Assert.Contains("decoder.blocks.0.cross_attn.out.bias", tensors.Keys);
        Assert.DoesNotContain("decoder.blocks.0.cross_attn.key.bias", tensors.Keys);
    }
}
