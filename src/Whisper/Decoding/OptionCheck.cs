using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Whisper.Decoding.HuggingFace;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Decoding;

/// <summary>Checks the options of a transcription against a model, once, before anything is computed.</summary>
internal static class OptionCheck
{
    private const int SuggestedLanguages = 4;

    /// <summary>Returns the options with the language as a code that the tokenizer knows.</summary>
    /// <exception cref="AsrException">An option has no meaning, contradicts another or asks for what the model cannot do.</exception>
    public static TranscriptionOptions Check(TranscriptionOptions options, WhisperDecoderInput parts)
    {
        CheckRanges(options);
        CheckSearch(options);
        if (options.WordTimestamps && !parts.Model.Info.SupportsAlignment)
        {
            throw new AsrException(
                $"Word timestamps need the decoder's attention, which this model does not give on the backend \"{parts.Model.Info.Backend}\": choose another backend, or export the model with its attention.");
        }

        var vocabulary = parts.Model.Info.VocabularySize;
        foreach (var token in options.SuppressTokens ?? [])
        {
            Require(token >= -1 && token < vocabulary, $"The token {token} to suppress is outside the vocabulary (0…{vocabulary - 1}, or -1 for non-speech symbols).");
        }

        return parts.Tokenizer.IsMultilingual ? options with { Language = Language(options.Language, parts) } : EnglishOnly(options);
    }

    private static void CheckRanges(TranscriptionOptions options)
    {
        Require(options.Temperature is >= 0 and <= 1, $"The temperature is {options.Temperature}; expected 0…1.");
        Require(options.TemperatureIncrementOnFallback is null or > 0, $"The temperature increment on fallback is {options.TemperatureIncrementOnFallback}; expected a number above 0, or none.");
        Require(options.BeamSize is null or >= 1, $"The beam size is {options.BeamSize}; expected at least 1.");
        Require(options.BestOf is null or >= 1, $"Best-of is {options.BestOf}; expected at least 1.");
        Require(options.Patience is null or > 0, $"The patience is {options.Patience}; expected a number above 0.");
        Require(
            options.LengthPenalty is null or (>= 0 and <= 1) || (IsTransformers(options) && double.IsFinite(options.LengthPenalty.Value)),
            $"The length penalty is {options.LengthPenalty}; expected 0…1.");
        Require(options.MaxNewTokens is null or >= 1, $"The largest number of new tokens is {options.MaxNewTokens}; expected at least 1.");
        Require(options.ChunkLengthSeconds is null or > 0, $"The chunk length is {options.ChunkLengthSeconds} s; expected more than 0.");
        Require(options.StrideLengthSeconds is null or >= 0, $"The stride is {options.StrideLengthSeconds} s; expected 0 or more.");
        Require(options.BatchSize >= 1, $"The batch size is {options.BatchSize}; expected at least 1.");
        Require(IsNumber(options.CompressionRatioThreshold) && IsNumber(options.LogProbabilityThreshold) && IsNumber(options.NoSpeechThreshold), "A threshold is no number; switch it off with none.");
        for (var i = 0; i < options.ClipTimestamps.Count; i++)
        {
            Require(options.ClipTimestamps[i] >= (i == 0 ? 0 : options.ClipTimestamps[i - 1]), $"The clip timestamps are {string.Join(", ", options.ClipTimestamps)}; expected seconds in ascending order.");
        }
    }

    private static bool IsTransformers(TranscriptionOptions options) =>
        options.Algorithm == HuggingFaceDecoder.Defaults.Algorithm || options.Algorithm == ChunkedDecoder.Defaults.Algorithm;

    private static void CheckSearch(TranscriptionOptions options)
    {
        Require(
            options.BeamSize is null || options.Temperature == 0,
            $"Beam search works at temperature 0; the temperature is {options.Temperature}. Leave out one of the two.");
        Require(options.Patience is null || options.BeamSize is not null, "Patience is for beam search: give a beam size too.");
    }

    private static TranscriptionOptions EnglishOnly(TranscriptionOptions options)
    {
        Require(options.Task == TranscriptionTask.Transcribe, "The model knows English only and cannot translate: choose a multilingual one.");
        Require(
            options.Language is null || WhisperLanguages.FindCode(options.Language) == "en",
            $"The model knows English only; the language is \"{options.Language}\". Leave it out or choose a multilingual model.");
        return options with { Language = null };
    }

    private static string? Language(string? language, WhisperDecoderInput parts)
    {
        if (language is null)
        {
            return null;
        }

        var known = parts.Tokenizer.Languages.Select(known => known.Code).ToHashSet();
        if (WhisperLanguages.FindCode(language) is { } code && known.Contains(code))
        {
            return code;
        }

        var near = known
            .Select(code => (Code: code, Name: WhisperLanguages.FindName(code) ?? code))
            .OrderBy(entry => Math.Min(Distance(language, entry.Code), Distance(language, entry.Name)))
            .ThenBy(entry => entry.Code, StringComparer.Ordinal)
            .Take(SuggestedLanguages)
            .Select(entry => $"{entry.Code} ({entry.Name})");
        throw new AsrException(
            $"Unknown language \"{language}\": give one of the model's {known.Count} by code or name; near it are {string.Join(", ", near)}.");
    }

    // Levenshtein's distance, without regard to case.
    private static int Distance(string left, string right)
    {
        var previous = Enumerable.Range(0, right.Length + 1).ToArray();
        for (var i = 0; i < left.Length; i++)
        {
            var current = new int[right.Length + 1];
            current[0] = i + 1;
            for (var j = 0; j < right.Length; j++)
            {
                var change = char.ToLowerInvariant(left[i]) == char.ToLowerInvariant(right[j]) ? 0 : 1;
                current[j + 1] = Math.Min(previous[j] + change, Math.Min(previous[j + 1], current[j]) + 1);
            }

            previous = current;
        }

        return previous[^1];
    }

    private static bool IsNumber(double? value) => value is not { } number || !double.IsNaN(number);

    private static void Require(bool condition, string message)
    {
        if (!condition)
        {
            throw new AsrException(message);
        }
    }
}
