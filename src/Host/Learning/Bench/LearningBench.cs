using System.Diagnostics;
using System.Text.Encodings.Web;
using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Host.Learning.Gate;
using AsrPlatform.Whisper.Files;
using AsrPlatform.Whisper.Text;

namespace AsrPlatform.Host.Learning.Bench;

/// <summary>What the bench is told while it runs.</summary>
/// <param name="Done">Rounds done.</param>
/// <param name="Total">All rounds.</param>
/// <param name="What">What is done now.</param>
internal readonly record struct LearningBenchProgress(int Done, int Total, string What);

/// <summary>Lets a model meet domains that it does not know, one after another, and learn each from a few corrections.</summary>
/// <remarks>
/// For every seed and number of corrections a data folder of its own: what one run learns is not there for the next. Per domain the model hears
/// utterances, a person corrects the first that it hears wrong, a round learns, and what came out is evaluated on everything. Blocks its thread,
/// to which the model belongs.
/// </remarks>
/// <param name="model">The model.</param>
/// <param name="learner">Learns.</param>
/// <param name="anchor">General speech, to see what is forgotten; may be empty.</param>
/// <param name="workDirectory">Gets a folder for each seed and number of corrections.</param>
internal sealed class LearningBench(IBenchModel model, ILearner learner, IReadOnlyList<ManifestEntry> anchor, string workDirectory)
{
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Runs.</summary>
    /// <param name="seeds">A domain's texts and speech, in the order in which they come, for each seed.</param>
    /// <param name="counts">Numbers of corrections, each at least 1.</param>
    /// <param name="progress">Told before each round.</param>
    /// <param name="cancellationToken">Stops.</param>
    /// <exception cref="AsrException">Learning failed, or a file cannot be used.</exception>
    public IReadOnlyList<LearningSequence> Run(
        IReadOnlyList<(int Seed, IReadOnlyList<DomainData> Domains)> seeds, IReadOnlyList<int> counts, Action<LearningBenchProgress> progress, CancellationToken cancellationToken)
    {
        var total = seeds.Sum(seed => seed.Domains.Count) * counts.Count;
        var done = 0;
        var sequences = new List<LearningSequence>();
        foreach (var (seed, domains) in seeds)
        {
            progress(new LearningBenchProgress(done, total, $"seed {seed}: before"));
            model.Use(null);
            var start = Listen(domains, cancellationToken);
            foreach (var count in counts)
            {
                model.Use(null);
                sequences.Add(RunSequence(seed, count, domains, start, what => progress(new LearningBenchProgress(done, total, what)), () => done++, cancellationToken));
            }
        }

        return sequences;
    }

    private LearningSequence RunSequence(
        int seed, int count, IReadOnlyList<DomainData> domains, Snapshot start, Action<string> progress, Action finished, CancellationToken cancellationToken)
    {
        var folder = Path.Combine(workDirectory, FormattableString.Invariant($"seed-{seed}-corrections-{count}"));
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }

        var data = Directory.CreateDirectory(Path.Combine(folder, "data")).FullName;
        var stages = new List<LearningStage>();
        var learned = new List<Snapshot>();
        var now = start;
        foreach (var domain in domains)
        {
            var name = domain.Domain.Name;
            progress($"seed {seed}, {count} corrections: {name}");
            var (corrected, words) = Correct(domain, count, cancellationToken);
            var manifest = Path.Combine(folder, name + ".jsonl");
            Write(manifest, corrected);
            var round = learner.Learn(data, manifest, cancellationToken);
            var loadSeconds = 0.0;
            var next = now;
            if (round.IsLive)
            {
                var clock = Stopwatch.StartNew();
                model.Use(Path.Combine(DataDirectory.Adapters(data), round.Adapter!));
                loadSeconds = clock.Elapsed.TotalSeconds;
                next = Listen(domains, cancellationToken);
            }

            stages.Add(new LearningStage
            {
                Domain = name,
                Corrections = corrected.Count,
                Decision = round.Decision,
                Reason = round.Reason,
                Adapter = round.Adapter,
                Base = start.Of(domain, words),
                Before = now.Of(domain, words),
                After = next.Of(domain, words),
                Wer = domains.ToDictionary(other => other.Domain.Name, other => next.Of(other, null).Wer),
                AnchorWer = next.AnchorWer,
                Seconds = round.Seconds + loadSeconds,
                ProcessorSeconds = round.ProcessorSeconds,
                Metrics = round.Metrics,
            });
            now = next;
            learned.Add(next);
            finished();
        }

        return new LearningSequence
        {
            Kept = [.. domains.SkipLast(1).Select((domain, index) => learned[index].Beside(now, domain))],
            Anchor = start.AnchorBeside(now),
            Seed = seed,
            Corrections = count,
            BaseWer = domains.ToDictionary(domain => domain.Domain.Name, domain => start.Of(domain, null).Wer),
            BaseAnchorWer = start.AnchorWer,
            Stages = stages,
        };
    }

    /// <summary>The first utterances that are heard wrong, with what was heard; and the new words in them.</summary>
    private (List<(DomainUtterance Utterance, string Heard)> Corrected, HashSet<string>? Words) Correct(DomainData domain, int count, CancellationToken cancellationToken)
    {
        var corrected = new List<(DomainUtterance, string)>();
        var texts = model.Hear([.. domain.Corrections.Select(utterance => utterance.Entry)], cancellationToken);
        foreach (var (utterance, heard) in domain.Corrections.Zip(texts))
        {
            if (corrected.Count == count)
            {
                break;
            }

            if (WordErrorRate.Measure(utterance.Entry.Text, heard).WordErrors > 0)
            {
                corrected.Add((utterance, heard));
            }
        }

        if (corrected.Count == 0)
        {
            throw new AsrException($"the model hears everything of {domain.Domain.Name} right: there is nothing to learn");
        }

        return (corrected, domain.Domain.HasNewWords ? corrected.Select(pair => pair.Item1.Word!).ToHashSet(StringComparer.Ordinal) : null);
    }

    private static void Write(string path, List<(DomainUtterance Utterance, string Heard)> corrected) => AtomicFile.Write(path, stream =>
    {
        foreach (var (utterance, heard) in corrected)
        {
            JsonSerializer.Serialize(
                stream,
                new
                {
                    audio = utterance.Entry.AudioPath,
                    text = utterance.Entry.Text,
                    hypothesis = heard,
                    language = utterance.Entry.Language,
                    speaker = utterance.Entry.Speaker,
                    domain = utterance.Entry.Domain,
                },
                Plain);
            stream.WriteByte((byte)'\n');
        }
    });

    private Snapshot Listen(IReadOnlyList<DomainData> domains, CancellationToken cancellationToken)
    {
        DomainUtterance[] utterances = [.. domains.SelectMany(domain => domain.Evaluation)];
        ManifestEntry[] entries = [.. utterances.Select(utterance => utterance.Entry), .. anchor];
        ErrorCounts[] errors = [.. model.Hear(entries, cancellationToken).Zip(entries, (heard, entry) => WordErrorRate.Measure(entry.Text, heard))];
        return new Snapshot(
            utterances.Zip(errors).ToDictionary(pair => pair.First, pair => pair.Second),
            anchor.Count == 0 ? null : errors[utterances.Length..]);
    }

    /// <summary>Errors on everything, of one version.</summary>
    private sealed record Snapshot(Dictionary<DomainUtterance, ErrorCounts> Errors, ErrorCounts[]? Anchor)
    {
        /// <summary>Word error rate on the anchor set; null without one.</summary>
        public double? AnchorWer => Anchor?.Aggregate((sum, counts) => sum + counts).WordErrorRate;

        /// <summary>On a domain's utterances; those with some words where they are given.</summary>
        public LearningErrors Of(DomainData domain, HashSet<string>? words)
        {
            DomainUtterance[] chosen = [.. domain.Evaluation.Where(utterance => words is null || words.Contains(utterance.Word!))];
            var counts = chosen.Aggregate(ErrorCounts.None, (sum, utterance) => sum + Errors[utterance]);
            return new LearningErrors(chosen.Length, counts.ReferenceWords, counts.WordErrors);
        }

        /// <summary>A domain's errors here and later: those of a new word together, or else of an utterance.</summary>
        public IReadOnlyList<PairedCost> Beside(Snapshot later, DomainData domain) =>
        [
            .. domain.Evaluation.GroupBy(utterance => (object?)utterance.Word ?? utterance).Select(cluster => new PairedCost(
                cluster.Sum(utterance => Errors[utterance].WordErrors),
                cluster.Sum(utterance => later.Errors[utterance].WordErrors),
                (int)cluster.Sum(utterance => Errors[utterance].ReferenceWords))),
        ];

        /// <summary>The anchor set's errors here and later, by utterance.</summary>
        public IReadOnlyList<PairedCost> AnchorBeside(Snapshot later) =>
            Anchor is null ? [] : [.. Anchor.Zip(later.Anchor!, (here, there) => new PairedCost(here.WordErrors, there.WordErrors, (int)here.ReferenceWords))];
    }
}
