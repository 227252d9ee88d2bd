using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Whisper;
using AsrPlatform.Whisper.Decoding.Biasing;
using AsrPlatform.Whisper.Streaming;
using AsrPlatform.Whisper.Text;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr bench memory</c>: what preferring words does to them, and to everything else, with and without an adapter.</summary>
internal static class BenchMemory
{
    /// <summary>Utterances decoded together, as live sessions are.</summary>
    private const int Batch = 8;

    public static Command Create()
    {
        var model = new ModelOptions();
        var data = new Option<string>("--data") { Description = "manifest of utterances in which the words are said", HelpName = "MANIFEST", Required = true };
        var general = new Option<string?>("--general") { Description = "manifest of utterances in which they are not: false insertions are counted there", HelpName = "MANIFEST" };
        var words = new HotwordOptions(required: true);
        var limit = new Option<int>("--limit") { Description = "utterances of each manifest, from its beginning; 0: all", HelpName = "N" };
        var weights = new Option<double[]>("--weight") { Description = "how much the words are preferred; several: one row of results each", HelpName = "X", DefaultValueFactory = _ => [1], AllowMultipleArgumentsPerToken = true };
        var distance = new Option<double>("--sound-distance") { Description = "phonetic gate: share of a word's sounds that may differ from what was heard", HelpName = "X", DefaultValueFactory = _ => new BiasSettings().SoundDistance };
        var nats = new Option<double>("--token-nats") { Description = "acoustic gate: how much less likely than the best a word's tokens may be", HelpName = "X", DefaultValueFactory = _ => new BiasSettings().TokenNats };
        var show = new Option<int>("--show") { Description = "utterances to show in which the words made a difference, on stderr", HelpName = "N" };
        var command = new Command("memory", "Measures recall and false insertions of preferred words, without and with them, and with an adapter beside.");
        command.Options.Add(data);
        command.Options.Add(general);
        words.AddTo(command);
        foreach (var option in (Option[])[limit, weights, distance, nats, show])
        {
            command.Options.Add(option);
        }

        model.AddTo(command);
        command.SetAction((parsed, cancellationToken) =>
        {
            var count = parsed.GetValue(limit) is var some and >= 0 ? some : throw new AsrException("--limit: give 0 or more");
            if (Array.Exists(parsed.GetValue(weights)!, weight => !(weight is >= 0 and <= 100)))
            {
                throw new AsrException("--weight: give numbers from 0 to 100");
            }

            var phrases = words.Read(parsed);
            var said = Manifest.Read(parsed.GetValue(data)!);
            var other = parsed.GetValue(general) is { } path ? Manifest.Read(path) : null;
            var options = new StreamingOptions { Bias = new BiasSettings { SoundDistance = parsed.GetValue(distance), TokenNats = parsed.GetValue(nats) } };
            return model.UseRecognizerAsync(
                parsed,
                recognizer =>
                {
                    var whisper = recognizer as WhisperRecognizer ?? throw new AsrException($"the recognizer {recognizer.Info.Name} knows no preferred words");
                    var run = new Run(whisper, options, phrases, count, parsed.GetValue(show), cancellationToken);
                    var rows = new List<object>();
                    foreach (var adapter in recognizer.Info.Adapters.Count > 0 ? new[] { "none", recognizer.Info.Adapters[0] } : ["none"])
                    {
                        var (plainSaid, plainOther) = (run.Transcribe(said, adapter, null), other is null ? null : run.Transcribe(other, adapter, null));
                        rows.Add(run.Measure(adapter, 0, plainSaid, plainOther));
                        foreach (var weight in parsed.GetValue(weights)!)
                        {
                            var bias = new PhraseBias(phrases, weight);
                            var (biasedSaid, biasedOther) = (run.Transcribe(said, adapter, bias), other is null ? null : run.Transcribe(other, adapter, bias));
                            rows.Add(run.Measure(adapter, weight, biasedSaid, biasedOther));
                            run.Show(plainSaid, biasedSaid);
                            run.Show(plainOther ?? [], biasedOther ?? []);
                        }
                    }

                    Console.Out.WriteLine(JsonSerializer.Serialize(
                        new { benchmark = "memory", model = recognizer.Info.Name, phrases = phrases.Count, options.Bias.SoundDistance, options.Bias.TokenNats, rows },
                        Form));
                    return 0;
                },
                cancellationToken);
        });
        return command;
    }

    private static readonly JsonSerializerOptions Form = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    /// <summary>An utterance and what was heard.</summary>
    private readonly record struct Heard(string Reference, string Hypothesis);

    private sealed class Run(WhisperRecognizer recognizer, StreamingOptions options, IReadOnlyList<string> phrases, int limit, int show, CancellationToken cancellationToken)
    {
        private readonly StreamingDecoder _decoder = new(recognizer.Parts, options, recognizer.FindAdapter);
        private readonly string[][] _phrases = [.. phrases.Select(Words)];
        private int _shown;

        /// <summary>Decodes every utterance as a live session commits it.</summary>
        public List<Heard> Transcribe(Manifest manifest, string adapter, PhraseBias? bias)
        {
            var heard = new List<Heard>();
            foreach (var entries in manifest.Entries.Take(limit == 0 ? int.MaxValue : limit).Chunk(Batch))
            {
                StreamPass[] passes = [.. entries.Select(entry => new StreamPass
                {
                    Samples = Read(entry),
                    Language = entry.Language is { } language && recognizer.Info.Languages.Contains(language) ? language : null,
                    Adapter = adapter,
                    Bias = bias,
                    IsFinal = true,
                })];
                heard.AddRange(entries.Zip(_decoder.Decode(passes, cancellationToken), (entry, hypothesis) =>
                    new Heard(entry.Text, string.Concat(hypothesis.Words.Select(word => word.Text)).Trim())));
            }

            return heard;
        }

        public object Measure(string adapter, double weight, List<Heard> said, List<Heard>? other)
        {
            var (there, found, inserted) = Count(said);
            var (_, _, insertedElsewhere) = Count(other ?? []);
            return new
            {
                adapter,
                weight,
                utterances = said.Count,
                said = there,
                recall = Math.Round(found / (double)Math.Max(1, there), 4),
                insertedPerThousandWords = PerThousand(inserted, said),
                wer = Wer(said),
                general = other is null ? null : new
                {
                    utterances = other.Count,
                    insertedPerThousandWords = PerThousand(insertedElsewhere, other),
                    wer = Wer(other),
                },
            };
        }

        /// <summary>Where the words made a difference.</summary>
        public void Show(List<Heard> plain, List<Heard> biased)
        {
            foreach (var (before, after) in plain.Zip(biased).Where(pair => pair.First != pair.Second).Take(Math.Max(0, show - _shown)))
            {
                Console.Error.WriteLine($"said:   {before.Reference}\nheard:  {before.Hypothesis}\nbiased: {after.Hypothesis}\n");
                _shown++;
            }
        }

        private ReadOnlyMemory<float> Read(ManifestEntry entry)
        {
            var most = (int)(_decoder.MaximumSeconds * recognizer.Info.SampleRateHz);
            using var reader = new UtteranceReader(entry.AudioPath);
            var samples = reader.Read(entry.StartSeconds, entry.EndSeconds, most);
            return samples.AsMemory(0, Math.Min(samples.Length, most));
        }

        /// <summary>How often the phrases are said, how often they were heard where they were, and how often where they were not.</summary>
        private (int Said, int Found, int Inserted) Count(List<Heard> heard)
        {
            var (said, found, inserted) = (0, 0, 0);
            foreach (var utterance in heard)
            {
                var (reference, hypothesis) = (Words(utterance.Reference), Words(utterance.Hypothesis));
                foreach (var phrase in _phrases)
                {
                    var (there, here) = (Occurrences(reference, phrase), Occurrences(hypothesis, phrase));
                    said += there;
                    found += Math.Min(there, here);
                    inserted += Math.Max(0, here - there);
                }
            }

            return (said, found, inserted);
        }

        private static int Occurrences(string[] words, string[] phrase)
        {
            var count = 0;
            for (var i = 0; i + phrase.Length <= words.Length; i++)
            {
                count += words.AsSpan(i, phrase.Length).SequenceEqual(phrase) ? 1 : 0;
            }

            return count;
        }

        private static double PerThousand(int count, List<Heard> heard) =>
            Math.Round(1000.0 * count / Math.Max(1, heard.Sum(utterance => Words(utterance.Reference).Length)), 3);

        private static double Wer(List<Heard> heard) =>
            Math.Round(WordErrorRate.Measure(heard.Select(utterance => (string.Join(' ', Words(utterance.Reference)), string.Join(' ', Words(utterance.Hypothesis))))).WordErrorRate, 4);

        /// <summary>Words without case and punctuation.</summary>
        private static string[] Words(string text)
        {
            var plain = new StringBuilder(text.Length);
            foreach (var letter in text.ToLower(CultureInfo.InvariantCulture))
            {
                plain.Append(char.IsLetterOrDigit(letter) || char.IsSurrogate(letter) || letter == '\'' ? letter : ' ');
            }

            return plain.ToString().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        }
    }
}
