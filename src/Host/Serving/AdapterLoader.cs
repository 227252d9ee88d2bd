using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Host.Plugins;
using AsrPlatform.Whisper;

namespace AsrPlatform.Host.Serving;

/// <summary>Adapters by the plugins that this process found.</summary>
internal static class AdapterLoader
{
    /// <summary>The plugin service that reads the adapter in a folder.</summary>
    /// <exception cref="AsrException">There is none; the message says why each does not.</exception>
    public static IAdapterProvider FindProvider(PluginCatalog catalog, string directory)
    {
        if (!Directory.Exists(directory))
        {
            throw new AsrException($"there is no adapter folder {directory}");
        }

        var providers = catalog.GetServices<IAdapterProvider>();
        if (providers.Count == 0)
        {
            // The catalogue's own message says which plugins are missing and what would bring them.
            return catalog.Get<IAdapterProvider>();
        }

        var reasons = new List<string>();
        foreach (var provider in providers)
        {
            if (provider.CanLoad(directory, out var reason))
            {
                return provider;
            }

            reasons.Add(reason ?? $"'{provider.Name}' cannot read {directory}");
        }

        throw new AsrException(string.Join("; ", reasons));
    }

    /// <summary>An adapter's name: its folder's.</summary>
    public static string NameOf(string directory) => Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory)));

    /// <summary>Puts the adapter of a folder onto a recogniser, so that requests can choose it by its name. The recogniser disposes it.</summary>
    /// <exception cref="AsrException">It cannot be read, does not fit, or the recogniser takes none.</exception>
    public static void Add(PluginCatalog catalog, ISpeechRecognizer recognizer, string name, string directory)
    {
        // First what is quick to find out.
        var provider = FindProvider(catalog, directory);
        var adaptable = recognizer as WhisperRecognizer ?? throw new AsrException($"{directory}: the recognizer {recognizer.Info.Name} takes no adapters");
        adaptable.AddAdapter(provider.Load(adaptable.Parts.Model, name, directory));
    }

    /// <summary>Puts the adapter of a folder onto a model and makes it the active one.</summary>
    /// <returns>The adapter, which the caller disposes before the model.</returns>
    public static IAdapter Activate(IAdapterProvider provider, ISeq2SeqModel model, string directory)
    {
        var adapter = provider.Load(model, NameOf(directory), directory);
        ((IMultiAdapterModel)model).ActiveAdapter = adapter.Id;
        return adapter;
    }
}
