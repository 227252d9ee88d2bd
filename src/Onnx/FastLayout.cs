using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Onnx;

/// <summary>
/// What <c>fast.json</c> says: that a folder holds this project's own graphs. They are described in <c>docs/onnx.md</c>.
/// </summary>
public sealed record FastLayout
{
    /// <summary>The file's name.</summary>
    public const string FileName = "fast.json";

    /// <summary>The encoder's file.</summary>
    public const string EncoderFile = "fast_encoder.onnx";

    /// <summary>The decoder's file.</summary>
    public const string DecoderFile = "fast_decoder.onnx";

    /// <summary>Behind a linear layer's name: the input of its first factor, <c>[row or 1, in, rank]</c>.</summary>
    public const string FirstFactor = ".lora_A";

    /// <summary>Behind a linear layer's name: the input of its second factor, <c>[row or 1, rank, out]</c>.</summary>
    public const string SecondFactor = ".lora_B";

    /// <summary>The version that this program writes, and the only one that it reads.</summary>
    public const int CurrentVersion = 3;

    /// <summary>ONNX Runtime's GroupQueryAttention takes no other head widths than multiples of this.</summary>
    public const int HeadMultiple = 8;

    /// <summary>Behind <c>cross.{layer}.</c>: the keys, <c>[source, head, head width, position]</c>.</summary>
    public const string KeyPart = "key";

    /// <summary>Behind <c>cross.{layer}.</c>: the values, <c>[source, head, position, head width]</c>.</summary>
    public const string ValuePart = "value";

    /// <summary>Behind <c>cross.{layer}.</c>, for keys of 8 bits: what a query is multiplied by in each dimension of a head, <c>[source, head, 1, head width]</c>: what 1 is worth, / (127 √head width).</summary>
    public const string KeyScalePart = "key_scale";

    /// <summary>Behind <c>cross.{layer}.</c>, for keys of 8 bits: 128 times the sum of a position's key, <c>[source, head, 1, position]</c>, int32.</summary>
    public const string KeySumPart = "key_sum";

    /// <summary>Behind <c>cross.{layer}.</c>, for values of 8 bits: what 1 is worth in each dimension of a head, <c>[source, head, 1, head width]</c>.</summary>
    public const string ValueScalePart = "value_scale";

    /// <summary>Domain of the operators that this project brings itself.</summary>
    public const string OwnDomain = "asr.platform";

    /// <summary>
    /// The encoder's attention in graphs of int8, for heads of <see cref="OwnHeadWidth"/>: <c>[batch, position, width]</c> three times, and the same out. The graph
    /// also says what it is in ONNX Runtime's operators, for where nobody registers it.
    /// </summary>
    public const string SelfAttention = "SelfAttention";

    /// <summary>Width of the heads that <see cref="SelfAttention"/> is for: that of all of Whisper's encoders.</summary>
    public const int OwnHeadWidth = 64;

    private const string FormatName = "asrplatform-fast";

    /// <summary><c>fp32</c> or <c>int8</c>.</summary>
    public required string Precision { get; init; }

    /// <summary>Whether the keys and values that the decoder attends to are of 8 bits.</summary>
    public bool QuantizesMemory => Precision == "int8";

    /// <summary>What the encoder gives the decoder for each layer.</summary>
    public IReadOnlyList<string> CrossParts => QuantizesMemory ? [KeyPart, KeyScalePart, KeySumPart, ValuePart, ValueScalePart] : [KeyPart, ValuePart];

    /// <summary>Whether a model's dimensions fit: the heads of its decoder must be a multiple of 8 wide.</summary>
    public static bool Fits(WhisperConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        return config.DModel / config.DecoderAttentionHeads % HeadMultiple == 0;
    }

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
        };
        var text = content.ToJsonString(new JsonSerializerOptions { WriteIndented = true, NewLine = "\n" }) + "\n";
        AtomicFile.Write(Path.Combine(directory, FileName), stream => stream.Write(Encoding.UTF8.GetBytes(text)));
    }
}
