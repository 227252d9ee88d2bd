using System.Globalization;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Host.Learning.Synthesis;

/// <summary>RHVoice, by its program RHVoice-test. It tells nothing of words. Pitch is shifted as for flite, which moves the formants too.</summary>
internal sealed class RhVoiceSynthesizer : ISpeechSynthesizer
{
    private const string Program = "RHVoice-test";

    private static readonly string[] VoiceFolders = ["/usr/share/RHVoice/voices", "/usr/local/share/RHVoice/voices"];

    private RhVoiceSynthesizer(IReadOnlyList<SpeechVoice> voices) => Voices = voices;

    /// <inheritdoc />
    public string Name => "rhvoice";

    /// <inheritdoc />
    public IReadOnlyList<SpeechVoice> Voices { get; }

    /// <summary>The program with the voices that it finds, or null where it is not installed or has none.</summary>
    public static RhVoiceSynthesizer? TryFind() =>
        SynthesizerProcess.TryRun(Program, "--version") is not null && FindVoices(VoiceFolders) is { Count: > 0 } voices ? new RhVoiceSynthesizer(voices) : null;

    /// <inheritdoc />
    public SpokenUtterance Speak(SpeechRequest request, string temporaryFolder, CancellationToken cancellationToken)
    {
        // Its own limits, in percent.
        var speed = Math.Clamp((int)Math.Round(100 * request.Rate / request.Pitch), 20, 500);
        var samples = SynthesizerProcess.ReadSpeech(temporaryFolder, Program, path => SynthesizerProcess.Run(
            Program, ["-p", request.Voice.Id, "-r", speed.ToString(CultureInfo.InvariantCulture), "-o", path], request.Text + "\n", cancellationToken));
        return new SpokenUtterance(SynthesizerProcess.Shift(samples, request.Pitch), []);
    }

    /// <summary>Reads <c>voice.info</c> of every voice; one without a language that has a code is left out.</summary>
    internal static IReadOnlyList<SpeechVoice> FindVoices(IEnumerable<string> folders) =>
    [
        .. from folder in folders
           where Directory.Exists(folder)
           from path in Directory.EnumerateFiles(folder, "voice.info", SearchOption.AllDirectories)
           let language = File.ReadLines(path).FirstOrDefault(line => line.StartsWith("language=", StringComparison.Ordinal))
           where language is not null
           let code = WhisperLanguages.FindCode(language["language=".Length..].Trim())
           where code is not null
           let name = Path.GetFileName(Path.GetDirectoryName(path))!
           orderby name
           select new SpeechVoice("rhvoice", name, name, code),
    ];
}
