using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Host.Learning.Gate;
using AsrPlatform.Host.Plugins;
using AsrPlatform.Host.Serving;
using AsrPlatform.Whisper;

namespace AsrPlatform.Host.Learning.Bench;

/// <summary>The model that learns, as the bench listens with it. Belongs to one thread.</summary>
internal interface IBenchModel
{
    /// <summary>Listens with an adapter from now on.</summary>
    /// <param name="folder">Its folder; null: the base model.</param>
    void Use(string? folder);

    /// <summary>What is heard in each utterance, as captions would show it.</summary>
    IReadOnlyList<string> Hear(IReadOnlyList<ManifestEntry> entries, CancellationToken cancellationToken);
}

/// <summary>A Whisper model and at most one adapter.</summary>
/// <param name="recognizer">The caller's.</param>
/// <param name="catalog">Knows the adapter's provider.</param>
internal sealed class WhisperBenchModel(WhisperRecognizer recognizer, PluginCatalog catalog) : IBenchModel, IDisposable
{
    private readonly WhisperGateModel _model = new(recognizer, null);
    private string? _adapter;

    /// <inheritdoc />
    public void Use(string? folder)
    {
        Dispose();
        if (folder is not null)
        {
            var adapter = AdapterLoader.FindProvider(catalog, folder).Load(recognizer.Parts.Model, AdapterLoader.NameOf(folder), folder);
            recognizer.AddAdapter(adapter);
            _adapter = adapter.Name;
        }
    }

    /// <inheritdoc />
    public IReadOnlyList<string> Hear(IReadOnlyList<ManifestEntry> entries, CancellationToken cancellationToken) =>
        _model.Hear([.. entries.Select(entry => new GateClip(Read(entry), entry.Language, _adapter))], cancellationToken);

    /// <summary>Takes the adapter off the model.</summary>
    public void Dispose()
    {
        if (_adapter is not null)
        {
            recognizer.RemoveAdapter(_adapter);
            _adapter = null;
        }
    }

    private static float[] Read(ManifestEntry entry)
    {
        using var reader = new UtteranceReader(entry.AudioPath);
        return reader.Read(entry.StartSeconds, entry.EndSeconds, 60 * AudioFile.TargetRateHz);
    }
}
