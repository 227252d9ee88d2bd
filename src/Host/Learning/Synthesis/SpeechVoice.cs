using AsrPlatform.Abstractions;
using AsrPlatform.Host.Learning.Data;

namespace AsrPlatform.Host.Learning.Synthesis;

/// <summary>A voice that is installed.</summary>
/// <param name="Synthesizer">The name of its synthesiser.</param>
/// <param name="Name">What people call it, such as <c>en-gb+f3</c>.</param>
/// <param name="Id">What the synthesiser calls it.</param>
/// <param name="Language">Language code, such as <c>en</c>.</param>
internal sealed record SpeechVoice(string Synthesizer, string Name, string Id, string Language)
{
    /// <summary>Names it among the voices of all synthesisers: <c>espeak-ng:en-gb+f3</c>.</summary>
    public string FullName => $"{Synthesizer}:{Name}";
}

/// <summary>What to say and how.</summary>
/// <param name="Text">One utterance.</param>
/// <param name="Voice">By whom.</param>
/// <param name="Rate">Speed: 1 is the voice's own, 2 twice as fast.</param>
/// <param name="Pitch">Pitch: 1 is the voice's own.</param>
/// <param name="WordTimes">Whether to find out when each word is said.</param>
internal sealed record SpeechRequest(string Text, SpeechVoice Voice, double Rate, double Pitch, bool WordTimes);

/// <summary>What was said.</summary>
/// <param name="Samples">16 kHz mono, as loud as the synthesiser made it.</param>
/// <param name="Words">The words of the text with their times; empty when they were not asked for or are not known.</param>
internal sealed record SpokenUtterance(float[] Samples, IReadOnlyList<TimedWord> Words);

/// <summary>A program that speaks. Safe for concurrent calls; the same request gives the same samples.</summary>
internal interface ISpeechSynthesizer
{
    /// <summary>The program's name.</summary>
    string Name { get; }

    /// <summary>Its voices, in a fixed order.</summary>
    IReadOnlyList<SpeechVoice> Voices { get; }

    /// <summary>Speaks.</summary>
    /// <param name="request">What; its voice is one of <see cref="Voices"/>.</param>
    /// <param name="temporaryFolder">An existing folder for files that are gone when the call ends.</param>
    /// <param name="cancellationToken">Stops the program.</param>
    /// <exception cref="AsrException">The program fails or says nothing.</exception>
    SpokenUtterance Speak(SpeechRequest request, string temporaryFolder, CancellationToken cancellationToken);
}

/// <summary>The synthesisers of this machine.</summary>
internal static class SpeechSynthesizers
{
    /// <summary>All that are installed.</summary>
    /// <exception cref="AsrException">There is none; the message says how to get one.</exception>
    public static IReadOnlyList<ISpeechSynthesizer> FindAll()
    {
        ISpeechSynthesizer?[] found =
        [
            EspeakSynthesizer.TryFind(), FliteSynthesizer.TryFind(), FestivalSynthesizer.TryFind(), PicoSynthesizer.TryFind(), RhVoiceSynthesizer.TryFind(),
        ];
        ISpeechSynthesizer[] installed = [.. found.OfType<ISpeechSynthesizer>()];
        return installed.Length > 0
            ? installed
            : throw new AsrException("no speech synthesiser is installed: apt-get install espeak-ng flite (and festival festvox-kallpc16k festvox-us-slt-hts for more voices)");
    }

    /// <summary>Chooses voices.</summary>
    /// <param name="synthesizers">What is installed.</param>
    /// <param name="list">
    /// Names with commas, each a voice (<c>flite:slt</c>, <c>en-gb+f3</c>), a synthesiser (all of its voices in the language), a pattern with
    /// <c>*</c> (<c>espeak-ng:en-us+*</c>), or <c>all</c>.
    /// </param>
    /// <param name="language">The language that synthesisers and <c>all</c> stand for.</param>
    /// <exception cref="AsrException">A name fits no voice: programs speak with another voice then and say nothing.</exception>
    public static IReadOnlyList<SpeechVoice> Choose(IReadOnlyList<ISpeechSynthesizer> synthesizers, string list, string language)
    {
        SpeechVoice[] all = [.. synthesizers.SelectMany(synthesizer => synthesizer.Voices)];
        var chosen = new List<SpeechVoice>();
        foreach (var name in list.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            SpeechVoice[] fitting =
            [
                .. name == "all" ? all.Where(voice => voice.Language == language)
                    : synthesizers.Any(synthesizer => synthesizer.Name == name) ? all.Where(voice => voice.Synthesizer == name && voice.Language == language)
                    : all.Where(voice => Fits(name, voice.FullName) || Fits(name, voice.Name)),
            ];
            chosen.AddRange(fitting.Length > 0
                ? fitting
                : throw new AsrException($"no voice '{name}' is installed; 'asr synthesize --list-voices' shows {all.Length}"));
        }

        return chosen.Count > 0 ? [.. chosen.Distinct()] : throw new AsrException("no voices: name some, or 'all'");
    }

    private static bool Fits(string pattern, string name) =>
        System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(pattern.Replace("\\", "\\\\", StringComparison.Ordinal), name, ignoreCase: true);
}
