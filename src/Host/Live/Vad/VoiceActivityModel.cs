using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Host.Plugins;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Live;

/// <summary>The network that <see cref="LiveOptions.VoiceActivityModel"/> names, or none; makes the detectors of all streams.</summary>
/// <remarks>Safe for concurrent calls. To be disposed after the detectors.</remarks>
internal sealed class VoiceActivityModel : IDisposable
{
    private readonly IVoiceActivityNetwork? _network;

    /// <summary>For the host's services.</summary>
    /// <exception cref="AsrException">As <see cref="Load"/>.</exception>
    public VoiceActivityModel(IOptions<LiveOptions> options, PluginCatalog? plugins = null)
        : this(options.Value.VoiceActivityModel is { Length: > 0 } path ? Load(path, plugins) : null)
    {
    }

    /// <param name="network">The network, this one's from now on; null: the embedded detector.</param>
    public VoiceActivityModel(IVoiceActivityNetwork? network) => _network = network;

    /// <summary>Loads a network with the plugin that takes it.</summary>
    /// <exception cref="AsrException">There is no such file, no plugin takes it, or it is none.</exception>
    public static IVoiceActivityNetwork Load(string path, PluginCatalog? plugins)
    {
        if (!File.Exists(path))
        {
            throw new AsrException($"the voice detector {path} does not exist: give a Silero VAD file (silero_vad.onnx), or none for the embedded one");
        }

        var backends = plugins?.GetServices<IVoiceActivityBackend>() ?? [];
        var backend = backends.FirstOrDefault(one => one.CanLoad(path)) ?? throw new AsrException(backends.Count == 0
            ? $"no plugin can run the voice detector {path}: ./asr doctor says why the ONNX backend is not there"
            : $"{path} is no voice detector that a plugin knows ({string.Join(", ", backends.Select(one => one.Name))}): give a Silero VAD file (silero_vad.onnx)");
        return backend.Load(path);
    }

    /// <summary>A detector for a new stream; see <see cref="VoiceActivityDetectorFactory"/>.</summary>
    /// <exception cref="AsrException">The network hears another sample rate.</exception>
    public IVoiceActivityDetector Create(int sampleRateHz, double threshold) =>
        _network is null ? new AdaptiveVoiceActivityDetector(sampleRateHz, threshold)
        : sampleRateHz == _network.SampleRateHz ? new NetworkVoiceActivityDetector(_network, threshold)
        : throw new AsrException($"the voice detector hears {_network.SampleRateHz} Hz, the recogniser {sampleRateHz} Hz: leave Live:VoiceActivityModel out");

    public void Dispose() => _network?.Dispose();
}
