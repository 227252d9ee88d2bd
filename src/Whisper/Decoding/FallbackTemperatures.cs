using AsrPlatform.Abstractions.Decoding;

namespace AsrPlatform.Whisper.Decoding;

/// <summary>The temperatures that a window is tried at.</summary>
internal static class FallbackTemperatures
{
    // A step that reaches 1 but for rounding counts.
    private const double Highest = 1 + 1e-6;

    /// <summary>The temperature that was asked for, and those above it up to 1 in steps of the increment: 0, 0.2 … 1 by default.</summary>
    public static double[] Of(TranscriptionOptions options)
    {
        var temperatures = new List<double> { options.Temperature };
        for (var i = 1; options.TemperatureIncrementOnFallback is { } step && options.Temperature + (i * step) < Highest; i++)
        {
            temperatures.Add(options.Temperature + (i * step));
        }

        return [.. temperatures];
    }
}
