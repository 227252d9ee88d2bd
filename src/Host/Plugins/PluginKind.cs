using AsrPlatform.Abstractions.Adapters;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Abstractions.Plugins;
using AsrPlatform.Abstractions.Training;

namespace AsrPlatform.Host.Plugins;

/// <summary>A kind of <see cref="PluginKinds"/> and the service that stands for it.</summary>
/// <param name="Name">As in the manifest.</param>
/// <param name="Noun">For messages.</param>
/// <param name="Service">The service type.</param>
/// <param name="NameOf">The name that selects one of several.</param>
internal sealed record PluginKind(string Name, string Noun, Type Service, Func<object, string> NameOf)
{
    public static readonly IReadOnlyList<PluginKind> All =
    [
        Of<ISeq2SeqBackend>(PluginKinds.Seq2SeqBackend, "backend", service => service.Name),
        Of<ISpeechRecognizerBackend>(PluginKinds.Recognizer, "recognizer", service => service.Name),
        Of<ISpeechDecoder>(PluginKinds.Decoder, "decoder", service => service.Name),
        Of<ITrainer>(PluginKinds.Trainer, "trainer", service => service.Name),
        Of<IAdapterProvider>(PluginKinds.Adapter, "adapter", service => service.Name),
        Of<IAudioCapture>(PluginKinds.Capture, "capture", service => service.Name),
        Of<IVoiceActivityBackend>(PluginKinds.VoiceActivity, "voice detector", service => service.Name),
    ];

    /// <summary>The kind of this name, or null.</summary>
    public static PluginKind? Find(string name) => All.FirstOrDefault(kind => kind.Name == name);

    private static PluginKind Of<T>(string name, string noun, Func<T, string> nameOf)
        where T : class => new(name, noun, typeof(T), service => nameOf((T)service));
}
