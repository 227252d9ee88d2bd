using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Whisper;
using AsrPlatform.Whisper.Decoding;
using AsrPlatform.Whisper.Decoding.HuggingFace;
using AsrPlatform.Whisper.Text;

namespace AsrPlatform.Host.Learning.Evaluation;

/// <summary>How far one model is from another that it was made from, on real audio.</summary>
internal sealed record ModelComparison
{
    /// <summary>Utterances that both transcribed.</summary>
    public required int Utterances { get; init; }

    /// <summary>Their length in seconds.</summary>
    public required double AudioSeconds { get; init; }

    /// <summary>Word error rate of the original, as a fraction.</summary>
    public required double ReferenceErrorRate { get; init; }

    /// <summary>Word error rate of the model that was made from it.</summary>
    public required double ErrorRate { get; init; }

    /// <summary>Error rate of the one's text where the other's counts as right.</summary>
    public required double TextDifference { get; init; }

    /// <summary>Places in the manifest's texts at which logits were compared; each text was forced upon both.</summary>
    public required int Tokens { get; init; }

    /// <summary>Share of them at which both hold the same token for the likeliest.</summary>
    public required double SameToken { get; init; }

    /// <summary>Mean absolute difference of the logits; infinite where the model gives what is no number.</summary>
    public required double MeanDifference { get; init; }

    /// <summary>Largest absolute difference of a logit.</summary>
    public required double LargestDifference { get; init; }

    /// <summary>Compares.</summary>
    /// <param name="reference">The original; used on the calling thread.</param>
    /// <param name="model">What was made from it; used on the calling thread.</param>
    /// <param name="manifest">Speech with its texts.</param>
    /// <param name="progress">Told the share done, 0…1; may be null.</param>
    /// <param name="cancellationToken">Stops.</param>
    /// <exception cref="AsrException">No utterance can be used, or the models do not have the same vocabulary and window.</exception>
    public static ModelComparison Run(
        WhisperRecognizer reference, WhisperRecognizer model, Manifest manifest, Action<double>? progress = null, CancellationToken cancellationToken = default)
    {
        var (expected, found) = (reference.Parts.Model.Info, model.Parts.Model.Info);
        if (expected.VocabularySize != found.VocabularySize || expected.MaxSourcePositions != found.MaxSourcePositions || expected.FeatureSize != found.FeatureSize)
        {
            throw new AsrException(
                $"The models cannot be compared: one has {expected.VocabularySize} tokens, {expected.MaxSourcePositions} positions and {expected.FeatureSize} features, the other {found.VocabularySize}, {found.MaxSourcePositions} and {found.FeatureSize}.");
        }

        var total = 3.0 * manifest.Entries.Count;
        var normalizer = new BasicTextNormalizer();
        var right = Evaluate(reference, 0);
        var heard = Evaluate(model, 1);
        var logits = new LogitDifference();
        foreach (var (index, entry) in manifest.Entries.Index())
        {
            cancellationToken.ThrowIfCancellationRequested();
            logits.Add(reference.Parts, model.Parts, entry);
            progress?.Invoke(((2 * manifest.Entries.Count) + index + 1) / total);
        }

        var texts = right.Utterances.Join(heard.Utterances, one => one.Entry.Row, one => one.Entry.Row, (one, other) => WordErrorRate.Measure(one.Hypothesis, other.Hypothesis))
            .Aggregate(ErrorCounts.None, (sum, counts) => sum + counts);
        return new ModelComparison
        {
            Utterances = right.Utterances.Count,
            AudioSeconds = right.AudioSeconds,
            ReferenceErrorRate = right.Counts.WordErrorRate,
            ErrorRate = heard.Counts.WordErrorRate,
            TextDifference = texts.ReferenceWords > 0 ? texts.WordErrorRate : texts.WordErrors,
            Tokens = logits.Tokens,
            SameToken = logits.Tokens == 0 ? 1 : logits.Same / (double)logits.Tokens,
            MeanDifference = logits.Values == 0 ? 0 : logits.Sum / logits.Values,
            LargestDifference = logits.Largest,
        };

        EvaluationResult Evaluate(WhisperRecognizer recognizer, int round) => Evaluator.Run(
            recognizer,
            manifest,
            HuggingFaceDecoder.Defaults,
            normalizer,
            (done, _) => progress?.Invoke(((round * manifest.Entries.Count) + done) / total),
            cancellationToken);
    }

    /// <summary>Forces texts upon both models and keeps how far their logits are apart.</summary>
    private sealed class LogitDifference
    {
        private float[] _expected = [];
        private float[] _found = [];

        public int Tokens { get; private set; }

        public int Same { get; private set; }

        public long Values { get; private set; }

        public double Sum { get; private set; }

        public double Largest { get; private set; }

        /// <summary>Adds an utterance, unless it is longer than the models hear at once or nothing is said in it.</summary>
        public void Add(WhisperDecoderInput reference, WhisperDecoderInput model, ManifestEntry entry)
        {
            var window = reference.Config.MaxFrames * reference.Features.HopLength;
            float[] samples;
            try
            {
                using var reader = new UtteranceReader(entry.AudioPath);
                samples = reader.Read(entry.StartSeconds, entry.EndSeconds, window);
            }
            catch (AsrException)
            {
                return; // The evaluation has counted it as dropped.
            }

            if (samples.Length == 0 || samples.Length > window || entry.Text.Length == 0)
            {
                return;
            }

            var features = reference.Features.Extract(samples, window).Values;
            using var referenceStates = reference.Model.Encode(features, 1, reference.Config.MaxFrames);
            using var states = model.Model.Encode(features, 1, reference.Config.MaxFrames);
            var tokenizer = reference.Tokenizer;
            var language = !tokenizer.IsMultilingual ? null
                : tokenizer.Languages.Any(known => known.Code == entry.Language) ? entry.Language
                : LanguageDetector.Detect(reference.Model, referenceStates, tokenizer)[0][0].Code;
            var prefix = tokenizer.Prefix(language, TranscriptionTask.Transcribe, timestamps: false);
            int[] tokens = [.. prefix, .. tokenizer.Encode(entry.Text)];
            tokens = tokens[..Math.Min(tokens.Length, reference.Model.Info.MaxTargetPositions)];
            Force(reference.Model, referenceStates, tokens, ref _expected);
            Force(model.Model, states, tokens, ref _found);
            var vocabulary = reference.Model.Info.VocabularySize;
            for (var place = prefix.Length - 1; place < tokens.Length; place++)
            {
                Compare(_expected.AsSpan(place * vocabulary, vocabulary), _found.AsSpan(place * vocabulary, vocabulary));
            }
        }

        private static void Force(ISeq2SeqModel model, IEncoderStates states, int[] tokens, ref float[] logits)
        {
            var needed = checked(tokens.Length * model.Info.VocabularySize);
            if (logits.Length < needed)
            {
                logits = new float[needed];
            }

            using var cache = model.CreateCache(states, [0], new DecoderCacheOptions { Capacity = tokens.Length });
            model.Decode(cache, tokens, [], LogitPositions.All, logits, []);
        }

        private void Compare(ReadOnlySpan<float> expected, ReadOnlySpan<float> found)
        {
            var (best, bestFound) = (0, 0);
            for (var token = 0; token < expected.Length; token++)
            {
                var difference = Math.Abs((double)expected[token] - found[token]);
                difference = double.IsNaN(difference) ? double.PositiveInfinity : difference;
                Sum += difference;
                Largest = Math.Max(Largest, difference);
                best = expected[token] > expected[best] ? token : best;
                bestFound = found[token] > found[bestFound] ? token : bestFound;
            }

            Tokens++;
            Values += expected.Length;
            Same += best == bestFound ? 1 : 0;
        }
    }
}
