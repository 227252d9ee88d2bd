using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Whisper.Checkpoints;

/// <summary>How a checkpoint wants to be decoded: Hugging Face's <c>generation_config.json</c>, checked. Immutable.</summary>
public sealed record GenerationConfig
{
    /// <summary>The file's name in a checkpoint folder.</summary>
    public const string FileName = "generation_config.json";

    private static readonly JsonSerializerOptions IndentedJson = new() { WriteIndented = true };

    /// <summary>Id of the token that decoding starts with.</summary>
    public required int DecoderStartTokenId { get; init; }

    /// <summary>Id of the end token.</summary>
    public required int EosTokenId { get; init; }

    /// <summary>Id of the padding token; the end token where none is given.</summary>
    public required int PadTokenId { get; init; }

    /// <summary>Id of the beginning token; the end token where none is given.</summary>
    public required int BosTokenId { get; init; }

    /// <summary>Id of <c>&lt;|startofprev|&gt;</c>, or null where the file does not say it (the tokenizer knows).</summary>
    public int? PrevSotTokenId { get; init; }

    /// <summary>Id of <c>&lt;|notimestamps|&gt;</c>, or null where the file does not say it (the tokenizer knows).</summary>
    public int? NoTimestampsTokenId { get; init; }

    /// <summary>Largest first timestamp in steps of 20 ms; null for no limit, as with Hugging Face.</summary>
    public int? MaxInitialTimestampIndex { get; init; }

    /// <summary>Largest number of tokens, prefix included; the decoder's positions where the file does not say it.</summary>
    public required int MaxLength { get; init; }

    /// <summary>Whether the model knows more languages than English, or null where the file does not say it.</summary>
    public bool? IsMultilingual { get; init; }

    /// <summary>Ids by language token, such as <c>&lt;|en|&gt;</c>; empty where unknown.</summary>
    public IReadOnlyDictionary<string, int> LangToId { get; init; } = new Dictionary<string, int>();

    /// <summary>Ids by task, <c>transcribe</c> and <c>translate</c>; empty where unknown.</summary>
    public IReadOnlyDictionary<string, int> TaskToId { get; init; } = new Dictionary<string, int>();

    /// <summary>Tokens never to generate.</summary>
    public IReadOnlyList<int> SuppressTokens { get; init; } = [];

    /// <summary>Tokens never to begin with.</summary>
    public IReadOnlyList<int> BeginSuppressTokens { get; init; } = [];

    /// <summary>
    /// Heads whose cross-attention follows the audio. Empty where none are known, or where the file names heads that the model lacks
    /// (distilled models carry their teacher's): then all heads of the decoder's upper half serve.
    /// </summary>
    public IReadOnlyList<AttentionHead> AlignmentHeads { get; init; } = [];

    /// <summary>Position and token of a forced beginning, in old checkpoints; a null token is left to detection.</summary>
    public IReadOnlyList<(int Position, int? Token)> ForcedDecoderIds { get; init; } = [];

    /// <summary>Whether timestamps are asked for by default.</summary>
    public bool ReturnTimestamps { get; init; }

    /// <summary>
    /// Whether the model was trained on contexts as short as the audio, so that it need not be given 30 s (or its own maximum): this
    /// project's key <c>"encoder_context": "dynamic"</c>; OpenAI's checkpoints have no such key and want the whole context.
    /// </summary>
    public bool HasDynamicContext { get; init; }

    /// <summary>
    /// Whether the model learnt to be given the text before its window; false with this project's key
    /// <c>"condition_on_previous_text": false</c>, which fresh checkpoints are written with.
    /// </summary>
    public bool ConditionsOnPreviousText { get; init; } = true;

    /// <summary>
    /// Reads <c>generation_config.json</c> of a folder; what it does not say, or all when there is none, comes from
    /// <paramref name="config"/>, where old checkpoints have it.
    /// </summary>
    /// <exception cref="AsrException">A key is malformed, or an id is outside the vocabulary.</exception>
    public static GenerationConfig Load(string directory, WhisperConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        var own = ConfigFile.TryOpen(directory, FileName);
        var file = own ?? ConfigFile.Parse(Path.Combine(directory, WhisperConfig.FileName), "{}"u8.ToArray());
        int? Id(string key, int? fallback) => InVocabulary(file, key, file.OptionalId(key) ?? fallback, config);
        var eos = Id("eos_token_id", config.EosTokenId) ?? throw file.Missing("eos_token_id", "the id of the end token");
        return new GenerationConfig
        {
            DecoderStartTokenId = Id("decoder_start_token_id", config.DecoderStartTokenId)
                ?? throw file.Missing("decoder_start_token_id", "the id of the token that decoding starts with"),
            EosTokenId = eos,
            PadTokenId = Id("pad_token_id", config.PadTokenId) ?? eos,
            BosTokenId = Id("bos_token_id", config.BosTokenId) ?? eos,
            PrevSotTokenId = Id("prev_sot_token_id", null),
            NoTimestampsTokenId = Id("no_timestamps_token_id", null),
            MaxInitialTimestampIndex = file.OptionalInt("max_initial_timestamp_index", 0),
            MaxLength = Math.Min(file.OptionalInt("max_length", 1) ?? config.MaxTargetPositions, config.MaxTargetPositions),
            IsMultilingual = file.OptionalBool("is_multilingual"),
            LangToId = InVocabulary(file, "lang_to_id", file.Ids("lang_to_id"), config),
            TaskToId = InVocabulary(file, "task_to_id", file.Ids("task_to_id"), config),
            SuppressTokens = InVocabulary(file, "suppress_tokens", own is null ? config.SuppressTokens : own.OptionalIds("suppress_tokens"), config),
            BeginSuppressTokens = InVocabulary(file, "begin_suppress_tokens", own is null ? config.BeginSuppressTokens : own.OptionalIds("begin_suppress_tokens"), config),
            AlignmentHeads = Heads(file, config),
            ForcedDecoderIds = (own is null ? config.ForcedDecoderIds : own.OptionalPairs("forced_decoder_ids")) ?? [],
            ReturnTimestamps = file.Bool("return_timestamps", false),
            HasDynamicContext = file.OptionalText("encoder_context") switch
            {
                null or "full" => false,
                "dynamic" => true,
                var other => throw file.Wrong("encoder_context", $"\"{other}\"", "\"dynamic\" or \"full\""),
            },
            ConditionsOnPreviousText = file.Bool("condition_on_previous_text", true),
        };
    }

    /// <summary>Writes other alignment heads into a folder's <c>generation_config.json</c>; everything else in it stays. The file is replaced whole.</summary>
    /// <exception cref="AsrException">The file is missing or malformed, or cannot be written.</exception>
    public static void WriteAlignmentHeads(string directory, IReadOnlyList<AttentionHead> heads)
    {
        ArgumentNullException.ThrowIfNull(directory);
        ArgumentNullException.ThrowIfNull(heads);
        var path = Path.Combine(directory, FileName);
        JsonObject content;
        try
        {
            content = JsonNode.Parse(File.ReadAllBytes(path)) as JsonObject ?? throw new AsrException($"{path} is no JSON object.");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new AsrException($"{path} cannot be read: {error.Message}", error);
        }

        content["alignment_heads"] = new JsonArray([.. heads.Select(head => (JsonNode)new JsonArray(head.Layer, head.Head))]);
        var text = content.ToJsonString(IndentedJson) + "\n";
        AtomicFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));
    }

    private static AttentionHead[] Heads(ConfigFile file, WhisperConfig config)
    {
        var pairs = file.OptionalPairs("alignment_heads") ?? [];
        var heads = Array.ConvertAll(pairs, pair => new AttentionHead(
            pair.First, pair.Second ?? throw file.Wrong("alignment_heads", $"[{pair.First}, null]", "pairs of layer and head")));
        return Array.TrueForAll(heads, head => head.Layer < config.DecoderLayers && head.Head < config.DecoderAttentionHeads) ? heads : [];
    }

    private static int? InVocabulary(ConfigFile file, string key, int? id, WhisperConfig config) => id >= config.VocabSize
        ? throw file.Wrong(key, $"{id}", $"less than config.json's vocab_size ({config.VocabSize})")
        : id;

    private static IReadOnlyList<int> InVocabulary(ConfigFile file, string key, IReadOnlyList<int>? ids, WhisperConfig config)
    {
        foreach (var id in ids ?? [])
        {
            _ = InVocabulary(file, key, id, config);
        }

        return ids ?? [];
    }

    private static Dictionary<string, int> InVocabulary(ConfigFile file, string key, Dictionary<string, int> ids, WhisperConfig config)
    {
        foreach (var (name, id) in ids)
        {
            _ = InVocabulary(file, $"{key}.{name}", id, config);
        }

        return ids;
    }
}
