using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Plugins;
using AsrPlatform.TestPlugins.TestBinding;
using Microsoft.Extensions.DependencyInjection;

namespace AsrPlatform.TestPlugins.BindingUser;

public sealed class Plugin : IPlugin
{
    public void ConfigureServices(PluginContext context, IServiceCollection services)
    {
        Engine.Register();
        services.AddSingleton<ISpeechDecoder, Decoder>();
    }
}

/// <summary>Answers with what the test wants to know about this plugin's load context.</summary>
public sealed class Decoder : ISpeechDecoder
{
    public string Name => "binding-user";

    public TranscriptionResult Decode(
        SpeechDecoderInput input,
        IAudioSource audio,
        TranscriptionOptions options,
        Action<TranscriptionProgress>? progress,
        CancellationToken cancellationToken) =>
        new() { Text = $"{Engine.Register()}", DurationSeconds = 0 };
}
