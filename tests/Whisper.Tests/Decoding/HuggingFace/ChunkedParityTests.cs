using System.Text.Json;
using System.Text.Json.Nodes;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Decoding.HuggingFace;

namespace AsrPlatform.Whisper.Tests.Decoding.HuggingFace;

/// <summary>The pipeline's values, on every backend.</summary>
public sealed class ChunkedParityTests(MicroRecognizer micro) : IClassFixture<MicroRecognizer>
{
    [Theory]
    [InlineData("chunked_30", 1)]
    [InlineData("chunked_20_stride_4", 3)]
    [InlineData("chunked_30_timestamps", 1)]
    [InlineData("chunked_30_words", 4)]
    public void Transcribe_Fixture_EqualsTransformers(string name, int batchSize)
    {
        var row = Fixtures.Lines("decode/chunked.jsonl").Single(row => row["case"]!.GetValue<string>() == name);
        var given = row["options"]!;
        var timestamps = given["return_timestamps"];
        var options = ChunkedDecoder.Defaults with
        {
            BeamSize = 5, // the pipeline's default
            ChunkLengthSeconds = given["chunk_length_s"]!.GetValue<double>(),
            StrideLengthSeconds = given["stride_length_s"]?.GetValue<double>(),
            WithoutTimestamps = timestamps is null,
            WordTimestamps = timestamps?.GetValueKind() == JsonValueKind.String,
            BatchSize = batchSize,
        };
        var result = micro.Recognizer.Transcribe(MicroRecognizer.Audio(row["audio"]!.GetValue<string>()), options);
        Assert.Equal(row["text"]!.GetValue<string>(), result.Text);
        Assert.Equal("en", result.Language);
        Assert.Equal(result.Text, string.Concat(result.Segments.Select(segment => segment.Text)));
        Assert.Equal(Enumerable.Range(0, result.Segments.Count), result.Segments.Select(segment => segment.Id));
        if (row["chunks"] is JsonArray chunks)
        {
            (string Text, double Start, double End)[] found = options.WordTimestamps
                ? [.. result.Segments.SelectMany(segment => segment.Words!).Select(word => (word.Word, word.Start, word.End))]
                : [.. result.Segments.Select(segment => (segment.Text, segment.Start, segment.End))];
            Assert.Equal(chunks.Select(chunk => chunk!["text"]!.GetValue<string>()), found.Select(chunk => chunk.Text));
            foreach (var (expected, actual) in chunks.Zip(found))
            {
                // transformers gives times behind the audio, too.
                Assert.Equal(Math.Min(expected!["timestamp"]![0]!.GetValue<double>(), result.DurationSeconds), actual.Start, 0.0201);
                Assert.Equal(Math.Min(expected["timestamp"]![1]?.GetValue<double>() ?? double.MaxValue, result.DurationSeconds), actual.End, 0.0201);
            }
        }
    }
}
