using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Tests.Audio;
using AsrPlatform.Host.Tests.Live;

namespace AsrPlatform.Host.Tests.Api.OpenAi;

/// <summary>The audio endpoints over HTTP, as curl sees them.</summary>
public sealed class AudioEndpointsTests : IAsyncLifetime
{
    private readonly ScriptedRecognizer _recognizer = new();
    private OpenAiHost _host = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _host = await OpenAiHost.StartAsync(
        () => _recognizer,
        dataDirectory: null,
        new("OpenAi:MaximumUploadBytes", "200000"),
        new("OpenAi:MaximumDuration", "00:00:05"),
        new("OpenAi:MaximumRequests", "1"));

    public async ValueTask DisposeAsync()
    {
        _recognizer.Gate.Set();
        await _host.DisposeAsync();
    }

    [Theory]
    [InlineData("json", "application/json", """{"text":"Hello there, world.","usage":{"type":"duration","seconds":3}}""")]
    [InlineData("text", "text/plain", "Hello there, world.\n")]
    [InlineData("srt", "text/plain", "1\n00:00:00,000 --> 00:00:01,500\nHello there,\n\n2\n00:00:01,500 --> 00:00:02,250\nworld.\n\n")]
    [InlineData("vtt", "text/plain", "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nHello there,\n\n00:00:01.500 --> 00:00:02.250\nworld.\n\n")]
    [InlineData(
        "verbose_json",
        "application/json",
        """{"task":"transcribe","language":"english","duration":2.25,"text":"Hello there, world.","segments":[{"id":0,"seek":0,"start":0,"end":1.5,"text":" Hello there,","tokens":[50364,7,8],"temperature":0.2,"avg_logprob":-0.25,"compression_ratio":1.5,"no_speech_prob":0.125},{"id":1,"seek":0,"start":1.5,"end":2.25,"text":" world.","tokens":[50365,7,8],"temperature":0.2,"avg_logprob":-0.25,"compression_ratio":1.5,"no_speech_prob":0.125}],"usage":{"type":"duration","seconds":3}}""")]
    public async Task Transcribe_InEachFormat_IsWhatOpenAiAnswers(string format, string mediaType, string expected)
    {
        using var response = await PostAsync("transcriptions", ("model", "whisper-1"), ("response_format", format));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(mediaType, response.Content.Headers.ContentType!.MediaType);
        Assert.Equal(expected, await response.Content.ReadAsStringAsync(Cancelled));
    }

    [Theory]
    [InlineData("word", true, false)]
    [InlineData("segment", false, true)]
    [InlineData("word,segment", true, true)]
    public async Task Transcribe_WithTimestampGranularities_GivesJustThose(string granularities, bool words, bool segments)
    {
        using var response = await PostAsync("transcriptions", [("response_format", "verbose_json"), .. granularities.Split(',').Select(one => ("timestamp_granularities[]", one))]);
        var json = await JsonAsync(response);
        Assert.Equal(words, json["words"] is not null);
        Assert.Equal(segments, json["segments"] is not null);
        Assert.Equal(words, _recognizer.Calls.Single().Options.WordTimestamps);
        if (words)
        {
            Assert.Equal("""{"word":"there,","start":0.5,"end":1.5}""", json["words"]![1]!.ToJsonString());
        }
    }

    [Fact]
    public async Task Transcribe_WithLogProbabilities_GivesEachWordAndItsBytes()
    {
        using var response = await PostAsync("transcriptions", ("include[]", "logprobs"));
        var first = (await JsonAsync(response))["logprobs"]![0]!;
        Assert.Equal(" Hello", (string)first["token"]!);
        Assert.Equal(" Hello", Encoding.UTF8.GetString([.. first["bytes"]!.AsArray().Select(one => (byte)(int)one!)]));
        Assert.Equal(Math.Log(0.5), (double)first["logprob"]!, 5);
    }

    [Fact]
    public async Task Transcribe_WithEveryOption_HandsItToTheRecogniser()
    {
        using var response = await PostAsync("transcriptions", ("model", "dialect"), ("language", "German"), ("prompt", "Names: Ada"), ("temperature", "0.4"), ("hotwords", "Ada, Grace Hopper"));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var (options, samples) = _recognizer.Calls.Single();
        Assert.Equal(("de", "Names: Ada", 0.4, "dialect", TranscriptionTask.Transcribe), (options.Language, options.InitialPrompt, options.Temperature, options.Adapter, options.Task));
        Assert.Equal(["Ada", "Grace Hopper"], options.Bias!.Phrases);
        Assert.Equal(Speech().Length, samples);
    }

    [Fact]
    public async Task Translate_AsksForATranslation_WhichIsEnglish()
    {
        using var response = await PostAsync("translations", ("model", "whisper-1"), ("language", "de"), ("response_format", "verbose_json"));
        var json = await JsonAsync(response);
        Assert.Equal(("translate", "english"), ((string)json["task"]!, (string)json["language"]!));
        Assert.Equal(TranscriptionTask.Translate, _recognizer.Calls.Single().Options.Task);
    }

    [Theory]
    [InlineData("auto")]
    [InlineData("""{"type":"server_vad","silence_duration_ms":1000,"prefix_padding_ms":100}""")]
    public async Task Transcribe_WithAChunkingStrategy_DecodesSpeechAlone(string strategy)
    {
        var audio = new SpokenAudio().Silence(1).Say(1, 2).Silence(1.5).Say(3);
        using var response = await PostAsync("transcriptions", audio, ("chunking_strategy", strategy));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var clips = _recognizer.Calls.Single().Options.ClipTimestamps;
        Assert.Equal(4, clips.Count);
        Assert.InRange(clips[0], 0.6, 1);
        Assert.InRange(clips[1], 1.6, 3.1);
        Assert.InRange(clips[2], clips[1], 3.1);
        Assert.InRange(clips[3], 3.3, 3.5);
    }

    [Fact]
    public async Task Transcribe_SilenceInChunks_AsksTheRecogniserForNothing()
    {
        using var response = await PostAsync("transcriptions", new SpokenAudio().Silence(2), ("chunking_strategy[type]", "server_vad"));
        Assert.Equal("", (string)(await JsonAsync(response))["text"]!);
        Assert.Empty(_recognizer.Calls);
    }

    [Theory]
    [InlineData("response_format", "doc", "response_format", null)]
    [InlineData("temperature", "2", "temperature", null)]
    [InlineData("temperature", "warm", "temperature", null)]
    [InlineData("language", "klingon", "language", "invalid_language_format")]
    [InlineData("language", "fr", "language", "unsupported_language")]
    [InlineData("timestamp_granularities[]", "word", "timestamp_granularities", null)]
    [InlineData("timestamp_granularities[]", "letter", "timestamp_granularities", null)]
    [InlineData("include[]", "feelings", "include", null)]
    [InlineData("stream", "maybe", "stream", null)]
    [InlineData("chunking_strategy", "often", "chunking_strategy", null)]
    [InlineData("chunking_strategy", "[1]", "chunking_strategy", null)]
    [InlineData("chunking_strategy", """{"type":"server_vad","silence_duration_ms":-1}""", "chunking_strategy.silence_duration_ms", null)]
    public async Task Transcribe_WithAnUnusableField_SaysWhich(string field, string value, string param, string? code)
    {
        using var response = await PostAsync("transcriptions", (field, value));
        await AssertErrorAsync(response, HttpStatusCode.BadRequest, "invalid_request_error", param, code);
        Assert.Empty(_recognizer.Calls);
    }

    [Fact]
    public async Task Transcribe_ByAModelThatIsNotThere_IsNotFound()
    {
        using var response = await PostAsync("transcriptions", ("model", "nonsense"));
        await AssertErrorAsync(response, HttpStatusCode.NotFound, "invalid_request_error", "model", "model_not_found");
    }

    [Fact]
    public async Task Transcribe_WithoutAFile_SaysSo()
    {
        using var form = new MultipartFormDataContent { { new StringContent("whisper-1"), "model" } };
        using var response = await _host.Http.PostAsync("v1/audio/transcriptions", form, Cancelled);
        await AssertErrorAsync(response, HttpStatusCode.BadRequest, "invalid_request_error", "file", "missing_required_parameter");
        using var json = await _host.Http.PostAsync("v1/audio/transcriptions", new StringContent("{}", Encoding.UTF8, "application/json"), Cancelled);
        await AssertErrorAsync(json, HttpStatusCode.BadRequest, "invalid_request_error", "file", null);
    }

    [Theory]
    [InlineData("this is no audio at all")]
    [InlineData("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile:///SECRET\n#EXT-X-ENDLIST\n")]
    [InlineData("ffconcat version 1.0\nfile SECRET\n")]
    public async Task Transcribe_WhatIsNoAudio_SaysSoAndOpensNoOtherFile(string content)
    {
        // A playlist that names a real file: its audio must not be heard.
        var secret = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.wav");
        await File.WriteAllBytesAsync(secret, Wav(new SpokenAudio().Say(1)), Cancelled);
        try
        {
            using var form = Form(Encoding.UTF8.GetBytes(content.Replace("/SECRET", secret, StringComparison.Ordinal).Replace("SECRET", Path.GetFileName(secret), StringComparison.Ordinal)), "evil.mp3");
            using var response = await _host.Http.PostAsync("v1/audio/transcriptions", form, Cancelled);
            var message = await AssertErrorAsync(response, HttpStatusCode.BadRequest, "invalid_request_error", "file", "invalid_audio");
            Assert.DoesNotContain(Path.GetTempPath(), message, StringComparison.Ordinal);
            Assert.Empty(_recognizer.Calls);
        }
        finally
        {
            File.Delete(secret);
        }
    }

    [Fact]
    public async Task Transcribe_TooMuch_IsRefused()
    {
        using var large = await PostAsync("transcriptions", new SpokenAudio().Silence(8));
        await AssertErrorAsync(large, HttpStatusCode.RequestEntityTooLarge, "invalid_request_error", "file", "file_too_large");

        // Few bytes can be long: 8-bit samples at 16 kHz here.
        using var form = Form(new WavBytes { Bits = 8, Data = new byte[100_000] }.Build(), "long.wav");
        using var response = await _host.Http.PostAsync("v1/audio/transcriptions", form, Cancelled);
        Assert.Contains("00:00:05", await AssertErrorAsync(response, HttpStatusCode.BadRequest, "invalid_request_error", null, null), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Transcribe_AStream_SendsTextBeforeTheEndIsKnown()
    {
        _recognizer.Gate.Reset();
        using var request = new HttpRequestMessage(HttpMethod.Post, "v1/audio/transcriptions") { Content = Form(Wav(Speech()), "a.wav", ("stream", "true"), ("include[]", "logprobs")) };
        using var response = await _host.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancelled);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancelled));
        var first = await EventAsync(reader);
        Assert.Equal(("transcript.text.delta", "Hello there,", 2), ((string)first["type"]!, (string)first["delta"]!, first["logprobs"]!.AsArray().Count));

        // The recogniser is in the middle of the second segment until now.
        _recognizer.Gate.Set();
        Assert.Equal(" world.", (string)(await EventAsync(reader))["delta"]!);
        var done = await EventAsync(reader);
        Assert.Equal(("transcript.text.done", "Hello there, world."), ((string)done["type"]!, (string)done["text"]!));
        Assert.Equal(("tokens", 6), ((string)done["usage"]!["type"]!, (int)done["usage"]!["output_tokens"]!));
        Assert.Equal("", await reader.ReadToEndAsync(Cancelled));
    }

    [Fact]
    public async Task Transcribe_AStreamThatFailsInTheMiddle_EndsWithAnErrorEvent()
    {
        _recognizer.Failure = new AsrException("the audio is broken at 1.5 s");
        using var response = await PostAsync("transcriptions", ("stream", "true"));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var events = (await response.Content.ReadAsStringAsync(Cancelled)).Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, events.Length);
        Assert.Equal("the audio is broken at 1.5 s", (string)JsonNode.Parse(events[1]["data: ".Length..])!["error"]!["message"]!);
    }

    [Fact]
    public async Task Transcribe_WhenTheRecogniserBreaks_IsAServerErrorWithoutDetails()
    {
        _recognizer.Failure = new InvalidOperationException("secret detail");
        using var response = await PostAsync("transcriptions");
        Assert.DoesNotContain("secret", await AssertErrorAsync(response, HttpStatusCode.InternalServerError, "server_error", null, null), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Transcribe_WhileAsManyAsAllowedAreRunning_IsRefusedUntilOneIsDone()
    {
        _recognizer.Gate.Reset();
        var first = PostAsync("transcriptions");
        await _recognizer.FirstTold.Task.WaitAsync(Cancelled);
        using var second = await PostAsync("transcriptions");
        await AssertErrorAsync(second, HttpStatusCode.TooManyRequests, "rate_limit_error", null, "rate_limit_exceeded");
        Assert.NotNull(second.Headers.RetryAfter);
        _recognizer.Gate.Set();
        using var done = await first;
        Assert.Equal(HttpStatusCode.OK, done.StatusCode);
        using var third = await PostAsync("transcriptions");
        Assert.Equal(HttpStatusCode.OK, third.StatusCode);
    }

    [Fact]
    public async Task Transcribe_WhenTheClientGoesAway_Stops()
    {
        _recognizer.Gate.Reset();
        using var client = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        using var form = Form(Wav(Speech()), "a.wav");
        var request = _host.Http.PostAsync("v1/audio/transcriptions", form, client.Token);
        await _recognizer.FirstTold.Task.WaitAsync(Cancelled);
        await client.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => request);
        await _recognizer.WasCancelled.Task.WaitAsync(Cancelled);
    }

    [Theory]
    [InlineData("none")]
    [InlineData("dialect")]
    public async Task Transcribe_WithAnAdapter_IsDecodedWithItWhateverTheModel(string adapter)
    {
        using var response = await PostAsync("transcriptions", ("model", "whisper-1"), ("adapter", adapter));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(adapter, Assert.Single(_recognizer.Calls).Options.Adapter);
    }

    [Fact]
    public async Task Transcribe_WithAnUnknownAdapter_NamesTheField()
    {
        using var response = await PostAsync("transcriptions", ("adapter", "nobody"));
        var error = JsonNode.Parse(await response.Content.ReadAsStringAsync(Cancelled))!["error"]!;
        Assert.Equal((HttpStatusCode.BadRequest, "adapter"), (response.StatusCode, (string?)error["param"]));
        Assert.Contains("nobody", (string)error["message"]!, StringComparison.Ordinal);
        Assert.Empty(_recognizer.Calls);
    }

    [Fact]
    public async Task Models_AreTheActiveOneAndItsAdapters()
    {
        using var ready = await PostAsync("transcriptions");
        var list = (await _host.Http.GetFromJsonAsync<JsonNode>("v1/models", Cancelled))!;
        Assert.Equal("list", (string)list["object"]!);
        Assert.Equal(["scripted", "dialect"], list["data"]!.AsArray().Select(one => (string)one!["id"]!));
        var one = (await _host.Http.GetFromJsonAsync<JsonNode>("v1/models/scripted", Cancelled))!;
        Assert.Equal(["id", "object", "created", "owned_by"], one.AsObject().Select(member => member.Key));
        Assert.Equal("model", (string)one["object"]!);
        using var unknown = await _host.Http.GetAsync("v1/models/whisper-1", Cancelled);
        await AssertErrorAsync(unknown, HttpStatusCode.NotFound, "invalid_request_error", "model", "model_not_found");
    }

    [Fact]
    public async Task Anything_ThatIsNotThere_IsAnErrorInOpenAisShape()
    {
        using var response = await _host.Http.PostAsync("v1/chat/completions", new StringContent("{}"), Cancelled);
        await AssertErrorAsync(response, HttpStatusCode.NotFound, "invalid_request_error", null, "unknown_url");
        using var realtime = await _host.Http.GetAsync("v1/realtime?intent=transcription", Cancelled);
        await AssertErrorAsync(realtime, HttpStatusCode.BadRequest, "invalid_request_error", null, "websocket_required");
    }

    [Fact]
    public async Task Transcribe_WithoutAModel_IsUnavailable()
    {
        await using var host = await OpenAiHost.StartAsync(() => throw new AsrException("no model: give --model DIR"));
        using var form = Form(Wav(Speech()), "a.wav");
        using var response = await host.Http.PostAsync("v1/audio/transcriptions", form, Cancelled);
        Assert.Equal("no model: give --model DIR", await AssertErrorAsync(response, HttpStatusCode.ServiceUnavailable, "server_error", null, "model_not_ready"));
    }

    [Fact]
    public async Task Transcribe_FromAPageOfAnotherOrigin_IsRefused()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "v1/audio/transcriptions") { Content = Form(Wav(Speech()), "a.wav") };
        request.Headers.Add("Origin", "http://elsewhere.example");
        using var response = await _host.Http.SendAsync(request, Cancelled);
        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        Assert.Empty(_recognizer.Calls);
    }

    internal static byte[] Wav(SpokenAudio audio) => new WavBytes { Data = WavBytes.OfInt16(audio.Samples) }.Build();

    private static SpokenAudio Speech() => new SpokenAudio().Say(1, 2);

    private static async Task<JsonNode> JsonAsync(HttpResponseMessage response)
    {
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return (await response.Content.ReadFromJsonAsync<JsonNode>(Cancelled))!;
    }

    private static async Task<string> AssertErrorAsync(HttpResponseMessage response, HttpStatusCode status, string type, string? param, string? code)
    {
        var text = await response.Content.ReadAsStringAsync(Cancelled);
        Assert.True(status == response.StatusCode, $"{response.StatusCode}: {text}");
        Assert.Equal("application/json", response.Content.Headers.ContentType!.MediaType);
        var error = JsonNode.Parse(text)!["error"]!.AsObject();
        Assert.Equal(["message", "type", "param", "code"], error.Select(member => member.Key));
        Assert.Equal((type, param, code), ((string)error["type"]!, (string?)error["param"], (string?)error["code"]));
        return (string)error["message"]!;
    }

    private static async Task<JsonNode> EventAsync(StreamReader reader)
    {
        var line = await reader.ReadLineAsync(Cancelled);
        Assert.StartsWith("data: ", line, StringComparison.Ordinal);
        Assert.Equal("", await reader.ReadLineAsync(Cancelled));
        return JsonNode.Parse(line!["data: ".Length..])!;
    }

    private static MultipartFormDataContent Form(byte[] file, string name, params (string Name, string Value)[] fields)
    {
        var form = new MultipartFormDataContent();
        var content = new ByteArrayContent(file);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        form.Add(content, "file", name);
        foreach (var (field, value) in fields)
        {
            form.Add(new StringContent(value), field);
        }

        return form;
    }

    private Task<HttpResponseMessage> PostAsync(string what, params (string Name, string Value)[] fields) => PostAsync(what, Speech(), fields);

    private async Task<HttpResponseMessage> PostAsync(string what, SpokenAudio audio, params (string Name, string Value)[] fields)
    {
        using var form = Form(Wav(audio), "a.wav", fields);
        return await _host.Http.PostAsync($"v1/audio/{what}", form, Cancelled);
    }
}
