using System.Text.Json.Nodes;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Tests;

namespace AsrPlatform.Whisper.Tests.Decoding.OpenAi;

/// <summary>OpenAI's own <c>transcribe()</c> with the same weights: temperature 0, no conditioning, no thresholds.</summary>
public sealed class OpenAiParityTests(MicroRecognizer micro) : IClassFixture<MicroRecognizer>
{
    public static TheoryData<string, bool> Rows => [.. Fixtures.Lines("decode/openai.jsonl")
        .Select(row => new TheoryDataRow<string, bool>((string)row["audio"]!, (bool)row["word_timestamps"]!))];

    [Theory]
    [MemberData(nameof(Rows))]
    public void Transcribe_ReferenceClip_GivesOpenAisResult(string audio, bool wordTimestamps)
    {
        var expected = Fixtures.Lines("decode/openai.jsonl")
            .Single(row => (string)row["audio"]! == audio && (bool)row["word_timestamps"]! == wordTimestamps);
        var reported = new List<TranscriptSegment>();

        var result = micro.Recognizer.Transcribe(
            MicroRecognizer.Audio(audio),
            new TranscriptionOptions
            {
                Language = (string)expected["language"]!,
                WordTimestamps = wordTimestamps,
                ConditionOnPreviousText = false,
                TemperatureIncrementOnFallback = null,
                CompressionRatioThreshold = null,
                LogProbabilityThreshold = null,
                NoSpeechThreshold = null,
            },
            progress => reported.AddRange(progress.Segments));

        Assert.Equal((string)expected["text"]!, result.Text);
        Assert.Equal((string)expected["language"]!, result.Language);
        Assert.Equal(expected["segments"]!.AsArray().Count, result.Segments.Count);
        Assert.Equal(result.Segments, reported);
        foreach (var (wanted, found) in expected["segments"]!.AsArray().Zip(result.Segments))
        {
            AssertSegment(wanted!, found);
        }
    }

    private static void AssertSegment(JsonNode expected, TranscriptSegment found)
    {
        Assert.Equal(expected["tokens"]!.AsArray().Select(token => (int)token!), found.Tokens);
        Assert.Equal((string)expected["text"]!, found.Text);
        Assert.Equal((double)expected["start"]!, found.Start, 1e-6);
        Assert.Equal((double)expected["end"]!, found.End, 1e-6);
        Assert.Equal((double)expected["avg_logprob"]!, found.AverageLogProbability!.Value, 2e-5);
        Assert.Equal((double)expected["no_speech_prob"]!, found.NoSpeechProbability!.Value, 1e-6);
        // Another zlib finds other matches.
        Assert.Equal((double)expected["compression_ratio"]!, found.CompressionRatio!.Value, 0.06);
        if (expected["words"] is not { } words)
        {
            Assert.Null(found.Words);
            return;
        }

        Assert.Equal(words.AsArray().Select(word => (string)word!["word"]!), found.Words!.Select(word => word.Word));
        foreach (var (wanted, word) in words.AsArray().Zip(found.Words!))
        {
            Assert.Equal((double)wanted!["start"]!, word.Start, 1e-6);
            Assert.Equal((double)wanted["end"]!, word.End, 1e-6);
            Assert.Equal((double)wanted["probability"]!, word.Probability, 5e-4);
        }
    }
}
