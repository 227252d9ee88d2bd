using System.Globalization;
using AsrPlatform.Host.Learning.Data;

namespace AsrPlatform.Host.Learning.Synthesis;

/// <summary>espeak-ng: speech by its program, whose result depends on nothing but its arguments; word times by its library.</summary>
/// <remarks>
/// Voices are named by their files (<c>gmw/en-US+f3</c>): by language (<c>en-gb+f3</c>) the program falls back to another voice and leaves
/// the variant out, without a word.
/// </remarks>
internal sealed class EspeakSynthesizer : ISpeechSynthesizer
{
    private const string Program = "espeak-ng";

    /// <summary>Its own rate.</summary>
    private const int WordsPerMinute = 175;

    /// <summary>Its own pitch on its scale of 0 to 99.</summary>
    private const int NormalPitch = 50;

    private EspeakSynthesizer(IReadOnlyList<SpeechVoice> voices)
    {
        Voices = voices;
    }

    /// <inheritdoc />
    public string Name => Program;

    /// <inheritdoc />
    public IReadOnlyList<SpeechVoice> Voices { get; }

    /// <summary>The program with its voices, or null where it is not installed.</summary>
    public static EspeakSynthesizer? TryFind()
    {
        if (SynthesizerProcess.TryRun(Program, "--voices") is not { } list || SynthesizerProcess.TryRun(Program, "--voices=variant") is not { } variants)
        {
            return null;
        }

        // Columns: priority, language, age/gender, name, file, …; MBROLA's voices need data that Debian does not have.
        var files = Rows(variants).Select(row => row[4]["!v/".Length..]).Order(StringComparer.Ordinal).ToArray();
        SpeechVoice[] voices =
        [
            .. from row in Rows(list)
               where !row[4].StartsWith("mb/", StringComparison.Ordinal)
               from variant in files.Prepend("")
               let suffix = variant.Length == 0 ? "" : "+" + variant
               select new SpeechVoice(Program, row[1] + suffix, row[4] + suffix, row[1].Split('-')[0]),
        ];
        return new EspeakSynthesizer(voices);
    }

    /// <inheritdoc />
    public SpokenUtterance Speak(SpeechRequest request, string temporaryFolder, CancellationToken cancellationToken)
    {
        var rate = Math.Clamp((int)Math.Round(WordsPerMinute * request.Rate), 80, 450);
        var pitch = Math.Clamp((int)Math.Round(NormalPitch * request.Pitch), 0, 99);
        var samples = SynthesizerProcess.ReadSpeech(temporaryFolder, Program, path => SynthesizerProcess.Run(
            Program,
            ["-v", request.Voice.Id, "-s", rate.ToString(CultureInfo.InvariantCulture), "-p", pitch.ToString(CultureInfo.InvariantCulture), "-b", "1", "-w", path, "--stdin"],
            request.Text,
            cancellationToken));
        IReadOnlyList<TimedWord> words = request.WordTimes && EspeakLibrary.Instance is { } library
            ? WordTimes.Trim(library.FindWords(request.Text, request.Voice.Id, rate, pitch), samples)
            : [];
        return new SpokenUtterance(samples, words);
    }

    private static IEnumerable<string[]> Rows(string table) =>
        table.Split('\n').Skip(1).Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Where(row => row.Length >= 5);
}
