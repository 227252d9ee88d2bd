using System.Globalization;

namespace AsrPlatform.OnnxBackend.Fast;

/// <summary>Names of the decoder's inputs and outputs that each layer has; keys and values of each layer in turn.</summary>
internal sealed class FastNames(int layers)
{
    /// <summary>Keys and values that are there.</summary>
    public string[] Past { get; } = OfLayers("past", layers);

    /// <summary>The same with the new tokens.</summary>
    public string[] Present { get; } = OfLayers("present", layers);

    /// <summary>Those of the encoder; the encoder's outputs have these names too.</summary>
    public string[] Cross { get; } = OfLayers("cross", layers);

    /// <summary>Cross-attention, one a layer.</summary>
    public string[] Attention { get; } = [.. Enumerable.Range(0, layers).Select(i => string.Create(CultureInfo.InvariantCulture, $"attention.{i}"))];

    private static string[] OfLayers(string prefix, int layers) =>
    [
        .. Enumerable.Range(0, layers).SelectMany(i => (string[])
        [
            string.Create(CultureInfo.InvariantCulture, $"{prefix}.{i}.key"),
            string.Create(CultureInfo.InvariantCulture, $"{prefix}.{i}.value"),
        ]),
    ];
}
