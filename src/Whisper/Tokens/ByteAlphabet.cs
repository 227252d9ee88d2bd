using System.Buffers;
using System.Text;

namespace AsrPlatform.Whisper.Tokens;

/// <summary>GPT-2's spelling of bytes in vocabulary files: printable Latin-1 as it is, the other 68 bytes as U+0100 and up, in order.</summary>
internal static class ByteAlphabet
{
    private static readonly char[] Characters = new char[256];
    private static readonly short[] Bytes = new short[256 + 68];

    static ByteAlphabet()
    {
        Array.Fill(Bytes, (short)-1);
        var next = (char)256;
        for (var value = 0; value < 256; value++)
        {
            var printable = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            Characters[value] = printable ? (char)value : next++;
            Bytes[Characters[value]] = (short)value;
        }
    }

    /// <summary>The character that stands for a byte.</summary>
    public static char ToCharacter(byte value) => Characters[value];

    /// <summary>
    /// Writes the bytes that a token's text stands for: those of the alphabet, or the text's UTF-8 when a character is not of it
    /// (an added token may hold any text).
    /// </summary>
    public static void Decode(ReadOnlySpan<char> token, IBufferWriter<byte> writer)
    {
        var bytes = writer.GetSpan(Math.Max(Encoding.UTF8.GetMaxByteCount(token.Length), 1));
        for (var index = 0; index < token.Length; index++)
        {
            if (token[index] >= Bytes.Length || Bytes[token[index]] < 0)
            {
                writer.Advance(Encoding.UTF8.GetBytes(token, bytes));
                return;
            }

            bytes[index] = (byte)Bytes[token[index]];
        }

        writer.Advance(token.Length);
    }
}
