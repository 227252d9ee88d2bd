using System.Text.Json;
using AsrPlatform.Host.Tests.Learning.Data;
using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Cli;

/// <summary><c>asr evaluate</c> as a user runs it, on the checkpoint and clips of the fixtures.</summary>
public sealed class EvaluateTests : IDisposable
{
    private readonly AudioFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Evaluate_FinetuneFixture_MeasuresWhatTheReferenceMeasured()
    {
        // The untrained model writes what it knows by heart, not these references.
        var output = _folder.File("out.json");
        var json = Json(Evaluate(Fixtures.Path("finetune/eval.jsonl"), "--language", "en", "--json", "--output", output, "--normalizer", "english"));
        Assert.Equal(json.ToString(), Json(File.ReadAllText(output)).ToString());
        var files = json.GetProperty("files").EnumerateArray().ToList();
        Assert.Equal(3, files.Count);
        Assert.Equal("The quick brown fox jumps over the lazy dog.", files[0].GetProperty("hypothesis").GetString());
        Assert.Equal("the quick brown fox jumps over the lazy dog", files[0].GetProperty("normalized_hypothesis").GetString());

        // jumped/jumps, two/the, dogs/dog.
        Assert.Equal((6, 3, 0, 0), Counts(files[0]));
        Assert.Equal(3 / 9.0, files[0].GetProperty("wer").GetDouble(), 12);
        var all = Counts(json);
        Assert.Equal(all.Hits, files.Sum(file => Counts(file).Hits));
        Assert.Equal((all.Substitutions + all.Deletions + all.Insertions) / (double)(all.Hits + all.Substitutions + all.Deletions), json.GetProperty("wer").GetDouble(), 12);
        var interval = json.GetProperty("confidence").GetProperty("wer").EnumerateArray().Select(value => value.GetDouble()).ToArray();
        Assert.InRange(json.GetProperty("wer").GetDouble(), interval[0], interval[1]);
        Assert.True(interval[0] < interval[1]);
        Assert.True(json.GetProperty("real_time_factor").GetDouble() > 0);
        Assert.True(json.GetProperty("cer").GetDouble() > 0);
    }

    [Fact]
    public void Evaluate_InBatchesOfSeveralFiles_KeepsTheOrderAndDropsWhatIsBroken()
    {
        _folder.Write("noise.wav", "no audio");
        var manifest = _folder.Write(
            "m.jsonl",
            $$"""
            {"audio": "{{Fixtures.Path("audio/fox.wav")}}", "text": "The quick brown fox jumps over the lazy dog.", "language": "en"}
            {"audio": "{{Fixtures.Path("audio/de.wav")}}", "text": "Guten Morgen, wie geht es Ihnen heute?", "language": "de"}
            {"audio": "noise.wav", "text": "x", "language": "en"}
            {"audio": "{{Fixtures.Path("audio/live.wav")}}", "text": "Captions arrive while you are still speaking.", "language": "en"}
            """);
        var json = Json(Evaluate(manifest, "--algorithm", "chunked", "--batch-size", "4", "--json"));
        Assert.Equal(0, json.GetProperty("wer").GetDouble());
        Assert.Equal([1, 2, 4], json.GetProperty("files").EnumerateArray().Select(file => file.GetProperty("row").GetInt32()));
        Assert.Equal(3, Assert.Single(json.GetProperty("dropped").EnumerateArray()).GetProperty("row").GetInt32());
        Assert.All(json.GetProperty("files").EnumerateArray(), file => Assert.True(file.GetProperty("real_time_factor").GetDouble() > 0));
    }

    [Fact]
    public void Evaluate_ToTheTerminal_ShowsTheWorstUtterances()
    {
        var output = Evaluate(Fixtures.Path("finetune/eval.jsonl"), "--language", "en", "--worst", "1").ShouldSucceed();
        Assert.Contains("WER  ", output, StringComparison.Ordinal);
        Assert.Contains("real-time factor", output, StringComparison.Ordinal);
        Assert.Single(output.Split('\n'), line => line.StartsWith("  REF:", StringComparison.Ordinal));
        Assert.DoesNotContain('\u001b', output);
    }

    [Fact]
    public void Evaluate_StretchesAndBadRows_MeasuresWhatIsThere()
    {
        _folder.Write("noise.wav", "no audio");
        var fox = Fixtures.Path("audio/fox.wav");
        var manifest = _folder.Write(
            "m.jsonl",
            $$"""
            {"audio": "noise.wav", "text": "x"}
            {"audio": "{{fox}}", "text": "The quick brown fox jumps over the lazy dog.", "start": 0, "end": 3.44}
            {"audio": "gone.wav", "text": "x"}
            """);
        var result = Evaluate(manifest, "--json");
        var json = Json(result);
        Assert.Equal(0, json.GetProperty("wer").GetDouble());
        Assert.Equal([1, 3], json.GetProperty("dropped").EnumerateArray().Select(row => row.GetProperty("row").GetInt32()));
        Assert.Equal(3.44, json.GetProperty("files")[0].GetProperty("duration").GetDouble(), 2);
        Assert.Contains("2 rows left out", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Evaluate_NothingUsable_FailsWithTheReason()
    {
        AsrProcess.Run("evaluate", "--model", Fixtures.Path("micro"), "--data", _folder.File("gone.jsonl")).ShouldFailWith("does not exist");
        var manifest = _folder.Write("m.jsonl", $"{{\"audio\": \"{Fixtures.Path("audio/fox.wav")}\", \"text\": \"x\"}}\n");
        Evaluate(manifest, "--language", "klingon", "--quiet").ShouldFailWith("klingon");
        Evaluate(manifest, "--output", _folder.File("no/folder/x.json")).ShouldFailWith("does not exist");
    }

    private static AsrProcess.Result Evaluate(string manifest, params string[] more) =>
        AsrProcess.Run(["evaluate", "--model", Fixtures.Path("micro"), "--data", manifest, .. more]);

    private static JsonElement Json(AsrProcess.Result result) => Json(result.ShouldSucceed());

    private static JsonElement Json(string text) => JsonDocument.Parse(text).RootElement;

    private static (int Hits, int Substitutions, int Deletions, int Insertions) Counts(JsonElement json) => (
        json.GetProperty("hits").GetInt32(), json.GetProperty("substitutions").GetInt32(), json.GetProperty("deletions").GetInt32(), json.GetProperty("insertions").GetInt32());
}
