using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace AsrPlatform.Tests;

/// <summary>Reads the fixtures' WAV files (16 kHz mono, PCM16 or float32), for tests below the host's own decoder.</summary>
internal static class WavFixture
{
    /// <summary>The samples of a fixture such as <c>audio/jfk.wav</c>: int16 / 32768, or float32 as it stands.</summary>
    public static float[] Read(string relative)
    {
        var bytes = File.ReadAllBytes(Fixtures.Path(relative));
        var format = 0;
        for (var at = 12; at + 8 <= bytes.Length;)
        {
            var size = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(at + 4));
            var body = bytes.AsSpan(at + 8, Math.Min(size, bytes.Length - at - 8));
            if (bytes.AsSpan(at, 4).SequenceEqual("fmt "u8))
            {
                format = BinaryPrimitives.ReadInt16LittleEndian(body);
                Assert.Equal(1, BinaryPrimitives.ReadInt16LittleEndian(body[2..]));
                Assert.Equal(16000, BinaryPrimitives.ReadInt32LittleEndian(body[4..]));
            }
            else if (bytes.AsSpan(at, 4).SequenceEqual("data"u8))
            {
                return format == 3
                    ? MemoryMarshal.Cast<byte, float>(body).ToArray()
                    : Array.ConvertAll(MemoryMarshal.Cast<byte, short>(body).ToArray(), sample => sample / 32768f);
            }

            at += 8 + size + (size & 1);
        }

        throw new InvalidDataException($"{relative} has no data chunk.");
    }
}
