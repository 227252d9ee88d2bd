using System.Globalization;

namespace AsrPlatform.Host.Learning.Synthesis;

/// <summary>SVOX Pico, by its program pico2wave. It tells nothing of words. Pitch is shifted as for flite: its own changes it a little only.</summary>
internal sealed class PicoSynthesizer : ISpeechSynthesizer
{
    private const string Program = "pico2wave";

    /// <summary>What it comes with.</summary>
    private static readonly string[] Languages = ["en-US", "en-GB", "de-DE", "es-ES", "fr-FR", "it-IT"];

    private PicoSynthesizer()
    {
    }

    /// <inheritdoc />
    public string Name => "pico";

    /// <inheritdoc />
    public IReadOnlyList<SpeechVoice> Voices { get; } = [.. Languages.Select(name => new SpeechVoice("pico", name, name, name[..2]))];

    /// <summary>The program, or null where it is not installed.</summary>
    public static PicoSynthesizer? TryFind() => SynthesizerProcess.TryRun(Program, "--usage") is null ? null : new PicoSynthesizer();

    /// <inheritdoc />
    public SpokenUtterance Speak(SpeechRequest request, string temporaryFolder, CancellationToken cancellationToken)
    {
        // Its own limits, in percent.
        var speed = Math.Clamp((int)Math.Round(100 * request.Rate / request.Pitch), 20, 500);
        // Its tags are no XML: entities are spelt out, and what is no tag is not said.
        var plain = request.Text.Replace('<', ' ').Replace('>', ' ');
        var text = string.Create(CultureInfo.InvariantCulture, $"<speed level=\"{speed}\">{plain}</speed>");
        var samples = SynthesizerProcess.ReadSpeech(temporaryFolder, Program, path => SynthesizerProcess.Run(
            Program, ["-l", request.Voice.Id, "-w", path, text], null, cancellationToken));
        return new SpokenUtterance(SynthesizerProcess.Shift(samples, request.Pitch), []);
    }
}
