using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Transcripts;

namespace AsrPlatform.Host.Tests.Transcripts;

public sealed class TranscriptFormatTests
{
    private static readonly TranscriptionResult Result = new()
    {
        Text = " Hello there. Grüße --> done.",
        Language = "en",
        DurationSeconds = 3661.5,
        Segments =
        [
            new TranscriptSegment { Id = 0, Start = 0, End = 1.28, Text = " Hello there.", Tokens = [50364, 1, 50428], AverageLogProbability = -0.25 },
            new TranscriptSegment
            {
                Id = 1,
                Start = 3600.1,
                End = 3661.0004,
                Text = " Grüße --> done.",
                Words = [new TranscriptWord(" Grüße", 3600.1, 3600.9, 0.5)],
            },
        ],
    };

    [Fact]
    public void Srt_OverAnHour_NumbersCuesAndUsesCommas() =>
        Assert.Equal(
            "1\n00:00:00,000 --> 00:00:01,280\nHello there.\n\n2\n01:00:00,100 --> 01:01:01,000\nGrüße -> done.\n\n",
            TranscriptFormat.Write(Result, "srt"));

    [Fact]
    public void Vtt_OverAnHour_HasHeaderAndPoints() =>
        Assert.Equal(
            "WEBVTT\n\n00:00:00.000 --> 00:00:01.280\nHello there.\n\n01:00:00.100 --> 01:01:01.000\nGrüße -> done.\n\n",
            TranscriptFormat.Write(Result, "vtt"));

    [Fact]
    public void Text_Segments_GivesALineEach() =>
        Assert.Equal("Hello there.\nGrüße --> done.\n", TranscriptFormat.Write(Result, "txt"));

    [Fact]
    public void Json_Result_IsOneLineInOpenAisShape()
    {
        var text = TranscriptFormat.Write(Result, "json");
        Assert.Equal(text.Length - 1, text.IndexOf('\n', StringComparison.Ordinal));
        Assert.Contains("Grüße", text, StringComparison.Ordinal);
        var json = JsonDocument.Parse(text).RootElement;
        Assert.Equal(["text", "language", "duration", "segments"], json.EnumerateObject().Select(property => property.Name));
        var segment = json.GetProperty("segments")[0];
        Assert.Equal(
            ["id", "seek", "start", "end", "text", "tokens", "temperature", "avg_logprob", "compression_ratio", "no_speech_prob"],
            segment.EnumerateObject().Select(property => property.Name));
        Assert.Equal(-0.25, segment.GetProperty("avg_logprob").GetDouble());
        Assert.Equal(JsonValueKind.Null, segment.GetProperty("no_speech_prob").ValueKind);
        Assert.Equal(0.5, json.GetProperty("segments")[1].GetProperty("words")[0].GetProperty("probability").GetDouble());
    }

    [Fact]
    public void Write_UnknownFormat_NamesTheFormats()
    {
        var error = Assert.Throws<AsrException>(() => TranscriptFormat.Write(Result, "docx"));
        Assert.Contains("txt, json, srt, vtt", error.Message, StringComparison.Ordinal);
    }
}
