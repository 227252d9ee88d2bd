using System.Collections.Concurrent;
using System.Globalization;
using System.Text.RegularExpressions;
using AsrPlatform.Host.Learning.Data;

namespace AsrPlatform.Host.Learning.Synthesis;

/// <summary>festival. Pitch is shifted as for flite; its statistical (hts) voices have a speed of their own.</summary>
internal sealed partial class FestivalSynthesizer : ISpeechSynthesizer, IDisposable
{
    private const string Program = "festival";

    /// <summary>The voice that knows how English is said, where a speaker of another language reads it (<see cref="ForeignSpeaker"/>).</summary>
    private const string Frontend = "kal_diphone";

    /// <summary>Prints a T for each token with words, and a W for each of its words with its times.</summary>
    private const string PrintWords = """
        (mapcar (lambda (item) (if (item.daughters item) (begin (format t "T\n")
          (mapcar (lambda (word) (format t "W\t%f\t%f\n" (item.feat word "word_start") (item.feat word "word_end"))) (item.daughters item)))))
          (utt.relation.items u 'Token))
        """;

    /// <summary>How the names of Debian's voices begin, where they are not English.</summary>
    private static readonly (string Code, string[] Beginnings)[] Languages =
    [
        ("cs", ["czech_"]), ("it", ["lp_", "pc_", "italian_"]), ("fi", ["suo_fi", "hy_fi"]), ("es", ["el_", "spanish_", "JuntaDeAndalucia_es"]), ("ca", ["upc_ca"]), ("ru", ["msu_ru"]),
        ("hi", ["hindi_"]), ("mr", ["marathi_"]), ("te", ["telugu_"]), ("cy", ["cb_cy", "hl_cy", "cw_cy"]), ("de", ["german_"]),
    ];

    // Starting the program and loading a voice takes longer than most utterances: processes stay and wait for the next one.
    private readonly ConcurrentBag<FestivalProcess> _idle = [];

    private FestivalSynthesizer(IReadOnlyList<SpeechVoice> voices)
    {
        Voices = voices;
    }

    /// <inheritdoc />
    public string Name => Program;

    /// <inheritdoc />
    public IReadOnlyList<SpeechVoice> Voices { get; }

    /// <summary>The program with its voices, or null where it or every voice is missing.</summary>
    public static FestivalSynthesizer? TryFind()
    {
        SpeechVoice[] own = SynthesizerProcess.TryRun(Program, "--batch", "(print (voice.list))") is { } list
            ? [.. VoiceName().Matches(list).Select(match => match.Value).Distinct().Order(StringComparer.Ordinal).Select(name => new SpeechVoice(Program, name, name, LanguageOf(name)))]
            : [];
        var foreign = own.Any(voice => voice.Id == Frontend) ? own.Where(voice => ForeignSpeaker.Find(voice.Id) is not null).Select(voice => voice.Name + ForeignSpeaker.Suffix) : [];
        SpeechVoice[] voices = [.. own, .. foreign.Select(name => new SpeechVoice(Program, name, name, "en"))];
        return voices.Length > 0 ? new FestivalSynthesizer(voices) : null;
    }

    /// <inheritdoc />
    public SpokenUtterance Speak(SpeechRequest request, string temporaryFolder, CancellationToken cancellationToken)
    {
        IReadOnlyList<string> output = [];
        var samples = SynthesizerProcess.ReadSpeech(temporaryFolder, Program, path => output =
            request.Voice.Id.EndsWith(ForeignSpeaker.Suffix, StringComparison.Ordinal) ? SayForeign(request, path, cancellationToken) : Say(request, path, cancellationToken));
        samples = SynthesizerProcess.Shift(samples, request.Pitch);
        IReadOnlyList<TimedWord> words = request.WordTimes ? WordTimes.Trim(FindWords(request, output), samples) : [];
        return new SpokenUtterance(samples, words);
    }

    private List<string> Say(SpeechRequest request, string path, CancellationToken cancellationToken) => Ask(
        string.Create(CultureInfo.InvariantCulture, $"""
            (begin (voice_{request.Voice.Id})
              (Parameter.set 'Duration_Stretch {request.Pitch / request.Rate:0.####})
              (set! u (utt.synth (Utterance Text "{Escape(request.Text)}")))
              (utt.save.wave u "{Escape(path)}" 'riff)
              {PrintWords})

            """),
        cancellationToken);

    /// <summary>Up to phones, durations and pitches by the English voice; from there on by the speaker.</summary>
    private List<string> SayForeign(SpeechRequest request, string path, CancellationToken cancellationToken)
    {
        var output = Ask(
            string.Create(CultureInfo.InvariantCulture, $"""
                (begin (voice_{Frontend})
                  (Parameter.set 'Duration_Stretch {request.Pitch / request.Rate:0.####})
                  (set! u (Utterance Text "{Escape(request.Text)}"))
                  (mapcar (lambda (module) ((eval module) u)) '(Initialize Text Token_POS Token POS Phrasify Word Pauses Intonation PostLex Duration Int_Targets))
                  (mapcar (lambda (s)
                    (begin (format t "S\t%s\t%f" (item.name s) (item.feat s "end"))
                      (if (item.relation s 'Target) (mapcar (lambda (d) (format t "\t%f\t%f" (item.feat d "pos") (item.feat d "f0"))) (item.daughters (item.relation s 'Target))))
                      (format t "\n")))
                    (utt.relation.items u 'Segment))
                  {PrintWords})

                """),
            cancellationToken);
        Ask(
            $"""
            (begin (voice_{request.Voice.Id[..^ForeignSpeaker.Suffix.Length]})
              (set! u (utt.synth (Utterance Segments ({ForeignSpeaker.Find(request.Voice.Id)!.Translate(output)}))))
              (utt.save.wave u "{Escape(path)}" 'riff))

            """,
            cancellationToken);
        return output;
    }

    /// <summary>Lets an idle process evaluate an expression, and returns what it printed. A process that failed is not used again.</summary>
    private List<string> Ask(string expression, CancellationToken cancellationToken)
    {
        if (!_idle.TryTake(out var process))
        {
            process = new FestivalProcess(Program);
        }

        try
        {
            var output = process.Ask(expression, cancellationToken);
            if (process.Asked < FestivalProcess.MaxAsked)
            {
                _idle.Add(process);
                process = null;
            }

            return output;
        }
        finally
        {
            process?.Dispose();
        }
    }

    /// <summary>A T for each token, that is, an item with daughters; a W for each of its words. The tokens are the text's words unless festival cuts them otherwise: empty then.</summary>
    private static List<TimedWord> FindWords(SpeechRequest request, IReadOnlyList<string> output)
    {
        var texts = request.Text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var words = new List<TimedWord>();
        var tokens = 0;
        foreach (var line in output.Select(line => line.Split('\t')))
        {
            if (line is ["T"])
            {
                tokens++;
            }
            else if (line is ["W", var from, var to] && tokens <= texts.Length && Parse(from) is var start && Parse(to) / request.Pitch is var end && end > 0)
            {
                // Punctuation is a word without sound, whose end is 0.
                start /= request.Pitch;
                if (words.Count == tokens)
                {
                    words[^1] = words[^1] with { End = end };
                }
                else
                {
                    words.Add(new TimedWord(texts[tokens - 1], start, end));
                }
            }
        }

        return tokens == texts.Length && words.Count == tokens ? words : [];
    }

    /// <summary>A number as festival prints it; 0 where it is none.</summary>
    internal static double Parse(string text) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) ? value : 0;

    private static string Escape(string text) => text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal);

    /// <summary>Debian's voices of other languages carry its name.</summary>
    private static string LanguageOf(string voice) =>
        Languages.FirstOrDefault(language => Array.Exists(language.Beginnings, beginning => voice.StartsWith(beginning, StringComparison.OrdinalIgnoreCase))).Code ?? "en";

    /// <inheritdoc />
    public void Dispose()
    {
        while (_idle.TryTake(out var process))
        {
            process.Dispose();
        }
    }

    [GeneratedRegex("[A-Za-z0-9_-]+")]
    private static partial Regex VoiceName();
}
