using System.Text;
using System.Text.Json;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Whisper.Checkpoints;

/// <summary>A JSON object of a checkpoint folder. Every accessor gives a value of the right kind or one error that names file and key.</summary>
internal sealed class ConfigFile
{
    /// <summary>Far above any real configuration (old preprocessor files carry their mel filters, some 4 MB).</summary>
    private const int MaxBytes = 64 << 20;

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 32 };

    private readonly JsonElement _root;

    private ConfigFile(string name, string text, JsonElement root)
    {
        Name = name;
        Text = text;
        _root = root;
    }

    /// <summary>The file for messages.</summary>
    public string Name { get; }

    /// <summary>The whole text.</summary>
    public string Text { get; }

    /// <summary>Reads a file of the folder; null when it is not there.</summary>
    public static ConfigFile? TryOpen(string directory, string file)
    {
        var path = Path.Combine(directory, file);
        if (!File.Exists(path))
        {
            return null;
        }

        byte[] bytes;
        try
        {
            if (new FileInfo(path).Length > MaxBytes)
            {
                throw new AsrException($"{path} is larger than {MaxBytes >> 20} MiB: that is no configuration.");
            }

            bytes = File.ReadAllBytes(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"{path} cannot be read: {error.Message}", error);
        }

        return Parse(path, bytes);
    }

    /// <summary>Parses the text of a configuration.</summary>
    public static ConfigFile Parse(string name, ReadOnlyMemory<byte> utf8)
    {
        if (utf8.Span.StartsWith("\uFEFF"u8))
        {
            utf8 = utf8[3..];
        }

        try
        {
            using var document = JsonDocument.Parse(utf8, Strict);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? new ConfigFile(name, Encoding.UTF8.GetString(utf8.Span), document.RootElement.Clone())
                : throw new AsrException($"{name} holds no JSON object: found {Describe(document.RootElement)}.");
        }
        catch (JsonException error)
        {
            throw new AsrException($"{name} is no valid JSON: line {error.LineNumber.GetValueOrDefault() + 1}, {FirstSentence(error.Message)}", error);
        }
    }

    /// <summary>Whether the key is there and not null.</summary>
    public bool Has(string key) => TryGet(key, out _);

    public int RequiredInt(string key, int min, int max = int.MaxValue) =>
        TryGet(key, out var value) ? ToInt(key, value, min, max) : throw Missing(key, Range(min, max));

    public int? OptionalInt(string key, int min, int max = int.MaxValue) => TryGet(key, out var value) ? ToInt(key, value, min, max) : null;

    /// <summary>An id that some files wrap in a list of one.</summary>
    public int? OptionalId(string key)
    {
        if (TryGet(key, out var value) && value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 1)
        {
            return ToInt(key, value[0], 0, int.MaxValue);
        }

        return OptionalInt(key, 0);
    }

    public double Number(string key, double @default, double min, double max)
    {
        if (!TryGet(key, out var value))
        {
            return @default;
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && number >= min && number <= max
            ? number
            : throw Wrong(key, value, FormattableString.Invariant($"a number from {min} to {max}"));
    }

    public bool? OptionalBool(string key)
    {
        if (!TryGet(key, out var value))
        {
            return null;
        }

        return value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw Wrong(key, value, "true or false");
    }

    public bool Bool(string key, bool @default) => OptionalBool(key) ?? @default;

    public string? OptionalText(string key)
    {
        if (!TryGet(key, out var value))
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.String ? ToText(value) : throw Wrong(key, value, "a text");
    }

    /// <summary>A list of whole numbers ≥ 0; null when it is absent or null.</summary>
    public int[]? OptionalIds(string key)
    {
        if (!TryGet(key, out var value))
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.Array
            ? [.. value.EnumerateArray().Select(item => ToInt(key, item, 0, int.MaxValue))]
            : throw Wrong(key, value, "a list of token ids");
    }

    /// <summary>A list of pairs of whole numbers ≥ 0, the second of which may be null.</summary>
    public (int First, int? Second)[]? OptionalPairs(string key)
    {
        if (!TryGet(key, out var value))
        {
            return null;
        }

        if (value.ValueKind != JsonValueKind.Array)
        {
            throw Wrong(key, value, "a list of pairs");
        }

        return [.. value.EnumerateArray().Select(item =>
        {
            if (item.ValueKind != JsonValueKind.Array || item.GetArrayLength() != 2)
            {
                throw Wrong(key, item, "pairs of whole numbers");
            }

            return (ToInt(key, item[0], 0, int.MaxValue), item[1].ValueKind == JsonValueKind.Null ? (int?)null : ToInt(key, item[1], 0, int.MaxValue));
        })];
    }

    /// <summary>An object of texts and whole numbers ≥ 0; empty when it is absent or null.</summary>
    public Dictionary<string, int> Ids(string key) => Entries(key, "whole numbers", (name, value) => ToInt($"{key}.{name}", value, 0, int.MaxValue));

    /// <summary>An object of texts; null when it is absent or null.</summary>
    public Dictionary<string, string>? OptionalTexts(string key) => Has(key)
        ? Entries(key, "texts", (name, value) => value.ValueKind == JsonValueKind.String ? ToText(value) : throw Wrong($"{key}.{name}", value, "a text"))
        : null;

    /// <summary>An error about a key's value.</summary>
    public AsrException Wrong(string key, string found, string expected) =>
        new($"{Name}: \"{key}\" is {found}; expected {expected}.");

    /// <summary>An error about a key that is not there.</summary>
    public AsrException Missing(string key, string expected) => new($"{Name}: \"{key}\" is missing; expected {expected}.");

    private static string Describe(JsonElement value)
    {
        var text = value.GetRawText().ReplaceLineEndings(" ");
        return text.Length <= 60 ? text : text[..60] + "…";
    }

    private static string FirstSentence(string message)
    {
        var end = message.IndexOf(". ", StringComparison.Ordinal);
        return (end < 0 ? message : message[..(end + 1)]).ReplaceLineEndings(" ");
    }

    private static string Range(int min, int max) => max == int.MaxValue ? $"a whole number of at least {min}" : $"a whole number from {min} to {max}";

    private Dictionary<string, T> Entries<T>(string key, string what, Func<string, JsonElement, T> convert)
    {
        var entries = new Dictionary<string, T>(StringComparer.Ordinal);
        if (!TryGet(key, out var value))
        {
            return entries;
        }

        if (value.ValueKind != JsonValueKind.Object)
        {
            throw Wrong(key, value, $"an object of {what}");
        }

        foreach (var property in value.EnumerateObject())
        {
            entries.Add(property.Name, convert(property.Name, property.Value));
        }

        return entries;
    }

    private bool TryGet(string key, out JsonElement value) => _root.TryGetProperty(key, out value) && value.ValueKind != JsonValueKind.Null;

    private int ToInt(string key, JsonElement value, int min, int max) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number >= min && number <= max
            ? number
            : throw Wrong(key, value, Range(min, max));

    private string ToText(JsonElement value)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException error)
        {
            throw new AsrException($"{Name} holds a text that is no valid Unicode.", error);
        }
    }

    private AsrException Wrong(string key, JsonElement value, string expected) => Wrong(key, Describe(value), expected);
}
