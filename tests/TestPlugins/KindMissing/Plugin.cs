using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Abstractions.Plugins;
using Microsoft.Extensions.DependencyInjection;

namespace AsrPlatform.TestPlugins.KindMissing;

/// <summary>Promises a recogniser and a trainer, and brings a recogniser alone.</summary>
public sealed class Plugin : IPlugin
{
    public void ConfigureServices(PluginContext context, IServiceCollection services) =>
        services.AddSingleton<ISpeechRecognizerBackend, Backend>();

    private sealed class Backend : ISpeechRecognizerBackend
    {
        public string Name => "kind-missing";

        public bool CanLoad(ModelLoadOptions options, out string? reason)
        {
            reason = "it is a test";
            return false;
        }

        public ISpeechRecognizer Load(ModelLoadOptions options, CancellationToken cancellationToken = default) =>
            throw new InvalidOperationException("CanLoad said no.");
    }
}
