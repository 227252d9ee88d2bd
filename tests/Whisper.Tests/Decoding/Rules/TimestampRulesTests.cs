using AsrPlatform.Tests;
using AsrPlatform.Whisper.Decoding.Rules;

namespace AsrPlatform.Whisper.Tests.Decoding.Rules;

public sealed class TimestampRulesTests
{
    [Fact]
    public void Apply_EveryReferenceRow_AllowsTheSameTokens()
    {
        var vocabulary = System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(Fixtures.Path("rules/timestamp_rules_vocabulary.json")))!;
        var rows = 0;
        foreach (var row in Fixtures.Lines("rules/timestamp_rules.jsonl"))
        {
            var rules = new TimestampRules(
                (int)vocabulary["eot"]!, (int)vocabulary["no_timestamps"]!, (int)vocabulary["timestamp_begin"]!,
                (int?)row["max_initial_timestamp_index"]);
            var logits = row["logits"]!.AsArray().Select(value => (float)value!).ToArray();
            var ids = row["ids"]!.AsArray().Select(value => (int)value!).ToArray();

            rules.Apply(logits, ids.AsSpan((int)row["begin_index"]!));

            var allowed = Enumerable.Range(0, logits.Length).Where(token => !float.IsNegativeInfinity(logits[token]));
            Assert.Equal(row["allowed"]!.AsArray().Select(value => (int)value!), allowed);
            rows++;
        }

        Assert.Equal(400, rows);
    }

    [Fact]
    public void Apply_LastTimestampAtTheEndOfTheVocabulary_LeavesTextAlone()
    {
        var rules = new TimestampRules(endOfText: 3, noTimestamps: 4, timestampBegin: 5, maxInitialTimestampIndex: null);
        var logits = new float[8];

        rules.Apply(logits, [5, 1, 7, 7, 2]);

        Assert.Equal([0, 0, 0, 0], logits[..4]);
        Assert.All(logits[4..], logit => Assert.Equal(float.NegativeInfinity, logit));
    }
}
