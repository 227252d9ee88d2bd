using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace AsrPlatform.Whisper.Training;

/// <summary>JSON as Python's <c>json</c> module writes it: <c>1e-05</c>, <c>2.0</c>, <c>NaN</c>, sorted keys, two spaces.</summary>
internal static class PythonJson
{
    /// <summary>Writes a value: null, bool, int, long, double, string, lists and dictionaries of these; ends with a line feed.</summary>
    public static string Write(object? value)
    {
        var text = new StringBuilder();
        Append(text, value, 0);
        return text.Append('\n').ToString();
    }

    /// <summary>Python's <c>repr</c> of a float.</summary>
    public static string Number(double value)
    {
        if (!double.IsFinite(value))
        {
            return double.IsNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
        }

        // The shortest digits that read back as the same value, from .NET's scientific form; then Python's choice of notation.
        var scientific = value.ToString("E16", CultureInfo.InvariantCulture);
        var shortest = value.ToString("R", CultureInfo.InvariantCulture);
        var exponent = value == 0 ? 0 : int.Parse(scientific.AsSpan(scientific.IndexOf('E') + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        var (sign, digits) = Digits(shortest);
        if (value == 0)
        {
            return sign + "0.0";
        }

        if (exponent is < -4 or >= 16)
        {
            var fraction = digits.Length > 1 ? "." + digits[1..] : "";
            return $"{sign}{digits[..1]}{fraction}e{(exponent < 0 ? '-' : '+')}{Math.Abs(exponent).ToString("00", CultureInfo.InvariantCulture)}";
        }

        if (exponent < 0)
        {
            return $"{sign}0.{new string('0', -exponent - 1)}{digits}";
        }

        return digits.Length <= exponent + 1
            ? $"{sign}{digits.PadRight(exponent + 1, '0')}.0"
            : $"{sign}{digits[..(exponent + 1)]}.{digits[(exponent + 1)..]}";
    }

    /// <summary>Parses JSON in which NaN and infinities may stand; these come as strings.</summary>
    /// <exception cref="JsonException">It is not JSON.</exception>
    public static JsonNode? Parse(string text)
    {
        var quoted = new StringBuilder(text.Length);
        var inString = false;
        for (var index = 0; index < text.Length; index++)
        {
            var character = text[index];
            if (inString)
            {
                quoted.Append(character);
                if (character == '\\' && index + 1 < text.Length)
                {
                    quoted.Append(text[++index]);
                }

                inString = character != '"';
                continue;
            }

            if (Constants.FirstOrDefault(name => string.CompareOrdinal(text, index, name, 0, name.Length) == 0) is { } constant)
            {
                quoted.Append('"').Append(constant).Append('"');
                index += constant.Length - 1;
                continue;
            }

            inString = character == '"';
            quoted.Append(character);
        }

        return JsonNode.Parse(quoted.ToString(), documentOptions: new JsonDocumentOptions { MaxDepth = 32 });
    }

    /// <summary>The value of a number as <see cref="Parse"/> gives it, or null when it is none.</summary>
    public static double? ToDouble(JsonNode? node) => node switch
    {
        JsonValue value when value.GetValueKind() == JsonValueKind.Number => value.GetValue<double>(),
        JsonValue value when value.GetValueKind() == JsonValueKind.String => value.GetValue<string>() switch
        {
            "NaN" => double.NaN,
            "Infinity" => double.PositiveInfinity,
            "-Infinity" => double.NegativeInfinity,
            _ => null,
        },
        _ => null,
    };

    private static readonly string[] Constants = ["NaN", "Infinity", "-Infinity"];

    /// <summary>The significant digits of .NET's shortest form, without leading and trailing zeros.</summary>
    private static (string Sign, string Digits) Digits(string shortest)
    {
        var end = shortest.IndexOf('E');
        var mantissa = (end < 0 ? shortest : shortest[..end]).TrimStart('-').Replace(".", "", StringComparison.Ordinal).TrimStart('0').TrimEnd('0');
        return (shortest[0] == '-' ? "-" : "", mantissa);
    }

    private static void Append(StringBuilder text, object? value, int depth)
    {
        switch (value)
        {
            case null:
                text.Append("null");
                break;
            case bool boolean:
                text.Append(boolean ? "true" : "false");
                break;
            case int or long:
                text.Append(CultureInfo.InvariantCulture, $"{value}");
                break;
            case double number:
                text.Append(Number(number));
                break;
            case string words:
                AppendString(text, words);
                break;
            case IReadOnlyDictionary<string, object?> { Count: 0 }:
                text.Append("{}");
                break;
            case IReadOnlyDictionary<string, object?> members:
                text.Append('{');
                var separator = "";
                foreach (var (key, member) in members.OrderBy(pair => pair.Key, StringComparer.Ordinal))
                {
                    NewLine(text.Append(separator), depth + 1);
                    AppendString(text, key);
                    Append(text.Append(": "), member, depth + 1);
                    separator = ",";
                }

                NewLine(text, depth);
                text.Append('}');
                break;
            case IReadOnlyList<object?> { Count: 0 }:
                text.Append("[]");
                break;
            case IReadOnlyList<object?> items:
                text.Append('[');
                for (var index = 0; index < items.Count; index++)
                {
                    NewLine(index == 0 ? text : text.Append(','), depth + 1);
                    Append(text, items[index], depth + 1);
                }

                NewLine(text, depth);
                text.Append(']');
                break;
            default:
                throw new ArgumentException($"{value.GetType()} has no form in JSON.", nameof(value));
        }
    }

    private static void NewLine(StringBuilder text, int depth) => text.Append('\n').Append(' ', 2 * depth);

    private static void AppendString(StringBuilder text, string value)
    {
        text.Append('"');
        foreach (var character in value)
        {
            _ = character switch
            {
                '"' => text.Append("\\\""),
                '\\' => text.Append("\\\\"),
                '\n' => text.Append("\\n"),
                '\r' => text.Append("\\r"),
                '\t' => text.Append("\\t"),
                '\b' => text.Append("\\b"),
                '\f' => text.Append("\\f"),
                < ' ' or > '~' => text.Append(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}"),
                _ => text.Append(character),
            };
        }

        text.Append('"');
    }
}
