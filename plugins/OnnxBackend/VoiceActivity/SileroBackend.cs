using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.OnnxBackend.Graphs;

namespace AsrPlatform.OnnxBackend.VoiceActivity;

/// <summary>Runs Silero's voice detectors (github.com/snakers4/silero-vad), versions 4 to 6, on ONNX Runtime.</summary>
internal sealed class SileroBackend : IVoiceActivityBackend
{
    /// <inheritdoc />
    public string Name => "onnx";

    /// <inheritdoc />
    public bool CanLoad(string path) => Path.GetExtension(path).Equals(".onnx", StringComparison.OrdinalIgnoreCase);

    /// <inheritdoc />
    public IVoiceActivityNetwork Load(string path)
    {
        if (!File.Exists(path))
        {
            throw new AsrException($"{path} does not exist.");
        }

        // A frame takes less than a millisecond: threads would only wait for each other.
        var graph = Graph.Open(path, threads: 1, fixedShapes: true);
        try
        {
            return new SileroNetwork(graph);
        }
        catch
        {
            graph.Dispose();
            throw;
        }
    }
}
