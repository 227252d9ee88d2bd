using System.Buffers.Binary;
using System.Text;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.Host.Cli.Compare;

/// <summary>
/// Writes models with random weights as files that whisper.cpp reads (its "ggml" format, float16): what it takes to measure it on the same
/// dimensions. The mel filters are zeros and there is no vocabulary: its bench needs neither.
/// </summary>
internal static class GgmlModelFile
{
    private const int Magic = 0x67676d6c;
    private const int Float16File = 1;
    private const int Float32 = 0;
    private const int Float16 = 1;

    /// <summary>Half of an FFT of 400 samples, and the mean.</summary>
    private const int SpectrumBins = 201;

    /// <summary>Writes a file.</summary>
    /// <param name="path">The file, overwritten.</param>
    /// <param name="config">Dimensions; encoder and decoder are equally wide, as in every Whisper.</param>
    /// <param name="seed">Of the weights.</param>
    public static void Write(string path, WhisperConfig config, int seed)
    {
        using var stream = File.Create(path);
        foreach (var value in (int[])[
            Magic, config.VocabSize,
            config.MaxSourcePositions, config.DModel, config.EncoderAttentionHeads, config.EncoderLayers,
            config.MaxTargetPositions, config.DModel, config.DecoderAttentionHeads, config.DecoderLayers,
            config.NumMelBins, Float16File, config.NumMelBins, SpectrumBins])
        {
            Write(stream, value);
        }

        stream.Write(new byte[sizeof(float) * config.NumMelBins * SpectrumBins]);
        Write(stream, 0); // tokens
        var random = new Random(seed);
        foreach (var (name, shape, isHalf) in Tensors(config))
        {
            Write(stream, random, name, shape, isHalf);
        }
    }

    /// <summary>Every parameter by OpenAI's names, with its shape as PyTorch has it.</summary>
    private static IEnumerable<(string Name, int[] Shape, bool IsHalf)> Tensors(WhisperConfig config)
    {
        var width = config.DModel;
        yield return ("encoder.positional_embedding", [config.MaxSourcePositions, width], false);
        yield return ("encoder.conv1.weight", [width, config.NumMelBins, 3], true);
        yield return ("encoder.conv1.bias", [width, 1], false);
        yield return ("encoder.conv2.weight", [width, width, 3], true);
        yield return ("encoder.conv2.bias", [width, 1], false);
        var layers = Enumerable.Range(0, config.EncoderLayers).SelectMany(layer => Layer($"encoder.blocks.{layer}", width, config.EncoderFfnDim, isDecoder: false))
            .Concat(Norm("encoder.ln_post", width))
            .Append(("decoder.positional_embedding", [config.MaxTargetPositions, width], false))
            .Append(("decoder.token_embedding.weight", [config.VocabSize, width], true))
            .Concat(Enumerable.Range(0, config.DecoderLayers).SelectMany(layer => Layer($"decoder.blocks.{layer}", width, config.DecoderFfnDim, isDecoder: true)))
            .Concat(Norm("decoder.ln", width));
        foreach (var tensor in layers)
        {
            yield return tensor;
        }
    }

    private static IEnumerable<(string Name, int[] Shape, bool IsHalf)> Layer(string name, int width, int inner, bool isDecoder)
    {
        IEnumerable<(string Name, int[] Shape, bool IsHalf)> all = Attention($"{name}.attn", width);
        if (isDecoder)
        {
            all = all.Concat(Attention($"{name}.cross_attn", width));
        }

        return all.Concat(Norm($"{name}.mlp_ln", width)).Concat(Linear($"{name}.mlp.0", inner, width)).Concat(Linear($"{name}.mlp.2", width, inner));
    }

    private static IEnumerable<(string Name, int[] Shape, bool IsHalf)> Attention(string name, int width) => Norm($"{name}_ln", width)
        .Concat(Linear($"{name}.query", width, width))
        .Append(($"{name}.key.weight", [width, width], true))
        .Concat(Linear($"{name}.value", width, width))
        .Concat(Linear($"{name}.out", width, width));

    private static IEnumerable<(string Name, int[] Shape, bool IsHalf)> Linear(string name, int rows, int columns) =>
        [($"{name}.weight", [rows, columns], true), ($"{name}.bias", [rows], false)];

    private static IEnumerable<(string Name, int[] Shape, bool IsHalf)> Norm(string name, int width) =>
        [($"{name}.weight", [width], false), ($"{name}.bias", [width], false)];

    private static void Write(FileStream stream, Random random, string name, int[] shape, bool isHalf)
    {
        var encoded = Encoding.UTF8.GetBytes(name);
        Write(stream, shape.Length);
        Write(stream, encoded.Length);
        Write(stream, isHalf ? Float16 : Float32);
        foreach (var dimension in shape.Reverse())
        {
            Write(stream, dimension);
        }

        stream.Write(encoded);

        // Small enough that nothing overflows in many layers; of no weight is it zero, which some kernels would skip.
        var count = shape.Aggregate(1, static (product, dimension) => product * dimension);
        var size = isHalf ? sizeof(ushort) : sizeof(float);
        var bytes = new byte[count * size];
        for (var i = 0; i < count; i++)
        {
            var value = 0.02f * ((2 * random.NextSingle()) - 1);
            if (isHalf)
            {
                BinaryPrimitives.WriteHalfLittleEndian(bytes.AsSpan(i * size), (Half)value);
            }
            else
            {
                BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(i * size), value);
            }
        }

        stream.Write(bytes);
    }

    private static void Write(FileStream stream, int value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        stream.Write(bytes);
    }
}
