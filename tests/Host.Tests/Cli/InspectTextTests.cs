using System.Text;
using System.Text.Json.Nodes;
using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Cli;

/// <summary><c>asr inspect tokens|normalize|wer</c> as a program runs them.</summary>
public class InspectTextTests
{
    [Fact]
    public void Tokens_EveryStringOfTheCorpus_GivesIdsAndText()
    {
        var lines = Fixtures.Lines("tokenizer/encode.jsonl").ToArray();
        var input = lines.Select(line => line["text"]!.ToJsonString());
        var output = Lines(Inspect(input, "tokens", "--model", Fixtures.Path("micro")).ShouldSucceed());
        Assert.Equal(lines.Length, output.Length);
        for (var index = 0; index < lines.Length; index++)
        {
            var expected = new JsonObject { ["ids"] = lines[index]["ids"]!.DeepClone(), ["decoded"] = lines[index]["decoded"]!.DeepClone() };
            Assert.Equal(expected.ToJsonString(), JsonNode.Parse(output[index])!.ToJsonString());
        }
    }

    [Theory]
    [InlineData("basic")]
    [InlineData("english")]
    public void Normalize_EveryStringOfTheCorpus_GivesNormalForms(string normalizer)
    {
        var lines = Fixtures.Lines("metrics/normalizer.jsonl").ToArray();
        var input = lines.Select(line => line["text"]!.ToJsonString());
        var output = Inspect(input, "normalize", "--normalizer", normalizer, "--model", Fixtures.Path("micro")).ShouldSucceed();
        Assert.Equal(lines.Select(line => (string)line[normalizer]!), Lines(output).Select(line => (string)JsonNode.Parse(line)!));
    }

    [Fact]
    public void Normalize_EnglishWithoutModel_ChangesNoSpelling()
    {
        var output = Inspect(["\"Two colours\""], "normalize", "--normalizer", "english").ShouldSucceed();
        Assert.Equal("\"2 colours\"\n", output);
    }

    [Fact]
    public void Wer_ManyPairs_GivesTheRatesOfTheCorpus()
    {
        var input = Fixtures.Lines("metrics/wer.jsonl").Select(line =>
            new JsonObject { ["reference"] = line["reference"]!.DeepClone(), ["hypothesis"] = line["hypothesis"]!.DeepClone() }.ToJsonString());
        var output = JsonNode.Parse(Inspect(input, "wer").ShouldSucceed())!.AsObject();
        var expected = JsonNode.Parse(File.ReadAllText(Fixtures.Path("metrics/wer_corpus.json")))!.AsObject();
        Assert.Equal(expected.Select(member => member.Key), output.Select(member => member.Key));
        foreach (var (name, value) in expected)
        {
            Assert.Equal((double)value!, (double)output[name]!, 12);
        }
    }

    [Fact]
    public void Wer_PerLine_GivesTheRatesOfEachPair()
    {
        string[] input = ["""{"reference": "a b", "hypothesis": "a c"}""", "", """{"reference": "", "hypothesis": "é ü"}"""];
        Assert.Equal(
            """
            {"wer":0.5,"cer":0.3333333333333333,"hits":1,"substitutions":1,"deletions":0,"insertions":0}
            {"wer":2,"cer":3,"hits":0,"substitutions":0,"deletions":0,"insertions":2}

            """,
            Inspect(input, "wer", "--per-line").ShouldSucceed());
    }

    [Theory]
    [InlineData("\"whole\"\n{nonsense\n")]
    [InlineData("\"whole\"\n17\n")]
    [InlineData("\"whole\"\n\"half\n")]
    [InlineData("\"whole\"\n\"\\ud800\"\n")]
    public void Tokens_BadLine_NamesItsNumber(string input)
    {
        var result = AsrProcess.Run(new MemoryStream(Encoding.UTF8.GetBytes(input)), "inspect", "tokens", "--model", Fixtures.Path("micro"));
        Assert.Equal("asr: line 2 of standard input is not a JSON string\n", result.Error);
        Assert.Equal(1, result.ExitCode);
    }

    [Fact]
    public void Normalize_InvalidUtf8_NamesTheLine() =>
        AsrProcess.Run(new MemoryStream([(byte)'"', 0xC3, 0x28, (byte)'"']), "inspect", "normalize", "--normalizer", "basic")
            .ShouldFailWith("line 1 of standard input");

    [Theory]
    [InlineData("""{"reference": "a"}""")]
    [InlineData("""{"reference": "a", "hypothesis": 3}""")]
    [InlineData("[]")]
    public void Wer_BadPair_NamesItsLine(string line) => Inspect([line], "wer").ShouldFailWith("line 1 of standard input");

    [Fact]
    public void Wer_NoPairs_SaysSo() => Inspect([], "wer").ShouldFailWith("no pairs");

    [Fact]
    public void Tokens_FolderWithoutTokenizer_NamesIt()
    {
        using var folder = new TemporaryFolder();
        Inspect(["\"a\""], "tokens", "--model", folder.Root).ShouldFailWith("no tokenizer");
    }

    [Fact]
    public void Normalize_UnknownNormalizer_IsAMistakeOfUse() =>
        Assert.Equal(2, Inspect([], "normalize", "--normalizer", "french").ExitCode);

    private static AsrProcess.Result Inspect(IEnumerable<string> lines, params string[] arguments) =>
        AsrProcess.Run(new MemoryStream(Encoding.UTF8.GetBytes(string.Concat(lines.Select(line => line + "\n")))), ["inspect", .. arguments]);

    private static string[] Lines(string output) => output.TrimEnd('\n').Split('\n');
}
