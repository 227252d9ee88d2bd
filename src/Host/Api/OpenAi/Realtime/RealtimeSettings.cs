using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Live;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Host.Api.OpenAi.Realtime;

/// <summary>How the audio of a Realtime client is coded.</summary>
/// <param name="Type">OpenAI's name: <c>audio/pcm</c>, <c>audio/pcmu</c> or <c>audio/pcma</c>.</param>
/// <param name="SampleRateHz">Samples per second, mono.</param>
internal sealed record RealtimeAudioFormat(string Type, int SampleRateHz)
{
    public static RealtimeAudioFormat Pcm { get; } = new("audio/pcm", 24_000);

    public static RealtimeAudioFormat MuLaw { get; } = new("audio/pcmu", 8_000);

    public static RealtimeAudioFormat ALaw { get; } = new("audio/pcma", 8_000);
}

/// <summary>Turn detection by the server; OpenAI's defaults.</summary>
/// <param name="Threshold">How sure the voice detector is to be, 0…1; see <see cref="VoiceActivityDetectorFactory"/>.</param>
/// <param name="PrefixPaddingMs">Audio before the first speech that belongs to a turn.</param>
/// <param name="SilenceDurationMs">Silence that ends a turn.</param>
internal sealed record ServerVad(double Threshold = 0.5, int PrefixPaddingMs = 300, int SilenceDurationMs = 500);

/// <summary>What a Realtime client has set. Immutable.</summary>
internal sealed record RealtimeSettings
{
    private const int LongestPrompt = 4000;
    private const int LongestPauseMs = 10_000;

    public RealtimeAudioFormat Format { get; init; } = RealtimeAudioFormat.Pcm;

    public string? Model { get; init; }

    /// <summary>A code of Whisper's; null detects it.</summary>
    public string? Language { get; init; }

    public string? Prompt { get; init; }

    /// <summary>This host's own: words and names that may be said; null for none.</summary>
    public IReadOnlyList<string>? Hotwords { get; init; }

    /// <summary>Null: the client commits.</summary>
    public ServerVad? TurnDetection { get; init; } = new();

    public bool LogProbabilities { get; init; }

    /// <summary>Applies the <c>session</c> of a <c>session.update</c>: what it does not name stays.</summary>
    /// <exception cref="OpenAiException">Something in it cannot be used.</exception>
    public RealtimeSettings Update(JsonElement session)
    {
        RequireObject(session, "session");
        if (session.TryGetProperty("type", out var type) && !(type.ValueKind == JsonValueKind.String && type.ValueEquals("transcription")))
        {
            throw OpenAiException.Invalid("This host transcribes: session.type must be 'transcription'.", "session.type", "invalid_value");
        }

        var settings = this with { LogProbabilities = ReadInclude(session, LogProbabilities) };
        if (!session.TryGetProperty("audio", out var audio))
        {
            return settings;
        }

        RequireObject(audio, "session.audio");
        if (!audio.TryGetProperty("input", out var input))
        {
            return settings;
        }

        const string Path = "session.audio.input";
        RequireObject(input, Path);
        if (input.TryGetProperty("format", out var format))
        {
            settings = settings with { Format = ReadFormat(format, $"{Path}.format") };
        }

        return settings.UpdateCommon(input, "transcription", "noise_reduction", Path);
    }

    /// <summary>Applies the <c>session</c> of the beta's <c>transcription_session.update</c>.</summary>
    /// <exception cref="OpenAiException">Something in it cannot be used.</exception>
    public RealtimeSettings UpdateBeta(JsonElement session)
    {
        RequireObject(session, "session");
        var settings = this with { LogProbabilities = ReadInclude(session, LogProbabilities) };
        if (session.TryGetProperty("input_audio_format", out var format))
        {
            settings = settings with
            {
                Format = (format.ValueKind == JsonValueKind.String ? format.GetString() : null) switch
                {
                    "pcm16" => RealtimeAudioFormat.Pcm,
                    "g711_ulaw" => RealtimeAudioFormat.MuLaw,
                    "g711_alaw" => RealtimeAudioFormat.ALaw,
                    _ => throw OpenAiException.Invalid("session.input_audio_format must be pcm16, g711_ulaw or g711_alaw.", "session.input_audio_format", "invalid_value"),
                },
            };
        }

        return settings.UpdateCommon(session, "input_audio_transcription", "input_audio_noise_reduction", "session");
    }

    /// <summary>The session as <c>session.created</c> and <c>session.updated</c> show it.</summary>
    public object Describe(string id, string? model) => new
    {
        Id = id,
        Object = "realtime.transcription_session",
        Type = "transcription",
        Audio = new
        {
            Input = new Dictionary<string, object?>
            {
                ["format"] = Format.Type == RealtimeAudioFormat.Pcm.Type ? new { Format.Type, Rate = Format.SampleRateHz } : new { Format.Type },
                ["transcription"] = Transcription(model),
                ["noise_reduction"] = null,
                ["turn_detection"] = Detection(),
            },
        },
        Include = Include(),
    };

    /// <summary>The session as the beta's <c>transcription_session.created</c> and <c>.updated</c> show it.</summary>
    public object DescribeBeta(string id, string? model) => new Dictionary<string, object?>
    {
        ["id"] = id,
        ["object"] = "realtime.transcription_session",
        ["input_audio_format"] = Format.Type switch { "audio/pcmu" => "g711_ulaw", "audio/pcma" => "g711_alaw", _ => "pcm16" },
        ["input_audio_transcription"] = Transcription(model),
        ["input_audio_noise_reduction"] = null,
        ["turn_detection"] = Detection(),
        ["include"] = Include(),
    };

    private object Transcription(string? model) => Hotwords is null
        ? new { Model = Model ?? model, Language, Prompt }
        : new { Model = Model ?? model, Language, Prompt, Hotwords };

    private object? Detection() => TurnDetection is null
        ? null
        : new { Type = "server_vad", TurnDetection.Threshold, TurnDetection.PrefixPaddingMs, TurnDetection.SilenceDurationMs };

    private string[]? Include() => LogProbabilities ? [LogProbabilitiesName] : null;

    private const string LogProbabilitiesName = "item.input_audio_transcription.logprobs";

    private RealtimeSettings UpdateCommon(JsonElement parent, string transcriptionName, string noiseName, string path)
    {
        var settings = this;
        if (parent.TryGetProperty(transcriptionName, out var transcription) && transcription.ValueKind != JsonValueKind.Null)
        {
            path = $"{path}.{transcriptionName}";
            RequireObject(transcription, path);
            settings = settings with
            {
                Model = transcription.TryGetProperty("model", out var model) ? ReadText(model, $"{path}.model") : settings.Model,
                Language = transcription.TryGetProperty("language", out var language) ? ReadLanguage(language, $"{path}.language") : settings.Language,
                Prompt = transcription.TryGetProperty("prompt", out var prompt) ? ReadText(prompt, $"{path}.prompt") : settings.Prompt,
                Hotwords = transcription.TryGetProperty("hotwords", out var hotwords) ? ReadHotwords(hotwords, $"{path}.hotwords") : settings.Hotwords,
            };
            path = path[..^(transcriptionName.Length + 1)];
        }

        // Noise reduction is asked for by many clients and changes nothing that they could see: the answer says that there is none.
        if (parent.TryGetProperty(noiseName, out var noise) && noise.ValueKind != JsonValueKind.Null)
        {
            RequireObject(noise, $"{path}.{noiseName}");
        }

        return parent.TryGetProperty("turn_detection", out var detection)
            ? settings with { TurnDetection = ReadDetection(detection, settings.TurnDetection ?? new ServerVad(), $"{path}.turn_detection") }
            : settings;
    }

    private static RealtimeAudioFormat ReadFormat(JsonElement format, string path)
    {
        RequireObject(format, path);
        var type = format.TryGetProperty("type", out var name) ? ReadText(name, $"{path}.type") : RealtimeAudioFormat.Pcm.Type;
        switch (type)
        {
            case "audio/pcmu":
                return RealtimeAudioFormat.MuLaw;
            case "audio/pcma":
                return RealtimeAudioFormat.ALaw;
            case "audio/pcm":
                var rate = format.TryGetProperty("rate", out var given)
                    ? ReadNumber(given, LiveSessionStore.LowestSampleRateHz, LiveSessionStore.HighestSampleRateHz, $"{path}.rate")
                    : RealtimeAudioFormat.Pcm.SampleRateHz;
                return rate % 1 == 0
                    ? new RealtimeAudioFormat(type, (int)rate)
                    : throw OpenAiException.Invalid($"{path}.rate must be a whole number.", $"{path}.rate", "invalid_value");
            default:
                throw OpenAiException.Invalid($"{path}.type must be audio/pcm, audio/pcmu or audio/pcma.", $"{path}.type", "invalid_value");
        }
    }

    private static ServerVad? ReadDetection(JsonElement detection, ServerVad before, string path)
    {
        if (detection.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        RequireObject(detection, path);
        if (detection.TryGetProperty("type", out var type) && !(type.ValueKind == JsonValueKind.String && type.ValueEquals("server_vad")))
        {
            throw OpenAiException.Invalid($"{path}.type must be server_vad; null switches turn detection off.", $"{path}.type", "invalid_value");
        }

        return new ServerVad(
            detection.TryGetProperty("threshold", out var threshold) ? ReadNumber(threshold, 0, 1, $"{path}.threshold") : before.Threshold,
            detection.TryGetProperty("prefix_padding_ms", out var padding) ? (int)ReadNumber(padding, 0, LongestPauseMs, $"{path}.prefix_padding_ms") : before.PrefixPaddingMs,
            detection.TryGetProperty("silence_duration_ms", out var silence) ? (int)ReadNumber(silence, 0, LongestPauseMs, $"{path}.silence_duration_ms") : before.SilenceDurationMs);
    }

    private static bool ReadInclude(JsonElement session, bool before)
    {
        if (!session.TryGetProperty("include", out var include))
        {
            return before;
        }

        if (include.ValueKind == JsonValueKind.Null)
        {
            return false;
        }

        if (include.ValueKind != JsonValueKind.Array
            || include.EnumerateArray().Any(one => one.ValueKind != JsonValueKind.String || !one.ValueEquals(LogProbabilitiesName)))
        {
            throw OpenAiException.Invalid($"session.include may hold {LogProbabilitiesName}.", "session.include", "invalid_value");
        }

        return include.GetArrayLength() > 0;
    }

    private static string? ReadLanguage(JsonElement element, string path)
    {
        var language = ReadText(element, path);
        return string.IsNullOrEmpty(language)
            ? null
            : WhisperLanguages.FindCode(language) ?? throw OpenAiException.Invalid($"{path} must be an ISO-639-1 code such as en.", path, "invalid_value");
    }

    private static IReadOnlyList<string>? ReadHotwords(JsonElement element, string path)
    {
        if (element.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        if (element.ValueKind != JsonValueKind.Array || element.EnumerateArray().Any(word => word.ValueKind != JsonValueKind.String))
        {
            throw OpenAiException.Invalid($"{path} must be an array of strings.", path, "invalid_type");
        }

        try
        {
            return Learning.Memory.Hotwords.Check([.. element.EnumerateArray().Select(word => word.GetString())]);
        }
        catch (AsrException error)
        {
            throw OpenAiException.Invalid($"{path}: {error.Message}.", path, "invalid_value");
        }
    }

    private static string? ReadText(JsonElement element, string path) => element.ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.String when element.GetString() is { Length: <= LongestPrompt } text => text,
        _ => throw OpenAiException.Invalid($"{path} must be a string of at most {LongestPrompt} characters.", path, "invalid_value"),
    };

    private static double ReadNumber(JsonElement element, double minimum, double maximum, string path) =>
        element.ValueKind == JsonValueKind.Number && element.TryGetDouble(out var value) && value >= minimum && value <= maximum
            ? value
            : throw OpenAiException.Invalid(FormattableString.Invariant($"{path} must be a number from {minimum} to {maximum}."), path, "invalid_value");

    private static void RequireObject(JsonElement element, string path)
    {
        if (element.ValueKind != JsonValueKind.Object)
        {
            throw OpenAiException.Invalid($"{path} must be an object.", path, "invalid_type");
        }
    }
}
