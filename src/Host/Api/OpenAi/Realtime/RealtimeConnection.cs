using System.Net.WebSockets;
using System.Runtime.InteropServices;
using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Audio;
using AsrPlatform.Host.Serving;

namespace AsrPlatform.Host.Api.OpenAi.Realtime;

/// <summary>One client of the Realtime API: reads its events and answers them. What is wrong with one is told and changes nothing.</summary>
internal sealed class RealtimeConnection : IAsyncDisposable
{
    private const int LongestEventId = 512;

    private static readonly JsonDocumentOptions JsonOptions = new() { MaxDepth = 16 };

    private readonly WebSocket _socket;
    private readonly ModelHost _model;
    private readonly RealtimeContext _context;
    private readonly ILogger _logger;
    private readonly CancellationToken _gone;
    private readonly RealtimeSender _events;
    private readonly RealtimeAudio _audio;
    private readonly string _id = RealtimeSender.NewId("sess");
    private readonly bool _isBeta;
    private RealtimeSettings _settings;

    /// <param name="socket">The connection; stays the caller's.</param>
    /// <param name="modelName">The model that the client asked for.</param>
    /// <param name="isBeta">Whether it speaks the beta's events.</param>
    /// <param name="model">The host's model.</param>
    /// <param name="context">What it works with.</param>
    /// <param name="logger">Told of defects.</param>
    /// <param name="gone">The client is gone, or the host is shutting down.</param>
    public RealtimeConnection(WebSocket socket, string? modelName, bool isBeta, ModelHost model, RealtimeContext context, ILogger logger, CancellationToken gone)
    {
        _socket = socket;
        _model = model;
        _context = context;
        _logger = logger;
        _gone = gone;
        _isBeta = isBeta;
        _events = new RealtimeSender(socket, gone);
        _audio = new RealtimeAudio(context, _events, isBeta);
        _settings = new RealtimeSettings { Model = modelName };
    }

    /// <summary>Serves the client until it closes or is gone.</summary>
    public async Task RunAsync()
    {
        try
        {
            await UpdateAsync(_settings);
            await TellSessionAsync("created", _isBeta);
            var message = new MemoryStream();
            while (await ReceiveAsync(message) is { } type)
            {
                await HandleAsync(type, message);
            }
        }
        catch (Exception error) when (error is OperationCanceledException or WebSocketException or IOException)
        {
            // Gone without a word.
        }
    }

    /// <summary>What the client said is committed.</summary>
    public ValueTask DisposeAsync() => _audio.DisposeAsync();

    /// <summary>Reads one message; what is too large is read to its end and left out.</summary>
    /// <returns>Its type, with <see cref="WebSocketMessageType.Close"/> for one that is too large; null at the end.</returns>
    private async Task<WebSocketMessageType?> ReceiveAsync(MemoryStream message)
    {
        var buffer = new byte[16 * 1024];
        message.SetLength(0);
        var isTooLarge = false;
        while (true)
        {
            var part = await _socket.ReceiveAsync(buffer.AsMemory(), _gone);
            if (part.MessageType == WebSocketMessageType.Close)
            {
                return null;
            }

            isTooLarge |= message.Length + part.Count > _context.Options.MaximumMessageBytes;
            if (!isTooLarge)
            {
                message.Write(buffer, 0, part.Count);
            }

            if (part.EndOfMessage)
            {
                return isTooLarge ? WebSocketMessageType.Close : part.MessageType;
            }
        }
    }

    private async Task HandleAsync(WebSocketMessageType type, MemoryStream message)
    {
        string? eventId = null;
        try
        {
            switch (type)
            {
                case WebSocketMessageType.Close:
                    throw OpenAiException.Invalid($"The event is larger than {_context.Options.MaximumMessageBytes} bytes: send audio in smaller pieces.", code: "event_too_large");
                case WebSocketMessageType.Binary:
                    throw OpenAiException.Invalid("Events are JSON in text messages: send audio as base64 in input_audio_buffer.append.", code: "invalid_event");
            }

            using var document = Parse(message);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
            {
                throw OpenAiException.Invalid("An event is a JSON object.", code: "invalid_event");
            }

            if (root.TryGetProperty("event_id", out var id) && id.ValueKind == JsonValueKind.String && id.GetString() is { Length: <= LongestEventId } known)
            {
                eventId = known;
            }

            await DispatchAsync(root);
        }
        catch (OpenAiException error)
        {
            await _events.SendErrorAsync(error.Error, eventId);
        }
        catch (AsrException error)
        {
            await _events.SendErrorAsync(new OpenAiError(error.Message, OpenAiErrorTypes.Server, Code: "session_failed"), eventId);
        }
        catch (Exception error) when (error is not (OperationCanceledException or WebSocketException))
        {
            _logger.LogError(error, "A Realtime event could not be handled");
            await _events.SendErrorAsync(new OpenAiError("The event could not be handled; the host's log says why.", OpenAiErrorTypes.Server), eventId);
        }
    }

    private static JsonDocument Parse(MemoryStream message)
    {
        try
        {
            return JsonDocument.Parse(message.GetBuffer().AsMemory(0, (int)message.Length), JsonOptions);
        }
        catch (JsonException error)
        {
            throw OpenAiException.Invalid($"The event is no JSON: {error.Message}", code: "invalid_json");
        }
    }

    private async Task DispatchAsync(JsonElement root)
    {
        if (!root.TryGetProperty("type", out var type) || type.ValueKind != JsonValueKind.String)
        {
            throw OpenAiException.Invalid("The event has no type.", "type", "missing_required_parameter");
        }

        switch (type.GetString())
        {
            case "session.update":
                await UpdateAsync(_settings.Update(Required(root, "session")));
                await TellSessionAsync("updated", isBeta: false);
                break;
            case "transcription_session.update":
                await UpdateAsync(_settings.UpdateBeta(Required(root, "session")));
                await TellSessionAsync("updated", isBeta: true);
                break;
            case "input_audio_buffer.append":
                await _audio.AppendAsync(Samples(Required(root, "audio")), _gone);
                break;
            case "input_audio_buffer.commit":
                await _audio.CommitAsync(_gone);
                break;
            case "input_audio_buffer.clear":
                await _audio.ClearAsync();
                break;
            case var other:
                throw OpenAiException.Invalid(
                    $"A transcription session does not take '{(other!.Length > 64 ? other[..64] + "…" : other)}': it takes session.update, transcription_session.update, input_audio_buffer.append, .commit and .clear.",
                    "type",
                    "invalid_value");
        }
    }

    private static JsonElement Required(JsonElement root, string name) => root.TryGetProperty(name, out var value)
        ? value
        : throw OpenAiException.Invalid($"The event has no {name}.", name, "missing_required_parameter");

    private async Task UpdateAsync(RealtimeSettings settings)
    {
        var (info, adapter) = await OpenAiModels.ResolveAsync(_model, settings.Model, _gone);
        if (settings.Language is { } language && info.Languages.Count > 0 && !info.Languages.Contains(language, StringComparer.Ordinal))
        {
            throw OpenAiException.Invalid($"The model {info.Name} does not know the language '{language}'.", "session.audio.input.transcription.language", "invalid_value");
        }

        _audio.Configure(settings, adapter);
        _settings = settings;
    }

    private Task TellSessionAsync(string what, bool isBeta) => isBeta
        ? _events.SendAsync($"transcription_session.{what}", ("session", _settings.DescribeBeta(_id, _context.Recognizer.Name)))
        : _events.SendAsync($"session.{what}", ("session", _settings.Describe(_id, _context.Recognizer.Name)));

    private short[] Samples(JsonElement audio)
    {
        if (audio.ValueKind != JsonValueKind.String || !audio.TryGetBytesFromBase64(out var bytes))
        {
            throw OpenAiException.Invalid("audio is not valid base64.", "audio", "invalid_value");
        }

        if (_settings.Format.Type == RealtimeAudioFormat.Pcm.Type)
        {
            if (bytes.Length % sizeof(short) != 0)
            {
                throw OpenAiException.Invalid($"audio holds {bytes.Length} bytes: samples of audio/pcm are 2 bytes each, send whole ones.", "audio", "invalid_value");
            }

            var samples = MemoryMarshal.Cast<byte, short>(bytes).ToArray();
            if (!BitConverter.IsLittleEndian)
            {
                System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(samples, samples);
            }

            return samples;
        }

        Converter<byte, int> decode = _settings.Format.Type == RealtimeAudioFormat.MuLaw.Type ? PcmReader.FromMuLaw : PcmReader.FromALaw;
        return Array.ConvertAll(bytes, code => (short)decode(code));
    }
}
