using System.Buffers.Binary;
using AsrPlatform.Abstractions;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Host.Audio;

/// <summary>Writes 16-bit PCM WAV files.</summary>
public static class WavWriter
{
    /// <summary>Bytes before the first sample.</summary>
    public const int HeaderBytes = 44;

    /// <summary>Writes a file atomically.</summary>
    /// <param name="path">The file; its folder must exist.</param>
    /// <param name="samples">Samples in −1…1, channels interleaved; what lies outside is clipped. Sample s is stored as round(32768 · s).</param>
    /// <param name="sampleRateHz">Frames per second.</param>
    /// <param name="channels">Channels.</param>
    /// <exception cref="AsrException">The file cannot be written, or has more than 4 GiB.</exception>
    public static void Write(string path, ReadOnlyMemory<float> samples, int sampleRateHz, int channels = 1) =>
        AtomicFile.Write(path, stream => Write(stream, samples.Span, sampleRateHz, channels));

    /// <summary>Writes to a stream. As <see cref="Write(string, ReadOnlyMemory{float}, int, int)"/>.</summary>
    public static void Write(Stream stream, ReadOnlySpan<float> samples, int sampleRateHz, int channels = 1)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(sampleRateHz);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(channels);
        ArgumentOutOfRangeException.ThrowIfNotEqual(samples.Length % channels, 0, nameof(samples));
        Span<byte> header = stackalloc byte[HeaderBytes];
        WriteHeader(header, 2L * samples.Length, sampleRateHz, channels);
        stream.Write(header);
        Span<byte> bytes = stackalloc byte[8192];
        while (!samples.IsEmpty)
        {
            var count = Math.Min(samples.Length, bytes.Length / 2);
            for (var i = 0; i < count; i++)
            {
                var value = Math.Clamp(MathF.Round(samples[i] * 32768), short.MinValue, short.MaxValue);
                BinaryPrimitives.WriteInt16LittleEndian(bytes[(2 * i)..], (short)value);
            }

            stream.Write(bytes[..(2 * count)]);
            samples = samples[count..];
        }
    }

    /// <summary>Writes the header of a file of 16-bit samples.</summary>
    /// <param name="destination">Receives <see cref="HeaderBytes"/> bytes.</param>
    /// <param name="dataBytes">Bytes of all samples.</param>
    /// <param name="sampleRateHz">Frames per second.</param>
    /// <param name="channels">Channels.</param>
    /// <exception cref="AsrException">The data does not fit a WAV file.</exception>
    public static void WriteHeader(Span<byte> destination, long dataBytes, int sampleRateHz, int channels = 1)
    {
        if (dataBytes > uint.MaxValue - HeaderBytes)
        {
            throw new AsrException("A WAV file holds less than 4 GiB: write shorter pieces.");
        }

        "RIFF"u8.CopyTo(destination);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[4..], (uint)(HeaderBytes - 8 + dataBytes));
        "WAVEfmt "u8.CopyTo(destination[8..]);
        BinaryPrimitives.WriteInt32LittleEndian(destination[16..], 16);
        BinaryPrimitives.WriteInt16LittleEndian(destination[20..], 1);
        BinaryPrimitives.WriteInt16LittleEndian(destination[22..], (short)channels);
        BinaryPrimitives.WriteInt32LittleEndian(destination[24..], sampleRateHz);
        BinaryPrimitives.WriteInt32LittleEndian(destination[28..], sampleRateHz * channels * 2);
        BinaryPrimitives.WriteInt16LittleEndian(destination[32..], (short)(channels * 2));
        BinaryPrimitives.WriteInt16LittleEndian(destination[34..], 16);
        "data"u8.CopyTo(destination[36..]);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[40..], (uint)dataBytes);
    }
}
