using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using AsrPlatform.Host.Learning.Gate;

namespace AsrPlatform.Host.Learning.Bench;

/// <summary>Word errors.</summary>
/// <param name="Utterances">Utterances.</param>
/// <param name="Words">Words that were said.</param>
/// <param name="Errors">Words to substitute, delete or insert.</param>
internal sealed record LearningErrors(int Utterances, long Words, long Errors)
{
    /// <summary>Word error rate, a fraction.</summary>
    public double Wer => Errors / (double)Math.Max(Words, 1);
}

/// <summary>A domain, learned.</summary>
internal sealed record LearningStage
{
    public required string Domain { get; init; }

    /// <summary>Utterances that were corrected: fewer than asked for where the model heard the others right.</summary>
    public required int Corrections { get; init; }

    /// <summary>What became of the candidate.</summary>
    public required GateVerdict Decision { get; init; }

    public required string Reason { get; init; }

    /// <summary>The candidate's id, or null.</summary>
    public string? Adapter { get; init; }

    /// <summary>The base model on evaluation utterances of the domain that have a corrected word (all, where a voice is new).</summary>
    public required LearningErrors Base { get; init; }

    /// <summary>The same utterances, with what earlier domains taught.</summary>
    public required LearningErrors Before { get; init; }

    /// <summary>The same utterances, with what is live after the round.</summary>
    public required LearningErrors After { get; init; }

    /// <summary>Word error rate on every domain's whole evaluation set, after the round.</summary>
    public required IReadOnlyDictionary<string, double> Wer { get; init; }

    /// <summary>Word error rate on the anchor set after the round; null without one.</summary>
    public double? AnchorWer { get; init; }

    /// <summary>Wall time from the last correction until the outcome was live: import, screening, training, gate, loading.</summary>
    public required double Seconds { get; init; }

    /// <summary>Processor time of that.</summary>
    public required double ProcessorSeconds { get; init; }

    /// <summary>What the gate measured.</summary>
    public JsonElement? Metrics { get; init; }

    [JsonIgnore]
    public bool IsRejected => Decision == GateVerdict.Rejected;
}

/// <summary>Domains one after another, each learned from so many corrections.</summary>
internal sealed record LearningSequence
{
    public required int Seed { get; init; }

    /// <summary>Corrections of each domain.</summary>
    public required int Corrections { get; init; }

    /// <summary>The base model on every domain's whole evaluation set.</summary>
    public required IReadOnlyDictionary<string, double> BaseWer { get; init; }

    /// <summary>The base model on the anchor set; null without one.</summary>
    public double? BaseAnchorWer { get; init; }

    /// <summary>In the order in which the domains came.</summary>
    public required IReadOnlyList<LearningStage> Stages { get; init; }

    /// <summary>What <see cref="BackwardTransfer"/> is made of, for each domain but the last: errors right after it was learned and at the end, by new word or else utterance.</summary>
    [JsonIgnore]
    public IReadOnlyList<IReadOnlyList<PairedCost>> Kept { get; init; } = [];

    /// <summary>What <see cref="AnchorChange"/> is made of: errors of the base model and at the end, by utterance; empty without an anchor set.</summary>
    [JsonIgnore]
    public IReadOnlyList<PairedCost> Anchor { get; init; } = [];

    /// <summary>
    /// What learning a domain does to those before it: the mean, over all domains but the last, of the word error rate right after the domain
    /// was learned less that at the end, in points. Below 0 is forgetting; null for one domain.
    /// </summary>
    public double? BackwardTransfer => Stages.Count < 2 ? null
        : 100 * Stages.SkipLast(1).Average(stage => stage.Wer[stage.Domain] - Stages[^1].Wer[stage.Domain]);

    /// <summary>
    /// What earlier domains do for one that is not learned yet: the mean, over all domains but the first, of the base model's word error rate
    /// less that just before the domain is learned, in points. Above 0 is help; null for one domain.
    /// </summary>
    public double? ForwardTransfer => Stages.Count < 2 ? null
        : 100 * Stages.Skip(1).Select((stage, index) => BaseWer[stage.Domain] - Stages[index].Wer[stage.Domain]).Average();

    /// <summary>How much worse the anchor set is at the end, relative; below 0 is better; null without one.</summary>
    public double? AnchorChange => Stages.Count == 0 || BaseAnchorWer is not > 0 ? null : (Stages[^1].AnchorWer / BaseAnchorWer) - 1;
}

/// <summary>A domain with so many corrections, over the seeds.</summary>
internal sealed record LearningSummary
{
    public required string Domain { get; init; }

    public required int Corrections { get; init; }

    /// <summary>Mean word error rate before the round, and after it.</summary>
    public required double Before { get; init; }

    /// <inheritdoc cref="Before"/>
    public required double After { get; init; }

    /// <summary>1 − after / before.</summary>
    public double RelativeReduction => Before > 0 ? 1 - (After / Before) : 0;

    /// <summary>Rounds, and those whose candidate was rejected.</summary>
    public required int Rounds { get; init; }

    /// <inheritdoc cref="Rounds"/>
    public required int Rejected { get; init; }

    /// <summary>Means of <see cref="LearningStage.Seconds"/> and <see cref="LearningStage.ProcessorSeconds"/>.</summary>
    public required double Seconds { get; init; }

    /// <inheritdoc cref="Seconds"/>
    public required double ProcessorSeconds { get; init; }
}

/// <summary>Sequences with so many corrections, over the seeds.</summary>
internal sealed record LearningTransfer
{
    public required int Corrections { get; init; }

    /// <summary>Mean of <see cref="LearningSequence.ForwardTransfer"/>, in points.</summary>
    public double? Forward { get; init; }

    /// <summary>Mean of <see cref="LearningSequence.BackwardTransfer"/>, in points.</summary>
    public double? Backward { get; init; }

    /// <summary>Whether that is more than chance.</summary>
    public TransferInterval? BackwardInterval { get; init; }

    /// <summary>Mean of <see cref="LearningSequence.AnchorChange"/>.</summary>
    public double? AnchorChange { get; init; }

    /// <inheritdoc cref="BackwardInterval"/>
    public TransferInterval? AnchorInterval { get; init; }

    /// <summary>Of <see cref="Backward"/>: every domain of every sequence is drawn anew.</summary>
    public static TransferInterval? IntervalOfBackward(IEnumerable<LearningSequence> sequences) => TransferInterval.Of(
        [.. sequences.SelectMany(sequence => sequence.Kept)],
        sums => 100 * sums.Average(sum => (sum.Before - sum.After) / Math.Max(sum.Words, 1)));

    /// <summary>Of <see cref="AnchorChange"/>: the sequences have one anchor set, so an utterance is drawn for all of them.</summary>
    public static TransferInterval? IntervalOfAnchor(IEnumerable<LearningSequence> sequences)
    {
        IReadOnlyList<PairedCost>[] lists = [.. sequences.Select(sequence => sequence.Anchor).Where(list => list.Sum(cost => cost.Before) > 0)];
        return lists.Length == 0
            ? null
            : TransferInterval.Of(
                [[.. Enumerable.Range(0, lists[0].Count).Select(index => new PairedCost(lists.Sum(list => list[index].Before), lists.Sum(list => list[index].After), 1))]],
                sums => (sums[0].After / Math.Max(sums[0].Before, 1)) - 1);
    }
}

/// <summary>What <c>bench learning</c> writes.</summary>
internal sealed record LearningBenchResult
{
    /// <summary>The model's folder.</summary>
    public required string Model { get; init; }

    /// <summary>Settings of the rounds that are not the defaults.</summary>
    public IReadOnlyList<string> Settings { get; init; } = [];

    public required IReadOnlyList<LearningSequence> Sequences { get; init; }

    /// <summary>By number of corrections and domain, in the order in which they came.</summary>
    public IReadOnlyList<LearningSummary> Domains =>
    [
        .. Sequences.SelectMany(sequence => sequence.Stages.Select(stage => (sequence.Corrections, Stage: stage)))
            .GroupBy(pair => (pair.Corrections, pair.Stage.Domain), pair => pair.Stage)
            .Select(group => new LearningSummary
            {
                Domain = group.Key.Domain,
                Corrections = group.Key.Corrections,
                Before = group.Average(stage => stage.Before.Wer),
                After = group.Average(stage => stage.After.Wer),
                Rounds = group.Count(),
                Rejected = group.Count(stage => stage.IsRejected),
                Seconds = group.Average(stage => stage.Seconds),
                ProcessorSeconds = group.Average(stage => stage.ProcessorSeconds),
            }),
    ];

    /// <summary>By number of corrections.</summary>
    public IReadOnlyList<LearningTransfer> Transfers =>
    [
        .. Sequences.GroupBy(sequence => sequence.Corrections).Select(group => new LearningTransfer
        {
            Corrections = group.Key,
            Forward = group.Average(sequence => sequence.ForwardTransfer),
            Backward = group.Average(sequence => sequence.BackwardTransfer),
            BackwardInterval = LearningTransfer.IntervalOfBackward(group),
            AnchorChange = group.Average(sequence => sequence.AnchorChange),
            AnchorInterval = LearningTransfer.IntervalOfAnchor(group),
        }),
    ];

    /// <summary>As JSON, for programs.</summary>
    public byte[] ToJson() => JsonSerializer.SerializeToUtf8Bytes(this, Format);

    private static JsonSerializerOptions Format { get; } = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };
}
