using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Host.Plugins;

namespace AsrPlatform.Host.Serving;

/// <summary>Chooses among the Seq2Seq backends of the plugins.</summary>
internal static class BackendChoice
{
    /// <summary>Names of the backends that come first, where several can load a model: what trains and takes adapters before what runs exports.</summary>
    private static readonly string[] First = ["torch", "onnx"];

    /// <summary>All backends, best first; those that have no place of their own follow in the order of their plugins.</summary>
    public static IReadOnlyList<ISeq2SeqBackend> InOrder(PluginCatalog catalog) =>
        [.. catalog.GetServices<ISeq2SeqBackend>().OrderBy(backend => Array.IndexOf(First, backend.Name) is var place and >= 0 ? place : First.Length)];

    /// <summary>The backend of a name; without one the best that can load a folder, else the best.</summary>
    /// <param name="catalog">The plugins.</param>
    /// <param name="name">The name, or null.</param>
    /// <param name="directory">The model's folder; null where there is none.</param>
    /// <exception cref="AsrException">There is none.</exception>
    public static ISeq2SeqBackend Of(PluginCatalog catalog, string? name, string? directory)
    {
        var backends = name is null ? InOrder(catalog) : [];
        return backends.FirstOrDefault(backend => directory is not null && backend.CanLoad(directory, out _))
            ?? (backends.Count > 0 ? backends[0] : null)
            ?? catalog.Get<ISeq2SeqBackend>(name);
    }
}
