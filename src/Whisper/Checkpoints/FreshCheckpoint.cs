using System.Text.Json;
using System.Text.Json.Nodes;
using AsrPlatform.Abstractions;
using AsrPlatform.Whisper.Files;
using AsrPlatform.Whisper.Tokens;
using AsrPlatform.Whisper.Training;

namespace AsrPlatform.Whisper.Checkpoints;

/// <summary>The dimensions of a checkpoint that is made to be trained from nothing.</summary>
public sealed record FreshCheckpointOptions
{
    /// <summary>Learnt tokens, the 256 bytes included; special tokens and timestamps come besides.</summary>
    public int Vocabulary { get; init; } = 1000;

    /// <summary>Codes of the languages that get a token; Whisper's own order is kept.</summary>
    public IReadOnlyList<string> Languages { get; init; } = ["en"];

    /// <summary>Width of the states; a multiple of <see cref="Heads"/>, even.</summary>
    public int Width { get; init; } = 256;

    /// <summary>Layers of the encoder.</summary>
    public int EncoderLayers { get; init; } = 4;

    /// <summary>Layers of the decoder.</summary>
    public int DecoderLayers { get; init; } = 2;

    /// <summary>Attention heads of every layer.</summary>
    public int Heads { get; init; } = 4;

    /// <summary>Inner width of the feed-forward layers; null: four times <see cref="Width"/>.</summary>
    public int? FeedForward { get; init; }

    /// <summary>What the encoder hears at once, in seconds: whole ones, up to 30.</summary>
    public int ContextSeconds { get; init; } = 15;

    /// <summary>Mel bins.</summary>
    public int MelBins { get; init; } = 80;

    /// <summary>Positions of the decoder.</summary>
    public int MaxTokens { get; init; } = 448;

    /// <summary>Dropout in training, 0…1.</summary>
    public double Dropout { get; init; }

    /// <summary>Standard deviation of the weights (transformers' <c>init_std</c>).</summary>
    public double InitStd { get; init; } = 0.02;

    /// <summary>Seed of the weights.</summary>
    public int Seed { get; init; } = 42;
}

/// <summary>Makes checkpoints in Hugging Face's layout with a tokenizer of their own and random weights.</summary>
public static class FreshCheckpoint
{
    /// <summary>Most layers that an encoder or a decoder is made with.</summary>
    internal const int MaxLayers = 256;

    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true };

    /// <summary>
    /// Writes a checkpoint. Weights are as transformers makes them: normal with <see cref="FreshCheckpointOptions.InitStd"/>, biases 0, layer
    /// norms 1 and 0, the encoder's positions sinusoids. The same texts, options and seed give the same files.
    /// </summary>
    /// <param name="directory">The folder; made when missing, and must hold no checkpoint.</param>
    /// <param name="texts">What the tokenizer is learnt from, a text an utterance.</param>
    /// <param name="options">The dimensions.</param>
    /// <exception cref="AsrException">An option cannot be used, the texts are too few, or the folder cannot be written.</exception>
    public static void Write(string directory, IEnumerable<string> texts, FreshCheckpointOptions options)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        ArgumentNullException.ThrowIfNull(texts);
        ArgumentNullException.ThrowIfNull(options);
        Check(options);
        if (File.Exists(Path.Combine(directory, WhisperConfig.FileName)))
        {
            throw new AsrException($"{directory} holds a checkpoint already: give another folder.");
        }

        try
        {
            Directory.CreateDirectory(directory);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"{directory} cannot be made: {error.Message}", error);
        }

        // Labels begin with a space, so that a word has the same tokens wherever it stands and segments can be put side by side.
        var vocabulary = BytePairTrainer.Train(texts, options.Vocabulary, addPrefixSpace: true);
        string[] languages = [.. WhisperLanguages.All.Select(language => language.Code).Where(options.Languages.Contains)];
        (string Text, bool IsSpecial)[] added = [.. TokenizerWriter.AddedTokens(languages, options.ContextSeconds)];
        TokenizerWriter.Write(directory, vocabulary, added, addPrefixSpace: true, options.MaxTokens);
        var ids = added.Select((token, index) => (token.Text, Id: options.Vocabulary + index)).ToDictionary(pair => pair.Text, pair => pair.Id);

        // The tokenizer reads whether it is multilingual from this file; its own list of signs goes into it afterwards.
        WriteGeneration(directory, options, ids, languages, []);
        WriteGeneration(directory, options, ids, languages, WhisperTokenizer.Load(directory).NonSpeechTokens);
        WriteJson(directory, PreprocessorConfig.FileName, Preprocessor(options));
        var config = WhisperConfig.Parse(Config(options, ids, options.Vocabulary + added.Length).ToJsonString(Json));
        WriteWeights(directory, config, options.Seed);

        // Last, so that a folder with this file is whole.
        AtomicFile.Write(Path.Combine(directory, WhisperConfig.FileName), stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(config.Json)));
    }

    private static void Check(FreshCheckpointOptions options)
    {
        Range("vocabulary", options.Vocabulary, BytePairTrainer.ByteTokens, 1 << 20);
        Range("width", options.Width, 4, 1 << 14);
        Range("encoder-layers", options.EncoderLayers, 1, MaxLayers);
        Range("decoder-layers", options.DecoderLayers, 1, MaxLayers);
        Range("heads", options.Heads, 1, options.Width);
        Range("ffn", options.FeedForward ?? 1, 1, 1 << 16);
        Range("context-seconds", options.ContextSeconds, 1, 30);
        Range("mel-bins", options.MelBins, 1, Features.MelFilterBank.MaxBins);
        Range("max-tokens", options.MaxTokens, 8, 1 << 14);
        if (options.Width % options.Heads != 0 || options.Width % 2 != 0)
        {
            throw new AsrException($"--width {options.Width}: must be even and a multiple of --heads ({options.Heads}).");
        }

        if (!(options.Dropout is >= 0 and < 1))
        {
            throw new AsrException(FormattableString.Invariant($"--dropout {options.Dropout}: expected a number from 0 to below 1."));
        }

        if (!(options.InitStd is > 0 and < 1))
        {
            throw new AsrException(FormattableString.Invariant($"--init-std {options.InitStd}: expected a number above 0 and below 1."));
        }

        if (options.Languages.Count == 0)
        {
            throw new AsrException("--languages: name at least one language.");
        }

        foreach (var code in options.Languages.Where(code => WhisperLanguages.FindName(code) is null))
        {
            throw new AsrException($"--languages: '{code}' is none of Whisper's language codes.");
        }
    }

    private static void Range(string name, int value, int least, int most)
    {
        if (value < least || value > most)
        {
            throw new AsrException($"--{name} {value}: expected a whole number from {least} to {most}.");
        }
    }

    private static JsonObject Config(FreshCheckpointOptions options, Dictionary<string, int> ids, int vocabularySize)
    {
        var end = ids["<|endoftext|>"];
        var inner = options.FeedForward ?? (4 * options.Width);
        return new JsonObject
        {
            ["activation_dropout"] = 0.0,
            ["activation_function"] = "gelu",
            ["apply_spec_augment"] = false,
            ["architectures"] = new JsonArray("WhisperForConditionalGeneration"),
            ["attention_dropout"] = 0.0,
            ["begin_suppress_tokens"] = null,
            ["bos_token_id"] = end,
            ["d_model"] = options.Width,
            ["decoder_attention_heads"] = options.Heads,
            ["decoder_ffn_dim"] = inner,
            ["decoder_layerdrop"] = 0.0,
            ["decoder_layers"] = options.DecoderLayers,
            ["decoder_start_token_id"] = ids["<|startoftranscript|>"],
            ["dropout"] = options.Dropout,
            ["dtype"] = "float32",
            ["encoder_attention_heads"] = options.Heads,
            ["encoder_ffn_dim"] = inner,
            ["encoder_layerdrop"] = 0.0,
            ["encoder_layers"] = options.EncoderLayers,
            ["eos_token_id"] = end,
            ["init_std"] = options.InitStd,
            ["is_encoder_decoder"] = true,
            ["mask_feature_length"] = 10,
            ["mask_feature_min_masks"] = 0,
            ["mask_feature_prob"] = 0.0,
            ["mask_time_length"] = 10,
            ["mask_time_min_masks"] = 2,
            ["mask_time_prob"] = 0.05,
            ["max_source_positions"] = options.ContextSeconds * 50,
            ["max_target_positions"] = options.MaxTokens,
            ["median_filter_width"] = 7,
            ["model_type"] = "whisper",
            ["num_hidden_layers"] = options.EncoderLayers,
            ["num_mel_bins"] = options.MelBins,
            ["pad_token_id"] = end,
            ["scale_embedding"] = false,
            ["suppress_tokens"] = null,
            ["tie_word_embeddings"] = true,
            ["use_cache"] = true,
            ["vocab_size"] = vocabularySize,
        };
    }

    private static JsonObject Preprocessor(FreshCheckpointOptions options) => new()
    {
        ["chunk_length"] = options.ContextSeconds,
        ["feature_extractor_type"] = "WhisperFeatureExtractor",
        ["feature_size"] = options.MelBins,
        ["hop_length"] = 160,
        ["n_fft"] = 400,
        ["n_samples"] = options.ContextSeconds * 16000,
        ["nb_max_frames"] = options.ContextSeconds * 100,
        ["padding_side"] = "right",
        ["padding_value"] = 0.0,
        ["processor_class"] = "WhisperProcessor",
        ["return_attention_mask"] = false,
        ["sampling_rate"] = 16000,
    };

    private static void WriteGeneration(
        string directory, FreshCheckpointOptions options, Dictionary<string, int> ids, string[] languages, IReadOnlyList<int> nonSpeech)
    {
        string[] prompts = ["<|startoftranscript|>", "<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>"];
        var end = ids["<|endoftext|>"];
        WriteJson(directory, GenerationConfig.FileName, new JsonObject
        {
            // An empty list, and not the space and the end as in OpenAI's: an empty transcript is what this model is to learn for silence.
            ["begin_suppress_tokens"] = new JsonArray(),
            ["bos_token_id"] = end,

            // What this project's trainer teaches: texts without what came before them.
            ["condition_on_previous_text"] = false,
            ["decoder_start_token_id"] = ids["<|startoftranscript|>"],
            ["eos_token_id"] = end,
            ["is_multilingual"] = true,
            ["lang_to_id"] = new JsonObject(languages.Select(code => KeyValuePair.Create<string, JsonNode?>($"<|{code}|>", ids[$"<|{code}|>"]))),
            ["max_initial_timestamp_index"] = 50,
            ["max_length"] = options.MaxTokens,
            ["no_timestamps_token_id"] = ids["<|notimestamps|>"],
            ["pad_token_id"] = end,
            ["prev_sot_token_id"] = ids["<|startofprev|>"],
            ["return_timestamps"] = false,
            ["suppress_tokens"] = new JsonArray([.. nonSpeech.Concat(prompts.Select(text => ids[text])).Select(id => (JsonNode)id)]),
            ["task_to_id"] = new JsonObject { ["transcribe"] = ids["<|transcribe|>"], ["translate"] = ids["<|translate|>"] },
        });
    }

    /// <summary>Writes a configuration with random weights and nothing else: what measuring a model of its dimensions takes.</summary>
    /// <param name="directory">An existing folder.</param>
    /// <param name="config">The dimensions.</param>
    /// <param name="seed">Of the weights.</param>
    public static void WriteWithoutTokenizer(string directory, WhisperConfig config, int seed)
    {
        ArgumentNullException.ThrowIfNull(config);
        AtomicFile.Write(Path.Combine(directory, WhisperConfig.FileName), stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(config.Json)));
        WriteWeights(directory, config, seed);
    }

    private static void WriteWeights(string directory, WhisperConfig config, int seed) => SafetensorsWriter.Write(
        Path.Combine(directory, CheckpointWeights.SingleFile),
        WhisperTensors.Of(config).Select(tensor => SafetensorsEntry.FromSingle(tensor.Name, tensor.Shape, Values(tensor, config, seed))));

    private static float[] Values(WhisperTensor tensor, WhisperConfig config, int seed)
    {
        var values = new float[tensor.Shape.Aggregate(1L, (product, size) => checked(product * size))];
        if (tensor.Name == "model.encoder.embed_positions.weight")
        {
            FillSinusoids(values, config.MaxSourcePositions, config.DModel);
        }
        else if (tensor.Name.EndsWith("layer_norm.weight", StringComparison.Ordinal))
        {
            values.AsSpan().Fill(1);
        }
        else if (!tensor.Name.EndsWith(".bias", StringComparison.Ordinal))
        {
            FillNormal(values, config.InitStd, SeededRandom.Of(seed, "weights " + tensor.Name));
        }

        return values;
    }

    /// <summary>Box and Muller's transform.</summary>
    private static void FillNormal(Span<float> values, double deviation, SeededRandom random)
    {
        for (var index = 0; index < values.Length; index += 2)
        {
            // 1 − u is never 0.
            var radius = deviation * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
            var (sine, cosine) = Math.SinCos(2 * Math.PI * random.NextDouble());
            values[index] = (float)(radius * cosine);
            if (index + 1 < values.Length)
            {
                values[index + 1] = (float)(radius * sine);
            }
        }
    }

    /// <summary>openai/whisper's <c>sinusoids</c>: [position, width], sines then cosines, time scales from 1 to 10000.</summary>
    private static void FillSinusoids(Span<float> values, int positions, int width)
    {
        var half = width / 2;
        var increment = Math.Log(10000) / (half - 1);
        for (var position = 0; position < positions; position++)
        {
            for (var index = 0; index < half; index++)
            {
                var (sine, cosine) = Math.SinCos(position * Math.Exp(-increment * index));
                values[(position * width) + index] = (float)sine;
                values[(position * width) + half + index] = (float)cosine;
            }
        }
    }

    private static void WriteJson(string directory, string name, JsonObject content) =>
        AtomicFile.Write(Path.Combine(directory, name), stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(content.ToJsonString(Json) + "\n")));
}
