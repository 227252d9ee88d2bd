using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Whisper.Checkpoints;

/// <summary>A tensor to write.</summary>
/// <param name="Name">Its name.</param>
/// <param name="ElementType">Type of the stored elements.</param>
/// <param name="Shape">Dimensions, outermost first; empty for a scalar.</param>
/// <param name="Write">Writes exactly the tensor's bytes (little-endian, C order) to the stream; called once.</param>
public sealed record SafetensorsEntry(string Name, TensorElementType ElementType, IReadOnlyList<long> Shape, Action<Stream> Write)
{
    /// <summary>Size in bytes.</summary>
    public long ByteLength => Shape.Aggregate((long)ElementType.SizeBytes(), (product, size) => checked(product * size));

    /// <summary>A float32 tensor. The values are read when the file is written.</summary>
    public static SafetensorsEntry FromSingle(string name, IReadOnlyList<long> shape, ReadOnlyMemory<float> values) =>
        new(name, TensorElementType.F32, shape, stream => stream.Write(MemoryMarshal.AsBytes(values.Span)));

    /// <summary>A tensor of bytes that are already as they shall be stored.</summary>
    public static SafetensorsEntry FromBytes(string name, TensorElementType type, IReadOnlyList<long> shape, ReadOnlyMemory<byte> bytes) =>
        new(name, type, shape, stream => stream.Write(bytes.Span));
}

/// <summary>Writes safetensors files atomically: a reader sees the old file or the whole new one.</summary>
public static class SafetensorsWriter
{
    /// <summary>Writes a file; its folder must exist.</summary>
    /// <param name="path">The file to write or replace.</param>
    /// <param name="tensors">The tensors; stored by falling element size, then by name, as the reference implementation does.</param>
    /// <param name="metadata">Texts for <c>__metadata__</c>; by default <c>{"format": "pt"}</c>, which Hugging Face's loaders ask for.</param>
    /// <exception cref="Abstractions.AsrException">The file cannot be written.</exception>
    /// <exception cref="ArgumentException">Two tensors share a name, or one is named <c>__metadata__</c>.</exception>
    /// <exception cref="InvalidOperationException">An entry wrote another number of bytes than its shape has.</exception>
    public static void Write(string path, IEnumerable<SafetensorsEntry> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        var ordered = tensors
            .OrderByDescending(tensor => tensor.ElementType.SizeBytes())
            .ThenBy(tensor => tensor.Name, StringComparer.Ordinal)
            .ToList();
        var names = new HashSet<string>(StringComparer.Ordinal) { "__metadata__" };
        var repeated = ordered.Find(tensor => !names.Add(tensor.Name));
        if (repeated is not null)
        {
            throw new ArgumentException($"The tensor name {repeated.Name} cannot be used or is used twice.", nameof(tensors));
        }

        var header = Header(ordered, metadata ?? new Dictionary<string, string> { ["format"] = "pt" });
        AtomicFile.Write(path, stream =>
        {
            Span<byte> length = stackalloc byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
            stream.Write(length);
            stream.Write(header);
            foreach (var tensor in ordered)
            {
                var start = stream.Position;
                tensor.Write(stream);
                var written = stream.Position - start;
                if (written != tensor.ByteLength)
                {
                    throw new InvalidOperationException($"Tensor {tensor.Name} wrote {written} bytes; its shape has {tensor.ByteLength}.");
                }
            }
        });
    }

    private static byte[] Header(List<SafetensorsEntry> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            if (metadata.Count > 0)
            {
                json.WriteStartObject("__metadata__");
                foreach (var (key, value) in metadata)
                {
                    json.WriteString(key, value);
                }

                json.WriteEndObject();
            }

            long offset = 0;
            foreach (var tensor in tensors)
            {
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", tensor.ElementType.SafetensorsName());
                json.WriteStartArray("shape");
                foreach (var size in tensor.Shape)
                {
                    json.WriteNumberValue(size);
                }

                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                offset = checked(offset + tensor.ByteLength);
                json.WriteNumberValue(offset);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        // Spaces keep the data that follows aligned to 8 bytes.
        var padded = new byte[(buffer.WrittenCount + 7) / 8 * 8];
        padded.AsSpan().Fill((byte)' ');
        buffer.WrittenSpan.CopyTo(padded);
        return padded;
    }
}
