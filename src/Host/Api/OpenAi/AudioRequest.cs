using System.Globalization;
using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Learning.Memory;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Host.Api.OpenAi;

/// <summary>The five forms of an answer.</summary>
internal enum AudioResponseFormat
{
    Json,
    Text,
    Srt,
    VerboseJson,
    Vtt,
}

/// <summary>Cutting the audio at pauses: silence is not decoded. OpenAI's defaults.</summary>
/// <param name="PrefixPadding">Audio kept before each stretch of speech.</param>
/// <param name="SilenceDuration">Silence that ends a stretch.</param>
internal sealed record ChunkingStrategy(TimeSpan PrefixPadding, TimeSpan SilenceDuration, double Threshold = 0.5);

/// <summary>What the fields of an audio request ask for.</summary>
internal sealed record AudioRequest
{
    private const int LongestPause = 10_000;

    public string? Model { get; private init; }

    /// <summary>Not OpenAI's: an adapter's id, also of one that is not active, <c>active</c> or <c>none</c>; null: what the model says.</summary>
    public string? Adapter { get; private init; }

    public AudioResponseFormat Format { get; private init; }

    /// <summary>As server-sent events.</summary>
    public bool Stream { get; private init; }

    /// <summary>Words with their times belong into the verbose answer.</summary>
    public bool Words { get; private init; }

    /// <summary>Segments belong into the verbose answer.</summary>
    public bool Segments { get; private init; }

    public bool LogProbabilities { get; private init; }

    /// <summary>Null: all of the audio is decoded.</summary>
    public ChunkingStrategy? Chunking { get; private init; }

    /// <summary>How to decode; the adapter is not chosen yet.</summary>
    public required TranscriptionOptions Decoding { get; init; }

    /// <summary>Reads the fields.</summary>
    /// <exception cref="OpenAiException">One of them cannot be used.</exception>
    public static AudioRequest Read(AudioUpload upload, TranscriptionTask task)
    {
        var format = ReadFormat(upload.Field("response_format"));
        var stream = ReadStream(upload.Field("stream"));
        var granularities = upload.Fields("timestamp_granularities");
        var include = upload.Fields("include");
        if (granularities.FirstOrDefault(one => one is not ("word" or "segment")) is { } granularity)
        {
            throw OpenAiException.Invalid($"'{Shown(granularity)}' is no timestamp granularity: use word, segment or both.", "timestamp_granularities");
        }

        if (granularities.Count > 0 && format != AudioResponseFormat.VerboseJson)
        {
            throw OpenAiException.Invalid("timestamp_granularities[] needs response_format=verbose_json.", "timestamp_granularities");
        }

        if (include.FirstOrDefault(one => one != "logprobs") is { } included)
        {
            throw OpenAiException.Invalid($"'{Shown(included)}' cannot be included: use logprobs.", "include");
        }

        if (include.Count > 0 && format != AudioResponseFormat.Json)
        {
            throw OpenAiException.Invalid("include[]=logprobs needs response_format=json.", "include");
        }

        if (stream && format is not (AudioResponseFormat.Json or AudioResponseFormat.Text))
        {
            throw OpenAiException.Invalid("stream=true needs response_format json or text.", "stream");
        }

        var words = granularities.Contains("word");
        return new AudioRequest
        {
            Model = upload.Field("model"),
            Adapter = upload.Field("adapter"),
            Format = format,
            Stream = stream,
            Words = words,
            Segments = granularities.Count == 0 || granularities.Contains("segment"),
            LogProbabilities = include.Count > 0,
            Chunking = ReadChunking(upload),
            Decoding = new TranscriptionOptions
            {
                Task = task,
                Language = ReadLanguage(upload.Field("language")),
                InitialPrompt = upload.Field("prompt"),
                Bias = ReadHotwords(upload),
                Temperature = ReadTemperature(upload.Field("temperature")),
                WordTimestamps = words || include.Count > 0,
            },
        };
    }

    /// <summary>This host's own field: words with commas, or several fields <c>hotwords[]</c>.</summary>
    private static PhraseBias? ReadHotwords(AudioUpload upload)
    {
        try
        {
            return Hotwords.Check(Hotwords.Split(upload.Fields("hotwords"))) is { } words ? new PhraseBias(words) : null;
        }
        catch (AsrException error)
        {
            throw OpenAiException.Invalid($"{char.ToUpperInvariant(error.Message[0])}{error.Message[1..]}.", "hotwords");
        }
    }

    private static AudioResponseFormat ReadFormat(string? format) => format switch
    {
        null or "json" => AudioResponseFormat.Json,
        "text" => AudioResponseFormat.Text,
        "srt" => AudioResponseFormat.Srt,
        "verbose_json" => AudioResponseFormat.VerboseJson,
        "vtt" => AudioResponseFormat.Vtt,
        _ => throw OpenAiException.Invalid($"'{Shown(format)}' is no response format: use json, text, srt, verbose_json or vtt.", "response_format"),
    };

    private static bool ReadStream(string? stream) => stream?.ToLowerInvariant() switch
    {
        null or "false" or "0" => false,
        "true" or "1" => true,
        _ => throw OpenAiException.Invalid($"stream is '{Shown(stream)}': use true or false.", "stream"),
    };

    private static string? ReadLanguage(string? language) => language is null
        ? null
        : WhisperLanguages.FindCode(language)
            ?? throw OpenAiException.Invalid($"'{Shown(language)}' is no language: give an ISO-639-1 code such as en.", "language", "invalid_language_format");

    private static double ReadTemperature(string? temperature) => temperature is null
        ? 0
        : double.TryParse(temperature, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value is >= 0 and <= 1
            ? value
            : throw OpenAiException.Invalid($"temperature is '{Shown(temperature)}': use a number from 0 to 1.", "temperature");

    /// <summary><c>auto</c>, an object in JSON, or its members as fields of their own.</summary>
    private static ChunkingStrategy? ReadChunking(AudioUpload upload)
    {
        var members = upload.Members("chunking_strategy");
        if (upload.Field("chunking_strategy") is { } whole)
        {
            if (whole == "auto")
            {
                // Long pauses only: a sentence that is cut loses its context.
                return new ChunkingStrategy(TimeSpan.FromMilliseconds(300), TimeSpan.FromMilliseconds(1200));
            }

            try
            {
                using var json = JsonDocument.Parse(whole);
                members = json.RootElement.ValueKind == JsonValueKind.Object
                    ? json.RootElement.EnumerateObject().ToDictionary(member => member.Name, member => member.Value.ToString(), StringComparer.Ordinal)
                    : throw Unusable();
            }
            catch (JsonException)
            {
                throw Unusable();
            }
        }

        if (members.Count == 0)
        {
            return null;
        }

        if (members.GetValueOrDefault("type") != "server_vad")
        {
            throw Unusable();
        }

        return new ChunkingStrategy(
            TimeSpan.FromMilliseconds(Number("prefix_padding_ms", 300, LongestPause)),
            TimeSpan.FromMilliseconds(Number("silence_duration_ms", 200, LongestPause)),
            Number("threshold", 0.5, 1));

        double Number(string name, double otherwise, double maximum) => !members.TryGetValue(name, out var text)
            ? otherwise
            : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value >= 0 && value <= maximum
                ? value
                : throw OpenAiException.Invalid(FormattableString.Invariant($"chunking_strategy.{name} is '{Shown(text)}': use a number from 0 to {maximum}."), $"chunking_strategy.{name}");

        static OpenAiException Unusable() =>
            OpenAiException.Invalid("chunking_strategy is \"auto\" or an object of type server_vad.", "chunking_strategy");
    }

    /// <summary>What a client sent, short enough for a message.</summary>
    private static string Shown(string text) => text.Length > 64 ? text[..64] + "…" : text;
}
