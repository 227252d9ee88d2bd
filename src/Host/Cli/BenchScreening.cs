using System.CommandLine;
using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Learning.Corrections;
using AsrPlatform.Host.Learning.Data;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr bench screening</c>: how many right corrections the screening holds, and how many wrong ones it lets pass; one JSON object on stdout.</summary>
internal static class BenchScreening
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    /// <summary>Sentences of other languages, as a model of lower-case English would have to write them.</summary>
    private static readonly string[] Foreign =
    [
        "ich habe gestern mit dem nachbarn gesprochen", "wir fahren morgen früh an die see", "das wetter soll am wochenende besser werden",
        "kannst du mir bitte das salz reichen", "il faut que je parte avant midi", "nous avons mangé une très bonne soupe",
        "la voiture est garée devant la maison", "je ne sais pas où sont mes clés", "mañana vamos a la playa con los niños",
        "el perro duerme debajo de la mesa", "no encuentro mis zapatos nuevos", "quisiera un café con leche por favor",
        "domani andiamo al mare con gli amici", "il gatto dorme sulla sedia", "dov'è la stazione più vicina",
        "de trein naar amsterdam heeft vertraging", "ik heb geen zin om te koken", "jutro pojedziemy do krakowa pociągiem",
    ];

    public static Command Create()
    {
        var data = new Option<string>("--data") { Description = "manifest of clips with their right texts", HelpName = "MANIFEST", Required = true };
        var limit = new Option<int>("--limit") { Description = "clips used at most", HelpName = "N", DefaultValueFactory = _ => 100 };
        var language = new Option<string?>("--language") { Description = "the clips' language", HelpName = "xx", DefaultValueFactory = _ => "en" };
        var raw = new Option<bool>("--rows") { Description = "each measurement, too" };
        var model = new ModelOptions();
        var command = new Command("screening", "Measures the screening of corrections: right texts against those of other clips, of other languages, and far too long ones.");
        foreach (var option in (Option[])[data, limit, language, raw])
        {
            command.Options.Add(option);
        }

        model.AddTo(command);
        command.SetAction((parsed, cancellationToken) =>
        {
            var count = parsed.GetValue(limit) is > 1 and var most ? most : throw new AsrException("--limit: give 2 or more");
            var clips = Read(parsed.GetValue(data)!, count);
            return model.UseRecognizerAsync(
                parsed,
                recognizer =>
                {
                    var rows = Measure(recognizer, clips, parsed.GetValue(language), cancellationToken);
                    Console.Out.WriteLine(JsonSerializer.Serialize(
                        new
                        {
                            model = recognizer.Info.Name,
                            clips = clips.Count,
                            largestGap = CorrectionScreen.LargestGap,
                            smallestOrder = CorrectionScreen.SmallestOrder,
                            mostCharactersPerSecond = CorrectionScreen.MostCharactersPerSecond,
                            kinds = rows.GroupBy(row => row.Kind).ToDictionary(kind => kind.Key, Summarize),
                            rows = parsed.GetValue(raw) ? rows : null,
                        },
                        Json));
                    return 0;
                },
                cancellationToken);
        });
        return command;
    }

    private static List<Clip> Read(string manifest, int limit)
    {
        List<Clip> clips = [];
        foreach (var entry in Manifest.Read(manifest).Entries.Where(entry => !entry.IsSilence).Take(limit))
        {
            using var reader = new UtteranceReader(entry.AudioPath);
            clips.Add(new Clip(reader.Read(entry.StartSeconds, entry.EndSeconds, CaptionedUtterance.MaximumSeconds * AudioFile.TargetRateHz), entry.Text));
        }

        return clips.Count > 1 ? clips : throw new AsrException($"{manifest}: two clips at least are needed");
    }

    private static List<Row> Measure(ISpeechRecognizer recognizer, List<Clip> clips, string? language, CancellationToken cancellationToken)
    {
        var scorer = WhisperCorrectionScorer.Of(recognizer) ?? throw new AsrException($"the recognizer {recognizer.Info.Name} cannot say how likely a text is");
        List<Row> rows = [];
        for (var index = 0; index < clips.Count; index++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var clip = clips[index];
            var options = new TranscriptionOptions { Language = language, TemperatureIncrementOnFallback = null };
            var heard = recognizer.Transcribe(new MemoryAudioSource(clip.Samples, AudioFile.TargetRateHz), options, null, cancellationToken).Text.Trim();
            var own = clip.Text.Split(' ').ToHashSet(StringComparer.Ordinal);

            // Of those that follow the one that has the fewest words of this one: test sets repeat their frames.
            var other = Enumerable.Range(1, clips.Count - 1).Select(step => clips[(index + step) % clips.Count].Text).MinBy(text => text.Split(' ').Count(own.Contains))!;
            Add("right", clip.Text);
            Add("other segment", other);
            Add("other segment in part", Spoil(clip.Text, other));
            Add("other language", Foreign[index % Foreign.Length]);
            Add("far too long", $"{clip.Text} {other} {clips[(index + 1) % clips.Count].Text}");

            void Add(string kind, string text)
            {
                var correction = new StoredCorrection
                {
                    Number = index,
                    Id = "",
                    Hypothesis = heard,
                    Text = text,
                    Language = language,
                    AdapterVersion = recognizer.Info.AdapterVersion,
                    Diff = [],
                    State = CorrectionState.Stored,
                    CreatedAt = DateTimeOffset.UnixEpoch,
                };
                var verdict = CorrectionScreen.Judge(correction, clip.Samples, scorer, cancellationToken);
                rows.Add(new Row(kind, heard, text, Math.Round(clip.Samples.Length / (double)AudioFile.TargetRateHz, 2), verdict.IsPlausible, verdict.Reason, verdict.Scores));
            }
        }

        return rows;
    }

    /// <summary>The second half of a text in the place of another's: a segment of its utterance.</summary>
    private static string Spoil(string text, string other)
    {
        var (words, others) = (text.Split(' '), other.Split(' '));
        return string.Join(' ', [.. words.Take(words.Length / 2), .. others.Skip(others.Length / 2)]);
    }

    private static object Summarize(IEnumerable<Row> rows)
    {
        var all = rows.ToList();
        return new
        {
            count = all.Count,
            held = all.Count(row => !row.Ready),
            gap = Quantiles(all.Select(row => row.Scores?.Gap ?? double.NaN)),
            order = Quantiles(all.Select(row => row.Scores is { Shuffled: { } shuffled } scores ? scores.Text - shuffled : double.NaN)),
            charactersPerSecond = Quantiles(all.Select(row => row.Text.Length / row.Seconds)),
        };
    }

    /// <summary>Smallest, 5 %, 25 %, median, 75 %, 95 %, largest of those that were measured.</summary>
    private static double[] Quantiles(IEnumerable<double> values)
    {
        var sorted = values.Where(double.IsFinite).Order().ToArray();
        return sorted.Length == 0 ? [] : [.. new[] { 0, 0.05, 0.25, 0.5, 0.75, 0.95, 1 }.Select(share => Math.Round(sorted[(int)Math.Round(share * (sorted.Length - 1))], 2))];
    }

    private sealed record Clip(float[] Samples, string Text);

    private sealed record Row(string Kind, string Heard, string Text, double Seconds, bool Ready, string? Reason, ScreeningScores? Scores);
}
