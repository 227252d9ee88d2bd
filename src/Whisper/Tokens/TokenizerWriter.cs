using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Whisper.Tokens;

/// <summary>Writes a new tokenizer's files as Hugging Face has them: tokenizer.json, vocab.json, merges.txt and those that name the special tokens.</summary>
internal static class TokenizerWriter
{
    private const string EndOfText = "<|endoftext|>";

    // The byte alphabet and its quotation marks stay readable.
    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The special tokens and timestamps in the order of their ids, which follow the learnt tokens, as in OpenAI's vocabularies.</summary>
    /// <param name="languages">Codes.</param>
    /// <param name="contextSeconds">The last timestamp's time.</param>
    public static IEnumerable<(string Text, bool IsSpecial)> AddedTokens(IReadOnlyList<string> languages, double contextSeconds) =>
    [
        .. new[] { EndOfText, "<|startoftranscript|>" }
            .Concat(languages.Select(code => $"<|{code}|>"))
            .Concat(["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"])
            .Select(text => (text, true)),
        .. Enumerable.Range(0, (int)Math.Round(contextSeconds / WhisperTokenizer.TimePrecisionSeconds) + 1)
            .Select(index => (TimestampTokens.Text(index * WhisperTokenizer.TimePrecisionSeconds), false)),
    ];

    /// <summary>Writes the files; the folder must exist.</summary>
    /// <exception cref="Abstractions.AsrException">A file cannot be written.</exception>
    public static void Write(
        string directory, BytePairVocabulary vocabulary, IReadOnlyList<(string Text, bool IsSpecial)> added, bool addPrefixSpace, int maxLength)
    {
        var learnt = vocabulary.Tokens.Count;
        var ids = new JsonObject();
        foreach (var (text, id) in vocabulary.Tokens.Select((text, id) => (text, id)))
        {
            ids.Add(text, id);
        }

        // The end token is in the vocabulary too, as GPT-2's was.
        ids.Add(EndOfText, learnt);
        var specials = added.Where(token => token.IsSpecial).Select(token => token.Text).ToArray();
        WriteJson(directory, "vocab.json", ids.DeepClone());
        WriteText(directory, "merges.txt", "#version: 0.2\n" + string.Concat(vocabulary.Merges.Select(merge => $"{merge.Left} {merge.Right}\n")));
        WriteJson(directory, "added_tokens.json", new JsonObject(
            added.Select((token, index) => KeyValuePair.Create<string, JsonNode?>(token.Text, learnt + index)).Skip(1)));
        WriteJson(directory, "special_tokens_map.json", new JsonObject
        {
            ["additional_special_tokens"] = new JsonArray([.. specials.Select(text => (JsonNode)text)]),
            ["bos_token"] = EndOfText,
            ["eos_token"] = EndOfText,
            ["pad_token"] = EndOfText,
            ["unk_token"] = EndOfText,
        });
        WriteJson(directory, "tokenizer_config.json", new JsonObject
        {
            ["add_prefix_space"] = addPrefixSpace,
            ["added_tokens_decoder"] = new JsonObject(
                added.Select((token, index) => KeyValuePair.Create<string, JsonNode?>($"{learnt + index}", Flags(token.Text, token.IsSpecial)))),
            ["additional_special_tokens"] = new JsonArray([.. specials.Select(text => (JsonNode)text)]),
            ["bos_token"] = EndOfText,
            ["clean_up_tokenization_spaces"] = false,
            ["eos_token"] = EndOfText,
            ["errors"] = "replace",
            ["model_max_length"] = maxLength,
            ["pad_token"] = EndOfText,
            ["processor_class"] = "WhisperProcessor",
            ["return_attention_mask"] = false,
            ["tokenizer_class"] = "WhisperTokenizer",
            ["unk_token"] = EndOfText,
        });
        WriteJson(directory, "tokenizer.json", new JsonObject
        {
            ["version"] = "1.0",
            ["truncation"] = null,
            ["padding"] = null,
            ["added_tokens"] = new JsonArray([.. added.Select((token, index) =>
            {
                var entry = Flags(token.Text, token.IsSpecial);
                entry.Insert(0, "id", learnt + index);
                return (JsonNode)entry;
            })]),
            ["normalizer"] = null,
            ["pre_tokenizer"] = ByteLevel(addPrefixSpace),
            ["post_processor"] = Template(specials, learnt),
            ["decoder"] = ByteLevel(true),
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["dropout"] = null,
                ["unk_token"] = null,
                ["continuing_subword_prefix"] = "",
                ["end_of_word_suffix"] = "",
                ["fuse_unk"] = false,
                ["byte_fallback"] = false,
                ["ignore_merges"] = false,
                ["vocab"] = ids,
                ["merges"] = new JsonArray([.. vocabulary.Merges.Select(merge => (JsonNode)new JsonArray(merge.Left, merge.Right))]),
            },
        });
    }

    private static JsonObject Flags(string text, bool isSpecial) => new()
    {
        ["content"] = text,
        ["single_word"] = false,
        ["lstrip"] = false,
        ["rstrip"] = false,
        ["normalized"] = false,
        ["special"] = isSpecial,
    };

    private static JsonObject ByteLevel(bool addPrefixSpace) => new()
    {
        ["type"] = "ByteLevel",
        ["add_prefix_space"] = addPrefixSpace,
        ["trim_offsets"] = true,
        ["use_regex"] = true,
    };

    /// <summary>Start, no timestamps, the text, end: what Whisper's tokenizer.json puts around a text.</summary>
    private static JsonObject Template(string[] specials, int learnt)
    {
        string[] around = ["<|startoftranscript|>", "<|notimestamps|>", EndOfText];
        static JsonObject Special(string text, int type) => new() { ["SpecialToken"] = new JsonObject { ["id"] = text, ["type_id"] = type } };
        static JsonObject Sequence(string name, int type) => new() { ["Sequence"] = new JsonObject { ["id"] = name, ["type_id"] = type } };
        return new JsonObject
        {
            ["type"] = "TemplateProcessing",
            ["single"] = new JsonArray(Special(around[0], 0), Special(around[1], 0), Sequence("A", 0), Special(EndOfText, 0)),
            ["pair"] = new JsonArray(Special(around[0], 0), Special(around[1], 0), Sequence("A", 0), Sequence("B", 1), Special(EndOfText, 1)),
            ["special_tokens"] = new JsonObject(around.Select(text => KeyValuePair.Create<string, JsonNode?>(text, new JsonObject
            {
                ["id"] = text,
                ["ids"] = new JsonArray(learnt + Array.IndexOf(specials, text)),
                ["tokens"] = new JsonArray(text),
            }))),
        };
    }

    private static void WriteJson(string directory, string name, JsonNode content) => WriteText(directory, name, content.ToJsonString(Json) + "\n");

    private static void WriteText(string directory, string name, string text) =>
        AtomicFile.Write(Path.Combine(directory, name), stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(text)));
}
