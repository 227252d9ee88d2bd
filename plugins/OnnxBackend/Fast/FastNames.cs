using System.Globalization;
using AsrPlatform.Onnx;

namespace AsrPlatform.OnnxBackend.Fast;

/// <summary>Names of the decoder's inputs and outputs that each layer has; keys and values of each layer in turn.</summary>
/// <param name="layers">Layers of the decoder.</param>
/// <param name="crossParts">What each layer has of the encoder.</param>
internal sealed class FastNames(int layers, IReadOnlyList<string> crossParts)
{
    /// <summary>Keys and values that are there.</summary>
    public string[] Past { get; } = OfLayers("past", layers, KeyAndValue);

    /// <summary>The same with the new tokens.</summary>
    public string[] Present { get; } = OfLayers("present", layers, KeyAndValue);

    /// <summary>Those of the encoder; the encoder's outputs have these names too.</summary>
    public string[] Cross { get; } = OfLayers(CrossPrefix, layers, crossParts);

    /// <summary>Cross-attention, one a layer.</summary>
    public string[] Attention { get; } = [.. Enumerable.Range(0, layers).Select(i => string.Create(CultureInfo.InvariantCulture, $"attention.{i}"))];

    /// <summary>The keys of the layer behind the last, which a graph of more layers has.</summary>
    public string CrossBeyond { get; } = Name(CrossPrefix, layers, FastLayout.KeyPart);

    private const string CrossPrefix = "cross";

    private static readonly string[] KeyAndValue = [FastLayout.KeyPart, FastLayout.ValuePart];

    private static string[] OfLayers(string prefix, int layers, IReadOnlyList<string> parts) =>
        [.. Enumerable.Range(0, layers).SelectMany(i => parts.Select(part => Name(prefix, i, part)))];

    private static string Name(string prefix, int layer, string part) => string.Create(CultureInfo.InvariantCulture, $"{prefix}.{layer}.{part}");
}
