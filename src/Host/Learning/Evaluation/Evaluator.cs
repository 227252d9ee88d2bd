using System.Diagnostics;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Whisper;
using AsrPlatform.Whisper.Text;

namespace AsrPlatform.Host.Learning.Evaluation;

/// <summary>An utterance and what was heard.</summary>
/// <param name="Entry">Its row of the manifest.</param>
/// <param name="Reference">What was said, as compared: normalised.</param>
/// <param name="Hypothesis">What was heard, as compared.</param>
/// <param name="RawHypothesis">What was heard, as the recogniser wrote it.</param>
/// <param name="Counts">The errors.</param>
/// <param name="AudioSeconds">Length of the audio.</param>
/// <param name="Seconds">Time that reading and transcribing took.</param>
internal sealed record EvaluatedUtterance(
    ManifestEntry Entry, string Reference, string Hypothesis, string RawHypothesis, ErrorCounts Counts, double AudioSeconds, double Seconds);

/// <summary>What an evaluation found.</summary>
/// <param name="Utterances">In the manifest's order; at least one.</param>
/// <param name="Dropped">Rows that could not be used.</param>
internal sealed record EvaluationResult(IReadOnlyList<EvaluatedUtterance> Utterances, IReadOnlyList<DroppedRow> Dropped)
{
    /// <summary>The errors of all.</summary>
    public ErrorCounts Counts { get; } = Utterances.Aggregate(ErrorCounts.None, (sum, utterance) => sum + utterance.Counts);

    /// <summary>Length of all audio, in seconds.</summary>
    public double AudioSeconds { get; } = Utterances.Sum(utterance => utterance.AudioSeconds);

    /// <summary>Processing time by audio time: below 1 is faster than real time.</summary>
    public double RealTimeFactor => Utterances.Sum(utterance => utterance.Seconds) / Math.Max(AudioSeconds, 1e-9);
}

/// <summary>Measures a recogniser on a manifest.</summary>
internal static class Evaluator
{
    /// <summary>Transcribes every utterance and compares.</summary>
    /// <param name="recognizer">Used on the calling thread.</param>
    /// <param name="manifest">The utterances.</param>
    /// <param name="options">How to transcribe; where it names no language, a row's holds if the recogniser knows it.</param>
    /// <param name="normalizer">Applied to both sides before comparing; null compares the texts as they are.</param>
    /// <param name="progress">Told utterances done and their errors; may be null.</param>
    /// <param name="cancellationToken">Stops.</param>
    /// <exception cref="AsrException">No utterance can be used.</exception>
    public static EvaluationResult Run(
        ISpeechRecognizer recognizer,
        Manifest manifest,
        TranscriptionOptions options,
        ITextNormalizer? normalizer,
        Action<int, ErrorCounts>? progress = null,
        CancellationToken cancellationToken = default)
    {
        var utterances = new EvaluatedUtterance?[manifest.Entries.Count];
        var dropped = new List<DroppedRow>();
        var (done, counts) = (0, ErrorCounts.None);
        if (recognizer is WhisperRecognizer whisper && whisper.BatchesFiles(options))
        {
            Together(whisper);
        }
        else
        {
            OneByOne();
        }

        EvaluatedUtterance[] found = [.. utterances.OfType<EvaluatedUtterance>()];
        manifest.RequireUsable(found.Length, dropped);
        return new EvaluationResult(found, [.. manifest.Dropped.Concat(dropped).OrderBy(row => row.Row)]);

        void OneByOne()
        {
            foreach (var (index, entry) in manifest.Entries.Index())
            {
                cancellationToken.ThrowIfCancellationRequested();
                var clock = Stopwatch.StartNew();
                try
                {
                    using var audio = Open(entry, recognizer.Info.SampleRateHz);
                    var result = recognizer.Transcribe(audio.Source, options with { Language = LanguageOf(entry) }, null, cancellationToken);
                    Keep(index, result, clock.Elapsed.TotalSeconds);
                }
                catch (AsrException error)
                {
                    Drop(entry, error);
                }

                progress?.Invoke(++done, counts);
            }
        }

        // Options hold for a batch: utterances of one language go together. Of the time of a batch each has the share of its audio.
        void Together(WhisperRecognizer whisper)
        {
            foreach (var language in manifest.Entries.Index().GroupBy(row => LanguageOf(row.Item)))
            {
                (int Index, ManifestEntry Entry)[] rows = [.. language];
                var clock = Stopwatch.StartNew();
                whisper.TranscribeMany(
                    rows.Select(row => new DeferredAudioSource(whisper.Info.SampleRateHz, () =>
                    {
                        var audio = Open(row.Entry, whisper.Info.SampleRateHz);
                        return (audio.Source, audio.Owned);
                    })),
                    options with { Language = language.Key },
                    (place, file) =>
                    {
                        if (file.Result is { } result)
                        {
                            Keep(rows[place].Index, result, 0);
                        }
                        else
                        {
                            Drop(rows[place].Entry, file.Error!);
                        }

                        progress?.Invoke(++done, counts);
                    },
                    cancellationToken: cancellationToken);
                var heard = rows.Sum(row => utterances[row.Index]?.AudioSeconds ?? 0);
                foreach (var (index, _) in rows)
                {
                    utterances[index] = utterances[index] is { } utterance
                        ? utterance with { Seconds = clock.Elapsed.TotalSeconds * utterance.AudioSeconds / heard }
                        : null;
                }
            }
        }

        string? LanguageOf(ManifestEntry entry) =>
            options.Language ?? (entry.Language is { } language && recognizer.Info.Languages.Contains(language) ? language : null);

        void Keep(int index, TranscriptionResult result, double seconds)
        {
            var entry = manifest.Entries[index];
            var reference = normalizer?.Normalize(entry.Text) ?? entry.Text;
            var hypothesis = normalizer?.Normalize(result.Text) ?? result.Text.Trim();
            var utterance = new EvaluatedUtterance(
                entry, reference, hypothesis, result.Text.Trim(), WordErrorRate.Measure(reference, hypothesis), result.DurationSeconds, seconds);
            utterances[index] = utterance;
            counts += utterance.Counts;
        }

        void Drop(ManifestEntry entry, AsrException failure)
        {
            // An option that cannot be used fails everywhere: it must not be listed as a thousand broken files.
            if (done == dropped.Count && !IsUnreadable(entry))
            {
                throw failure;
            }

            dropped.Add(new DroppedRow(entry.Row, entry.AudioName, DropReason.UnreadableAudio, failure.Message));
        }
    }

    private static bool IsUnreadable(ManifestEntry entry)
    {
        try
        {
            using var audio = Open(entry, AudioFile.TargetRateHz);
            using var reader = audio.Source.OpenReader();
            var buffer = new float[1 << 14];
            while (reader.Read(buffer) > 0)
            {
            }

            return false;
        }
        catch (AsrException)
        {
            return true;
        }
    }

    /// <summary>A whole file is streamed; a stretch of one is read.</summary>
    private static OpenAudio Open(ManifestEntry entry, int sampleRateHz)
    {
        if (entry.StartSeconds == 0 && entry.EndSeconds is null)
        {
            var file = AudioFile.Open(entry.AudioPath);
            return new OpenAudio(ResampledAudioSource.At(file, sampleRateHz), file);
        }

        using var reader = new UtteranceReader(entry.AudioPath);
        var samples = reader.Read(entry.StartSeconds, entry.EndSeconds, int.MaxValue - 1);
        return samples.Length == 0
            ? throw new AsrException($"{entry.AudioPath} ends before {FormattableString.Invariant($"{entry.StartSeconds}")} s")
            : new OpenAudio(ResampledAudioSource.At(new MemoryAudioSource(samples, AudioFile.TargetRateHz), sampleRateHz), null);
    }

    private sealed record OpenAudio(IAudioSource Source, IDisposable? Owned) : IDisposable
    {
        public void Dispose() => Owned?.Dispose();
    }
}
