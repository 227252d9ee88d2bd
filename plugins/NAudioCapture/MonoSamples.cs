using System.Buffers.Binary;

namespace AsrPlatform.NAudioCapture;

/// <summary>Interleaved little-endian samples of several channels as one channel.</summary>
internal static class MonoSamples
{
    /// <summary>Whether samples of this form can be read.</summary>
    public static bool CanRead(bool isFloat, int bits) => isFloat ? bits == 32 : bits is 16 or 24 or 32;

    /// <summary>Reads whole frames.</summary>
    /// <param name="bytes">The frames.</param>
    /// <param name="isFloat">Whether samples are floats; else integers.</param>
    /// <param name="bits">Bits of a sample; <see cref="CanRead"/>.</param>
    /// <param name="channels">Samples of a frame.</param>
    /// <param name="destination">Takes the mean of each frame, −1…1; what is no number becomes 0.</param>
    /// <returns>Frames read.</returns>
    public static int Read(ReadOnlySpan<byte> bytes, bool isFloat, int bits, int channels, Span<float> destination)
    {
        var size = bits / 8;
        var frames = bytes.Length / (size * channels);
        for (var frame = 0; frame < frames; frame++)
        {
            var sum = 0f;
            for (var channel = 0; channel < channels; channel++)
            {
                sum += One(bytes.Slice(((frame * channels) + channel) * size, size), isFloat);
            }

            destination[frame] = float.IsFinite(sum) ? Math.Clamp(sum / channels, -1, 1) : 0;
        }

        return frames;
    }

    private static float One(ReadOnlySpan<byte> sample, bool isFloat) => (sample.Length, isFloat) switch
    {
        (4, true) => BinaryPrimitives.ReadSingleLittleEndian(sample),
        (2, _) => BinaryPrimitives.ReadInt16LittleEndian(sample) / 32768f,
        (3, _) => ((sample[0] << 8) | (sample[1] << 16) | (sample[2] << 24)) / 2147483648f,
        _ => BinaryPrimitives.ReadInt32LittleEndian(sample) / 2147483648f,
    };
}
