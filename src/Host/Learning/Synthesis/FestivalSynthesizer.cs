using System.Collections.Concurrent;
using System.Globalization;
using System.Text.RegularExpressions;
using AsrPlatform.Host.Learning.Data;

namespace AsrPlatform.Host.Learning.Synthesis;

/// <summary>festival. Pitch is shifted as for flite; its statistical (hts) voices have a speed of their own.</summary>
internal sealed partial class FestivalSynthesizer : ISpeechSynthesizer, IDisposable
{
    private const string Program = "festival";

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
        SpeechVoice[] voices = SynthesizerProcess.TryRun(Program, "--batch", "(print (voice.list))") is { } list
            ? [.. VoiceName().Matches(list).Select(match => match.Value).Distinct().Order(StringComparer.Ordinal).Select(name => new SpeechVoice(Program, name, name, LanguageOf(name)))]
            : [];
        return voices.Length > 0 ? new FestivalSynthesizer(voices) : null;
    }

    /// <inheritdoc />
    public SpokenUtterance Speak(SpeechRequest request, string temporaryFolder, CancellationToken cancellationToken)
    {
        IReadOnlyList<string> output = [];
        var samples = SynthesizerProcess.ReadSpeech(temporaryFolder, Program, path => output = Ask(
            string.Create(CultureInfo.InvariantCulture, $"""
                (begin (voice_{request.Voice.Id})
                  (Parameter.set 'Duration_Stretch {request.Pitch / request.Rate:0.####})
                  (set! u (utt.synth (Utterance Text "{Escape(request.Text)}")))
                  (utt.save.wave u "{Escape(path)}" 'riff)
                  (mapcar (lambda (item) (if (item.daughters item) (begin (format t "T\n")
                    (mapcar (lambda (word) (format t "W\t%f\t%f\n" (item.feat word "word_start") (item.feat word "word_end"))) (item.daughters item)))))
                    (utt.relation.items u 'Token)))

                """),
            cancellationToken));
        samples = SynthesizerProcess.Shift(samples, request.Pitch);
        IReadOnlyList<TimedWord> words = request.WordTimes ? WordTimes.Trim(FindWords(request, output), samples) : [];
        return new SpokenUtterance(samples, words);
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

    private static double Parse(string text) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) ? value : 0;

    private static string Escape(string text) => text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal);

    /// <summary>Debian's voices of other languages carry its name.</summary>
    private static string LanguageOf(string voice) =>
        voice.Contains("czech", StringComparison.Ordinal) ? "cs" : voice.Contains("italian", StringComparison.Ordinal) ? "it" : voice.StartsWith("suo_", StringComparison.Ordinal) || voice.StartsWith("hy_fi", StringComparison.Ordinal) ? "fi"
        : voice.StartsWith("el_", StringComparison.Ordinal) || voice.Contains("spanish", StringComparison.Ordinal) ? "es" : voice.Contains("_ru_", StringComparison.Ordinal) ? "ru" : "en";

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
