using System.Security.Cryptography;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Training;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Host.Learning.Data;

/// <summary>How far a mapping is.</summary>
/// <param name="Done">Utterances mapped or dropped.</param>
/// <param name="Total">All utterances.</param>
/// <param name="Cached">Of those done, the ones whose features were there already.</param>
internal readonly record struct MappingProgress(int Done, int Total, int Cached);

/// <summary>Makes a manifest a data set: decodes, computes features in parallel, encodes texts, leaves out what cannot be used.</summary>
internal static class DatasetBuilder
{
    /// <summary>Silent utterances of four that learn the no-speech token; the others learn that the transcript is empty.</summary>
    private const int NoSpeechOfFour = 3;

    /// <summary>Maps a manifest. A run that is cancelled or killed goes on from the cache the next time.</summary>
    /// <param name="manifest">The rows.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Told after each utterance, from any thread, one call at a time; may be null.</param>
    /// <param name="cancellationToken">Stops between two utterances.</param>
    /// <returns>The usable rows in the manifest's order, and the report.</returns>
    /// <exception cref="AsrException">An option cannot be used, the cache cannot be written, or no row can be used.</exception>
    public static FeatureDataset Build(
        Manifest manifest,
        DatasetOptions options,
        Action<MappingProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        var run = new Run(manifest, options, progress, cancellationToken);
        return run.Build();
    }

    private sealed class Run(Manifest manifest, DatasetOptions options, Action<MappingProgress>? progress, CancellationToken cancellationToken)
    {
        private readonly FeatureCache _cache = new(options.CacheDirectory, options.Precision, options.Extractor, options.ContextSamples);
        private readonly FeatureDataset.Item?[] _items = new FeatureDataset.Item?[manifest.Entries.Count];
        private readonly DroppedRow?[] _dropped = new DroppedRow?[manifest.Entries.Count];
        private readonly long[] _samples = new long[manifest.Entries.Count];
        private readonly Lock _gate = new();
        private readonly int _maxSamples = (int)Math.Min(
            options.ContextSamples, Math.Floor((options.MaxSeconds ?? double.MaxValue) * options.Extractor.SampleRateHz));

        private int _done;
        private int _cached;

        public FeatureDataset Build()
        {
            // Utterances of one file are read in one pass, whoever maps them.
            var files = Enumerable.Range(0, manifest.Entries.Count)
                .GroupBy(index => manifest.Entries[index].AudioPath, StringComparer.Ordinal)
                .Select(group => group.OrderBy(index => manifest.Entries[index].StartSeconds).ToArray());
            try
            {
                Parallel.ForEach(
                    files,
                    new ParallelOptions { MaxDegreeOfParallelism = Math.Max(1, options.Parallelism), CancellationToken = cancellationToken },
                    MapFile);
            }
            catch (AggregateException error) when (error.InnerExceptions is [var only, ..])
            {
                throw only is AsrException or OperationCanceledException ? only : error;
            }

            DroppedRow[] dropped = [.. _dropped.OfType<DroppedRow>()];
            FeatureDataset.Item[] kept = [.. _items.OfType<FeatureDataset.Item>()];
            manifest.RequireUsable(kept.Length, dropped);
            var report = new DataReport(
                manifest.Path,
                kept.Length,
                _samples.Sum() / (double)options.Extractor.SampleRateHz,
                [.. manifest.Dropped.Concat(dropped).OrderBy(row => row.Row)]);
            return new FeatureDataset(kept, options, _cache, report);
        }

        private void MapFile(int[] indices)
        {
            byte[]? hash = null;
            UtteranceReader? reader = null;
            try
            {
                foreach (var index in indices)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    var fromCache = false;
                    var entry = manifest.Entries[index];
                    if (EncodeLabels(entry, index) is { } labels)
                    {
                        try
                        {
                            hash ??= HashOf(entry.AudioPath);
                            fromCache = Map(index, entry, labels, hash, ref reader);
                        }
                        catch (AsrException error) when (error is not CacheException)
                        {
                            Drop(index, DropReason.UnreadableAudio, error.Message);
                        }
                    }

                    Report(fromCache);
                }
            }
            finally
            {
                reader?.Dispose();
            }
        }

        /// <summary>Finds or computes the features of an utterance. True when they were there.</summary>
        private bool Map(int index, ManifestEntry entry, Labels labels, byte[] hash, ref UtteranceReader? reader)
        {
            var key = _cache.Key(hash, entry.StartSeconds, entry.EndSeconds);
            if (_cache.TryReadHeader(key) is { } known)
            {
                if (HasGoodLength(index, known.Samples))
                {
                    Keep(index, entry, labels, key, known.Samples, known.ValidFrames);
                }

                return true;
            }

            reader ??= new UtteranceReader(entry.AudioPath);
            var claimed = (entry.EndSeconds * options.Extractor.SampleRateHz ?? reader.LengthSamples) - (entry.StartSeconds * options.Extractor.SampleRateHz);
            if (claimed is { } length && length > _maxSamples + 1 && !HasGoodLength(index, (long)length))
            {
                return false;
            }

            var samples = reader.Read(entry.StartSeconds, entry.EndSeconds, _maxSamples);
            if (!HasGoodLength(index, samples.Length))
            {
                return false;
            }

            var features = UtteranceReader.Extract(options.Extractor, samples, options.ContextSamples);
            try
            {
                _cache.Write(key, features, samples.Length);
            }
            catch (AsrException error)
            {
                throw new CacheException(error.Message, error);
            }

            Keep(index, entry, labels, key, samples.Length, features.ValidFrames);
            return false;
        }

        private bool HasGoodLength(int index, long samples)
        {
            var seconds = samples / (double)options.Extractor.SampleRateHz;
            if (samples > _maxSamples)
            {
                Drop(index, DropReason.TooLong, FormattableString.Invariant($"longer than {_maxSamples / (double)options.Extractor.SampleRateHz:0.##} s"));
                return false;
            }

            if (seconds < options.MinSeconds || samples == 0)
            {
                Drop(index, DropReason.TooShort, FormattableString.Invariant($"{seconds:0.###} s, shorter than {options.MinSeconds:0.###} s"));
                return false;
            }

            return true;
        }

        private void Keep(int index, ManifestEntry entry, Labels labels, string key, long samples, int frames)
        {
            var seconds = samples / (double)options.Extractor.SampleRateHz;
            var info = new TrainingSampleInfo { Id = $"{manifest.Path}:{entry.Row} ({entry.AudioName})", Text = labels.Text, Frames = frames, Language = labels.Language, IsReplay = entry.IsReplay };
            _samples[index] = samples;
            _items[index] = new FeatureDataset.Item(entry, info, key, labels.Tokens(seconds));
        }

        /// <summary>Everything of the labels that needs no audio; null when the row is dropped for them.</summary>
        private Labels? EncodeLabels(ManifestEntry entry, int index)
        {
            var tokenizer = options.Tokenizer;
            var text = entry.IsSilence ? entry.Text : Normalize(entry.Text);
            if (text.Length == 0 && !entry.IsSilence)
            {
                Drop(index, DropReason.EmptyText, "nothing is left of the text when it is normalised");
                return null;
            }

            var language = options.Language;
            if (entry.Language is { } named)
            {
                if (Knows(named))
                {
                    language = named;
                }
                else if (language is null)
                {
                    Drop(index, DropReason.UnknownLanguage, $"the model does not know the language '{named}': say which to take (--language)");
                    return null;
                }
            }

            var timed = options.Timestamps == TimestampLabels.Always || (options.Timestamps == TimestampLabels.Mixed && index % 2 == 0);
            var prefix = tokenizer.Prefix(language, options.Task, timed);
            var parts = Parts(entry, text, timed);
            var labels = new Labels(tokenizer, prefix, parts, timed, entry, text, language, LearnsNoSpeech: entry.IsSilence && index / 2 % 4 < NoSpeechOfFour);

            // Two timestamps a part and the end of text at most; the decoder's input begins with the start of transcript, which is no target.
            var tokens = prefix.Length - 1 + parts.Sum(part => part.Ids.Length + (timed ? 2 : 0)) + 1;
            if (tokens > options.MaxLabelTokens)
            {
                Drop(index, DropReason.TooManyTokens, $"{tokens} label tokens, more than {options.MaxLabelTokens}");
                return null;
            }

            return labels;
        }

        private string Normalize(string text) => options.Normalizer is { } normalizer ? TextCleanup.Clean(normalizer.Normalize(text)) : text;

        /// <summary>What stands between two timestamps each; one part where none are learned. Times are null where only the audio tells them.</summary>
        private LabelPart[] Parts(ManifestEntry entry, string text, bool timed)
        {
            if (text.Length == 0)
            {
                return [new LabelPart([], null)];
            }

            var segments = timed ? entry.Segments.Select(segment => segment with { Text = Normalize(segment.Text) }).Where(segment => segment.Text.Length > 0).ToArray() : [];
            if (segments.Length <= 1)
            {
                (double, double)? times = entry.Words is [var first, ..] ? (first.Start, entry.Words[^1].End) : segments is [var only] ? (only.Start, only.End) : null;
                return [new LabelPart(options.Tokenizer.Encode(text), times)];
            }

            // Those after the first begin with a space, so that the whole is the text again.
            return [.. segments.Select((segment, index) => new LabelPart(options.Tokenizer.Encode(index == 0 ? segment.Text : " " + segment.Text), (segment.Start, segment.End)))];
        }

        private bool Knows(string language)
        {
            try
            {
                options.Tokenizer.Prefix(language, options.Task, timestamps: false);
                return true;
            }
            catch (AsrException)
            {
                return false;
            }
        }

        private void Drop(int index, DropReason reason, string detail)
        {
            var entry = manifest.Entries[index];
            _dropped[index] = new DroppedRow(entry.Row, entry.AudioName, reason, detail);
        }

        private void Report(bool fromCache)
        {
            lock (_gate)
            {
                _done++;
                _cached += fromCache ? 1 : 0;
                progress?.Invoke(new MappingProgress(_done, _items.Length, _cached));
            }
        }

        private static byte[] HashOf(string path)
        {
            try
            {
                using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 0, FileOptions.SequentialScan);
                return SHA256.HashData(stream);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                throw new AsrException($"{path} cannot be read: {error.Message}", error);
            }
        }
    }

    /// <summary>A row's label, but for the timestamps, which may need the audio's length.</summary>
    private sealed record Labels(
        WhisperTokenizer Tokenizer, int[] Prefix, LabelPart[] Parts, bool Timed, ManifestEntry Entry, string Text, string? Language, bool LearnsNoSpeech)
    {
        public int[] Tokens(double seconds)
        {
            var eot = Tokenizer.EndOfText;
            if (LearnsNoSpeech)
            {
                // As OpenAI's models were taught: in silence, no-speech follows the start of transcript.
                return [Tokenizer.StartOfTranscript, Tokenizer.NoSpeech, eot];
            }

            if (!Timed)
            {
                return [.. Prefix, .. Parts.SelectMany(part => part.Ids), eot];
            }

            if (Entry.IsSilence)
            {
                // The one empty transcript that the timestamp rules allow: the first token must be a timestamp.
                return [.. Prefix, Tokenizer.TimestampBegin, eot];
            }

            List<int> tokens = [.. Prefix];
            foreach (var (ids, times) in Parts)
            {
                var (start, end) = times ?? (0, seconds);
                var from = Index(Math.Clamp(start, 0, seconds));
                tokens.Add(from);
                tokens.AddRange(ids);
                tokens.Add(Math.Max(Index(Math.Clamp(end, 0, seconds)), from + 1));
            }

            tokens.Add(eot);
            return [.. tokens];
        }

        private int Index(double seconds) =>
            Tokenizer.TimestampBegin + Math.Min((int)Math.Round(seconds / WhisperTokenizer.TimePrecisionSeconds), Tokenizer.TimestampCount - 2);
    }

    /// <summary>Tokens of a text, and when it is said; null: over the whole utterance.</summary>
    private readonly record struct LabelPart(int[] Ids, (double Start, double End)? Times);

    /// <summary>The cache failed: no fault of the row.</summary>
    private sealed class CacheException(string message, Exception inner) : AsrException(message, inner);
}
