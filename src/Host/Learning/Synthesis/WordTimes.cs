using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Learning.Data;

namespace AsrPlatform.Host.Learning.Synthesis;

/// <summary>Puts the times that synthesisers give into one form.</summary>
internal static class WordTimes
{
    private const double WindowSeconds = 0.01;

    /// <summary>Quieter than the loudest window by this much is a pause: 40 dB.</summary>
    private const double PauseRatio = 0.01;

    /// <summary>
    /// Takes the pause after a word off its end (and one before it off its start): programs say where the next word starts, not where a word
    /// ends.
    /// </summary>
    /// <param name="words">In the order of time.</param>
    /// <param name="samples">The speech, 16 kHz.</param>
    public static IReadOnlyList<TimedWord> Trim(IReadOnlyList<TimedWord> words, float[] samples)
    {
        const int Window = (int)(WindowSeconds * AudioFile.TargetRateHz);
        var loudness = new double[(samples.Length + Window - 1) / Window];
        for (var index = 0; index < loudness.Length; index++)
        {
            foreach (var sample in samples.AsSpan(index * Window, Math.Min(Window, samples.Length - (index * Window))))
            {
                loudness[index] = Math.Max(loudness[index], Math.Abs(sample));
            }
        }

        var floor = PauseRatio * loudness.DefaultIfEmpty().Max();
        var duration = samples.Length / (double)AudioFile.TargetRateHz;
        return
        [
            .. words.Select(word =>
            {
                var first = Math.Clamp((int)(word.Start / WindowSeconds), 0, loudness.Length);
                var last = Math.Clamp((int)Math.Ceiling(word.End / WindowSeconds) - 1, -1, loudness.Length - 1);
                var (quietEnd, quietStart) = (last, first);
                while (quietEnd > first && loudness[quietEnd] < floor)
                {
                    quietEnd--;
                }

                while (quietStart < quietEnd && loudness[quietStart] < floor)
                {
                    quietStart++;
                }

                var start = quietStart > first ? quietStart * WindowSeconds : word.Start;
                var end = quietEnd < last ? (quietEnd + 1) * WindowSeconds : word.End;
                return Round(word with { Start = Math.Min(start, duration), End = Math.Clamp(end, start, duration) });
            }),
        ];
    }

    /// <summary>To hundredths of a second: finer than the 20 ms of Whisper's timestamps.</summary>
    public static TimedWord Round(TimedWord word) => word with { Start = Math.Round(word.Start, 2), End = Math.Round(word.End, 2) };
}
