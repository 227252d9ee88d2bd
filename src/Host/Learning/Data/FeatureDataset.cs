using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Features;
using AsrPlatform.Abstractions.Training;

namespace AsrPlatform.Host.Learning.Data;

/// <summary>A manifest's utterances with their labels in memory and their features in a <see cref="FeatureCache"/>. Immutable; safe for concurrent calls.</summary>
internal sealed class FeatureDataset : ITrainingDataset
{
    private readonly IReadOnlyList<Item> _items;
    private readonly DatasetOptions _options;
    private readonly FeatureCache _cache;

    internal FeatureDataset(IReadOnlyList<Item> items, DatasetOptions options, FeatureCache cache, DataReport report)
    {
        _items = items;
        _options = options;
        _cache = cache;
        Report = report;
    }

    /// <inheritdoc />
    public int Count => _items.Count;

    /// <summary>What became of the manifest's rows.</summary>
    public DataReport Report { get; }

    /// <summary>The manifest's row of an example.</summary>
    public ManifestEntry Entry(int index) => _items[index].Entry;

    /// <inheritdoc />
    public TrainingSampleInfo Describe(int index) => _items[index].Info;

    /// <inheritdoc />
    public TrainingSample Load(int index)
    {
        var item = _items[index];
        return new TrainingSample
        {
            Features = _cache.TryRead(item.Key) ?? ExtractAgain(item),
            Labels = [.. item.Labels],
            Text = item.Info.Text,
            Id = item.Info.Id,
            Language = item.Info.Language,
            IsReplay = item.Info.IsReplay,
            Weight = item.Entry.Weight,
        };
    }

    /// <summary>For a cache that was emptied or damaged under a run.</summary>
    private FeatureMatrix ExtractAgain(Item item)
    {
        using var reader = new UtteranceReader(item.Entry.AudioPath);
        var samples = reader.Read(item.Entry.StartSeconds, item.Entry.EndSeconds, _options.ContextSamples);
        var features = UtteranceReader.Extract(_options.Extractor, samples, _options.ContextSamples);
        if (samples.Length > _options.ContextSamples || features.ValidFrames != item.Info.Frames)
        {
            throw new AsrException($"{item.Entry.AudioPath} changed while it was used: start the run again");
        }

        _cache.Write(item.Key, features, samples.Length);
        return features;
    }

    /// <summary>An example.</summary>
    /// <param name="Entry">Its row.</param>
    /// <param name="Info">What a trainer may know of it.</param>
    /// <param name="Key">Its features' key.</param>
    /// <param name="Labels">As <see cref="TrainingSample.Labels"/>.</param>
    internal sealed record Item(ManifestEntry Entry, TrainingSampleInfo Info, string Key, int[] Labels);
}
