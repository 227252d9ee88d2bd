using System.Text;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Host.Learning.Data;

/// <summary>A manifest's bytes as text.</summary>
internal static class ManifestText
{
    /// <summary>Stands where bytes are no text in the file's encoding; a row that has one is dropped.</summary>
    public const char Replacement = '\uFFFD';

    /// <summary>Reads a file as UTF-8, or as UTF-16 or UTF-32 where a byte order mark or the zeros of ASCII text show it.</summary>
    /// <exception cref="AsrException">The file cannot be read or is empty.</exception>
    public static string Read(string path)
    {
        byte[] bytes;
        try
        {
            bytes = File.ReadAllBytes(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"{path} cannot be read: {error.Message}", error);
        }

        var encoding = Detect(bytes);
        var preamble = encoding.GetPreamble();
        var text = encoding.GetString(bytes.AsSpan().StartsWith(preamble) ? bytes.AsSpan(preamble.Length) : bytes);
        return text.AsSpan().Trim().IsEmpty ? throw new AsrException($"{path} is empty: give a manifest with a row an utterance.") : text;
    }

    private static Encoding Detect(ReadOnlySpan<byte> bytes) => bytes switch
    {
        [0xFF, 0xFE, 0, 0, ..] => Encoding.UTF32,
        [0xFF, 0xFE, ..] => Encoding.Unicode,
        [0xFE, 0xFF, ..] => Encoding.BigEndianUnicode,
        [not 0, 0, not 0, 0, ..] => Encoding.Unicode,
        [0, not 0, 0, not 0, ..] => Encoding.BigEndianUnicode,
        _ => Encoding.UTF8,
    };
}
