using System.Text.Json;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Tests.Tokens;

/// <summary>Tokenizers of a few hundred tokens as the project trains them, whole and damaged.</summary>
public sealed class TokenizerFilesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Load_OwnSmallVocabulary_EncodesAndDecodes(bool pairs)
    {
        Write(SmallTokenizer(pairs: pairs));
        var tokenizer = WhisperTokenizer.Load(_folder.Root);
        int the = tokenizer.TokenToId("Ġthe")!.Value;
        Assert.Equal([the, the], tokenizer.Encode(" the the"));
        Assert.Equal("Übrigens: the 日本 😀", tokenizer.Decode(tokenizer.Encode("Übrigens: the 日本 😀")));
        Assert.Equal(
            ["<|startoftranscript|>", "<|de|>", "<|translate|>", "<|notimestamps|>"],
            tokenizer.Prefix("German", TranscriptionTask.Translate, timestamps: false).Select(id => tokenizer.DecodeWithTimestamps([id])));
        Assert.Equal(["en", "de"], tokenizer.Languages.Select(language => language.Code));
        Assert.True(tokenizer.IsMultilingual);
        Assert.Equal(tokenizer.VocabularySize, tokenizer.TimestampBegin + tokenizer.TimestampCount);

        // Space, hyphen and the shared first byte of many signs are tokens here that no ban may hit.
        Assert.DoesNotContain(tokenizer.TokenToId("Ġ")!.Value, tokenizer.NonSpeechTokens);
        Assert.DoesNotContain(tokenizer.TokenToId("â")!.Value, tokenizer.NonSpeechTokens);
        Assert.Contains(tokenizer.TokenToId("(")!.Value, tokenizer.NonSpeechTokens);
    }

    [Fact]
    public void Load_ForAModelWithFewerTokens_IsRefused()
    {
        Write(SmallTokenizer());
        var highest = WhisperTokenizer.Load(_folder.Root).VocabularySize - 1;
        var config = WhisperConfig.Load(Fixtures.Path("micro"));
        Assert.Equal(highest, WhisperTokenizer.Load(_folder.Root, config with { VocabSize = highest + 1 }).VocabularySize - 1);
        var error = Assert.Throws<AsrException>(() => WhisperTokenizer.Load(_folder.Root, config with { VocabSize = highest }));
        Assert.Contains($"ids up to {highest}, but \"vocab_size\" in config.json is {highest}", error.Message);
    }

    [Fact]
    public void Load_MergesBeforeVocabulary_IsTheSame()
    {
        var root = SmallTokenizer();
        var model = root["model"]!.AsObject();
        var vocabulary = model["vocab"]!;
        model.Remove("vocab");
        model.Add("vocab", vocabulary);
        Write(root);
        var tokenizer = WhisperTokenizer.Load(_folder.Root);
        Assert.Equal([tokenizer.TokenToId("Ġthe")!.Value], tokenizer.Encode(" the"));
    }

    [Fact]
    public void Load_EnglishOnly_HasShortPrefixesAndRefusesOtherTasks()
    {
        Write(SmallTokenizer());
        _folder.Write("generation_config.json", """{"is_multilingual": false}""");
        var tokenizer = WhisperTokenizer.Load(_folder.Root);
        Assert.False(tokenizer.IsMultilingual);
        Assert.Equal([tokenizer.StartOfTranscript], tokenizer.Prefix("en", TranscriptionTask.Transcribe, timestamps: true));
        Assert.Equal([tokenizer.StartOfTranscript, tokenizer.NoTimestamps], tokenizer.Prefix(null, null, timestamps: false));
        Assert.Throws<AsrException>(() => tokenizer.Prefix("de", TranscriptionTask.Transcribe, timestamps: true));
        Assert.Throws<AsrException>(() => tokenizer.Prefix(null, TranscriptionTask.Translate, timestamps: true));
    }

    [Fact]
    public void Load_NoTimestampsListed_TakesTheIdsAfterTheLast()
    {
        var root = SmallTokenizer();
        var added = root["added_tokens"]!.AsArray();
        foreach (var timestamp in added.Where(token => TimestampTokens.TryParse((string)token!["content"]!, out _)).ToArray())
        {
            added.Remove(timestamp);
        }

        Write(root);
        var tokenizer = WhisperTokenizer.Load(_folder.Root);
        Assert.Equal(tokenizer.NoTimestamps + 1, tokenizer.TimestampBegin);
        Assert.Equal("<|30.00|>", tokenizer.DecodeWithTimestamps([tokenizer.VocabularySize - 1]));
        Assert.Equal("", tokenizer.Decode([tokenizer.VocabularySize - 1]));
    }

    [Fact]
    public void Encode_AddedTokens_FollowTheirFlags()
    {
        var root = SmallTokenizer();
        var added = root["added_tokens"]!.AsArray();
        var next = added.Max(token => (int)token!["id"]!);
        Add("WORD", "single_word");
        Add("<left>", "lstrip");
        Add("<right>", "rstrip");
        Add("<left>the", "normalized");
        Write(root);
        var tokenizer = WhisperTokenizer.Load(_folder.Root);
        Assert.Equal("the|WORD|the", Show("theWORDthe".Replace("the", "the ", StringComparison.Ordinal).Replace("WORD", "WORD ", StringComparison.Ordinal)));
        Assert.DoesNotContain(tokenizer.TokenToId("WORD")!.Value, tokenizer.Encode("theWORD"));
        Assert.Equal("the|<left>|the", Show("the  <left>the"));
        Assert.Equal("the|<right>|the", Show("the<right> \n the"));

        string Show(string text) => string.Join('|', tokenizer.Encode(text).Where(id => id != tokenizer.TokenToId("Ġ")).Select(id => tokenizer.DecodeWithTimestamps([id]).Trim()));

        void Add(string content, string flag) =>
            added.Add(new JsonObject { ["id"] = ++next, ["content"] = content, [flag] = true, ["special"] = false });
    }

    public static TheoryData<string, string> Damages => new()
    {
        { "truncated", "no valid JSON from line" },
        { "empty", "no valid JSON" },
        { "not an object", "no JSON object" },
        { "two values", "no valid JSON" },
        { "no model", "has no model" },
        { "no vocab", "no vocab" },
        { "no merges", "no merges" },
        { "vocab is a list", "no JSON object" },
        { "id is a text", "'t' has no id" },
        { "id is fractional", "'t' has no id" },
        { "merge of unknown token", "'xyz'" },
        { "merge of one token", "no pair" },
        { "merge of three tokens", "no pair" },
        { "duplicate id", "belongs to both" },
        { "duplicate token", "listed twice" },
        { "duplicate added token", "listed twice" },
        { "added token of another id", "has two ids" },
        { "added token without id", "lacks an id" },
        { "negative id", "out of range" },
        { "huge id", "out of range" },
        { "gap", "no token has the id" },
        { "no end of text", "<|endoftext|>" },
        { "no start of transcript", "<|startoftranscript|>" },
        { "timestamps out of order", "timestamps must follow each other" },
        { "lone surrogate", "not valid Unicode" },
        { "word piece", "byte-level BPE" },
        { "metaspace", "ByteLevel" },
        { "normalizer", "has a normalizer" },
    };

    [Theory]
    [MemberData(nameof(Damages))]
    public void Load_DamagedFile_GivesOneErrorThatNamesIt(string damage, string message)
    {
        var root = SmallTokenizer();
        var vocabulary = root["model"]!["vocab"]!.AsObject();
        var merges = root["model"]!["merges"]!.AsArray();
        var added = root["added_tokens"]!.AsArray();
        Func<string, string> text = json => json;
        switch (damage)
        {
            case "truncated": text = json => json[..(json.Length / 2)]; break;
            case "empty": text = _ => ""; break;
            case "not an object": text = _ => "[1]"; break;
            case "two values": text = json => json + "{}"; break;
            case "no model": root.Remove("model"); break;
            case "no vocab": root["model"]!.AsObject().Remove("vocab"); break;
            case "no merges": root["model"]!.AsObject().Remove("merges"); break;
            case "vocab is a list": root["model"]!["vocab"] = new JsonArray(); break;
            case "id is a text": vocabulary["t"] = "83"; break;
            case "id is fractional": vocabulary["t"] = 83.5; break;
            case "merge of unknown token": merges.Add("xyz t"); break;
            case "merge of one token": merges.Add("the"); break;
            case "merge of three tokens": merges.Add(new JsonArray("t", "h", "e")); break;
            case "duplicate id": vocabulary["new"] = (int)vocabulary["t"]!; break;
            case "duplicate token": text = json => json.Replace("\"vocab\":{", "\"vocab\":{\"t\":400,", StringComparison.Ordinal); break;
            case "duplicate added token": added.Add(added[0]!.DeepClone()); break;
            case "added token of another id": vocabulary["<|en|>"] = 2400; break;
            case "added token without id": added[3]!.AsObject().Remove("id"); break;
            case "negative id": vocabulary["t"] = -1; break;
            case "huge id": vocabulary["t"] = int.MaxValue; break;
            case "gap": vocabulary.Remove("!"); break;
            case "no end of text": added[0]!["content"] = "<|other|>"; break;
            case "no start of transcript": added[1]!["content"] = "<|other|>"; break;
            case "timestamps out of order":
                (added[^1]!["content"], added[^2]!["content"]) = ("<|29.98|>", "<|30.00|>");
                break;
            case "lone surrogate": text = json => json.Replace("\"!\"", "\"\\ud800\"", StringComparison.Ordinal); break;
            case "word piece": root["model"]!["type"] = "WordPiece"; break;
            case "metaspace": root["pre_tokenizer"]!["type"] = "Metaspace"; break;
            case "normalizer": root["normalizer"] = new JsonObject { ["type"] = "NFC" }; break;
        }

        _folder.Write("tokenizer.json", text(root.ToJsonString()));
        var error = Assert.Throws<AsrException>(() => WhisperTokenizer.Load(_folder.Root));
        Assert.Contains(_folder.File("tokenizer.json"), error.Message, StringComparison.Ordinal);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Theory]
    [InlineData("vocab.json", "{\"a\": 1", "vocab.json")]
    [InlineData("merges.txt", "#version: 0.2\nt h\nt\n", "merges.txt")]
    [InlineData("merges.txt", "#version: 0.2\nt xyz\n", "merges.txt")]
    [InlineData("added_tokens.json", "{\"<|endoftext|>\": \"no\"}", "added_tokens.json")]
    [InlineData("added_tokens.json", "[]", "added_tokens.json")]
    [InlineData("tokenizer_config.json", "{\"added_tokens_decoder\": {\"x\": {}}}", "tokenizer_config.json")]
    [InlineData("special_tokens_map.json", "nonsense", "special_tokens_map.json")]
    public void Load_DamagedFileOfTheOldForm_GivesOneErrorThatNamesIt(string file, string text, string named)
    {
        WriteOldForm();
        _folder.Write(file, text);
        var error = Assert.Throws<AsrException>(() => WhisperTokenizer.Load(_folder.Root));
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_OldFormOfOwnVocabulary_IsTheSameAsTheNew()
    {
        WriteOldForm();
        var old = WhisperTokenizer.Load(_folder.Root);
        Write(SmallTokenizer());
        var tokenizer = WhisperTokenizer.Load(_folder.Root);
        const string Text = " the there <|en|>other the<|0.04|>";
        Assert.Equal(tokenizer.Encode(Text), old.Encode(Text));
        Assert.Equal(Enumerable.Range(0, tokenizer.VocabularySize).Select(tokenizer.IsSpecial), Enumerable.Range(0, old.VocabularySize).Select(old.IsSpecial));
    }

    [Fact]
    public void Load_NoTokenizer_SaysWhichFilesItNeeds()
    {
        Assert.Contains("tokenizer.json", Assert.Throws<AsrException>(() => WhisperTokenizer.Load(_folder.Root)).Message, StringComparison.Ordinal);
        Assert.Contains("no model folder", Assert.Throws<AsrException>(() => WhisperTokenizer.Load(_folder.File("none"))).Message, StringComparison.Ordinal);
        _folder.Write("vocab.json", """{"a": 0}""");
        Assert.Contains("merges.txt", Assert.Throws<AsrException>(() => WhisperTokenizer.Load(_folder.Root)).Message, StringComparison.Ordinal);
    }

    /// <summary>256 bytes, a few merges, two languages, Whisper's other special tokens and timestamps.</summary>
    private static JsonObject SmallTokenizer(bool pairs = false)
    {
        var vocabulary = new JsonObject();
        foreach (var value in Enumerable.Range(0, 256))
        {
            vocabulary.Add(ByteAlphabet.ToCharacter((byte)value).ToString(), vocabulary.Count);
        }

        var merges = new JsonArray();
        foreach (var (left, right) in new[] { ("t", "h"), ("th", "e"), ("Ġ", "the") })
        {
            vocabulary.Add(left + right, vocabulary.Count);
            merges.Add(pairs ? new JsonArray(left, right) : JsonValue.Create($"{left} {right}"));
        }

        var added = new JsonArray();
        string[] specials = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|de|>", "<|translate|>", "<|transcribe|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"];
        foreach (var text in specials.Concat(Enumerable.Range(0, 1501).Select(index => TimestampTokens.Text(index * 0.02))))
        {
            added.Add(new JsonObject { ["id"] = vocabulary.Count + added.Count, ["content"] = text, ["special"] = added.Count < specials.Length });
        }

        return new JsonObject
        {
            ["added_tokens"] = added,
            ["normalizer"] = null,
            ["pre_tokenizer"] = new JsonObject { ["type"] = "ByteLevel", ["add_prefix_space"] = false },
            ["model"] = new JsonObject { ["type"] = "BPE", ["vocab"] = vocabulary, ["merges"] = merges },
        };
    }

    private void Write(JsonObject root) => _folder.Write("tokenizer.json", root.ToJsonString());

    private void WriteOldForm()
    {
        var root = SmallTokenizer();
        _folder.Write("vocab.json", root["model"]!["vocab"]!.ToJsonString());
        _folder.Write("merges.txt", "#version: 0.2\n" + string.Join('\n', root["model"]!["merges"]!.AsArray().Select(merge => (string)merge!)) + "\n");
        _folder.Write(
            "added_tokens.json",
            JsonSerializer.Serialize(root["added_tokens"]!.AsArray().ToDictionary(token => (string)token!["content"]!, token => (int)token!["id"]!)));
        _folder.Write("special_tokens_map.json", """{"eos_token": {"content": "<|endoftext|>"}, "additional_special_tokens": ["<|en|>"]}""");
    }
}
