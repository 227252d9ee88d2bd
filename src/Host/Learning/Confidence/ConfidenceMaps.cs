using AsrPlatform.Abstractions.Captions;

namespace AsrPlatform.Host.Learning.Confidence;

/// <summary>The calibrations in use. Safe for concurrent calls; none until some are given.</summary>
internal sealed class ConfidenceMaps
{
    private volatile Snapshot _maps = new([], null);

    /// <summary>The maps, by the version that each belongs to.</summary>
    public IReadOnlyCollection<ConfidenceMap> All => _maps.ByVersion.Values;

    /// <summary>Takes the place of all maps.</summary>
    public void Use(IEnumerable<ConfidenceMap> maps)
    {
        var byVersion = maps.ToDictionary(map => map.AdapterVersion, StringComparer.Ordinal);
        _maps = new Snapshot(byVersion, byVersion.Values.MaxBy(map => map.FittedAt));
    }

    /// <summary>A word with the chance that it is right for its confidence. Calibrating twice is calibrating once.</summary>
    /// <param name="word">The word with the model's probability.</param>
    /// <param name="adapterVersion">What made the word. One that has no map yet is taken for the version whose map is newest.</param>
    public CaptionWord Calibrate(CaptionWord word, string adapterVersion)
    {
        var model = word.ModelConfidence ?? word.Confidence;
        return Find(adapterVersion) is { } map ? word with { Confidence = map.Apply(model), ModelConfidence = model } : word;
    }

    /// <summary>The chance that a word is right of the model's probability, 0…1; that probability itself while there are no maps.</summary>
    /// <param name="confidence">The model's probability.</param>
    /// <param name="adapterVersion">As for words.</param>
    public double Calibrate(double confidence, string adapterVersion) => Find(adapterVersion)?.Apply(confidence) ?? confidence;

    private ConfidenceMap? Find(string adapterVersion)
    {
        var maps = _maps;
        return maps.ByVersion.GetValueOrDefault(adapterVersion) ?? maps.Newest;
    }

    private sealed record Snapshot(Dictionary<string, ConfidenceMap> ByVersion, ConfidenceMap? Newest);
}
