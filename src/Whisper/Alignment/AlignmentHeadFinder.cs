using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Features;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Alignment;

/// <summary>An utterance whose word times are known.</summary>
/// <param name="Features">Its features, padded as the model hears them.</param>
/// <param name="Words">Its words, without spaces, and when each ends, in seconds.</param>
/// <param name="Language">Language code; null for none.</param>
public sealed record TimedUtterance(FeatureMatrix Features, IReadOnlyList<(string Word, double End)> Words, string? Language);

/// <summary>Which heads follow the audio, and how well.</summary>
/// <param name="Heads">The chosen heads, by layer and head; at least one.</param>
/// <param name="ErrorSeconds">Mean distance of their word ends from the known ones.</param>
/// <param name="Single">The same of each head of the decoder by itself, best first.</param>
/// <param name="Utterances">Utterances that were compared.</param>
public sealed record AlignmentHeadChoice(
    IReadOnlyList<AttentionHead> Heads, double ErrorSeconds, IReadOnlyList<(AttentionHead Head, double ErrorSeconds)> Single, int Utterances);

/// <summary>
/// Finds the heads whose cross-attention follows the audio, by comparing the word ends that they give (<see cref="WordAligner"/>) with known
/// ones: heads are tried from the best one down, and stay when they bring the ends of all words nearer.
/// </summary>
public static class AlignmentHeadFinder
{
    /// <summary>Heads tried beside the best one. Whisper's own lists have up to ten.</summary>
    private const int MostTried = 16;

    /// <summary>Finds heads.</summary>
    /// <param name="model">The model; belongs to the calling thread.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="utterances">What to compare on; their encoder states are held at once.</param>
    /// <param name="positionsPerSecond">Encoder positions per second of audio.</param>
    /// <param name="medianFilterWidth">As for <see cref="WordAligner"/>.</param>
    /// <param name="progress">Told the share that is done, 0…1; may be null.</param>
    /// <param name="cancellationToken">Stops between two decoder calls.</param>
    /// <exception cref="AsrException">The model returns no attention, or no utterance can be compared.</exception>
    public static AlignmentHeadChoice Find(
        ISeq2SeqModel model,
        WhisperTokenizer tokenizer,
        IEnumerable<TimedUtterance> utterances,
        double positionsPerSecond,
        int medianFilterWidth,
        Action<double>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(utterances);
        if (!model.Info.SupportsAlignment)
        {
            throw new AsrException($"The backend '{model.Info.Backend}' returns no attention: take another one.");
        }

        var encoded = new List<Encoded>();
        try
        {
            foreach (var utterance in utterances)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (utterance.Words.Count > 0 && Encode(model, tokenizer, utterance) is { } usable)
                {
                    encoded.Add(usable);
                }
            }

            if (encoded.Count == 0)
            {
                throw new AsrException("No utterance has words with times that the model can be compared with.");
            }

            double Error(AttentionHead[] heads) => MeanError(
                new WordAligner(model, tokenizer, heads, positionsPerSecond, medianFilterWidth), encoded, cancellationToken);

            var all = model.Info.DecoderLayers * model.Info.DecoderHeads;
            var tried = Math.Min(MostTried, all - 1);
            var done = 0;
            void Step() => progress?.Invoke(++done / (double)(all + tried));

            var single = new List<(AttentionHead Head, double ErrorSeconds)>(all);
            for (var layer = 0; layer < model.Info.DecoderLayers; layer++)
            {
                for (var head = 0; head < model.Info.DecoderHeads; head++)
                {
                    var one = new AttentionHead(layer, head);
                    single.Add((one, Error([one])));
                    Step();
                }
            }

            single = [.. single.OrderBy(pair => pair.ErrorSeconds)];
            AttentionHead[] chosen = [single[0].Head];
            var best = single[0].ErrorSeconds;
            foreach (var (head, _) in single.Skip(1).Take(tried))
            {
                AttentionHead[] more = [.. chosen, head];
                if (Error(more) is var error && error < best)
                {
                    (chosen, best) = (more, error);
                }

                Step();
            }

            return new AlignmentHeadChoice([.. chosen.OrderBy(head => head.Layer).ThenBy(head => head.Head)], best, single, encoded.Count);
        }
        finally
        {
            encoded.ForEach(utterance => utterance.States.Dispose());
        }
    }

    /// <summary>Null where the text has no room in the decoder.</summary>
    private static Encoded? Encode(ISeq2SeqModel model, WhisperTokenizer tokenizer, TimedUtterance utterance)
    {
        var text = tokenizer.Encode(" " + string.Join(' ', utterance.Words.Select(word => word.Word)));
        var start = tokenizer.Prefix(utterance.Language, TranscriptionTask.Transcribe, timestamps: true);
        return start.Length + text.Length + 2 <= model.Info.MaxTargetPositions
            ? new Encoded(utterance, model.Encode(utterance.Features.Values, 1, utterance.Features.Frames), start, text)
            : null;
    }

    private static double MeanError(WordAligner aligner, List<Encoded> utterances, CancellationToken cancellationToken)
    {
        var sum = 0.0;
        var count = 0;
        foreach (var (utterance, states, start, text) in utterances)
        {
            var ends = WordEnds(aligner.Align(states, start, text, utterance.Features.ValidFrames, utterance.Language, cancellationToken));

            // A text that the tokenizer divides into other words says nothing of single ones.
            if (ends.Count == utterance.Words.Count)
            {
                sum += ends.Zip(utterance.Words, (end, word) => Math.Abs(end - word.End)).Sum();
                count += ends.Count;
            }
        }

        return count > 0 ? sum / count : double.PositiveInfinity;
    }

    /// <summary>Ends of words between spaces: what follows without one, such as punctuation, belongs to the word before.</summary>
    private static List<double> WordEnds(IReadOnlyList<WordTiming> timings)
    {
        var ends = new List<double>(timings.Count);
        foreach (var timing in timings)
        {
            if (ends.Count == 0 || timing.Word.StartsWith(' '))
            {
                ends.Add(timing.End);
            }
            else
            {
                ends[^1] = timing.End;
            }
        }

        return ends;
    }

    /// <summary>An utterance as the model needs it.</summary>
    private sealed record Encoded(TimedUtterance Utterance, IEncoderStates States, int[] Start, int[] Text);
}
