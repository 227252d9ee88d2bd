using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Onnx;

/// <summary>
/// What <c>fast.json</c> says: that a folder holds this project's own graphs, and which heads their alignment output has. The graphs are
/// described in <c>docs/onnx.md</c>.
/// </summary>
public sealed record FastLayout
{
    /// <summary>The file's name.</summary>
    public const string FileName = "fast.json";

    /// <summary>The encoder's file.</summary>
    public const string EncoderFile = "fast_encoder.onnx";

    /// <summary>The decoder's file.</summary>
    public const string DecoderFile = "fast_decoder.onnx";

    /// <summary>The version that this program writes, and the only one that it reads.</summary>
    public const int CurrentVersion = 1;

    private const string FormatName = "asrplatform-fast";

    /// <summary><c>fp32</c> or <c>int8</c>.</summary>
    public required string Precision { get; init; }

    /// <summary>The heads of the decoder's output <c>alignment</c>, in its order.</summary>
    public required IReadOnlyList<AttentionHead> AlignmentHeads { get; init; }

    /// <summary>Whether a folder is said to be of this layout.</summary>
    public static bool Exists(string directory) => File.Exists(Path.Combine(directory, FileName));

    /// <summary>Reads the file of a folder.</summary>
    /// <exception cref="AsrException">It is missing, malformed or of another version.</exception>
    public static FastLayout Load(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        var path = Path.Combine(directory, FileName);
        try
        {
            if (JsonNode.Parse(File.ReadAllBytes(path)) is not JsonObject content || (string?)content["format"] != FormatName)
            {
                throw new AsrException($"{path} does not say \"format\": \"{FormatName}\". Export the model again.");
            }

            var version = (int?)content["version"];
            if (version != CurrentVersion)
            {
                throw new AsrException($"{path} is of version {version?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "none"}; this program knows {CurrentVersion}. Export the model again with ./asr export onnx --layout fast.");
            }

            return new FastLayout
            {
                Precision = (string?)content["precision"] ?? throw new FormatException("\"precision\" is missing"),
                AlignmentHeads = [.. (content["alignment_heads"] as JsonArray ?? throw new FormatException("\"alignment_heads\" is no list")).Select(Head)],
            };
        }
        catch (Exception error) when (error is JsonException or FormatException or InvalidOperationException or OverflowException)
        {
            throw new AsrException($"{path} is malformed: {error.Message.ReplaceLineEndings(" ")}. Export the model again.", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"{path} cannot be read: {error.Message}", error);
        }
    }

    /// <summary>Writes the file into a folder.</summary>
    /// <exception cref="AsrException">It cannot be written.</exception>
    public void Write(string directory)
    {
        var content = new JsonObject
        {
            ["format"] = FormatName,
            ["version"] = CurrentVersion,
            ["precision"] = Precision,
            ["encoder"] = EncoderFile,
            ["decoder"] = DecoderFile,
            ["alignment_heads"] = new JsonArray([.. AlignmentHeads.Select(head => (JsonNode)new JsonArray(head.Layer, head.Head))]),
        };
        var text = content.ToJsonString(new JsonSerializerOptions { WriteIndented = true, NewLine = "\n" }) + "\n";
        AtomicFile.Write(Path.Combine(directory, FileName), stream => stream.Write(Encoding.UTF8.GetBytes(text)));
    }

    private static AttentionHead Head(JsonNode? node) => node is JsonArray { Count: 2 } pair && (int?)pair[0] is >= 0 and int layer && (int?)pair[1] is >= 0 and int head
        ? new AttentionHead(layer, head)
        : throw new FormatException("\"alignment_heads\" holds something else than pairs of layer and head");
}
