using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Plugins;
using AsrPlatform.Whisper;

namespace AsrPlatform.Host.Serving;

/// <summary>Puts adapters onto a recogniser and takes them off. Called on the recogniser's thread, between two decodings.</summary>
internal interface IAdapterSlots
{
    /// <summary>Whether a recogniser takes adapters.</summary>
    bool Takes(ISpeechRecognizer recognizer);

    /// <summary>Reads an adapter so that requests can choose it by its name.</summary>
    /// <exception cref="AsrException">It cannot be read, or does not fit.</exception>
    void Add(ISpeechRecognizer recognizer, string name, string directory);

    /// <summary>Removes an adapter that no request uses.</summary>
    void Remove(ISpeechRecognizer recognizer, string name);

    /// <summary>Chooses the adapter of requests that choose none; null: the base model.</summary>
    void Use(ISpeechRecognizer recognizer, string? name);
}

/// <summary>Adapters by the plugins that this process found, on a Whisper model.</summary>
internal sealed class PluginAdapters(PluginCatalog catalog) : IAdapterSlots
{
    public bool Takes(ISpeechRecognizer recognizer) => recognizer is WhisperRecognizer { Parts.Model: IMultiAdapterModel };

    public void Add(ISpeechRecognizer recognizer, string name, string directory) => AdapterLoader.Add(catalog, recognizer, name, directory);

    public void Remove(ISpeechRecognizer recognizer, string name) => ((WhisperRecognizer)recognizer).RemoveAdapter(name);

    public void Use(ISpeechRecognizer recognizer, string? name) => ((WhisperRecognizer)recognizer).UseAdapter(name);
}
