using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Abstractions.Plugins;
using Microsoft.Extensions.DependencyInjection;

namespace AsrPlatform.TestPlugins.Good;

/// <summary>
/// A plugin that does everything right, unless its setting <c>Defect</c> names a <see cref="Good.Defect"/>: the conformance suite is
/// tested on what it must find.
/// </summary>
public sealed class Plugin : IPlugin
{
    public void ConfigureServices(PluginContext context, IServiceCollection services)
    {
        var defect = context.Configuration["Defect"] is { } name ? Enum.Parse<Defect>(name) : Defect.None;
        services.AddSingleton<ISeq2SeqBackend>(new ToyBackend(defect));
        services.AddSingleton<ISpeechRecognizerBackend>(new LoudnessBackend(defect));
        services.AddSingleton<IPluginDiagnostics>(new Diagnostics(context.Configuration["Greeting"] ?? "none"));
    }

    private sealed class Diagnostics(string greeting) : IPluginDiagnostics
    {
        public IEnumerable<DiagnosticItem> Describe() =>
        [
            new("greeting", greeting),
            new("speed", "it is a toy", DiagnosticLevel.Warning, "use a real one"),
        ];
    }
}

/// <summary>What the plugin does wrong when it is told to.</summary>
public enum Defect
{
    None,

    // The model's.
    CacheIgnored,
    ReorderIgnored,
    CountsIgnored,
    TruncateIgnored,
    AlignmentNotNormalised,
    BatchDependent,
    Random,
    BadInputAccepted,
    BrokenByBadInput,
    WrongException,
    Leaks,

    // The recogniser's.
    InfoEmpty,
    SilenceThrows,
    TimesUnordered,
    CancellationIgnored,
    StateKept,
    UsableAfterDispose,
}
