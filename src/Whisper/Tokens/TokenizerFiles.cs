using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Whisper.Tokens;

/// <summary>A tokenizer as its files hold it: checked, and in the form that the tokenizer works with.</summary>
/// <param name="Source">The main file, for error messages.</param>
/// <param name="Texts">The text of each id (byte alphabet for learnt tokens); every id from 0 has one.</param>
/// <param name="Ids">The id of each text.</param>
/// <param name="Merges">By <see cref="BytePairEncoder.Key"/>.</param>
/// <param name="Added">Tokens that stand for their own text.</param>
/// <param name="AddPrefixSpace">Text that begins with no space gets one.</param>
internal sealed record TokenizerFiles(
    string Source,
    string[] Texts,
    Dictionary<string, int> Ids,
    Dictionary<long, BytePairEncoder.Merge> Merges,
    IReadOnlyList<AddedToken> Added,
    bool AddPrefixSpace)
{
    private const string FastFile = "tokenizer.json";
    private const string VocabularyFile = "vocab.json";
    private const string MergesFile = "merges.txt";
    private const string AddedFile = "added_tokens.json";
    private const string SpecialFile = "special_tokens_map.json";
    private const string ConfigFile = "tokenizer_config.json";

    /// <summary>More ids than any speech model has; a larger one is a damaged file, not a reason to allocate gigabytes.</summary>
    private const int LargestId = 1 << 22;

    /// <summary>Whisper's file is 4 MB.</summary>
    private const long LargestFile = 256L << 20;

    /// <summary>Reads tokenizer.json, or without it vocab.json and merges.txt with the files that list added and special tokens.</summary>
    /// <exception cref="AsrException">A file is missing, damaged or contradicts itself.</exception>
    public static TokenizerFiles Read(string directory)
    {
        if (!Directory.Exists(directory))
        {
            throw new AsrException($"There is no model folder {directory}.");
        }

        var fast = Path.Combine(directory, FastFile);
        if (File.Exists(fast))
        {
            return ReadFast(fast);
        }

        if (File.Exists(Path.Combine(directory, VocabularyFile)))
        {
            return ReadSlow(directory);
        }

        throw new AsrException(
            $"{directory} has no tokenizer: it needs {FastFile}, or {VocabularyFile} with {MergesFile}. Copy them from the model's checkpoint.");
    }

    private static TokenizerFiles ReadFast(string path)
    {
        var vocabulary = new Vocabulary(path);
        var added = new List<AddedToken>();
        var merges = new Dictionary<long, BytePairEncoder.Merge>();
        var prefixSpace = false;
        var hasModel = false;
        ParseJson(path, (ref Utf8JsonReader reader) => ReadObject(ref reader, path, "the file", (string name, ref Utf8JsonReader value) =>
        {
            switch (name)
            {
                case "added_tokens" when value.TokenType != JsonTokenType.Null:
                    ReadAdded(ref value, path, added);
                    break;
                case "normalizer" when value.TokenType != JsonTokenType.Null:
                    throw Unsupported(path, "has a normalizer");
                case "pre_tokenizer":
                    prefixSpace = ReadPreTokenizer(ref value, path);
                    break;
                case "model":
                    ReadModel(ref value, path, vocabulary, merges);
                    hasModel = true;
                    break;
                default:
                    value.Skip();
                    break;
            }
        }));
        if (!hasModel)
        {
            throw Damaged(path, "it has no model");
        }

        return Finish(path, vocabulary, merges, added, prefixSpace);
    }

    private static TokenizerFiles ReadSlow(string directory)
    {
        var path = Path.Combine(directory, VocabularyFile);
        var vocabulary = new Vocabulary(path);
        ParseJson(path, (ref Utf8JsonReader reader) => vocabulary.Read(ref reader));

        var flagged = new Dictionary<string, AddedToken>(StringComparer.Ordinal);
        var named = new HashSet<string>(StringComparer.Ordinal);
        var prefixSpace = false;
        ReadOptional(Path.Combine(directory, ConfigFile), (config, file) =>
        {
            prefixSpace = config.TryGetProperty("add_prefix_space", out var flag) && flag.ValueKind == JsonValueKind.True;
            CollectNames(config, named);
            if (config.TryGetProperty("added_tokens_decoder", out var decoder) && decoder.ValueKind == JsonValueKind.Object)
            {
                foreach (var entry in decoder.EnumerateObject())
                {
                    if (!int.TryParse(entry.Name, NumberStyles.None, CultureInfo.InvariantCulture, out var id)
                        || entry.Value.ValueKind != JsonValueKind.Object
                        || !entry.Value.TryGetProperty("content", out var content) || content.ValueKind != JsonValueKind.String)
                    {
                        throw Damaged(file, $"added_tokens_decoder has no token at '{entry.Name}'");
                    }

                    bool Flag(string name) => entry.Value.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.True;
                    var text = content.GetString()!;
                    flagged[text] = new AddedToken(
                        text, id, Flag("special"), Flag("single_word"), Flag("lstrip"), Flag("rstrip"), Flag("normalized"));
                }
            }
        });
        ReadOptional(Path.Combine(directory, SpecialFile), (map, _) => CollectNames(map, named));
        ReadOptional(Path.Combine(directory, AddedFile), (map, file) =>
        {
            foreach (var entry in map.EnumerateObject())
            {
                if (entry.Value.ValueKind != JsonValueKind.Number || !entry.Value.TryGetInt32(out var id))
                {
                    throw Damaged(file, $"'{entry.Name}' has no id");
                }

                if (flagged.TryGetValue(entry.Name, out var known) && known.Id != id)
                {
                    throw Damaged(file, $"'{entry.Name}' is {id} here and {known.Id} in {ConfigFile}");
                }

                // Without flags, Whisper's shape of a token that is no timestamp tells.
                flagged.TryAdd(entry.Name, new AddedToken(entry.Name, id, IsSpecialByName(entry.Name)));
            }
        });
        foreach (var name in named)
        {
            if (flagged.TryGetValue(name, out var known))
            {
                flagged[name] = known with { IsSpecial = true };
            }
            else if (vocabulary.Ids.TryGetValue(name, out var id))
            {
                flagged.Add(name, new AddedToken(name, id, IsSpecial: true));
            }
        }

        var merges = ReadMergesText(Path.Combine(directory, MergesFile), vocabulary);
        return Finish(path, vocabulary, merges, [.. flagged.Values], prefixSpace);
    }

    private static bool IsSpecialByName(string name) =>
        name.StartsWith("<|", StringComparison.Ordinal) && name.EndsWith("|>", StringComparison.Ordinal)
        && !TimestampTokens.TryParse(name, out _);

    /// <summary>Collects the texts of the tokens that a map names as special: bos_token, additional_special_tokens and the like.</summary>
    private static void CollectNames(JsonElement map, HashSet<string> names)
    {
        foreach (var entry in map.EnumerateObject().Where(entry =>
            entry.Name.EndsWith("_token", StringComparison.Ordinal) || entry.Name.EndsWith("_special_tokens", StringComparison.Ordinal)))
        {
            var values = entry.Value.ValueKind == JsonValueKind.Array ? entry.Value.EnumerateArray().AsEnumerable() : [entry.Value];
            foreach (var value in values)
            {
                var text = value.ValueKind == JsonValueKind.Object && value.TryGetProperty("content", out var content) ? content : value;
                if (text.ValueKind == JsonValueKind.String)
                {
                    names.Add(text.GetString()!);
                }
            }
        }
    }

    private static TokenizerFiles Finish(
        string path, Vocabulary vocabulary, Dictionary<long, BytePairEncoder.Merge> merges, List<AddedToken> added, bool prefixSpace)
    {
        var texts = new HashSet<string>(StringComparer.Ordinal);
        foreach (var token in added)
        {
            if (!texts.Add(token.Text))
            {
                throw Damaged(path, $"the added token '{token.Text}' is listed twice");
            }

            vocabulary.AddOwnText(token);
        }

        return new TokenizerFiles(path, vocabulary.TextsWithoutGaps(), vocabulary.Ids, merges, added, prefixSpace);
    }

    private static void ReadModel(ref Utf8JsonReader reader, string path, Vocabulary vocabulary, Dictionary<long, BytePairEncoder.Merge> merges)
    {
        var hasVocabulary = false;
        var hasMerges = false;
        var start = reader;
        ReadObject(ref reader, path, "model", (string name, ref Utf8JsonReader value) =>
        {
            switch (name)
            {
                case "type" when value.TokenType != JsonTokenType.String || value.GetString() != "BPE":
                    throw Unsupported(path, "is not of the type BPE");
                case "dropout" when value.TokenType == JsonTokenType.Number && value.GetDouble() > 0:
                    throw Unsupported(path, "has a dropout");
                case "continuing_subword_prefix" or "end_of_word_suffix"
                    when value.TokenType == JsonTokenType.String && value.ValueSpan.Length > 0:
                    throw Unsupported(path, $"has a {name}");
                case "byte_fallback" or "ignore_merges" when value.TokenType == JsonTokenType.True:
                    throw Unsupported(path, $"has {name}");
                case "vocab":
                    vocabulary.Read(ref value);
                    hasVocabulary = true;
                    break;
                case "merges" when hasVocabulary:
                    ReadMerges(ref value, path, vocabulary, merges);
                    hasMerges = true;
                    break;
                default:
                    value.Skip();
                    break;
            }
        });
        if (!hasVocabulary)
        {
            throw Damaged(path, "the model has no vocab");
        }

        if (!hasMerges)
        {
            // The merges can stand before the vocabulary, which is needed to read them.
            ReadObject(ref start, path, "model", (string name, ref Utf8JsonReader value) =>
            {
                if (name == "merges")
                {
                    ReadMerges(ref value, path, vocabulary, merges);
                    hasMerges = true;
                }
                else
                {
                    value.Skip();
                }
            });
        }

        if (!hasMerges)
        {
            throw Damaged(path, "the model has no merges");
        }
    }

    private static bool ReadPreTokenizer(ref Utf8JsonReader reader, string path)
    {
        var byteLevel = false;
        var prefixSpace = false;
        if (reader.TokenType == JsonTokenType.StartObject)
        {
            ReadObject(ref reader, path, "pre_tokenizer", (string name, ref Utf8JsonReader value) =>
            {
                byteLevel |= name == "type" && value.TokenType == JsonTokenType.String && value.ValueTextEquals("ByteLevel");
                prefixSpace |= name == "add_prefix_space" && value.TokenType == JsonTokenType.True;
                if (name == "use_regex" && value.TokenType == JsonTokenType.False)
                {
                    throw Unsupported(path, "does not split text by GPT-2's rule");
                }

                value.Skip();
            });
        }
        else
        {
            reader.Skip();
        }

        return byteLevel ? prefixSpace : throw Unsupported(path, "has no ByteLevel pre_tokenizer");
    }

    private static void ReadAdded(ref Utf8JsonReader reader, string path, List<AddedToken> added)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw Damaged(path, "added_tokens is no list");
        }

        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            string? text = null;
            int? id = null;
            var flags = new HashSet<string>();
            ReadObject(ref reader, path, "an added token", (string name, ref Utf8JsonReader value) =>
            {
                if (name == "content" && value.TokenType == JsonTokenType.String)
                {
                    text = value.GetString();
                }
                else if (name == "id" && value.TokenType == JsonTokenType.Number && value.TryGetInt32(out var number))
                {
                    id = number;
                }
                else if (value.TokenType == JsonTokenType.True)
                {
                    flags.Add(name);
                }

                value.Skip();
            });
            if (text is null || id is null)
            {
                throw Damaged(path, $"the added token number {added.Count} lacks {(text is null ? "its content" : "an id")}");
            }

            added.Add(new AddedToken(
                text, id.Value, flags.Contains("special"), flags.Contains("single_word"), flags.Contains("lstrip"), flags.Contains("rstrip"),
                flags.Contains("normalized")));
        }
    }

    private static void ReadMerges(ref Utf8JsonReader reader, string path, Vocabulary vocabulary, Dictionary<long, BytePairEncoder.Merge> merges)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw Damaged(path, "merges is no list");
        }

        // Both halves side by side, so that their concatenation is there too.
        var buffer = new char[256];
        for (var rank = 0; reader.Read() && reader.TokenType != JsonTokenType.EndArray; rank++)
        {
            int left;
            int length;
            if (reader.TokenType == JsonTokenType.String)
            {
                length = CopyText(ref reader, ref buffer, 0);
                left = buffer.AsSpan(0, length).IndexOf(' ');
                if (left < 0)
                {
                    throw Damaged(path, $"the merge number {rank} is no pair");
                }

                buffer.AsSpan(left + 1, length - left - 1).CopyTo(buffer.AsSpan(left));
                length--;
            }
            else
            {
                var isPair = reader.TokenType == JsonTokenType.StartArray && reader.Read() && reader.TokenType == JsonTokenType.String;
                left = isPair ? CopyText(ref reader, ref buffer, 0) : 0;
                isPair = isPair && reader.Read() && reader.TokenType == JsonTokenType.String;
                length = isPair ? left + CopyText(ref reader, ref buffer, left) : 0;
                if (!isPair || !reader.Read() || reader.TokenType != JsonTokenType.EndArray)
                {
                    throw Damaged(path, $"the merge number {rank} is no pair");
                }
            }

            AddMerge(path, vocabulary, merges, rank, buffer.AsSpan(0, length), left);
        }
    }

    private static Dictionary<long, BytePairEncoder.Merge> ReadMergesText(string path, Vocabulary vocabulary)
    {
        var merges = new Dictionary<long, BytePairEncoder.Merge>();
        string text;
        try
        {
            text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(ReadBytes(path));
        }
        catch (DecoderFallbackException error)
        {
            throw Damaged(path, "it is not UTF-8", error);
        }

        var rank = 0;
        var line = 0;
        var buffer = new char[256];
        foreach (var range in text.AsSpan().Split('\n'))
        {
            var merge = text.AsSpan(range).TrimEnd('\r');
            line++;
            if (merge.IsEmpty || (line == 1 && merge.StartsWith("#version", StringComparison.Ordinal)))
            {
                continue;
            }

            var space = merge.IndexOf(' ');
            if (space < 0 || merge[(space + 1)..].Contains(' '))
            {
                throw Damaged(path, $"line {line} is no pair");
            }

            Grow(ref buffer, merge.Length, 0);
            merge[..space].CopyTo(buffer);
            merge[(space + 1)..].CopyTo(buffer.AsSpan(space));
            AddMerge(path, vocabulary, merges, rank++, buffer.AsSpan(0, merge.Length - 1), space);
        }

        return merges;
    }

    private static void AddMerge(
        string path, Vocabulary vocabulary, Dictionary<long, BytePairEncoder.Merge> merges, int rank, ReadOnlySpan<char> both, int left)
    {
        if (!vocabulary.TryFind(both[..left], out var leftId) || !vocabulary.TryFind(both[left..], out var rightId)
            || !vocabulary.TryFind(both, out var merged))
        {
            throw Damaged(path, $"the merge number {rank} of '{both[..left]}' and '{both[left..]}' is of tokens that the vocabulary lacks");
        }

        // A pair listed again takes the later rank, as upstream.
        merges[BytePairEncoder.Key(leftId, rightId)] = new BytePairEncoder.Merge(rank, merged);
    }

    private static int CopyText(ref Utf8JsonReader reader, ref char[] buffer, int offset)
    {
        Grow(ref buffer, offset + reader.ValueSpan.Length, offset);
        return reader.CopyString(buffer.AsSpan(offset));
    }

    private static void Grow(ref char[] buffer, int length, int keep)
    {
        if (buffer.Length < length)
        {
            var larger = new char[length * 2];
            buffer.AsSpan(0, keep).CopyTo(larger);
            buffer = larger;
        }
    }

    private delegate void Parse(ref Utf8JsonReader reader);

    private delegate void ParseProperty(string name, ref Utf8JsonReader value);

    private static void ParseJson(string path, Parse parse)
    {
        var bytes = ReadBytes(path);
        try
        {
            var reader = new Utf8JsonReader(bytes.AsSpan(bytes.AsSpan().StartsWith("\uFEFF"u8) ? 3 : 0));
            reader.Read();
            parse(ref reader);
            reader.Read();
        }
        catch (JsonException error)
        {
            throw Damaged(path, $"it is no valid JSON from line {error.LineNumber + 1} on", error);
        }
        catch (InvalidOperationException error)
        {
            throw Damaged(path, "a text in it is not valid Unicode", error);
        }
    }

    /// <summary>Reads the members of the object that the reader stands on; each call must consume its value.</summary>
    private static void ReadObject(ref Utf8JsonReader reader, string path, string what, ParseProperty parse)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw Damaged(path, $"{what} is no JSON object");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            reader.Read();
            parse(name, ref reader);
        }
    }

    private static void ReadOptional(string path, Action<JsonElement, string> parse)
    {
        if (!File.Exists(path))
        {
            return;
        }

        try
        {
            using var document = JsonDocument.Parse(ReadBytes(path));
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw Damaged(path, "the file is no JSON object");
            }

            parse(document.RootElement, path);
        }
        catch (JsonException error)
        {
            throw Damaged(path, $"it is no valid JSON from line {error.LineNumber + 1} on", error);
        }
        catch (InvalidOperationException error)
        {
            throw Damaged(path, "a text in it is not valid Unicode", error);
        }
    }

    private static byte[] ReadBytes(string path)
    {
        try
        {
            var length = new FileInfo(path).Length;
            return length <= LargestFile ? File.ReadAllBytes(path) : throw Damaged(path, $"it has {length} bytes, more than any tokenizer needs");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"Cannot read {path}: {error.Message}", error);
        }
    }

    private static AsrException Damaged(string path, string what, Exception? cause = null) =>
        new($"The tokenizer file {path} is damaged: {what}. Copy it from the model's checkpoint again.", cause);

    private static AsrException Unsupported(string path, string what) =>
        new($"The tokenizer {path} {what}: it is not one of Whisper's kind (byte-level BPE).");

    /// <summary>Texts and ids while they are read.</summary>
    private sealed class Vocabulary(string path)
    {
        private readonly List<string?> _texts = new(52_000);
        private Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _lookup;

        public Dictionary<string, int> Ids { get; } = new(52_000, StringComparer.Ordinal);

        public void Read(ref Utf8JsonReader reader)
        {
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                throw Damaged(path, "the vocabulary is no JSON object");
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var text = reader.GetString()!;
                if (!reader.Read() || reader.TokenType != JsonTokenType.Number || !reader.TryGetInt32(out var id))
                {
                    throw Damaged(path, $"the token '{text}' has no id");
                }

                Add(text, id);
            }

            _lookup = Ids.GetAlternateLookup<ReadOnlySpan<char>>();
        }

        public bool TryFind(ReadOnlySpan<char> text, out int id) => _lookup.TryGetValue(text, out id);

        /// <summary>Takes in an added token, which may be in the vocabulary already under the same id.</summary>
        public void AddOwnText(AddedToken token)
        {
            if (!Ids.TryGetValue(token.Text, out var id))
            {
                Add(token.Text, token.Id);
            }
            else if (id != token.Id)
            {
                throw Damaged(path, $"'{token.Text}' has two ids, {id} and {token.Id}");
            }
        }

        public string[] TextsWithoutGaps()
        {
            var gap = _texts.IndexOf(null);
            if (gap >= 0)
            {
                throw Damaged(path, $"no token has the id {gap}, though ids go up to {_texts.Count - 1}");
            }

            return [.. _texts!];
        }

        private void Add(string text, int id)
        {
            if (id is < 0 or > LargestId)
            {
                throw Damaged(path, $"the id {id} of '{text}' is out of range");
            }

            if (id >= _texts.Count)
            {
                CollectionsMarshal.SetCount(_texts, id + 1);
            }

            if (_texts[id] is { } other)
            {
                throw Damaged(path, $"the id {id} belongs to both '{other}' and '{text}'");
            }

            if (!Ids.TryAdd(text, id))
            {
                throw Damaged(path, $"the token '{text}' is listed twice");
            }

            _texts[id] = text;
        }
    }
}
