using System.Buffers;
using System.Text;
using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Tokens;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Text;

namespace AsrPlatform.Whisper.Tokens;

/// <summary>
/// Whisper's tokenizer: byte-level BPE with special tokens and timestamps, read from a Hugging Face checkpoint folder. Ids are those of
/// the tokenizers library (and of tiktoken); all special ids come from the files.
/// </summary>
/// <remarks>Immutable and safe for concurrent calls.</remarks>
public sealed class WhisperTokenizer : ITokenizer
{
    /// <summary>Seconds between two timestamp tokens (openai/whisper's <c>time_precision</c>).</summary>
    public const double TimePrecisionSeconds = 0.02;

    /// <summary>The size of OpenAI's English-only vocabulary; all of its multilingual ones are larger.</summary>
    private const int EnglishVocabularySize = 51864;

    /// <summary>Languages written without spaces between words, whose words are characters (openai/whisper, <c>split_to_word_tokens</c>).</summary>
    private static readonly string[] LanguagesWithoutSpaces = ["zh", "ja", "th", "lo", "my", "yue"];

    /// <summary>Python's <c>string.punctuation</c>.</summary>
    private const string Punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

    private readonly string _source;
    private readonly Dictionary<string, int> _ids;
    private readonly string[] _texts;
    private readonly byte[] _bytes;
    private readonly int[] _byteStarts;
    private readonly bool[] _isSpecial;
    private readonly BytePairEncoder _encoder;
    private readonly AddedTokens _addedPlain;
    private readonly AddedTokens _addedNormalized;
    private readonly bool _addPrefixSpace;
    private readonly Dictionary<string, int> _languageIds;
    private readonly Lazy<int[]> _nonSpeechTokens;
    private readonly Lazy<int[]> _wordContinuations;

    private WhisperTokenizer(TokenizerFiles files, bool? isMultilingual)
    {
        _source = files.Source;
        _ids = files.Ids;
        _addPrefixSpace = files.AddPrefixSpace;
        EndOfText = Require("<|endoftext|>");
        StartOfTranscript = Require("<|startoftranscript|>");
        Translate = Require("<|translate|>");
        Transcribe = Require("<|transcribe|>");
        StartOfLm = TokenToId("<|startoflm|>");
        StartOfPrevious = Require("<|startofprev|>");
        NoSpeech = TokenToId("<|nospeech|>") ?? Require("<|nocaptions|>");
        NoTimestamps = Require("<|notimestamps|>");
        (TimestampBegin, TimestampCount) = FindTimestamps(files.Texts.Length);

        _texts = files.Texts;
        if (TimestampBegin == _texts.Length)
        {
            // Checkpoints of 2022 list no timestamps: they follow the listed ids all the same.
            _texts = [.. _texts, .. Enumerable.Range(0, TimestampCount).Select(index => TimestampTokens.Text(index * TimePrecisionSeconds))];
        }

        _isSpecial = new bool[_texts.Length];
        foreach (var token in files.Added)
        {
            _isSpecial[token.Id] = token.IsSpecial;
        }

        var writer = new ArrayBufferWriter<byte>(_texts.Length * 8);
        _byteStarts = new int[_texts.Length + 1];
        for (var id = 0; id < _texts.Length; id++)
        {
            ByteAlphabet.Decode(_texts[id], writer);
            _byteStarts[id + 1] = writer.WrittenCount;
        }

        _bytes = writer.WrittenSpan.ToArray();
        var byteTokens = new int[256];
        for (var value = 0; value < byteTokens.Length; value++)
        {
            byteTokens[value] = TokenToId(ByteAlphabet.ToCharacter((byte)value).ToString()) ?? -1;
        }

        _encoder = new BytePairEncoder(byteTokens, files.Merges);
        _addedPlain = new AddedTokens(files.Added.Where(token => !token.Normalized));
        _addedNormalized = new AddedTokens(files.Added.Where(token => token.Normalized));

        Languages = [.. files.Added
            .Where(token => IsLanguage(token.Text))
            .OrderBy(token => token.Id)
            .Select(token => (token.Text[2..^2], token.Id))];
        _languageIds = Languages.ToDictionary(language => language.Code, language => language.Id, StringComparer.OrdinalIgnoreCase);
        IsMultilingual = isMultilingual ?? (Languages.Count > 0 && VocabularySize != EnglishVocabularySize);
        _nonSpeechTokens = new Lazy<int[]>(FindNonSpeechTokens);
        _wordContinuations = new Lazy<int[]>(FindWordContinuations);
    }

    /// <inheritdoc />
    public int VocabularySize => _texts.Length;

    /// <summary>Ends a transcript; the first of the special tokens in OpenAI's vocabularies.</summary>
    public int EndOfText { get; }

    /// <summary>Starts a transcript.</summary>
    public int StartOfTranscript { get; }

    /// <summary>The task of translating into English.</summary>
    public int Translate { get; }

    /// <summary>The task of transcribing.</summary>
    public int Transcribe { get; }

    /// <summary>Unused by the models; null when the vocabulary lacks it.</summary>
    public int? StartOfLm { get; }

    /// <summary>Precedes the text before the audio, or a prompt.</summary>
    public int StartOfPrevious { get; }

    /// <summary>Says that there is no speech; its probability is the no-speech probability.</summary>
    public int NoSpeech { get; }

    /// <summary>Asks for no timestamps.</summary>
    public int NoTimestamps { get; }

    /// <summary>The timestamp of 0 s; later ones follow in steps of <see cref="TimePrecisionSeconds"/>.</summary>
    public int TimestampBegin { get; }

    /// <summary>The number of timestamps, 1501 in OpenAI's vocabularies (0…30 s).</summary>
    public int TimestampCount { get; }

    /// <summary>
    /// True when prompts name language and task: what generation_config.json says, or else that there are language tokens and the size is
    /// not that of OpenAI's English-only vocabulary (which has language tokens too, never used).
    /// </summary>
    public bool IsMultilingual { get; }

    /// <summary>Codes and ids of the languages, by id.</summary>
    public IReadOnlyList<(string Code, int Id)> Languages { get; }

    /// <summary>
    /// Ids, ascending, of tokens that begin no speech: brackets, notes, quotation marks and the like (openai/whisper's
    /// <c>non_speech_tokens</c>). In small vocabularies, where such a sign has no token of its own, it is not among them.
    /// </summary>
    public IReadOnlyList<int> NonSpeechTokens => _nonSpeechTokens.Value;

    /// <summary>Reads the tokenizer of a checkpoint folder: tokenizer.json, or vocab.json and merges.txt with the files that list added tokens.</summary>
    /// <exception cref="AsrException">A file is missing or damaged, or a special token that Whisper needs is missing.</exception>
    public static WhisperTokenizer Load(string modelDirectory)
    {
        ArgumentNullException.ThrowIfNull(modelDirectory);
        return new WhisperTokenizer(TokenizerFiles.Read(modelDirectory), ReadIsMultilingual(Path.Combine(modelDirectory, "generation_config.json")));
    }

    /// <summary>Reads the tokenizer of a checkpoint folder and checks that it is the model's own.</summary>
    /// <param name="modelDirectory">As <see cref="Load(string)"/>.</param>
    /// <param name="config">The folder's configuration.</param>
    /// <exception cref="AsrException">As <see cref="Load(string)"/>, or the model lacks tokens that decoding and training use.</exception>
    public static WhisperTokenizer Load(string modelDirectory, WhisperConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        var tokenizer = Load(modelDirectory);

        // Tokens listed behind these, which somebody added and the model never learnt, are harmless.
        int[] used = [tokenizer.EndOfText, tokenizer.StartOfTranscript, tokenizer.NoTimestamps, tokenizer.TimestampBegin + tokenizer.TimestampCount - 1];
        return used.Max() is var highest && highest < config.VocabSize
            ? tokenizer
            : throw new AsrException(
                $"{modelDirectory}: the tokenizer needs ids up to {highest}, but \"vocab_size\" in {WhisperConfig.FileName} is {config.VocabSize}: take the tokenizer files of the same checkpoint.");
    }

    /// <summary>True for a special token, such as <c>&lt;|en|&gt;</c>; timestamps are none.</summary>
    public bool IsSpecial(int id) => (uint)id < (uint)_isSpecial.Length && _isSpecial[id];

    /// <summary>True for a timestamp.</summary>
    public bool IsTimestamp(int id) => id >= TimestampBegin && id < TimestampBegin + TimestampCount;

    /// <inheritdoc />
    public int? TokenToId(string token) => _ids.TryGetValue(token, out var id) ? id : null;

    /// <summary>The id of a language by code or English name.</summary>
    /// <exception cref="AsrException">The language is unknown, or the model has no token for it.</exception>
    public int LanguageId(string codeOrName)
    {
        ArgumentNullException.ThrowIfNull(codeOrName);
        return _languageIds.TryGetValue(codeOrName.Trim(), out var id) || _languageIds.TryGetValue(WhisperLanguages.GetCode(codeOrName), out id)
            ? id
            : throw new AsrException(
                $"This model does not know the language '{codeOrName}': it knows {string.Join(", ", Languages.Select(language => language.Code))}.");
    }

    /// <summary>The code of a language token, or null when the id is none.</summary>
    public string? LanguageCode(int id) => IsSpecial(id) && IsLanguage(_texts[id]) ? _texts[id][2..^2] : null;

    /// <inheritdoc />
    public int[] Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var output = new List<int>((text.Length / 3) + 4);
        Encode(text, output, normalized: false);
        return [.. output];
    }

    /// <summary>Encodes text in which nothing is special: <c>&lt;|en|&gt;</c> becomes the tokens of its characters.</summary>
    public int[] EncodePlain(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var output = new List<int>((text.Length / 3) + 4);
        EncodePieces(text, output);
        return [.. output];
    }

    /// <summary>A prompt before the audio: <see cref="StartOfPrevious"/>, then the text with one space before it (transformers' <c>get_prompt_ids</c>).</summary>
    /// <exception cref="AsrException">The text names a special token.</exception>
    public int[] EncodePrompt(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var ids = Encode(" " + CodePoints.Strip(text).ToString());
        foreach (var id in ids)
        {
            if (IsSpecial(id) || IsTimestamp(id))
            {
                throw new AsrException($"The prompt has the special token {_texts[id]}: take it out.");
            }
        }

        return [StartOfPrevious, .. ids];
    }

    /// <summary>The tokens that a transcript starts with.</summary>
    /// <param name="language">Code or English name; null leaves the language token out.</param>
    /// <param name="task">Null leaves the task token out.</param>
    /// <param name="timestamps">False adds <see cref="NoTimestamps"/>.</param>
    /// <returns>Start of transcript, language, task, no timestamps; language and task only for multilingual models.</returns>
    /// <exception cref="AsrException">The language is unknown to the model, or an English-only model is to do other than transcribe English.</exception>
    public int[] Prefix(string? language, TranscriptionTask? task, bool timestamps)
    {
        var prefix = new List<int>(4) { StartOfTranscript };
        if (IsMultilingual)
        {
            if (language is not null)
            {
                prefix.Add(LanguageId(language));
            }

            if (task is not null)
            {
                prefix.Add(task == TranscriptionTask.Translate ? Translate : Transcribe);
            }
        }
        else if (task == TranscriptionTask.Translate || (language is not null && WhisperLanguages.GetCode(language) != "en"))
        {
            throw new AsrException("This model only transcribes English: leave language and task out, or take a multilingual model.");
        }

        if (!timestamps)
        {
            prefix.Add(NoTimestamps);
        }

        return [.. prefix];
    }

    /// <summary>A transcript as the model is trained on it: prefix, text, end of text. Parameters as for <see cref="Prefix"/>.</summary>
    public int[] EncodeLabels(string text, string? language, TranscriptionTask? task, bool timestamps) =>
        [.. Prefix(language, task, timestamps), .. Encode(text), EndOfText];

    /// <inheritdoc />
    /// <remarks>
    /// As transformers decodes: without special tokens a prompt (from <see cref="StartOfPrevious"/> to <see cref="StartOfTranscript"/>) is left
    /// out too; timestamps never show; ids outside of the vocabulary are passed over.
    /// </remarks>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = true)
    {
        if (skipSpecialTokens && ids.Length > 0 && ids[0] == StartOfPrevious)
        {
            var start = ids.IndexOf(StartOfTranscript);
            ids = start < 0 ? [] : ids[start..];
        }

        return TimestampTokens.Remove(DecodeTexts(ids, skipSpecialTokens));
    }

    /// <summary>Decodes every token to its text, special tokens and timestamps (<c>&lt;|1.08|&gt;</c>) too (openai/whisper's <c>decode_with_timestamps</c>).</summary>
    /// <remarks>For transformers' <c>decode(decode_with_timestamps=True)</c>, whose times run on over several windows, see <see cref="TimestampedText"/>.</remarks>
    public string DecodeWithTimestamps(ReadOnlySpan<int> ids) => DecodeTexts(ids, skipSpecialTokens: false);

    /// <summary>Tokens that go on with a word: letters without a space before them, of scripts that write spaces. Empty where no text has spaces.</summary>
    internal IReadOnlyList<int> WordContinuations => _wordContinuations.Value;

    /// <summary>Splits a transcript into words with their tokens (openai/whisper's <c>split_to_word_tokens</c>).</summary>
    /// <param name="ids">Token ids, special tokens and timestamps included.</param>
    /// <param name="language">Language code; decides whether words are found by spaces or by characters.</param>
    /// <returns>Words with the space that precedes them, and the ids of each. Punctuation and special tokens are words of their own.</returns>
    public (string[] Words, int[][] WordTokens) SplitToWords(ReadOnlySpan<int> ids, string language)
    {
        ArgumentNullException.ThrowIfNull(language);
        var (parts, partTokens) = SplitToCharacters(ids);
        if (!WritesSpaces(language))
        {
            return ([.. parts], [.. partTokens.Select(tokens => tokens.ToArray())]);
        }

        var words = new List<string>();
        var wordTokens = new List<List<int>>();
        for (var index = 0; index < parts.Count; index++)
        {
            var startsWord = words.Count == 0
                || partTokens[index][0] >= EndOfText
                || parts[index].StartsWith(' ')
                || Punctuation.AsSpan().Contains(CodePoints.Strip(parts[index]), StringComparison.Ordinal);
            if (startsWord)
            {
                words.Add(parts[index]);
                wordTokens.Add(partTokens[index]);
            }
            else
            {
                words[^1] += parts[index];
                wordTokens[^1].AddRange(partTokens[index]);
            }
        }

        return ([.. words], [.. wordTokens.Select(tokens => tokens.ToArray())]);
    }

    /// <summary>Whether words of a language stand between spaces.</summary>
    /// <param name="language">A code or name such as <c>en</c>.</param>
    public static bool WritesSpaces(string language) => !LanguagesWithoutSpaces.Contains(WhisperLanguages.FindCode(language));

    /// <summary>The bytes that a token stands for; none for an id outside of the vocabulary.</summary>
    internal ReadOnlySpan<byte> BytesOf(int id) =>
        (uint)id < (uint)_texts.Length ? _bytes.AsSpan(_byteStarts[id].._byteStarts[id + 1]) : default;

    /// <summary>The text of tokens, bytes put together before they are read as UTF-8.</summary>
    internal string DecodeTexts(ReadOnlySpan<int> ids, bool skipSpecialTokens)
    {
        var writer = new ArrayBufferWriter<byte>((ids.Length * 8) + 1);
        foreach (var id in ids)
        {
            if (!skipSpecialTokens || !IsSpecial(id))
            {
                writer.Write(BytesOf(id));
            }
        }

        return Encoding.UTF8.GetString(writer.WrittenSpan);
    }

    private static bool IsLanguage(string token) =>
        token.Length is 6 or 7 && token.StartsWith("<|", StringComparison.Ordinal) && token.EndsWith("|>", StringComparison.Ordinal)
        && !token.AsSpan(2, token.Length - 4).ContainsAnyExceptInRange('a', 'z');

    private static bool? ReadIsMultilingual(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("is_multilingual", out var value)
                ? value.ValueKind switch { JsonValueKind.True => true, JsonValueKind.False => false, _ => null }
                : null;
        }
        catch (Exception error) when (error is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"Cannot read {path}: {error.Message}", error);
        }
    }

    private int Require(string token) => TokenToId(token) ?? throw new AsrException(
        $"The tokenizer {_source} lacks the token {token}, which Whisper needs: it belongs to another model, or its list of added tokens is incomplete.");

    private (int Begin, int Count) FindTimestamps(int listed)
    {
        if (TokenToId(TimestampTokens.Text(0)) is not { } begin)
        {
            return NoTimestamps == listed - 1 ? (listed, TimestampTokens.Count) : throw new AsrException(
                $"The tokenizer {_source} has no timestamps, and <|notimestamps|> is not its last token: it belongs to another model.");
        }

        var count = 1;
        while (TokenToId(TimestampTokens.Text(count * TimePrecisionSeconds)) is { } id)
        {
            if (id != begin + count)
            {
                throw new AsrException(
                    $"The tokenizer {_source} gives {TimestampTokens.Text(count * TimePrecisionSeconds)} the id {id}, not {begin + count}: timestamps must follow each other.");
            }

            count++;
        }

        return (begin, count);
    }

    private void Encode(ReadOnlySpan<char> text, List<int> output, bool normalized)
    {
        // Tokens that want normalised text are looked for between the others.
        var added = normalized ? _addedNormalized : _addedPlain;
        while (!text.IsEmpty)
        {
            var found = added.Find(text);
            var before = found is null ? text : text[..found.Value.Start];
            if (normalized)
            {
                EncodePieces(before, output);
            }
            else
            {
                Encode(before, output, normalized: true);
            }

            if (found is null)
            {
                return;
            }

            output.Add(found.Value.Token.Id);
            text = text[found.Value.End..];
        }
    }

    private void EncodePieces(ReadOnlySpan<char> text, List<int> output) => EncodePieces(text, output, _addPrefixSpace);

    private void EncodePieces(ReadOnlySpan<char> text, List<int> output, bool addPrefixSpace)
    {
        if (addPrefixSpace && !text.IsEmpty && text[0] != ' ')
        {
            text = string.Concat(" ", text);
        }

        while (!text.IsEmpty)
        {
            var length = PreTokenizer.NextLength(text);
            _encoder.Encode(text[..length], output);
            text = text[length..];
        }
    }

    /// <summary>Groups tokens until their bytes are whole characters.</summary>
    private (List<string> Parts, List<List<int>> Tokens) SplitToCharacters(ReadOnlySpan<int> ids)
    {
        const int Replacement = 0xFFFD;
        var full = CodePoints.Of(DecodeWithTimestamps(ids));
        var parts = new List<string>();
        var tokens = new List<List<int>>();
        var current = new List<int>();
        var offset = 0;
        foreach (var id in ids)
        {
            current.Add(id);
            var text = DecodeWithTimestamps(current.ToArray());
            var characters = CodePoints.Of(text);

            // U+FFFD is a character still to come, unless the whole text has it at this place.
            var replacement = Array.IndexOf(characters, Replacement);
            if (replacement < 0 || offset + replacement >= full.Length || full[offset + replacement] == Replacement)
            {
                parts.Add(text);
                tokens.Add(current);
                current = [];
                offset += characters.Length;
            }
        }

        return (parts, tokens);
    }

    private int[] FindWordContinuations()
    {
        // Latin with accents, Greek, Cyrillic, Hebrew, Arabic take two bytes a letter in UTF-8; scripts without spaces take three.
        const int FirstOfTwoBytes = 0xC3;
        const int FirstOfThreeBytes = 0xE0;

        // A checkpoint whose texts have no spaces has no such tokens: every token may begin a word.
        var continuing = new List<int>();
        var spaced = false;
        for (var token = 0; token < EndOfText; token++)
        {
            var bytes = BytesOf(token);
            if (bytes.Length > 0 && (char.IsAsciiLetter((char)bytes[0]) || bytes[0] is >= FirstOfTwoBytes and < FirstOfThreeBytes || (bytes.Length > 1 && bytes[0] == '\'')))
            {
                continuing.Add(token);
            }

            spaced |= bytes.Length > 1 && bytes[0] == ' ' && char.IsAsciiLetter((char)bytes[1]);
        }

        return spaced ? [.. continuing] : [];
    }

    private int[] FindNonSpeechTokens()
    {
        var found = new SortedSet<int>();

        // A hyphen or an apostrophe is banned at the start of a word only.
        AddSingle(" -");
        AddSingle(" '");
        string[] signs = [
            .. "\"#()*+/:;<=>@[\\]^_`{|}~「」『』".Select(sign => sign.ToString()),
            "<<", ">>", "<<<", ">>>", "--", "---", "-(", "-[", "('", "(\"", "((", "))", "(((", ")))", "[[", "]]", "{{", "}}", "♪♪", "♪♪♪",
        ];
        foreach (var sign in signs)
        {
            AddSingle(sign);
            AddSingle(" " + sign);
        }

        // Notes may take several tokens; the first holds the two bytes that U+2640…U+267F share, or the ban would hit other text.
        foreach (var note in "♩♪♫♬♭♮♯")
        {
            foreach (var ids in new[] { Tokens(note.ToString()), Tokens(" " + note) })
            {
                if (ids.Count > 0 && BytesOf(ids[0]).IndexOf((ReadOnlySpan<byte>)[0xE2, 0x99]) >= 0)
                {
                    found.Add(ids[0]);
                }
            }
        }

        return [.. found];

        void AddSingle(string text)
        {
            if (Tokens(text) is [var id])
            {
                found.Add(id);
            }
        }

        // The sign as it stands, even where texts get a space in front.
        List<int> Tokens(string text)
        {
            var output = new List<int>();
            EncodePieces(text, output, addPrefixSpace: false);
            return output;
        }
    }
}
