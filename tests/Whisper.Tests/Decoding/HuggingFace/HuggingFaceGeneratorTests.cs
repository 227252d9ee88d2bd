using System.Text.Json.Nodes;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Decoding.HuggingFace;

namespace AsrPlatform.Whisper.Tests.Decoding.HuggingFace;

public sealed class HuggingFaceGeneratorTests
{
    public static TheoryData<string> ShortCases() => [.. Fixtures.Lines("decode/short.jsonl").Select(row => row["case"]!.GetValue<string>()).Distinct()];

    [Theory]
    [MemberData(nameof(ShortCases))]
    public void Generate_ShortForm_GivesTransformersTokens(string name)
    {
        using var micro = new Micro();
        foreach (var row in Fixtures.Lines("decode/short.jsonl").Where(row => row["case"]!.GetValue<string>() == name))
        {
            string[] clips = row["audio"] is JsonArray several ? [.. several.Select(clip => clip!.GetValue<string>())] : [row["audio"]!.GetValue<string>()];
            var options = Options(row["options"]!);
            var results = micro.Generator.Generate([.. clips.Select(clip => micro.Padded(clip))], options);

            var ids = row["ids"]!.AsArray();
            int[][] expected = ids[0] is JsonArray ? [.. ids.Select(one => Ids(one!))] : [Ids(ids)];
            for (var i = 0; i < clips.Length; i++)
            {
                // With timestamps transformers returns segments; without, what its call generated, padded to the longest of the batch.
                // (After the prompt this model writes timestamps unasked: then there are several calls, of which the last is returned.)
                var last = results[i].Windows[^1];
                int[] actual = options.ReturnTimestamps ? [.. results[i].Tokens] : [.. last.Prefix, .. last.Tokens];
                Assert.True(actual.Length <= expected[i].Length, clips[i]);
                Assert.All(actual.Length == expected[i].Length ? [] : expected[i][actual.Length..], id => Assert.Equal(50257, id));
                Assert.Equal(expected[i][..actual.Length], actual);
                if (row["sequence_score"] is JsonValue score)
                {
                    Assert.Equal(score.GetValue<double>(), last.Beams[0].Score, 1e-5);
                }
            }
        }
    }

    public static TheoryData<string, string> LongCases() =>
        [.. Fixtures.Lines("decode/long.jsonl").Select(row => (row["case"]!.GetValue<string>(), row["audio"]!.GetValue<string>()))];

    [Theory]
    [MemberData(nameof(LongCases))]
    public void Generate_LongForm_GivesTransformersSegments(string name, string clip)
    {
        using var micro = new Micro();
        var row = Fixtures.Lines("decode/long.jsonl").Single(row => row["case"]!.GetValue<string>() == name && row["audio"]!.GetValue<string>() == clip);
        var result = micro.Generator.Generate([micro.Whole(clip)], Options(row["options"]!))[0];

        var segments = result.Segments.ToArray();
        var expected = row["segments"]!.AsArray();
        for (var i = 0; i < Math.Min(segments.Length, expected.Count); i++)
        {
            Assert.Equal(Ids(expected[i]!["ids"]!), segments[i].Tokens);
            Assert.Equal(expected[i]!["start"]!.GetValue<double>(), segments[i].Start, 1e-6);
            Assert.Equal(expected[i]!["end"]!.GetValue<double>(), segments[i].End, 1e-6);
        }

        Assert.Equal(expected.Count, segments.Length);
        Assert.Equal(Ids(row["ids"]!), result.Tokens);
    }

    [Fact]
    public void Generate_TokenTimes_EqualTransformers()
    {
        using var micro = new Micro();
        foreach (var row in Fixtures.Lines("decode/word_times_hf.jsonl"))
        {
            var clip = row["audio"]!.GetValue<string>();
            var features = micro.Padded(clip);
            Assert.Equal(row["num_frames"]!.GetValue<int>(), features.ValidFrames);
            var window = micro.Generator.Generate(
                [features],
                new GenerationOptions { Task = TranscriptionTask.Transcribe, ReturnTimestamps = true, ReturnTokenTimestamps = true })[0].Windows.Single();
            var tokens = Ids(row["ids"]!);
            Assert.Equal(tokens, window.Segments.SelectMany(segment => segment.Tokens));
            for (var i = 0; i < tokens.Length; i++)
            {
                Assert.Equal(row["token_times"]![i]!.GetValue<double>(), window.TokenTimes![i], 0.0201);
            }
        }
    }

    private static int[] Ids(JsonNode node) => [.. node.AsArray().Select(id => id!.GetValue<int>())];

    private static GenerationOptions Options(JsonNode options)
    {
        var result = new GenerationOptions();
        foreach (var (name, value) in options.AsObject())
        {
            result = name switch
            {
                "language" => result with { Languages = [value!.GetValue<string>()] },
                "task" => result with { Task = value!.GetValue<string>() == "translate" ? TranscriptionTask.Translate : TranscriptionTask.Transcribe },
                "return_timestamps" => result with { ReturnTimestamps = value!.GetValue<bool>() },
                "num_beams" => result with { Beams = value!.GetValue<int>() },
                "max_new_tokens" => result with { MaxNewTokens = value!.GetValue<int>() },
                "prompt_ids" => result with { PromptIds = Ids(value!) },
                "condition_on_prev_tokens" => result with { ConditionOnPreviousTokens = value!.GetValue<bool>() },
                "temperature" => result with { Temperatures = [value!.GetValue<double>()] },
                "no_speech_threshold" => result with { NoSpeechThreshold = value!.GetValue<double>() },
                "logprob_threshold" => result with { LogProbabilityThreshold = value!.GetValue<double>() },
                "compression_ratio_threshold" => result with { CompressionRatioThreshold = value!.GetValue<double>() },
                _ => throw new NotSupportedException(name),
            };
        }

        return result;
    }
}
