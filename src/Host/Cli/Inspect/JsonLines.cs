using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Host.Cli.Inspect;

/// <summary>JSON Lines on standard input and output, UTF-8 whatever the locale.</summary>
internal static class JsonLines
{
    /// <summary>Text as it is, not as \u escapes: the output is no HTML.</summary>
    private static readonly JsonWriterOptions WriterOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Reads values line by line; blank lines are passed over.</summary>
    /// <typeparam name="T">What a line becomes.</typeparam>
    /// <param name="input">UTF-8.</param>
    /// <param name="expected">What a line should be, for errors: "a JSON string".</param>
    /// <param name="read">Reads a line's value; may return null for one that is not as expected.</param>
    /// <exception cref="AsrException">A line is no JSON or not as expected; the message has its number.</exception>
    public static IEnumerable<T> Read<T>(Stream input, string expected, Func<JsonElement, T?> read)
        where T : class
    {
        // Latin-1 keeps every byte, so that the JSON reader sees invalid UTF-8 and says so.
        using var reader = new StreamReader(input, Encoding.Latin1, detectEncodingFromByteOrderMarks: false, bufferSize: 1 << 16, leaveOpen: true);
        for (var number = 1; reader.ReadLine() is { } line; number++)
        {
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            T? value = null;
            Exception? cause = null;
            try
            {
                using var document = JsonDocument.Parse(Encoding.Latin1.GetBytes(line));
                value = read(document.RootElement);
            }
            catch (Exception error) when (error is JsonException or InvalidOperationException)
            {
                cause = error;
            }

            yield return value ?? throw new AsrException($"line {number} of standard input is not {expected}", cause);
        }
    }

    /// <summary>Writes a value and the end of the line.</summary>
    public static void Write(Stream output, Action<Utf8JsonWriter> write)
    {
        using (var writer = new Utf8JsonWriter(output, WriterOptions))
        {
            write(writer);
        }

        output.WriteByte((byte)'\n');
    }

    /// <summary>The text of a JSON string, null for another value.</summary>
    public static string? Text(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
