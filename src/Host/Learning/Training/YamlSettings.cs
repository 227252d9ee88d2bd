using System.Text.Encodings.Web;
using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Whisper.Training;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace AsrPlatform.Host.Learning.Training;

/// <summary>Reads a flat YAML file of settings: <c>learning-rate: 1e-5</c>.</summary>
internal static class YamlSettings
{
    private const long MaxBytes = 1 << 20;

    private static readonly JsonSerializerOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Reads a file.</summary>
    /// <returns>
    /// Values by name in kebab-case, as the command line would have them: a list is joined with commas, an object becomes JSON, what is null
    /// is left out.
    /// </returns>
    /// <exception cref="AsrException">The file cannot be read, or is not such a file.</exception>
    public static Dictionary<string, string> Read(string path)
    {
        var settings = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (key, value) in Root(path).Children)
        {
            var name = TrainingArgument.NormalizeName(key is YamlScalarNode { Value: { } text } ? text : throw Wrong(path, key, "a name is no text"));
            if (Text(path, value) is { } setting && !settings.TryAdd(name, setting))
            {
                throw Wrong(path, key, $"'{name}' is given twice");
            }
        }

        return settings;
    }

    private static YamlMappingNode Root(string path)
    {
        try
        {
            if (new FileInfo(path) is { Exists: true, Length: > MaxBytes })
            {
                throw new AsrException($"{path} is larger than {MaxBytes >> 20} MiB: that is no configuration.");
            }

            using var reader = new StreamReader(path);
            var stream = new YamlStream();
            stream.Load(reader);
            return stream.Documents switch
            {
                [] => [],
                [{ RootNode: YamlMappingNode root }] => root,
                [{ RootNode: YamlScalarNode { Value: "" or null } }] => [],
                _ => throw new AsrException($"{path}: expected one list of settings, a line each, such as 'learning-rate: 1e-5'."),
            };
        }
        catch (YamlException error)
        {
            throw new AsrException($"{path}, line {error.Start.Line}: {error.InnerException?.Message ?? error.Message}", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"{path} cannot be read: {error.Message}", error);
        }
    }

    private static string? Text(string path, YamlNode node) => node switch
    {
        YamlScalarNode scalar => IsNull(scalar) ? null : scalar.Value,
        YamlSequenceNode items => string.Join(',', items.Select(item => item is YamlScalarNode { Value: { } text } ? text : throw Wrong(path, item, "expected a list of plain values"))),
        YamlMappingNode members => JsonSerializer.Serialize(
            members.Children.ToDictionary(
                pair => ((YamlScalarNode)pair.Key).Value ?? "",
                pair => pair.Value is YamlScalarNode { Value: { } text } ? text : throw Wrong(path, pair.Value, "expected a plain value")),
            Relaxed),
        _ => throw Wrong(path, node, "expected a value"),
    };

    private static bool IsNull(YamlScalarNode scalar) => scalar.Style == ScalarStyle.Plain && scalar.Value is null or "" or "~" or "null" or "Null" or "NULL";

    private static AsrException Wrong(string path, YamlNode node, string reason) => new($"{path}, line {node.Start.Line}: {reason}.");
}
