using System.Buffers.Binary;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Host.Audio;

/// <summary>How a WAV file's samples are stored.</summary>
internal enum SampleEncoding
{
    /// <summary>Unsigned 8-bit integers.</summary>
    Pcm8,

    /// <summary>Signed 16-bit integers.</summary>
    Pcm16,

    /// <summary>Signed 24-bit integers.</summary>
    Pcm24,

    /// <summary>Signed 32-bit integers.</summary>
    Pcm32,

    /// <summary>IEEE single precision.</summary>
    Float32,

    /// <summary>IEEE double precision.</summary>
    Float64,

    /// <summary>G.711 A-law.</summary>
    ALaw,

    /// <summary>G.711 µ-law.</summary>
    MuLaw,
}

/// <summary>The chunks before a WAV file's samples (RIFF, RF64 and BW64), read forward from a stream of any kind.</summary>
/// <param name="Encoding">How samples are stored.</param>
/// <param name="Channels">Channels, at least 1.</param>
/// <param name="SampleRateHz">Frames per second, at least 1.</param>
/// <param name="FrameBytes">Bytes of one sample of all channels.</param>
/// <param name="DataStart">Position of the first sample.</param>
/// <param name="DataBytes">Bytes of whole frames that are really there; null where that shows only at the end.</param>
/// <param name="Warning">What is wrong with a file that can be read all the same, for the user.</param>
internal sealed record WavHeader(
    SampleEncoding Encoding,
    int Channels,
    int SampleRateHz,
    int FrameBytes,
    long DataStart,
    long? DataBytes,
    string? Warning)
{
    private const int MaxRateHz = 768_000;

    private const ushort TagPcm = 1;
    private const ushort TagFloat = 3;
    private const ushort TagALaw = 6;
    private const ushort TagMuLaw = 7;
    private const ushort TagExtensible = 0xFFFE;

    /// <summary>Tools that write to a pipe put the largest size there is, or nearly, or none.</summary>
    private const uint LeastStreamingSize = 0x7FFF_F000;

    /// <summary>Whether a file begins as WAV files do.</summary>
    /// <param name="start">Its first 12 bytes or more.</param>
    public static bool Begins(ReadOnlySpan<byte> start) =>
        start.Length >= 12
        && (start[..4].SequenceEqual("RIFF"u8) || start[..4].SequenceEqual("RF64"u8) || start[..4].SequenceEqual("BW64"u8))
        && start[8..12].SequenceEqual("WAVE"u8);

    /// <summary>Reads up to the first sample.</summary>
    /// <param name="stream">At its start; stands at the first sample afterwards.</param>
    /// <param name="name">What to call it in errors.</param>
    /// <returns>The header, or null where the samples are compressed in a way that this reader does not know.</returns>
    /// <exception cref="AsrException">The header is broken.</exception>
    public static WavHeader? Read(Stream stream, string name)
    {
        var reader = new ChunkReader(stream, name);
        Span<byte> start = stackalloc byte[12];
        if (!reader.TryFill(start) || !Begins(start))
        {
            throw new AsrException($"{name} is no WAV file.");
        }

        Format? format = null;
        ulong? largeDataSize = null;
        Span<byte> chunk = stackalloc byte[8];
        while (reader.TryFill(chunk))
        {
            var size = BinaryPrimitives.ReadUInt32LittleEndian(chunk[4..]);
            if (chunk[..4].SequenceEqual("data"u8))
            {
                if (format is null)
                {
                    throw new AsrException($"{name} is a broken WAV file: its samples come before their format.");
                }

                return format.IsKnown ? Build(format, reader, size, largeDataSize) : null;
            }

            if (chunk[..4].SequenceEqual("fmt "u8))
            {
                format = Format.Read(reader.Body(size, 16, 64, "fmt"), name);
            }
            else if (chunk[..4].SequenceEqual("ds64"u8))
            {
                largeDataSize = BinaryPrimitives.ReadUInt64LittleEndian(reader.Body(size, 28, 64, "ds64").AsSpan(8));
            }
            else
            {
                reader.Skip(size);
            }

            reader.Skip(size & 1);
        }

        throw new AsrException($"{name} is a WAV file without samples: it ends before its data.");
    }

    private static WavHeader Build(Format format, ChunkReader reader, uint size, ulong? largeDataSize)
    {
        var frame = format.FrameBytes;
        var here = reader.Position;
        long? dataBytes = null;
        string? warning = null;
        if (reader.Length is { } length)
        {
            var rest = length - here;
            var claimed = size == uint.MaxValue && largeDataSize is { } large ? (long)Math.Min(large, long.MaxValue) : size;
            var streamed = largeDataSize is null && (size >= LeastStreamingSize || (size == 0 && !reader.ChunksFollow()));
            if (claimed > rest && !streamed)
            {
                var (promised, there) = ((double)claimed / frame / format.SampleRateHz, (double)rest / frame / format.SampleRateHz);
                warning = FormattableString.Invariant($"{reader.Name} is cut off: it promises {promised:0.###} s of audio, {there:0.###} s are there.");
            }

            var bytes = streamed ? rest : Math.Min(claimed, rest);
            dataBytes = bytes - (bytes % frame);
        }

        return new WavHeader(format.Encoding, format.Channels, format.SampleRateHz, frame, here, dataBytes, warning);
    }

    /// <summary>The <c>fmt </c> chunk.</summary>
    private sealed record Format(SampleEncoding Encoding, bool IsKnown, int Channels, int SampleRateHz, int FrameBytes)
    {
        public static Format Read(ReadOnlySpan<byte> body, string name)
        {
            var tag = BinaryPrimitives.ReadUInt16LittleEndian(body);
            int channels = BinaryPrimitives.ReadUInt16LittleEndian(body[2..]);
            var rate = BinaryPrimitives.ReadUInt32LittleEndian(body[4..]);
            int frame = BinaryPrimitives.ReadUInt16LittleEndian(body[12..]);
            int bits = BinaryPrimitives.ReadUInt16LittleEndian(body[14..]);
            if (tag == TagExtensible && body.Length >= 26)
            {
                // The sub-format's GUID begins with the tag that it stands for.
                tag = BinaryPrimitives.ReadUInt16LittleEndian(body[24..]);
            }

            if (channels == 0)
            {
                throw new AsrException($"{name} has 0 channels.");
            }

            if (rate is 0 or > MaxRateHz)
            {
                throw new AsrException($"{name} has a sample rate of {rate} Hz; expected 1…{MaxRateHz}.");
            }

            // Samples of odd widths (12, 20 bits) lie left-aligned in the container that the frame size implies.
            var container = frame > 0 && frame % channels == 0 ? frame / channels : (bits + 7) / 8;
            SampleEncoding? encoding = (tag, container) switch
            {
                (TagPcm, 1) => SampleEncoding.Pcm8,
                (TagPcm, 2) => SampleEncoding.Pcm16,
                (TagPcm, 3) => SampleEncoding.Pcm24,
                (TagPcm, 4) => SampleEncoding.Pcm32,
                (TagFloat, 4) => SampleEncoding.Float32,
                (TagFloat, 8) => SampleEncoding.Float64,
                (TagALaw, 1) => SampleEncoding.ALaw,
                (TagMuLaw, 1) => SampleEncoding.MuLaw,
                _ => null,
            };
            if (encoding is not null && (bits > 8 * container || (frame != 0 && frame != channels * container)))
            {
                throw new AsrException($"{name} is a broken WAV file: {bits} bits and {channels} channels do not make frames of {frame} bytes.");
            }

            return new Format(encoding.GetValueOrDefault(), encoding is not null, channels, (int)rate, channels * container);
        }
    }

    /// <summary>Forward reading with a position; the length is known where the stream can seek.</summary>
    private sealed class ChunkReader(Stream stream, string name)
    {
        public string Name => name;

        public long Position { get; private set; }

        public long? Length { get; } = stream.CanSeek ? stream.Length : null;

        public bool TryFill(Span<byte> destination)
        {
            var count = stream.ReadAtLeast(destination, destination.Length, throwOnEndOfStream: false);
            Position += count;
            return count == destination.Length;
        }

        public byte[] Body(uint size, int least, int most, string chunk)
        {
            var body = new byte[Math.Min(size, most)];
            if (size < least || !TryFill(body))
            {
                throw new AsrException($"{name} is a broken WAV file: its {chunk} chunk is too short.");
            }

            Skip(size - body.Length);
            return body;
        }

        public void Skip(long count)
        {
            Span<byte> scratch = stackalloc byte[1024];
            if (stream.CanSeek)
            {
                stream.Seek(count, SeekOrigin.Current);
                Position += count;
                return;
            }

            while (count > 0 && TryFill(scratch[..(int)Math.Min(count, scratch.Length)]))
            {
                count -= Math.Min(count, scratch.Length);
            }
        }

        /// <summary>Whether the rest of the file is whole chunks (so that an empty data chunk is really empty). Keeps the position.</summary>
        public bool ChunksFollow()
        {
            var position = stream.Position;
            Span<byte> chunk = stackalloc byte[8];
            var at = position;
            while (at < stream.Length)
            {
                stream.Position = at;
                if (stream.ReadAtLeast(chunk, 8, throwOnEndOfStream: false) < 8 || chunk[..4].ContainsAnyExceptInRange((byte)' ', (byte)'~'))
                {
                    break;
                }

                var size = BinaryPrimitives.ReadUInt32LittleEndian(chunk[4..]);
                at += 8 + size + (size & 1);
            }

            stream.Position = position;

            // The last chunk may lack its padding byte.
            return at == stream.Length || at == stream.Length + 1;
        }
    }
}
