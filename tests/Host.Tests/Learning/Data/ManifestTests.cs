using System.Text;
using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Learning.Data;

namespace AsrPlatform.Host.Tests.Learning.Data;

public sealed class ManifestTests : IDisposable
{
    private readonly AudioFolder _folder = new AudioFolder().Tone("a.wav").Tone("b.wav").Tone("clips/c.wav");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Read_JsonLines_TakesEveryField()
    {
        var manifest = Manifest.Read(_folder.Write(
            "train.jsonl",
            """
            {"audio": "a.wav", "text": "  one\t two ", "language": "en", "speaker": "s1", "domain": "shop", "start": 0.1, "end": 0.4, "words": [{"word": "one", "start": 0, "end": 0.1}, {"word": "two", "start": 0.1, "end": 0.25}]}

            {"audio": {"path": "b.wav"}, "sentence": "three"}
            {"audio": "c.wav", "text": "", "silence": true}
            """));
        Assert.Empty(manifest.Dropped);
        Assert.Equal([1, 3, 4], manifest.Entries.Select(entry => entry.Row));
        var first = manifest.Entries[0];
        Assert.Equal((_folder.File("a.wav"), "one two", "en", "s1", "shop", 0.1, 0.4), (first.AudioPath, first.Text, first.Language, first.Speaker, first.Domain, first.StartSeconds, first.EndSeconds));
        Assert.Equal([new TimedWord("one", 0, 0.1), new TimedWord("two", 0.1, 0.25)], first.Words);
        Assert.Equal(("three", null, 0.0, null), (manifest.Entries[1].Text, manifest.Entries[1].Language, manifest.Entries[1].StartSeconds, manifest.Entries[1].EndSeconds));
        Assert.Equal((_folder.File("clips/c.wav"), true, ""), (manifest.Entries[2].AudioPath, manifest.Entries[2].IsSilence, manifest.Entries[2].Text));
    }

    [Fact]
    public void Read_Segments_AreTheTextInParts()
    {
        var manifest = Manifest.Read(_folder.Write(
            "train.jsonl",
            """{"audio": "a.wav", "text": "one two three", "segments": [{"text": " one two ", "start": 0.1, "end": 0.2}, {"text": "three", "start": 0.2, "end": 0.4}]}"""));
        Assert.Equal([new TimedText("one two", 0.1, 0.2), new TimedText("three", 0.2, 0.4)], manifest.Entries[0].Segments);
    }

    [Fact]
    public void Read_KindAndWeight_SayWhatARowIsForAndHowMuchItCounts()
    {
        var manifest = Manifest.Read(_folder.Write(
            "train.jsonl",
            """
            {"audio": "a.wav", "text": "one", "kind": "correction", "weight": 2.5}
            {"audio": "a.wav", "text": "two", "kind": "replay"}
            {"audio": "a.wav", "text": "three", "kind": "anchor", "weight": "0.25"}
            {"audio": "a.wav", "text": "four", "weight": 0}
            {"audio": "a.wav", "text": "five", "weight": -1}
            {"audio": "a.wav", "text": "six", "weight": 1e9}
            {"audio": "a.wav", "text": "seven", "weight": "NaN"}
            """));
        Assert.Equal([(false, 2.5), (true, 1.0), (true, 0.25)], manifest.Entries.Select(entry => (entry.IsReplay, entry.Weight)));
        Assert.Equal([4, 5, 6, 7], manifest.Dropped.Select(row => row.Row));
        Assert.All(manifest.Dropped, row => Assert.Contains("above 0, at most 100", row.Detail));
    }

    [Fact]
    public void Read_CommonVoiceTsv_FindsClipsAndKeepsLoneMarks()
    {
        var manifest = Manifest.Read(_folder.Write(
            "train.tsv",
            "client_id\tpath\tsentence\tup_votes\tlocale\r\n" +
            "x1\tc.wav\tHe said \"no.\t2\thi\r\n" +
            "x2\ta.wav\t\"Quoted \"\"well\"\" here\"\t0\t\r\n"));
        Assert.Equal(["He said \"no.", "Quoted \"well\" here"], manifest.Entries.Select(entry => entry.Text));
        Assert.Equal([("x1", "hi"), ("x2", null)], manifest.Entries.Select(entry => (entry.Speaker, entry.Language)));
        Assert.Equal(_folder.File("clips/c.wav"), manifest.Entries[0].AudioPath);
    }

    [Fact]
    public void Read_CsvWithQuotedFields_UnquotesThemAndCountsLines()
    {
        var manifest = Manifest.Read(_folder.Write("m.csv", "audio,text\na.wav,\"one, two\n\"\"three\"\"\"\n\nmissing.wav,x\nb.wav,six foot 2\"\n"));
        Assert.Equal([(2, "one, two \"three\""), (6, "six foot 2\"")], manifest.Entries.Select(entry => (entry.Row, entry.Text)));
        Assert.Equal([(5, DropReason.MissingFile)], manifest.Dropped.Select(row => (row.Row, row.Reason)));
    }

    [Theory]
    [InlineData("text;audio\none;a.wav\n")]
    [InlineData("text\taudio\none\ta.wav\n")]
    public void Read_CsvOfASpreadsheet_FindsItsDelimiter(string text) =>
        Assert.Equal("one", Assert.Single(Manifest.Read(_folder.Write("m.csv", text)).Entries).Text);

    [Fact]
    public void Read_UnclosedQuotationMark_CostsItsLineAlone()
    {
        var manifest = Manifest.Read(_folder.Write("m.csv", "audio,text\na.wav,\"never closed\nb.wav,good\na.wav,\"closed\" and on\n"));
        Assert.Equal([(3, "good")], manifest.Entries.Select(entry => (entry.Row, entry.Text)));
        Assert.Equal([2, 4], manifest.Dropped.Select(row => row.Row));
        Assert.All(manifest.Dropped, row => Assert.Equal(DropReason.Malformed, row.Reason));
    }

    [Theory]
    [InlineData("transcription")]
    [InlineData("text")]
    [InlineData("sentence")]
    public void Read_AudioFolder_TakesItsMetadata(string column)
    {
        _folder.Write("metadata.csv", $"file_name,{column}\na.wav,one\n");
        var entry = Assert.Single(Manifest.Read(_folder.Root).Entries);
        Assert.Equal((_folder.File("a.wav"), "one"), (entry.AudioPath, entry.Text));
    }

    [Theory]
    [InlineData("utf-8", true)]
    [InlineData("utf-16", true)]
    [InlineData("utf-16BE", true)]
    [InlineData("utf-32", true)]
    [InlineData("utf-8", false)]
    [InlineData("utf-16", false)]
    [InlineData("utf-16BE", false)]
    public void Read_AnyUnicodeEncoding_ReadsTheText(string encoding, bool mark)
    {
        var kind = Encoding.GetEncoding(encoding);
        var manifest = Manifest.Read(_folder.Write("m.tsv", [.. mark ? kind.GetPreamble() : [], .. kind.GetBytes("path\tsentence\na.wav\tnaïve 日本語 😀\n")]));
        Assert.Equal("naïve 日本語 😀", Assert.Single(manifest.Entries).Text);
    }

    [Fact]
    public void Read_RowsInAnotherEncoding_AreDroppedWithTheirRows()
    {
        byte[] json = [.. "{\"audio\": \"a.wav\", \"text\": \"caf"u8, 0xE9, .. "\"}\n{\"audio\": \"b.wav\", \"text\": \"café\"}\n"u8];
        var manifest = Manifest.Read(_folder.Write("m.jsonl", json));
        Assert.Equal("café", Assert.Single(manifest.Entries).Text);
        var dropped = Assert.Single(manifest.Dropped);
        Assert.Equal((1, "a.wav", DropReason.WrongEncoding), (dropped.Row, dropped.Audio, dropped.Reason));
    }

    [Theory]
    [InlineData("""{"audio": "a.wav", "text": " \u200b \n"}""", DropReason.EmptyText)]
    [InlineData("""{"audio": "a.wav"}""", DropReason.EmptyText)]
    [InlineData("""{"audio": "nowhere.wav", "text": "x"}""", DropReason.MissingFile)]
    [InlineData("""{"audio": "a\u0000.wav", "text": "x"}""", DropReason.MissingFile)]
    [InlineData("""{"text": "x"}""", DropReason.Malformed)]
    [InlineData("""{"audio": "a.wav", "text": ["x"]}""", DropReason.Malformed)]
    [InlineData("""{"audio": "a.wav", "text": "x", "start": -1}""", DropReason.Malformed)]
    [InlineData("""{"audio": "a.wav", "text": "x", "start": 2, "end": 1}""", DropReason.Malformed)]
    [InlineData("""{"audio": "a.wav", "text": "x", "silence": true}""", DropReason.Malformed)]
    [InlineData("""{"audio": "a.wav", "text": "x", "words": [{"word": "x"}]}""", DropReason.Malformed)]
    [InlineData("""{"audio": "a.wav", "text": "x", "segments": [{"text": "x", "start": 0}]}""", DropReason.Malformed)]
    [InlineData("""{"audio": "a.wav", "text": "x", "segments": [{"text": "y", "start": 0, "end": 1}]}""", DropReason.Malformed)]
    [InlineData("""{"audio": "a.wav", "text": "x y", "segments": [{"text": "x", "start": 1, "end": 2}, {"text": "y", "start": 0, "end": 1}]}""", DropReason.Malformed)]
    [InlineData("""{"audio": "a.wav", "text": "\ud83d"}""", DropReason.Malformed)]
    [InlineData("""["a.wav", "x"]""", DropReason.Malformed)]
    [InlineData("""{"audio": "a.wav", "te""", DropReason.Malformed)]
    public void Read_ABadRow_IsListedAndTheRestUsed(string row, object reason)
    {
        var manifest = Manifest.Read(_folder.Write("m.jsonl", "{\"audio\": \"b.wav\", \"text\": \"good\"}\n" + row + "\n"));
        Assert.Equal("good", Assert.Single(manifest.Entries).Text);
        var dropped = Assert.Single(manifest.Dropped);
        Assert.Equal((2, reason), (dropped.Row, dropped.Reason));
        Assert.NotEmpty(dropped.Detail);
    }

    [Fact]
    public void Read_OnlyBadRows_SaysWhyInOneLine()
    {
        var path = _folder.Write("m.jsonl", "{\"audio\": \"x.wav\", \"text\": \"x\"}\n{\"audio\": \"y.wav\", \"text\": \"x\"}\n{\"audio\": \"a.wav\", \"text\": \"\"}\n");
        var error = Assert.Throws<AsrException>(() => Manifest.Read(path));
        Assert.Contains("none of the 3 rows can be used: 2 × missing file (row 1, 2", error.Message, StringComparison.Ordinal);
        Assert.Contains("1 × empty text (row 3", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Theory]
    [InlineData("m.csv", "name,words\na.wav,x\n", "the header must name the audio")]
    [InlineData("m.csv", "audio,text\n", "has no rows")]
    [InlineData("m.jsonl", " \n", "is empty")]
    [InlineData("m.xlsx", "PK", "is no kind of manifest")]
    public void Read_NoManifest_SaysWhatIsWrong(string name, string text, string message)
    {
        var path = _folder.Write(name, text);
        Assert.Contains(message, Assert.Throws<AsrException>(() => Manifest.Read(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_NothingThere_SaysWhatIsMissing()
    {
        Assert.Contains("does not exist", Assert.Throws<AsrException>(() => Manifest.Read(_folder.File("no.jsonl"))).Message, StringComparison.Ordinal);
        Assert.Contains("metadata.csv", Assert.Throws<AsrException>(() => Manifest.Read(_folder.Root)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Report_Written_CountsAndListsRows()
    {
        var report = new DataReport("m.jsonl", 5, 1800, [new DroppedRow(2, "x.wav", DropReason.MissingFile, "gone"), new DroppedRow(7, null, DropReason.Malformed, "no")]);
        report.Write(_folder.File("report.json"));
        using var json = JsonDocument.Parse(File.ReadAllText(_folder.File("report.json")));
        Assert.Equal((5, 2), (json.RootElement.GetProperty("kept").GetInt32(), json.RootElement.GetProperty("dropped").GetInt32()));
        Assert.Equal(1, json.RootElement.GetProperty("reasons").GetProperty("missing file").GetInt32());
        Assert.Equal("gone", json.RootElement.GetProperty("rows")[0].GetProperty("detail").GetString());
        Assert.Contains("5 of 7 utterances, 0.50 h; dropped", report.Summary, StringComparison.Ordinal);
    }
}
