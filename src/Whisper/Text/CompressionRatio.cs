using System.IO.Compression;
using System.Text;

namespace AsrPlatform.Whisper.Text;

/// <summary>How well zlib compresses a result: decoding that hangs in a loop compresses far better than speech (OpenAI's limit is 2.4).</summary>
/// <remarks>
/// The reference is Python's <c>zlib.compress</c> at level 6. .NET carries another zlib (zlib-ng), whose level 6 finds fewer matches and is up to
/// a quarter larger; its level 9 has the very size of the reference for nine texts in ten of a transcript's length, and else one close by.
/// </remarks>
public static class CompressionRatio
{
    /// <summary>Bytes of the UTF-8 text over bytes compressed, OpenAI's measure; 0 for no text.</summary>
    public static double OfText(string text) => OfBytes(Encoding.UTF8.GetBytes(text));

    /// <summary>Bytes over bytes compressed; 0 for none.</summary>
    public static double OfBytes(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
        {
            return 0;
        }

        using var compressed = new MemoryStream();
        using (var zlib = new ZLibStream(compressed, CompressionLevel.SmallestSize, leaveOpen: true))
        {
            zlib.Write(bytes);
        }

        return bytes.Length / (double)compressed.Length;
    }

    /// <summary>The measure of transformers: over ids written as little-endian integers of as many bytes as the vocabulary needs.</summary>
    /// <param name="ids">Token ids.</param>
    /// <param name="vocabularySize">The model's vocabulary size.</param>
    public static double OfTokens(ReadOnlySpan<int> ids, int vocabularySize)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(vocabularySize);
        var width = (int)(Math.Log2(vocabularySize) / 8) + 1;
        var bytes = new byte[ids.Length * width];
        for (var index = 0; index < bytes.Length; index++)
        {
            bytes[index] = (byte)(ids[index / width] >> (8 * (index % width)));
        }

        return OfBytes(bytes);
    }
}
