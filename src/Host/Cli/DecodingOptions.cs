using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Whisper.Decoding.HuggingFace;

namespace AsrPlatform.Host.Cli;

/// <summary>The decoding options, under OpenAI's names.</summary>
internal sealed class DecodingOptions
{
    private static readonly TranscriptionOptions Defaults = new();

    private readonly Option<string?> _language = new("--language") { Description = "the speech's language, such as en or english; default: detected", HelpName = "XX" };
    private readonly Option<string> _task = new("--task") { Description = "transcribe, or translate into English", HelpName = "TASK", DefaultValueFactory = _ => "transcribe" };
    private readonly Option<string> _algorithm = new("--algorithm") { Description = "openai: sequential windows with fallback; hf: transformers' generate (fallback, thresholds and previous text are off unless given); chunked: transformers' pipeline, windows that overlap decoded side by side (as hf, and no previous text)", HelpName = "NAME", DefaultValueFactory = _ => Defaults.Algorithm };
    private readonly Option<bool> _wordTimestamps = new("--word-timestamps") { Description = "a time and a probability for each word" };
    private readonly Option<bool> _withoutTimestamps = new("--without-timestamps") { Description = "asks the model for text alone" };
    private readonly Option<double> _temperature = new("--temperature") { Description = "sampling temperature, 0 to 1", HelpName = "X", DefaultValueFactory = _ => Defaults.Temperature };
    private readonly Option<Threshold> _increment = OptionalNumber("--temperature-increment-on-fallback", "rise of the temperature when a window fails a threshold", Defaults.TemperatureIncrementOnFallback);
    private readonly Option<int?> _bestOf = new("--best-of") { Description = "candidates when sampling", HelpName = "N" };
    private readonly Option<int?> _beamSize = new("--beam-size") { Description = "beams at temperature 0; default: greedy", HelpName = "N" };
    private readonly Option<double?> _patience = new("--patience") { Description = "beam search patience", HelpName = "X" };
    private readonly Option<double?> _lengthPenalty = new("--length-penalty") { Description = "length penalty; default: divide by the length", HelpName = "X" };
    private readonly Option<string?> _initialPrompt = new("--initial-prompt") { Description = "text that precedes the audio", HelpName = "TEXT" };
    private readonly HotwordOptions _hotwords = new();
    private readonly Option<bool> _condition = new("--condition-on-previous-text") { Description = "each window knows the text of the one before, where the checkpoint learnt that", HelpName = "true|false", DefaultValueFactory = _ => Defaults.ConditionOnPreviousText, Arity = ArgumentArity.ExactlyOne };
    private readonly Option<Threshold> _compression = OptionalNumber("--compression-ratio-threshold", "a window whose text compresses better than this failed", Defaults.CompressionRatioThreshold);
    private readonly Option<Threshold> _logProbability = OptionalNumber("--logprob-threshold", "a window whose mean log probability is lower failed", Defaults.LogProbabilityThreshold);
    private readonly Option<Threshold> _noSpeech = OptionalNumber("--no-speech-threshold", "above this probability, and with a low log probability, a window is silence", Defaults.NoSpeechThreshold);
    private readonly Option<IReadOnlyList<int>?> _suppress = new("--suppress-tokens")
    {
        Description = "token ids never to produce, with commas; -1: all non-speech symbols; empty: none; default: the checkpoint's list",
        HelpName = "IDS",
        CustomParser = ParseTokens,
    };

    private readonly Option<double?> _chunkLength = new("--chunk-length") { Description = "with chunked: the windows in seconds; default: the model's", HelpName = "S" };
    private readonly Option<double?> _strideLength = new("--stride-length") { Description = "with chunked: what a window shares with each of its neighbours, in seconds; default: a sixth of it", HelpName = "S" };
    private readonly Option<int> _batchSize = new("--batch-size") { Description = "with chunked: windows decoded together, of several files too", HelpName = "N", DefaultValueFactory = _ => Defaults.BatchSize };
    private readonly Option<int?> _maxNewTokens = new("--max-new-tokens") { Description = "most tokens a window; default: the algorithm's", HelpName = "N" };
    private readonly Option<int> _seed = new("--seed") { Description = "seed of sampling", HelpName = "N", DefaultValueFactory = _ => Defaults.Seed };

    public void AddTo(Command command)
    {
        _task.AcceptOnlyFromAmong("transcribe", "translate");
        Option[] options =
        [
            _language, _task, _algorithm, _wordTimestamps, _withoutTimestamps, _temperature, _increment, _bestOf, _beamSize, _patience,
            _lengthPenalty, _initialPrompt, _condition, _compression, _logProbability, _noSpeech, _suppress, _chunkLength,
            _strideLength, _batchSize, _maxNewTokens, _seed,
        ];
        foreach (var option in options)
        {
            command.Options.Add(option);
        }

        _hotwords.AddTo(command);
    }

    public TranscriptionOptions Read(ParseResult parsed)
    {
        var options = ReadAll(parsed);
        var isChunked = options.Algorithm.Equals(ChunkedDecoder.Defaults.Algorithm, StringComparison.OrdinalIgnoreCase);
        if (!isChunked && (options.ChunkLengthSeconds ?? options.StrideLengthSeconds) is not null)
        {
            throw new AsrException($"--chunk-length and --stride-length are for --algorithm {ChunkedDecoder.Defaults.Algorithm}: leave them out, or give it.");
        }

        if (!isChunked && !options.Algorithm.Equals(HuggingFaceDecoder.Defaults.Algorithm, StringComparison.OrdinalIgnoreCase))
        {
            return options;
        }

        if (isChunked && options.ConditionOnPreviousText && parsed.GetResult(_condition) is { Implicit: false })
        {
            throw new AsrException("--algorithm chunked decodes windows side by side, without the text before them: leave --condition-on-previous-text out, or use another algorithm.");
        }

        // transformers has other defaults than OpenAI.
        T Given<T>(Option option, T value, T byDefault) => parsed.GetResult(option) is { Implicit: false } ? value : byDefault;
        var defaults = HuggingFaceDecoder.Defaults;
        return options with
        {
            TemperatureIncrementOnFallback = Given(_increment, options.TemperatureIncrementOnFallback, defaults.TemperatureIncrementOnFallback),
            ConditionOnPreviousText = Given(_condition, options.ConditionOnPreviousText, defaults.ConditionOnPreviousText),
            CompressionRatioThreshold = Given(_compression, options.CompressionRatioThreshold, defaults.CompressionRatioThreshold),
            LogProbabilityThreshold = Given(_logProbability, options.LogProbabilityThreshold, defaults.LogProbabilityThreshold),
            NoSpeechThreshold = Given(_noSpeech, options.NoSpeechThreshold, defaults.NoSpeechThreshold),
        };
    }

    private TranscriptionOptions ReadAll(ParseResult parsed) => new()
    {
        Algorithm = parsed.GetValue(_algorithm)!,
        Language = parsed.GetValue(_language),
        Task = parsed.GetValue(_task) == "translate" ? TranscriptionTask.Translate : TranscriptionTask.Transcribe,
        WordTimestamps = parsed.GetValue(_wordTimestamps),
        WithoutTimestamps = parsed.GetValue(_withoutTimestamps),
        Temperature = parsed.GetValue(_temperature),
        TemperatureIncrementOnFallback = parsed.GetValue(_increment)!.Value,
        BestOf = parsed.GetValue(_bestOf),
        BeamSize = parsed.GetValue(_beamSize),
        Patience = parsed.GetValue(_patience),
        LengthPenalty = parsed.GetValue(_lengthPenalty),
        InitialPrompt = parsed.GetValue(_initialPrompt),
        Bias = _hotwords.Read(parsed) is { Count: > 0 } words ? new PhraseBias(words) : null,
        ConditionOnPreviousText = parsed.GetValue(_condition),
        CompressionRatioThreshold = parsed.GetValue(_compression)!.Value,
        LogProbabilityThreshold = parsed.GetValue(_logProbability)!.Value,
        NoSpeechThreshold = parsed.GetValue(_noSpeech)!.Value,
        SuppressTokens = parsed.GetValue(_suppress),
        ChunkLengthSeconds = parsed.GetValue(_chunkLength),
        StrideLengthSeconds = parsed.GetValue(_strideLength),
        BatchSize = parsed.GetValue(_batchSize) is var size and > 0 ? size : throw new AsrException("--batch-size: give 1 or more"),
        MaxNewTokens = parsed.GetValue(_maxNewTokens),
        Seed = parsed.GetValue(_seed),
    };

    /// <summary>A number that <c>none</c> switches off.</summary>
    private static Option<Threshold> OptionalNumber(string name, string description, double? defaultValue) => new(name)
    {
        Description = description + "; 'none' switches it off",
        HelpName = "X",
        DefaultValueFactory = _ => new Threshold(defaultValue),
        CustomParser = result =>
        {
            var text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
            if (text.Equals("none", StringComparison.OrdinalIgnoreCase))
            {
                return new Threshold(null);
            }

            if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && double.IsFinite(value))
            {
                return new Threshold(value);
            }

            result.AddError($"{name}: '{text}' is neither a number nor 'none'.");
            return null;
        },
    };

    private static int[]? ParseTokens(ArgumentResult result)
    {
        var text = result.Tokens.Count == 1 ? result.Tokens[0].Value : "";
        var parts = text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var ids = new int[parts.Length];
        for (var index = 0; index < parts.Length; index++)
        {
            if (!int.TryParse(parts[index], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out ids[index]) || ids[index] < -1)
            {
                result.AddError($"--suppress-tokens: '{parts[index]}' is no token id.");
                return null;
            }
        }

        return ids;
    }

    /// <summary>A number that can be switched off; the parser takes a null result for a failure, so that null needs a wrapper.</summary>
    private sealed record Threshold(double? Value)
    {
        public override string ToString() => Value?.ToString(CultureInfo.InvariantCulture) ?? "none";
    }
}
