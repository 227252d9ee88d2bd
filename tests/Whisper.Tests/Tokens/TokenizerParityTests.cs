using System.Text.Json.Nodes;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Tests;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Tests.Tokens;

public class TokenizerParityTests
{
    /// <summary>transformers' first timestamp in the fixtures: the folder names &lt;|endoftext|&gt; alone as special.</summary>
    private const int FixturesTimestampBegin = 50258;

    public static TheoryData<string> Forms => ["tokenizer.json", "vocab.json"];

    [Theory]
    [MemberData(nameof(Forms))]
    public void Encode_EveryStringOfTheCorpus_GivesTheIds(string form)
    {
        var tokenizer = Tokenizer(form);
        AssertAll("tokenizer/encode.jsonl", 961, line => (Ids(line, "ids"), tokenizer.Encode(Text(line, "text"))));
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void Decode_EveryStringOfTheCorpus_GivesTheText(string form)
    {
        var tokenizer = Tokenizer(form);
        AssertAll("tokenizer/encode.jsonl", 961, line => (Text(line, "decoded"), tokenizer.Decode(Ids(line, "ids"), skipSpecialTokens: false)));
        AssertAll("tokenizer/encode.jsonl", 961, line => (Text(line, "decoded_skip_special"), tokenizer.Decode(Ids(line, "ids"))));
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void Decode_RandomIds_GivesTheText(string form)
    {
        var tokenizer = Tokenizer(form);
        AssertAll("tokenizer/decode.jsonl", 300, line => (Text(line, "decoded"), tokenizer.Decode(Ids(line, "ids"), skipSpecialTokens: false)));
        AssertAll("tokenizer/decode.jsonl", 300, line => (Text(line, "skip_special"), tokenizer.Decode(Ids(line, "ids"))));
        AssertAll("tokenizer/decode.jsonl", 300, line =>
            (Text(line, "with_timestamps"), TimestampedText.Decode(tokenizer, Ids(line, "ids"), FixturesTimestampBegin)));
    }

    [Fact]
    public void Utf8TokenStream_RandomIds_GivesTheTextInParts() =>
        AssertAll("tokenizer/decode.jsonl", 300, line =>
        {
            var stream = new Utf8TokenStream(Tokenizers.Micro);
            var text = string.Concat(Ids(line, "ids").Select(stream.Append));
            return (Text(line, "skip_special"), text + stream.Flush());
        });

    [Fact]
    public void SplitToWords_EveryLanguageOfTheCorpus_GivesTheWords()
    {
        AssertAll("tokenizer/words.jsonl", 288, line =>
        {
            var expected = line["words"]!.AsArray().Zip(line["word_ids"]!.AsArray(), (word, ids) => $"{word}={ids!.ToJsonString()}");
            var (words, tokens) = Tokenizers.Micro.SplitToWords(Ids(line, "ids"), Text(line, "language"));
            var actual = words.Zip(tokens, (word, ids) => $"{word}=[{string.Join(',', ids)}]");
            return (string.Join('\n', expected), string.Join('\n', actual));
        });
    }

    [Fact]
    public void Prefix_LanguagesAndTasks_GivesTransformersTokens()
    {
        foreach (var prompt in Specials()["prompts"]!.AsArray())
        {
            var language = (string?)prompt!["language"];
            TranscriptionTask? task = (string?)prompt["task"] is { } name ? Enum.Parse<TranscriptionTask>(name, ignoreCase: true) : null;
            var timestamps = (bool)prompt["predict_timestamps"]!;
            Assert.Equal(Ids(prompt, "prefix"), Tokenizers.Micro.Prefix(language, task, timestamps));
            var text = Tokenizers.Micro.Decode(Ids(prompt, "labels"));
            Assert.Equal(Ids(prompt, "labels"), Tokenizers.Micro.EncodeLabels(text, language, task, timestamps));
        }
    }

    [Fact]
    public void SpecialIds_OfTheFiles_AreThose()
    {
        var tokenizer = Tokenizers.Micro;
        foreach (var (text, id) in Specials()["special"]!.AsObject())
        {
            // The fixture asks transformers for <|nocaptions|> and gets the id at its place; the file calls it <|nospeech|>.
            if (text != "<|nocaptions|>")
            {
                Assert.Equal((int)id!, tokenizer.TokenToId(text));
            }
            else
            {
                Assert.Equal((int)id!, tokenizer.NoSpeech);
            }
        }

        Assert.Equal(
            [50257, 50258, 50358, 50359, 50360, 50361, 50362, 50363, 50364, 1501, 51865],
            [
                tokenizer.EndOfText, tokenizer.StartOfTranscript, tokenizer.Translate, tokenizer.Transcribe, tokenizer.StartOfLm!.Value,
                tokenizer.StartOfPrevious, tokenizer.NoSpeech, tokenizer.NoTimestamps, tokenizer.TimestampBegin, tokenizer.TimestampCount,
                tokenizer.VocabularySize,
            ]);
    }

    [Fact]
    public void EncodePrompt_Texts_GivesTransformersIds()
    {
        foreach (var prompt in Specials()["prompt_ids"]!.AsArray())
        {
            Assert.Equal(Ids(prompt!, "ids"), Tokenizers.Micro.EncodePrompt(Text(prompt!, "text")));
        }
    }

    [Fact]
    public void NonSpeechTokens_OfTheMultilingualVocabulary_AreOpenAis() =>
        Assert.Equal(Ids(Specials(), "non_speech_tokens_openai"), Tokenizers.Micro.NonSpeechTokens);

    [Fact]
    public void Split_OneOrMoreWindows_GivesTransformersOffsets()
    {
        foreach (var entry in Specials()["offsets"]!.AsArray())
        {
            var expected = entry!["offsets"]!.AsArray().Select(offset =>
                new TimestampedText(Text(offset!, "text"), (double)offset!["timestamp"]![0]!, (double)offset["timestamp"]![1]!));
            var actual = TimestampedText.Split(Tokenizers.Micro, Ids(entry, "ids"), FixturesTimestampBegin);
            Assert.Equal(expected, actual.Select(part => part with
            {
                StartSeconds = Math.Round(part.StartSeconds, 9),
                EndSeconds = Math.Round(part.EndSeconds, 9),
            }));
        }
    }

    [Fact]
    public void TimestampedText_TrueFirstTimestamp_GivesTrueTimes()
    {
        int[] ids = [50364, 1485, 13, 50464, 50464, 4453, 11, 1045, 13, 50614];
        Assert.Equal([new(" One.", 0, 2), new(" Two, three.", 2, 5)], TimestampedText.Split(Tokenizers.Micro, ids));
        Assert.Equal("<|0.00|> One.<|2.00|><|2.00|> Two, three.<|5.00|>", TimestampedText.Decode(Tokenizers.Micro, ids));
        Assert.Equal("<|0.00|> One.<|2.00|><|2.00|> Two, three.<|5.00|>", Tokenizers.Micro.DecodeWithTimestamps(ids));
    }

    [Fact]
    public void V3_SameTextVocabulary_HasCantoneseAndShiftedSpecials()
    {
        var tokenizer = Tokenizers.V3;
        Assert.Equal(
            [51866, 50358, 50359, 50360, 50364, 50365, 100],
            [
                tokenizer.VocabularySize, tokenizer.LanguageId("Cantonese"), tokenizer.Translate, tokenizer.Transcribe, tokenizer.NoTimestamps,
                tokenizer.TimestampBegin, tokenizer.Languages.Count,
            ]);
        Assert.Equal(WhisperLanguages.All.Select(language => language.Code), tokenizer.Languages.Select(language => language.Code));
        Assert.True(tokenizer.IsMultilingual);

        // Text is encoded alike where no special token stands in it.
        AssertAll("tokenizer/encode.jsonl", 961, line => Ids(line, "ids").Any(id => id >= 50257)
            ? ("", "")
            : (string.Join(' ', Ids(line, "ids")), string.Join(' ', tokenizer.Encode(Text(line, "text")))));
        Assert.Equal("cat, 你好", tokenizer.Decode(tokenizer.Encode("<|yue|><|0.00|>cat, 你好<|30.00|>")));
    }

    [Fact]
    public void BothForms_EveryId_Agree()
    {
        for (var id = 0; id < Tokenizers.Micro.VocabularySize; id++)
        {
            Assert.Equal(Tokenizers.Micro.DecodeWithTimestamps([id]), Tokenizers.MicroSlow.DecodeWithTimestamps([id]));
            Assert.Equal(Tokenizers.Micro.IsSpecial(id), Tokenizers.MicroSlow.IsSpecial(id));
            Assert.Equal(Tokenizers.Micro.LanguageCode(id), Tokenizers.MicroSlow.LanguageCode(id));
        }

        Assert.Equal(Tokenizers.Micro.VocabularySize, Tokenizers.MicroSlow.VocabularySize);
        Assert.Equal(Tokenizers.Micro.Languages, Tokenizers.MicroSlow.Languages);
    }

    private static WhisperTokenizer Tokenizer(string form) => form == "tokenizer.json" ? Tokenizers.Micro : Tokenizers.MicroSlow;

    private static JsonNode Specials() => JsonNode.Parse(File.ReadAllText(Fixtures.Path("tokenizer/specials.json")))!;

    private static string Text(JsonNode line, string name) => (string)line[name]!;

    private static int[] Ids(JsonNode line, string name) => [.. line[name]!.AsArray().Select(id => (int)id!)];

    /// <summary>Compares a value for every line and reports all lines that differ.</summary>
    private static void AssertAll<T>(string fixture, int count, Func<JsonNode, (T Expected, T Actual)> compare)
    {
        var lines = Fixtures.Lines(fixture).ToArray();
        Assert.Equal(count, lines.Length);
        var wrong = new List<string>();
        foreach (var line in lines)
        {
            var (expected, actual) = compare(line);
            if (!EqualityComparer<string>.Default.Equals(Show(expected), Show(actual)))
            {
                wrong.Add($"{line.ToJsonString()}\n  gave {Show(actual)}");
            }
        }

        Assert.True(wrong.Count == 0, $"{wrong.Count} of {count} lines differ:\n{string.Join('\n', wrong.Take(10))}");
    }

    private static string? Show<T>(T value) => value is int[] ids ? string.Join(' ', ids) : value?.ToString();
}
