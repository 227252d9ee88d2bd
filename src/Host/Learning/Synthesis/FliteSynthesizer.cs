using System.Collections.Concurrent;
using System.Globalization;
using AsrPlatform.Host.Learning.Data;

namespace AsrPlatform.Host.Learning.Synthesis;

/// <summary>flite. Pitch is shifted by playing faster or slower, the duration stretched against it.</summary>
internal sealed class FliteSynthesizer : ISpeechSynthesizer
{
    private const string Program = "flite";

    /// <summary>Speaks the time of day alone.</summary>
    private const string TimeVoice = "awb_time";

    private readonly ConcurrentDictionary<(string Voice, string Word), int> _phones = new();

    private FliteSynthesizer(IReadOnlyList<SpeechVoice> voices)
    {
        Voices = voices;
    }

    /// <inheritdoc />
    public string Name => Program;

    /// <inheritdoc />
    public IReadOnlyList<SpeechVoice> Voices { get; }

    /// <summary>The program with its voices, or null where it is not installed.</summary>
    public static FliteSynthesizer? TryFind()
    {
        const string Heading = "Voices available:";
        var list = SynthesizerProcess.TryRun(Program, "-lv");
        return list?.IndexOf(Heading, StringComparison.Ordinal) is not (>= 0 and var start) ? null : new FliteSynthesizer(
        [
            .. list[(start + Heading.Length)..].Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries)
                .Where(name => name != TimeVoice)
                .Distinct()
                .Order(StringComparer.Ordinal)
                .Select(name => new SpeechVoice(Program, name, name, "en")),
        ]);
    }

    /// <inheritdoc />
    public SpokenUtterance Speak(SpeechRequest request, string temporaryFolder, CancellationToken cancellationToken)
    {
        var segments = "";
        var samples = SynthesizerProcess.ReadSpeech(temporaryFolder, Program, path => segments = SynthesizerProcess.Run(
            Program,
            ["-voice", request.Voice.Id, "--setf", $"duration_stretch={(request.Pitch / request.Rate).ToString("0.####", CultureInfo.InvariantCulture)}", "-psdur", "-t", request.Text, "-o", path],
            null,
            cancellationToken));
        samples = SynthesizerProcess.Shift(samples, request.Pitch);
        IReadOnlyList<TimedWord> words = request.WordTimes ? WordTimes.Trim(FindWords(request, segments, cancellationToken), samples) : [];
        return new SpokenUtterance(samples, words);
    }

    /// <summary>flite prints phones and no words: a word has as many phones here as alone. Empty where that does not add up.</summary>
    private List<TimedWord> FindWords(SpeechRequest request, string segments, CancellationToken cancellationToken)
    {
        var phones = Phones(segments);
        var words = new List<TimedWord>();
        var next = 0;
        foreach (var word in request.Text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            var count = _phones.GetOrAdd(
                (request.Voice.Id, word),
                key => Phones(SynthesizerProcess.Run(Program, ["-voice", key.Voice, "-psdur", "-t", key.Word, "-o", "none"], null, cancellationToken)).Count);
            if (count == 0 || next + count > phones.Count)
            {
                return [];
            }

            words.Add(new TimedWord(word, phones[next].Start / request.Pitch, phones[next + count - 1].End / request.Pitch));
            next += count;
        }

        return next == phones.Count ? words : [];
    }

    /// <summary>Phones with their times, pauses left out; printed as <c>hh:0.255</c>, the time being the end.</summary>
    private static List<(double Start, double End)> Phones(string segments)
    {
        var phones = new List<(double Start, double End)>();
        var start = 0.0;
        foreach (var segment in segments.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries))
        {
            var colon = segment.LastIndexOf(':');
            if (colon <= 0 || !double.TryParse(segment[(colon + 1)..], NumberStyles.Float, CultureInfo.InvariantCulture, out var end))
            {
                return [];
            }

            if (segment[..colon] != "pau")
            {
                phones.Add((start, end));
            }

            start = end;
        }

        return phones;
    }
}
