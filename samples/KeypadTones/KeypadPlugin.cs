using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Abstractions.Plugins;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace KeypadTones;

/// <summary>The entry point: the host makes one and has it register what plugin.json promises.</summary>
public sealed class KeypadPlugin : IPlugin
{
    public void ConfigureServices(PluginContext context, IServiceCollection services)
    {
        // Settings come from Plugins:keypad-tones, such as Plugins:keypad-tones:SegmentGapSeconds=0.5.
        var gap = context.Configuration.GetSection("SegmentGapSeconds").Value is { } text
            ? double.Parse(text, System.Globalization.CultureInfo.InvariantCulture)
            : KeypadRecognizer.DefaultSegmentGapSeconds;
        if (!(gap > 0))
        {
            throw new PluginUnavailableException(
                $"SegmentGapSeconds is {gap}; it must be above 0",
                $"correct Plugins:{context.Manifest.Id}:SegmentGapSeconds");
        }

        services.AddSingleton<ISpeechRecognizerBackend>(
            provider => new KeypadBackend(gap, provider.GetRequiredService<ILogger<KeypadBackend>>()));
    }
}

/// <summary>Makes recognisers; <c>--backend keypad</c> selects it.</summary>
public sealed class KeypadBackend(double segmentGapSeconds, ILogger<KeypadBackend> logger) : ISpeechRecognizerBackend
{
    public string Name => "keypad";

    public bool CanLoad(ModelLoadOptions options, out string? reason)
    {
        // Whoever gives a model wants it used; by its name the recognizer can be had all the same.
        reason = options.ModelDirectory is null ? null : "the keypad recognizer reads no model";
        return reason is null;
    }

    public ISpeechRecognizer Load(ModelLoadOptions options, CancellationToken cancellationToken = default)
    {
        logger.LogDebug("A keypad recognizer starts");
        return new KeypadRecognizer(segmentGapSeconds);
    }
}
