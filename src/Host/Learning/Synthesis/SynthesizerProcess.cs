using AsrPlatform.Abstractions;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Diagnostics;

namespace AsrPlatform.Host.Learning.Synthesis;

/// <summary>Runs a synthesiser's program.</summary>
internal static class SynthesizerProcess
{
    /// <summary>The longest that an utterance may take.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    /// <summary>Runs a program to its end; null when it is not installed or fails.</summary>
    public static string? TryRun(string program, params string[] arguments)
    {
        try
        {
            return Run(program, arguments, null, CancellationToken.None);
        }
        catch (AsrException)
        {
            return null;
        }
    }

    /// <summary>Runs a program to its end.</summary>
    /// <param name="program">Its name.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="input">Its standard input, UTF-8; null for none.</param>
    /// <param name="cancellationToken">Kills it.</param>
    /// <returns>Its standard output.</returns>
    /// <exception cref="AsrException">It is not there, fails, or does not end.</exception>
    public static string Run(string program, IEnumerable<string> arguments, string? input, CancellationToken cancellationToken)
    {
        var result = ProgramRun.Run(program, arguments, input, Limit, cancellationToken);
        return result.ExitCode == 0
            ? result.Output
            : throw new AsrException($"{program} failed ({result.ExitCode}): {result.Errors.Trim().ReplaceLineEndings("; ")}");
    }

    /// <summary>Lets a program write a WAV file and reads it at 16 kHz.</summary>
    /// <param name="folder">Where the file is for a moment.</param>
    /// <param name="program">The program's name, for messages.</param>
    /// <param name="speak">Gets the file's path and makes the program write it.</param>
    /// <exception cref="AsrException">There is no audio in it.</exception>
    public static float[] ReadSpeech(string folder, string program, Action<string> speak)
    {
        var path = Path.Combine(folder, $"{Guid.NewGuid():n}.wav");
        try
        {
            speak(path);
            if (!File.Exists(path))
            {
                throw new AsrException($"{program} wrote no audio");
            }

            using var reader = new Data.UtteranceReader(path);
            return reader.Read(0, null, int.MaxValue - 1);
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>Shifts the pitch, and the formants with it, by playing faster or slower.</summary>
    /// <param name="samples">16 kHz.</param>
    /// <param name="factor">Above 1 is higher and shorter; taken to a hundredth.</param>
    public static float[] Shift(float[] samples, double factor)
    {
        var rate = (int)Math.Round(factor * 100) * (AudioFile.TargetRateHz / 100);
        if (rate == AudioFile.TargetRateHz)
        {
            return samples;
        }

        var resampler = new Resampler(rate, AudioFile.TargetRateHz);
        resampler.Write(samples);
        resampler.Complete();
        var shifted = new float[Resampler.OutputLength(samples.Length, rate, AudioFile.TargetRateHz)];
        for (int filled = 0, count; filled < shifted.Length && (count = resampler.Read(shifted.AsSpan(filled))) > 0;)
        {
            filled += count;
        }

        return shifted;
    }
}
