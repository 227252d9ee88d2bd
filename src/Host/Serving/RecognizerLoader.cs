using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Host.Plugins;
using AsrPlatform.Whisper;

namespace AsrPlatform.Host.Serving;

/// <summary>A recogniser made by the plugins that this process found.</summary>
internal static class RecognizerLoader
{
    /// <summary>Loads a model by the backend of that name, or by the first that can.</summary>
    /// <param name="catalog">The plugins; must outlive the recogniser.</param>
    /// <param name="request">
    /// What to load. Without a backend's name, Seq2Seq backends are tried in their order (<see cref="BackendChoice"/>), then whole recognisers.
    /// </param>
    /// <param name="cancellationToken">Stops between files.</param>
    /// <returns>A recogniser that the caller disposes; it belongs to the calling thread.</returns>
    /// <exception cref="AsrException">No backend can load it; the message says why each cannot.</exception>
    public static ISpeechRecognizer Load(PluginCatalog catalog, ModelRequest request, CancellationToken cancellationToken = default)
    {
        if (request.AdapterDirectory is not { } directory)
        {
            return LoadBase(catalog, request, cancellationToken);
        }

        // First what is quick to find out.
        AdapterLoader.FindProvider(catalog, directory);
        var recognizer = LoadBase(catalog, request, cancellationToken);
        try
        {
            var name = AdapterLoader.NameOf(directory);
            AdapterLoader.Add(catalog, recognizer, name, directory);
            ((WhisperRecognizer)recognizer).UseAdapter(name);
            return recognizer;
        }
        catch
        {
            recognizer.Dispose();
            throw;
        }
    }

    private static ISpeechRecognizer LoadBase(PluginCatalog catalog, ModelRequest request, CancellationToken cancellationToken)
    {
        var (backend, options) = (request.Backend, request.Load);
        var engines = BackendChoice.InOrder(catalog, request.IsLive, options.Device);
        var recognizers = catalog.GetServices<ISpeechRecognizerBackend>();
        if (backend is not null)
        {
            if (recognizers.FirstOrDefault(candidate => candidate.Name.Equals(backend, StringComparison.OrdinalIgnoreCase)) is { } named
                && !engines.Any(candidate => candidate.Name.Equals(backend, StringComparison.OrdinalIgnoreCase)))
            {
                return named.Load(options, cancellationToken);
            }

            return WhisperRecognizer.Load(catalog.Get<ISeq2SeqBackend>(backend), RequireModel(options), Decoders(catalog), cancellationToken);
        }

        var reasons = new List<string>();
        if (options.ModelDirectory is { } folder)
        {
            foreach (var candidate in engines)
            {
                if (candidate.CanLoad(folder, out var reason))
                {
                    return WhisperRecognizer.Load(candidate, options, Decoders(catalog), cancellationToken);
                }

                reasons.Add(reason ?? $"the backend '{candidate.Name}' cannot load {folder}");
            }
        }

        foreach (var candidate in recognizers)
        {
            if (candidate.CanLoad(options, out var reason))
            {
                return candidate.Load(options, cancellationToken);
            }

            reasons.Add(reason ?? $"the recognizer '{candidate.Name}' cannot load this");
        }

        if (engines.Count == 0)
        {
            // The catalogue's own message says which plugins are missing and what would bring them.
            catalog.Get<ISeq2SeqBackend>();
        }

        RequireModel(options);
        throw new AsrException(string.Join("; ", reasons.Distinct(StringComparer.Ordinal)));
    }

    /// <summary>Whisper's own algorithms and those of plugins.</summary>
    private static IReadOnlyList<ISpeechDecoder> Decoders(PluginCatalog catalog) =>
        [.. WhisperRecognizer.DefaultDecoders, .. catalog.GetServices<ISpeechDecoder>()];

    private static ModelLoadOptions RequireModel(ModelLoadOptions options) => options.ModelDirectory is not null
        ? options
        : throw new AsrException("no model: give a checkpoint folder with --model DIR (the demo model is not in models/demo)");
}
