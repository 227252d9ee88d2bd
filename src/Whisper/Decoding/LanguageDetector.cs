using System.Numerics.Tensors;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Whisper.Decoding.Rules;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Decoding;

/// <summary>A language and how likely it is.</summary>
/// <param name="Code">Code such as <c>en</c>.</param>
/// <param name="Probability">0…1 among the languages that the model knows.</param>
public readonly record struct LanguageProbability(string Code, double Probability);

/// <summary>Tells languages by what the decoder expects after the start of a transcript.</summary>
public static class LanguageDetector
{
    /// <summary>Detects the language of every encoder row.</summary>
    /// <param name="model">A multilingual model.</param>
    /// <param name="states">Encoder states.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <returns><c>[row][language]</c>, most likely first.</returns>
    /// <exception cref="AsrException">The vocabulary has no languages.</exception>
    public static LanguageProbability[][] Detect(ISeq2SeqModel model, IEncoderStates states, WhisperTokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(states);
        ArgumentNullException.ThrowIfNull(tokenizer);
        if (tokenizer.Languages.Count == 0)
        {
            throw new AsrException("The model knows one language only: there is none to detect.");
        }

        var rows = states.Batch;
        var vocabulary = model.Info.VocabularySize;
        var logits = new float[rows * vocabulary];
        int[] sources = [.. Enumerable.Range(0, rows)];
        int[] starts = [.. Enumerable.Repeat(tokenizer.StartOfTranscript, rows)];
        using (var cache = model.CreateCache(states, sources, new DecoderCacheOptions { Capacity = 1 }))
        {
            model.Decode(cache, starts, [], LogitPositions.Last, logits, []);
        }

        return [.. Enumerable.Range(0, rows).Select(row => OfRow(logits.AsSpan(row * vocabulary, vocabulary), tokenizer))];
    }

    private static LanguageProbability[] OfRow(ReadOnlySpan<float> logits, WhisperTokenizer tokenizer)
    {
        var languages = tokenizer.Languages;
        var scores = new float[languages.Count];
        for (var i = 0; i < scores.Length; i++)
        {
            scores[i] = logits[languages[i].Id];
        }

        LogProbabilities.LogSoftmax(scores, scores);
        TensorPrimitives.Exp(scores, scores);
        return [.. languages.Select((language, i) => new LanguageProbability(language.Code, scores[i]))
            .OrderByDescending(language => language.Probability)];
    }
}
