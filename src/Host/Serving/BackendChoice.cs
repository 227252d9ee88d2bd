using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Host.Plugins;

namespace AsrPlatform.Host.Serving;

/// <summary>Chooses among the Seq2Seq backends of the plugins.</summary>
internal static class BackendChoice
{
    private const string Torch = "torch";
    private const string Onnx = "onnx";
    private const string Processor = "cpu";

    /// <summary>All backends, best first; those that have no place of their own follow in the order of their plugins.</summary>
    /// <param name="catalog">The plugins.</param>
    /// <param name="isLive">Whether speed counts before exactness: on a processor quantized graphs come first then, elsewhere and else what computes with the checkpoint's own weights.</param>
    /// <param name="device">The device that is asked for.</param>
    public static IReadOnlyList<ISeq2SeqBackend> InOrder(PluginCatalog catalog, bool isLive = false, string device = "auto")
    {
        var backends = catalog.GetServices<ISeq2SeqBackend>();
        var onProcessor = device.Equals(Processor, StringComparison.OrdinalIgnoreCase)
            || (device.Equals("auto", StringComparison.OrdinalIgnoreCase) && backends.All(backend => backend.Devices.All(candidate => candidate.Name == Processor)));
        string[] first = isLive && onProcessor ? [Onnx, Torch] : [Torch, Onnx];
        return [.. backends.OrderBy(backend => Array.IndexOf(first, backend.Name) is var place and >= 0 ? place : first.Length)];
    }

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
