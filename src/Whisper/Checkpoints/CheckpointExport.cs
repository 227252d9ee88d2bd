using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Whisper.Checkpoints;

/// <summary>How a checkpoint is written.</summary>
public sealed record CheckpointExportOptions
{
    /// <summary>Type of the weights: <see cref="TensorElementType.F32"/>, <c>F16</c> or <c>BF16</c>; null keeps each tensor's.</summary>
    public TensorElementType? ElementType { get; init; }

    /// <summary>An adapter to merge into the weights; null for none. It stays the caller's.</summary>
    public ICheckpointMerger? Merger { get; init; }

    /// <summary>Largest size of one weights file before there are several, in bytes; 5 GB by default.</summary>
    public long MaxShardBytes { get; init; } = CheckpointWeights.MaxShardBytes;
}

/// <summary>Writes a checkpoint folder in Hugging Face's layout from another one.</summary>
public static class CheckpointExport
{
    private static readonly string[] CopiedFiles =
    [
        "generation_config.json", "preprocessor_config.json", "processor_config.json", "tokenizer.json", "tokenizer_config.json", "vocab.json",
        "merges.txt", "normalizer.json", "added_tokens.json", "special_tokens_map.json", "LICENSE", "LICENSE.txt",
    ];

    /// <summary>
    /// Writes the folder: configuration, tokenizer files and weights, one tensor at a time. It is written aside and renamed, so that it is
    /// either whole or not there.
    /// </summary>
    /// <param name="source">The checkpoint folder to read.</param>
    /// <param name="target">The folder to write; it must be missing or empty.</param>
    /// <param name="options">How.</param>
    /// <param name="cancellationToken">Stops between two tensors; nothing is left behind.</param>
    /// <exception cref="AsrException">The source is broken, the target is in use or cannot be written, or a value does not fit the type.</exception>
    public static void Write(string source, string target, CheckpointExportOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(source);
        ArgumentException.ThrowIfNullOrEmpty(target);
        ArgumentNullException.ThrowIfNull(options);
        using var checkpoint = WhisperCheckpoint.Open(source);
        AtomicFolder.Write(target, aside =>
        {
            CheckpointWeights.Write(aside, Entries(checkpoint, options, cancellationToken), options.MaxShardBytes);
            CopyCompanions(source, aside);
            WriteConfig(source, aside, options.ElementType);
        });
    }

    /// <summary>Copies what makes a folder a whole checkpoint besides configuration and weights: tokenizer, generation, features, licence.</summary>
    /// <param name="source">The checkpoint folder.</param>
    /// <param name="target">A folder that exists.</param>
    /// <exception cref="AsrException">A file cannot be read or written.</exception>
    public static void CopyCompanions(string source, string target)
    {
        ArgumentException.ThrowIfNullOrEmpty(source);
        ArgumentException.ThrowIfNullOrEmpty(target);
        foreach (var file in CopiedFiles.Where(file => File.Exists(Path.Combine(source, file))))
        {
            byte[] bytes;
            try
            {
                bytes = File.ReadAllBytes(Path.Combine(source, file));
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                throw new AsrException($"{Path.Combine(source, file)} cannot be read: {error.Message}", error);
            }

            AtomicFile.Write(Path.Combine(target, file), stream => stream.Write(bytes));
        }
    }

    /// <summary>The tensors of a checkpoint under the names that its export has, in the order of their names.</summary>
    /// <remarks>An output projection that is the token embedding is none of them, whether the files hold it or not.</remarks>
    public static IReadOnlyList<CheckpointTensor> TensorsOf(WhisperCheckpoint checkpoint)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        return [.. Tensors(checkpoint).Select(pair => new CheckpointTensor(pair.Name, pair.Tensor.Shape.ToArray()))];
    }

    /// <summary>As <see cref="TensorsOf"/>, with what they hold.</summary>
    internal static IEnumerable<(string Name, SafetensorsTensor Tensor)> Tensors(WhisperCheckpoint checkpoint) =>
        from tensor in checkpoint.Weights.Tensors.Values
        let name = tensor.Name == WhisperTensors.OutputProjection || tensor.Name.StartsWith("model.", StringComparison.Ordinal)
            ? tensor.Name
            : "model." + tensor.Name
        where name != WhisperTensors.OutputProjection || !checkpoint.Config.TieWordEmbeddings
        orderby name
        select (name, tensor);

    private static IEnumerable<SafetensorsEntry> Entries(WhisperCheckpoint checkpoint, CheckpointExportOptions options, CancellationToken cancellationToken) =>
        from pair in Tensors(checkpoint)
        let type = options.ElementType ?? pair.Tensor.ElementType
        select new SafetensorsEntry(pair.Name, type, pair.Tensor.Shape.ToArray(), stream =>
        {
            cancellationToken.ThrowIfCancellationRequested();
            Write(stream, pair.Name, pair.Tensor, type, options.Merger);
        });

    private static void Write(Stream stream, string name, SafetensorsTensor tensor, TensorElementType type, ICheckpointMerger? merger)
    {
        var changes = merger?.Changed.Contains(name) == true;
        if (!changes && type == tensor.ElementType && tensor.ByteLength <= int.MaxValue)
        {
            stream.Write(tensor.Bytes);
            return;
        }

        var values = tensor.ToSingle();
        if (changes)
        {
            merger!.Merge(name, values);
        }

        const int Piece = 1 << 20;
        var converted = new byte[Piece * type.SizeBytes()];
        for (var done = 0; done < values.Length; done += Piece)
        {
            var piece = values.AsSpan(done, Math.Min(Piece, values.Length - done));
            var bytes = converted.AsSpan(0, piece.Length * type.SizeBytes());
            Convert(name, piece, type, bytes);
            stream.Write(bytes);
        }
    }

    private static void Convert(string name, Span<float> values, TensorElementType type, Span<byte> bytes)
    {
        switch (type)
        {
            case TensorElementType.F32:
                MemoryMarshal.AsBytes(values).CopyTo(bytes);
                break;
            case TensorElementType.F16:
                var halves = MemoryMarshal.Cast<byte, Half>(bytes);
                TensorPrimitives.ConvertToHalf(values, halves);
                for (var i = 0; i < halves.Length; i++)
                {
                    if (Half.IsInfinity(halves[i]) && float.IsFinite(values[i]))
                    {
                        throw new AsrException($"{name} holds {values[i]:g4}, too large for half precision: write float32 or bfloat16.");
                    }
                }

                break;
            case TensorElementType.BF16:
                ToBrain(values, MemoryMarshal.Cast<byte, ushort>(bytes));
                break;
            default:
                throw new AsrException($"{name} cannot be written as {type}: a checkpoint's weights are float32, float16 or bfloat16.");
        }
    }

    // Rounds to the nearest, halves to even; what is no number stays none.
    private static void ToBrain(ReadOnlySpan<float> values, Span<ushort> brains)
    {
        for (var i = 0; i < values.Length; i++)
        {
            var bits = BitConverter.SingleToUInt32Bits(values[i]);
            brains[i] = float.IsNaN(values[i]) ? (ushort)0x7FC0 : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
        }
    }

    private static void WriteConfig(string source, string directory, TensorElementType? type)
    {
        const string Name = "config.json";
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(source, Name)))!.AsObject();
        var text = type switch
        {
            TensorElementType.F32 => "float32",
            TensorElementType.F16 => "float16",
            TensorElementType.BF16 => "bfloat16",
            _ => null,
        };
        if (text is not null)
        {
            // "torch_dtype" is the older name.
            var keys = new[] { "dtype", "torch_dtype" }.Where(config.ContainsKey).DefaultIfEmpty("torch_dtype").ToArray();
            foreach (var key in keys)
            {
                config[key] = text;
            }
        }

        WriteText(Path.Combine(directory, Name), Text(config));
    }

    /// <summary>A configuration as the files have it.</summary>
    internal static string Text(JsonObject value) => value.ToJsonString(new JsonSerializerOptions { WriteIndented = true, NewLine = "\n" }) + "\n";

    internal static void WriteText(string path, string text) => AtomicFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));
}
