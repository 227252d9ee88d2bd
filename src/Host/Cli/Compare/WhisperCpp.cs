using System.Globalization;
using System.Text.RegularExpressions;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Diagnostics;

namespace AsrPlatform.Host.Cli.Compare;

/// <summary>The programs of a built whisper.cpp.</summary>
internal sealed partial class WhisperCpp
{
    private readonly string _bench;
    private readonly string _quantize;

    /// <summary>Finds them.</summary>
    /// <param name="folder">Its folder, its build folder, or the one with the programs.</param>
    /// <exception cref="AsrException">They are not there.</exception>
    public WhisperCpp(string folder)
    {
        var suffix = OperatingSystem.IsWindows() ? ".exe" : "";
        string[] places = [folder, Path.Combine(folder, "bin"), Path.Combine(folder, "build", "bin"), Path.Combine(folder, "build", "bin", "Release")];
        var place = places.FirstOrDefault(place => File.Exists(Path.Combine(place, "whisper-bench" + suffix)) && File.Exists(Path.Combine(place, "whisper-quantize" + suffix)))
            ?? throw new AsrException($"--whisper-cpp {folder}: there is no whisper-bench beside a whisper-quantize in it, in bin or in build/bin: build whisper.cpp (cmake -B build && cmake --build build --target whisper-bench whisper-quantize) and give its folder");
        _bench = Path.Combine(place, "whisper-bench" + suffix);
        _quantize = Path.Combine(place, "whisper-quantize" + suffix);
    }

    /// <summary>Writes a float16 model in another precision.</summary>
    /// <param name="model">The float16 file.</param>
    /// <param name="precision">As it names them, such as q8_0.</param>
    /// <param name="output">The file that it writes.</param>
    /// <param name="cancellationToken">Kills it.</param>
    public void Quantize(string model, string precision, string output, CancellationToken cancellationToken) =>
        Run(_quantize, [model, output, precision], cancellationToken);

    /// <summary>Runs its bench once: an encoding of 30 s, 256 single tokens and more, after a warm-up of the same.</summary>
    /// <returns>Milliseconds an encoding (keys and values of cross-attention included) and a token.</returns>
    public (double Encode, double Token) Measure(string model, int threads, CancellationToken cancellationToken)
    {
        var text = Run(_bench, ["-m", model, "-t", threads.ToString(CultureInfo.InvariantCulture), "-ng"], cancellationToken);
        return (PerRun(text, "encode"), PerRun(text, "decode"));
    }

    /// <summary>Reads a line of its timings.</summary>
    /// <exception cref="AsrException">There is none.</exception>
    public static double PerRun(string text, string stage)
    {
        var line = PerRunLine().Matches(text).FirstOrDefault(match => match.Groups["stage"].ValueSpan.SequenceEqual(stage))
            ?? throw new AsrException($"whisper-bench printed no time of \"{stage}\": {text.Trim()[Math.Max(0, text.Trim().Length - 300)..]}");
        return double.Parse(line.Groups["time"].ValueSpan, CultureInfo.InvariantCulture);
    }

    [GeneratedRegex(@"(?<stage>\w+) time =\s*[\d.]+ ms /\s*\d+ runs \(\s*(?<time>[\d.]+) ms per run\)")]
    private static partial Regex PerRunLine();

    private static string Run(string program, IEnumerable<string> arguments, CancellationToken cancellationToken)
    {
        var result = ProgramRun.Run(program, arguments, input: null, limit: null, cancellationToken);
        var text = result.Output + result.Errors;
        return result.ExitCode == 0 ? text : throw new AsrException($"{Path.GetFileName(program)} failed ({result.ExitCode}): {text.Trim()[Math.Max(0, text.Trim().Length - 500)..]}");
    }
}
