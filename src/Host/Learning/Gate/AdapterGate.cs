using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Whisper;
using AsrPlatform.Whisper.Decoding.Scoring;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Host.Learning.Gate;

/// <summary>Decides whether a candidate takes the active version's place.</summary>
/// <remarks>
/// In this order, ending with the first objection: the corrections look sane; nothing is harmed (the anchor set, silence, speakers and domains);
/// corrections that were not trained on are heard better. See docs/learning-gate.md.
/// </remarks>
internal static class AdapterGate
{
    /// <summary>Rows that <see cref="CheckCorrections(IGateModel, string, string?, GateSettings, CancellationToken)"/> asks the model about.</summary>
    private const int MostForInformation = 24;

    /// <summary>Other clips that a text is held against.</summary>
    private const int OtherClips = 2;

    private const int LeftOutShown = 10;

    /// <summary>Decides. Runs on the recogniser's thread and blocks.</summary>
    /// <param name="recognizer">A Whisper recogniser on which candidate and active version are resident.</param>
    /// <param name="request">What is to be decided.</param>
    /// <param name="progress">Told what is done; may be null.</param>
    /// <param name="cancellationToken">Stops between two calls of the model.</param>
    /// <exception cref="AsrException">The recogniser is none that can score texts, a setting or a manifest cannot be used, or a training failed.</exception>
    public static GateDecision Decide(ISpeechRecognizer recognizer, GateRequest request, Action<GateProgress>? progress = null, CancellationToken cancellationToken = default) =>
        Decide(new WhisperGateModel(Require(recognizer), request.Adapters), request, progress, cancellationToken);

    /// <inheritdoc cref="CheckCorrections(IGateModel, string, string?, GateSettings, CancellationToken)"/>
    public static (CorrectionMetrics Metrics, string? Objection) CheckCorrections(
        ISpeechRecognizer recognizer, string manifest, string? active, GateSettings? settings = null, CancellationToken cancellationToken = default) =>
        CheckCorrections(new WhisperGateModel(Require(recognizer), null), manifest, active, settings ?? new GateSettings(), cancellationToken);

    /// <summary>Says before any training whether corrections belong to their audio. <see cref="Decide(ISpeechRecognizer, GateRequest, Action{GateProgress}, CancellationToken)"/> asks it too.</summary>
    /// <param name="model">Runs on its thread.</param>
    /// <param name="manifest">The corrections.</param>
    /// <param name="active">The adapter to ask with; null: the base model.</param>
    /// <param name="settings">How.</param>
    /// <param name="cancellationToken">Stops between two calls of the model.</param>
    /// <returns>What was measured, and why the corrections are not to be trained on; null when nothing speaks against it.</returns>
    /// <exception cref="AsrException">The manifest cannot be used.</exception>
    internal static (CorrectionMetrics Metrics, string? Objection) CheckCorrections(
        IGateModel model, string manifest, string? active, GateSettings settings, CancellationToken cancellationToken)
    {
        settings.Validate();
        return CheckCorrections(model, GateAudio.Read(manifest, _ => { }), active, settings, cancellationToken);
    }

    /// <summary>Looks at corrections as texts before anything is trained on them.</summary>
    /// <param name="corrections">Those that are to be trained on.</param>
    /// <param name="heldOut">Those that are held out.</param>
    /// <param name="settings">How.</param>
    /// <returns>The rejection of whatever would come out; null when nothing speaks against a training.</returns>
    internal static GateDecision? RejectBeforeTraining(IReadOnlyList<ManifestEntry> corrections, IReadOnlyList<ManifestEntry> heldOut, GateSettings settings)
    {
        var (metrics, objection) = CorrectionSanity.Check([.. corrections, .. heldOut], settings.Seed);
        objection ??= TooFew(corrections.Count(row => !row.IsSilence), heldOut.Count, settings);
        return objection is null ? null : new GateDecision(GateVerdict.Rejected, objection, new GateMetrics { Corrections = metrics, Settings = settings });
    }

    /// <summary>What is said of so few corrections that their cross-validation would tell nothing; null where they are enough, or where those held out decide.</summary>
    internal static string? TooFew(int corrections, int heldOut, GateSettings settings) =>
        heldOut >= settings.MinimumHeldOut || corrections >= settings.MinimumCorrections ? null
        : $"too few corrections to tell whether what they teach is right: {corrections} of the {settings.MinimumCorrections} needed";

    /// <summary>As the public one, of any model.</summary>
    internal static GateDecision Decide(IGateModel model, GateRequest request, Action<GateProgress>? progress, CancellationToken cancellationToken)
    {
        request.Settings.Validate();
        var run = new Run(model, request, progress, cancellationToken);
        return run.Decide();
    }

    /// <summary>Whether a comparison shows more harm than a tolerance allows: the rise is beyond it, and it is sure enough that it is one.</summary>
    internal static bool Harms(PairedComparison comparison, double tolerance) => comparison.Relative > tolerance && comparison.Low > 0;

    /// <summary>Whether texts that were not trained on have surely become likelier, and by enough to be worth it.</summary>
    internal static bool Gains(PairedComparison likelihood, GateSettings settings) => likelihood.Improves(settings.Level) && -likelihood.Difference >= settings.MinimumGain;

    private static WhisperRecognizer Require(ISpeechRecognizer recognizer) => recognizer as WhisperRecognizer
        ?? throw new AsrException($"The model \"{recognizer.Info.Name}\" cannot say how likely a text is: learning needs a Whisper checkpoint.");

    private static (CorrectionMetrics Metrics, string? Objection) CheckCorrections(
        IGateModel model, IReadOnlyList<GateUtterance> corrections, string? active, GateSettings settings, CancellationToken cancellationToken)
    {
        var (metrics, objection) = CorrectionSanity.Check([.. corrections.Select(utterance => utterance.Entry)], settings.Seed);
        if (objection is not null)
        {
            return (metrics, objection);
        }

        var information = Information(model, [.. corrections.Where(utterance => !utterance.Entry.IsSilence)], active, settings, cancellationToken);
        metrics = metrics with { Information = information };
        return (metrics, information is null || (information.High < 0 && -information.Difference >= settings.MinimumInformation) ? null : string.Create(
            CultureInfo.InvariantCulture,
            $"the corrected texts are hardly likelier given their own audio than given other audio ({-information.Difference:0.00} nats per word; {settings.MinimumInformation:0.00} are needed): they seem to be of other captions, or of another language"));
    }

    /// <summary>How much likelier texts are given their own audio than given other clips of about the same length; null for too few texts.</summary>
    private static PairedComparison? Information(
        IGateModel model, GateUtterance[] corrections, string? active, GateSettings settings, CancellationToken cancellationToken)
    {
        new Random(settings.Seed).Shuffle(corrections);
        GateUtterance[] some = [.. corrections.Take(MostForInformation).OrderBy(utterance => utterance.Samples.Length)];
        var requests = new List<(GateClip Clip, string Text)>();
        var rows = new List<(GateUtterance Utterance, int Others)>();
        for (var i = 0; i < some.Length; i++)
        {
            var text = CorrectionSanity.Plain(some[i].Entry.Text);
            var others = some.Index()
                .Where(pair => CorrectionSanity.Plain(pair.Item.Entry.Text) != text)
                .OrderBy(pair => Math.Abs(pair.Index - i))
                .Take(OtherClips)
                .Select(pair => pair.Item)
                .ToArray();
            if (others.Length > 0)
            {
                rows.Add((some[i], others.Length));
                requests.AddRange(others.Prepend(some[i]).Select(other => (new GateClip(other.Samples, some[i].Entry.Language, active), some[i].Entry.Text)));
            }
        }

        if (rows.Count < settings.MinimumCorrections)
        {
            return null;
        }

        var scores = model.Score(requests, cancellationToken);
        var costs = new List<PairedCost>();
        var at = 0;
        foreach (var (utterance, others) in rows)
        {
            double[] given = [.. scores.Skip(at).Take(others + 1).OfType<TextScore>().Select(score => -score.LogProbability)];
            at += others + 1;
            if (given.Length == others + 1)
            {
                costs.Add(new PairedCost(given[1..].Average(), given[0], utterance.Words));
            }
        }

        return costs.Count < settings.MinimumCorrections ? null : PairedTest.Compare(costs, settings.Level, settings.Resamples, settings.Seed);
    }

    /// <summary>One decision under way.</summary>
    private sealed class Run(IGateModel model, GateRequest request, Action<GateProgress>? progress, CancellationToken cancellationToken)
    {
        private readonly GateSettings _settings = request.Settings;
        private readonly List<string> _leftOut = [];
        private readonly long _start = Stopwatch.GetTimestamp();
        private GateMetrics _metrics = new() { Settings = request.Settings };

        public GateDecision Decide()
        {
            progress?.Invoke(new GateProgress("corrections", 0));
            var corrections = GateAudio.Read(request.Corrections, _leftOut.Add);
            var heldOut = GateAudio.Read(request.HeldOut, _leftOut.Add);
            var anchor = GateAudio.Read(request.Anchor, _leftOut.Add);
            var (sanity, objection) = CheckCorrections(model, corrections, request.Active, _settings, cancellationToken);
            _metrics = _metrics with { Corrections = sanity };
            if (objection is not null)
            {
                return Rejected(objection);
            }

            progress?.Invoke(new GateProgress("anchor set", 0.1));
            var onAnchor = Hear(anchor, out var againstBase);
            if (AnchorObjection(onAnchor, againstBase) is { } harm)
            {
                return Harmful(harm);
            }

            var isHeldOut = heldOut.Count >= _settings.MinimumHeldOut;
            progress?.Invoke(new GateProgress(isHeldOut ? "held-out corrections" : "cross-validation", 0.4));
            if (isHeldOut)
            {
                var onHeldOut = Hear(heldOut, request.Active, request.Candidate);
                _metrics = _metrics with { Evidence = "heldOut", HeldOut = Compare(onHeldOut, _settings.Level) };
                return SliceObjection([.. onHeldOut, .. onAnchor]) is { } loser ? Harmful(loser) : DecideByHeldOut(heldOut);
            }

            return SliceObjection(onAnchor) is { } slice ? Harmful(slice) : CrossValidate([.. corrections.Where(utterance => !utterance.Entry.IsSilence)]);
        }

        private GateDecision DecideByHeldOut(IReadOnlyList<GateUtterance> heldOut)
        {
            var errors = _metrics.HeldOut!;
            var numbers = $"{Percent(errors.Before)} → {Percent(errors.After)} of words wrong on {errors.Utterances} held-out corrections";
            if (!errors.Improves(_settings.Level))
            {
                return Rejected($"not surely better: {numbers}; with {Percent(_settings.Level, "0.#")} certainty all that can be said is that it is not more than {Points(Math.Max(0, errors.High))} worse");
            }

            var likelihood = Likelihood(heldOut);
            if (likelihood.Length < _settings.MinimumCorrections)
            {
                return Rejected($"too few held-out corrections that the model can score: {likelihood.Length} of the {_settings.MinimumCorrections} needed; {numbers}");
            }

            var gain = PairedTest.Compare(likelihood, _settings.Level, _settings.Resamples, _settings.Seed);
            _metrics = _metrics with { Likelihood = gain };
            return TooLittle(gain) is { } little
                ? Rejected($"{little}; {numbers}")
                : End(GateVerdict.Promoted, $"better: {numbers}, at least {Points(-errors.High)} better with {Percent(_settings.Level, "0.#")} certainty{AnchorNote()}");
        }

        /// <summary>What held-out texts lack to certainty with the active version and with the candidate, in nats; those that cannot be scored are left out.</summary>
        private PairedCost[] Likelihood(IReadOnlyList<GateUtterance> heldOut)
        {
            GateUtterance[] spoken = [.. heldOut.Where(utterance => !utterance.Entry.IsSilence)];
            var scores = model.Score(
                [.. spoken.SelectMany(utterance => new[] { request.Active, request.Candidate }.Select(version => (new GateClip(utterance.Samples, utterance.Entry.Language, version), utterance.Entry.Text)))],
                cancellationToken);
            return [.. spoken.Index()
                .Select(pair => (pair.Item.Words, Before: scores[2 * pair.Index], After: scores[(2 * pair.Index) + 1]))
                .Where(item => item is { Before: not null, After: not null })
                .Select(item => new PairedCost(-item.Before!.LogProbability, -item.After!.LogProbability, item.Words))];
        }

        /// <summary>Why a gain is not worth a promotion, however sure it is; null when it is.</summary>
        private string? TooLittle(PairedComparison gain) => -gain.Difference >= _settings.MinimumGain ? null : string.Create(
            CultureInfo.InvariantCulture,
            $"next to nothing is gained: {-gain.Difference:0.000} nats per word on corrections that were not trained on; {_settings.MinimumGain:0.000} are needed");

        /// <summary>Compares on the anchor set, counts what is heard in silence, and objects to harm.</summary>
        private string? AnchorObjection(List<Heard> heard, List<Heard> againstBase)
        {
            var silent = heard.Where(item => item.Utterance.Entry.IsSilence).ToArray();
            if (silent.Length > 0)
            {
                var silence = new SilenceMetrics(
                    silent.Length,
                    silent.Count(item => item.Before.Length > 0),
                    silent.Count(item => item.After.Length > 0),
                    silent.Sum(item => WordsIn(item.Before)),
                    silent.Sum(item => WordsIn(item.After)));
                _metrics = _metrics with { Silence = silence };
                if (silence.ClipsAfter - silence.ClipsBefore > _settings.SilenceTolerance * silence.Clips)
                {
                    _metrics = _metrics with { Anchor = OnSpeech(heard) };
                    return $"it invents words in silence: in {silence.ClipsAfter} of {silence.Clips} silent clips ({silence.WordsAfter} words), the active version in {silence.ClipsBefore} ({silence.WordsBefore} words)";
                }
            }

            _metrics = _metrics with { Anchor = OnSpeech(heard), AnchorAgainstBase = OnSpeech(againstBase) };
            return _metrics.Anchor is { } anchor && Harms(anchor, _settings.AnchorTolerance)
                ? $"it forgets: {Change(anchor)} on the anchor set, a rise of {Percent(anchor.Relative)}; {Percent(_settings.AnchorTolerance)} is allowed"
                : _metrics.AnchorAgainstBase is { } drift && Harms(drift, _settings.DriftTolerance)
                ? $"with the versions before it, it has forgotten too much: {Change(drift)} on the anchor set since the base model, a rise of {Percent(drift.Relative)}; {Percent(_settings.DriftTolerance)} is allowed"
                : null;
        }

        private PairedComparison? OnSpeech(List<Heard> heard) =>
            heard.Where(item => !item.Utterance.Entry.IsSilence).ToList() is { Count: > 0 } speech ? Compare(speech, _settings.HarmLevel) : null;

        private string? SliceObjection(IReadOnlyList<Heard> heard)
        {
            var groups = heard.Where(item => !item.Utterance.Entry.IsSilence)
                .SelectMany(item => new[] { (Kind: "speaker", Name: item.Utterance.Entry.Speaker, Item: item), (Kind: "domain", Name: item.Utterance.Entry.Domain, Item: item) })
                .Where(entry => entry.Name is not null)
                .GroupBy(entry => (entry.Kind, Name: entry.Name!), entry => entry.Item)
                .Where(group => group.Count() >= _settings.MinimumSlice)
                .OrderBy(group => group.Key.Kind, StringComparer.Ordinal)
                .ThenBy(group => group.Key.Name, StringComparer.Ordinal)
                .ToArray();

            // Of many slices one looks bad by chance: the doubt is shared out.
            var level = 1 - ((1 - _settings.HarmLevel) / Math.Max(1, groups.Length));
            SliceMetrics[] slices = [.. groups.Select(group => new SliceMetrics(group.Key.Kind, group.Key.Name, Compare([.. group], level)))];
            _metrics = _metrics with { Slices = slices };
            return slices.Where(slice => Harms(slice.Errors, _settings.SliceTolerance)).MaxBy(slice => slice.Errors.Relative) is { } worst
                ? $"it harms the {worst.Kind} \"{worst.Name}\": {Change(worst.Errors)} on {worst.Errors.Utterances} utterances, a rise of {Percent(worst.Errors.Relative)}; {Percent(_settings.SliceTolerance)} is allowed"
                : null;
        }

        private GateDecision CrossValidate(IReadOnlyList<GateUtterance> corrections)
        {
            if (TooFew(corrections.Count, heldOut: 0, _settings) is { } few)
            {
                return Rejected(few);
            }

            if (request.CrossTrainer is not { } train || request.WorkDirectory is not { } work)
            {
                return Rejected($"too few held-out corrections ({_settings.MinimumHeldOut} are needed), and no way to cross-validate");
            }

            var folds = Folds(corrections);
            if (folds.Length < 2)
            {
                return Rejected("all corrections have the same text: nothing can be left out to test on");
            }

            var results = new List<LeftOut>();
            for (var fold = 0; fold < folds.Length; fold++)
            {
                progress?.Invoke(new GateProgress($"cross-validation {fold + 1} of {folds.Length}", 0.4 + (0.6 * fold / folds.Length)));
                results.AddRange(Test(folds, fold, train, Path.Combine(work, $"fold-{fold + 1}")));
            }

            return DecideByLikelihood(results, folds.Length);
        }

        /// <summary>Trains on all folds but one, and asks that adapter about the one.</summary>
        private List<LeftOut> Test(GateUtterance[][] folds, int fold, CrossTrainer train, string folder)
        {
            Directory.CreateDirectory(folder);
            var manifest = Path.Combine(folder, "train.jsonl");
            WriteManifest(manifest, folds.Where((_, index) => index != fold).SelectMany(utterances => utterances));
            var adapter = train(manifest, Path.Combine(folder, "adapter"), cancellationToken);
            cancellationToken.ThrowIfCancellationRequested();
            var name = $"{request.Candidate}-fold-{fold + 1}";
            using var resident = model.Add(name, adapter);
            var utterances = folds[fold];
            var heard = Hear(utterances, request.Active, name);

            // Text and hypothesis with each version, in this order.
            var requests = utterances.SelectMany(utterance => new[] { request.Active, name }.SelectMany(version => new[] { utterance.Entry.Text, utterance.Entry.Hypothesis ?? "" }
                .Select(text => (new GateClip(utterance.Samples, utterance.Entry.Language, version), text)))).ToArray();
            var scores = model.Score(requests, cancellationToken);
            return [.. heard.Select((item, index) => new LeftOut(item, scores[4 * index], scores[(4 * index) + 1], scores[(4 * index) + 2], scores[(4 * index) + 3]))];
        }

        private GateDecision DecideByLikelihood(IReadOnlyList<LeftOut> results, int folds)
        {
            PairedCost[] likelihood = [.. results.Where(result => result is { TextBefore: not null, TextAfter: not null })
                .Select(result => new PairedCost(-result.TextBefore!.LogProbability, -result.TextAfter!.LogProbability, result.Heard.Utterance.Words))];
            PairedCost[] margin = [.. results
                .Where(result => result is { TextBefore: not null, TextAfter: not null, HypothesisBefore: not null, HypothesisAfter: not null }
                    && result.Heard.Utterance.Entry.Hypothesis is { } hypothesis && hypothesis != result.Heard.Utterance.Entry.Text)
                .Select(result => new PairedCost(
                    result.HypothesisBefore!.LogProbability - result.TextBefore!.LogProbability,
                    result.HypothesisAfter!.LogProbability - result.TextAfter!.LogProbability,
                    result.Heard.Utterance.Words))];
            if (likelihood.Length < _settings.MinimumCorrections)
            {
                return Rejected($"too few corrections that the model can score: {likelihood.Length} of the {_settings.MinimumCorrections} needed");
            }

            var gain = PairedTest.Compare(likelihood, _settings.Level, _settings.Resamples, _settings.Seed);
            var shift = margin.Length < _settings.MinimumCorrections ? null : PairedTest.Compare(margin, _settings.Level, _settings.Resamples, _settings.Seed);
            var errors = Compare([.. results.Select(result => result.Heard)], _settings.Level);
            _metrics = _metrics with { Evidence = "crossValidation", Folds = folds, Likelihood = gain, Margin = shift, HeldOut = errors };
            var numbers = string.Create(
                CultureInfo.InvariantCulture,
                $"{likelihood.Length} corrections in {folds} parts; the texts left out are {-gain.Difference:0.00} nats per word likelier (lower bound {-gain.High:0.00} with {Percent(_settings.Level, "0.#")} certainty), {Percent(errors.Before)} → {Percent(errors.After)} of their words wrong");
            return !gain.Improves(_settings.Level) ? Rejected($"what is learned from some corrections does not surely help with the others: {numbers}")
                : TooLittle(gain) is { } little ? Rejected($"{little}: {numbers}")
                : shift?.Improves(_settings.Level) == false ? Rejected($"what is learned does not surely tell the corrected texts from the old ones: {numbers}")
                : Harms(Compare([.. results.Select(result => result.Heard)], _settings.HarmLevel), _settings.SliceTolerance) ? Rejected($"corrections that are left out are heard worse: {numbers}")
                : End(GateVerdict.Provisional, $"promising, and to be watched: {numbers}{AnchorNote()}");
        }

        /// <summary>Parts of about the same size; equal texts stay together. The same corrections give the same parts.</summary>
        private GateUtterance[][] Folds(IReadOnlyList<GateUtterance> corrections)
        {
            var groups = corrections.GroupBy(utterance => CorrectionSanity.Plain(utterance.Entry.Text)).OrderBy(group => group.Key, StringComparer.Ordinal).Select(group => group.ToArray()).ToArray();
            new Random(_settings.Seed).Shuffle(groups);
            var folds = Enumerable.Range(0, Math.Min(_settings.Folds, groups.Length)).Select(_ => new List<GateUtterance>()).ToArray();
            foreach (var group in groups.OrderByDescending(group => group.Length))
            {
                folds.MinBy(fold => fold.Count)!.AddRange(group);
            }

            return [.. folds.Select(fold => fold.ToArray())];
        }

        private static void WriteManifest(string path, IEnumerable<GateUtterance> utterances) => AtomicFile.Write(path, stream =>
        {
            foreach (var utterance in utterances)
            {
                var entry = utterance.Entry;
                JsonSerializer.Serialize(
                    stream,
                    new
                    {
                        audio = entry.AudioPath,
                        text = entry.Text,
                        hypothesis = entry.Hypothesis,
                        language = entry.Language,
                        speaker = entry.Speaker,
                        domain = entry.Domain,
                        start = entry.StartSeconds > 0 ? entry.StartSeconds : (double?)null,
                        end = entry.EndSeconds,
                        kind = "correction",
                        weight = entry.Weight,
                    },
                    GateDecision.JsonForm);
                stream.WriteByte((byte)'\n');
            }
        });

        private List<Heard> Hear(IReadOnlyList<GateUtterance> utterances, string? before, string after)
        {
            var texts = model.Hear([.. new[] { before, after }.SelectMany(adapter => utterances.Select(utterance => new GateClip(utterance.Samples, utterance.Entry.Language, adapter)))], cancellationToken);
            return [.. utterances.Select((utterance, index) => new Heard(utterance, texts[index], texts[utterances.Count + index]))];
        }

        /// <summary>Active version and candidate, and, where that is another, the base model and the candidate.</summary>
        private List<Heard> Hear(IReadOnlyList<GateUtterance> utterances, out List<Heard> againstBase)
        {
            var heard = Hear(utterances, request.Active, request.Candidate);
            againstBase = [];
            if (request.Active is not null)
            {
                var texts = model.Hear([.. utterances.Select(utterance => new GateClip(utterance.Samples, utterance.Entry.Language, null))], cancellationToken);
                againstBase = [.. heard.Zip(texts, (item, text) => item with { Before = text })];
            }

            return heard;
        }

        private PairedComparison Compare(IReadOnlyList<Heard> heard, double level) =>
            PairedTest.Compare([.. heard.Select(item => item.Cost)], level, _settings.Resamples, _settings.Seed);

        private string AnchorNote() => _metrics.Anchor is { } anchor ? $"; anchor set {Change(anchor)}" : "; there is no anchor set to see harm on";

        private static string Change(PairedComparison errors) => $"{Percent(errors.Before)} → {Percent(errors.After)} of words wrong";

        private static int WordsIn(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length;

        private static string Percent(double share, string form = "0.0") => (100 * share).ToString(form, CultureInfo.InvariantCulture) + " %";

        private static string Points(double share) => (100 * share).ToString("0.0", CultureInfo.InvariantCulture) + " points";

        private GateDecision Rejected(string reason) => End(GateVerdict.Rejected, reason);

        private GateDecision Harmful(string reason) => Rejected(reason) with { IsHarm = true };

        private GateDecision End(GateVerdict verdict, string reason)
        {
            progress?.Invoke(new GateProgress("decided", 1));
            return new GateDecision(verdict, reason, _metrics with
            {
                LeftOut = _leftOut.Count > 0 ? [.. _leftOut.Take(LeftOutShown)] : null,
                Seconds = Stopwatch.GetElapsedTime(_start).TotalSeconds,
            });
        }
    }

    /// <summary>An utterance and what two versions heard.</summary>
    private sealed record Heard(GateUtterance Utterance, string Before, string After)
    {
        public PairedCost Cost => new(Utterance.Errors(Before), Utterance.Errors(After), Utterance.Words);
    }

    /// <summary>A correction that was left out, and how likely its text and its hypothesis are with the active version and with the adapter.</summary>
    private sealed record LeftOut(Heard Heard, TextScore? TextBefore, TextScore? HypothesisBefore, TextScore? TextAfter, TextScore? HypothesisAfter);
}
