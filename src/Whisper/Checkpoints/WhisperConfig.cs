using System.Text;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Models;

namespace AsrPlatform.Whisper.Checkpoints;

/// <summary>The architecture of a checkpoint: Hugging Face's <c>config.json</c>, checked. Immutable.</summary>
public sealed record WhisperConfig
{
    /// <summary>The file's name in a checkpoint folder.</summary>
    public const string FileName = "config.json";

    // Bounds far above any real model keep sizes computed from them inside 64 bits.
    private const int MaxWidth = 1 << 16;
    private const int MaxLayers = 1 << 10;
    private const int MaxVocabulary = 1 << 22;
    private const int MaxPositions = 1 << 20;

    /// <summary>Width of the states.</summary>
    public required int DModel { get; init; }

    /// <summary>Layers of the encoder.</summary>
    public required int EncoderLayers { get; init; }

    /// <summary>Attention heads of each encoder layer; divides <see cref="DModel"/>.</summary>
    public required int EncoderAttentionHeads { get; init; }

    /// <summary>Inner width of the encoder's feed-forward layers.</summary>
    public required int EncoderFfnDim { get; init; }

    /// <summary>Layers of the decoder.</summary>
    public required int DecoderLayers { get; init; }

    /// <summary>Attention heads of each decoder layer; divides <see cref="DModel"/>.</summary>
    public required int DecoderAttentionHeads { get; init; }

    /// <summary>Inner width of the decoder's feed-forward layers.</summary>
    public required int DecoderFfnDim { get; init; }

    /// <summary>Number of token ids.</summary>
    public required int VocabSize { get; init; }

    /// <summary>Mel bins of the features: 80, or 128 for large-v3 and turbo.</summary>
    public required int NumMelBins { get; init; }

    /// <summary>Encoder positions, of two frames (20 ms) each: 1500.</summary>
    public required int MaxSourcePositions { get; init; }

    /// <summary>Decoder positions: 448.</summary>
    public required int MaxTargetPositions { get; init; }

    /// <summary>Whether token embeddings are multiplied by √<see cref="DModel"/>.</summary>
    public bool ScaleEmbedding { get; init; }

    /// <summary>Whether the output projection is the token embedding; else <c>proj_out.weight</c> is in the weights.</summary>
    public bool TieWordEmbeddings { get; init; } = true;

    /// <summary>Width of the median filter over alignment weights; odd.</summary>
    public int MedianFilterWidth { get; init; } = 7;

    /// <summary>Dropout after embeddings and sublayers in training, 0…1.</summary>
    public double Dropout { get; init; }

    /// <summary>Dropout of attention weights in training, 0…1.</summary>
    public double AttentionDropout { get; init; }

    /// <summary>Dropout after the activation of feed-forward layers in training, 0…1.</summary>
    public double ActivationDropout { get; init; }

    /// <summary>Probability that training skips an encoder layer, 0…1.</summary>
    public double EncoderLayerdrop { get; init; }

    /// <summary>Probability that training skips a decoder layer, 0…1.</summary>
    public double DecoderLayerdrop { get; init; }

    /// <summary>Standard deviation of fresh weights.</summary>
    public double InitStd { get; init; } = 0.02;

    /// <summary>Whether training masks spans of the features.</summary>
    public bool ApplySpecAugment { get; init; }

    /// <summary>Share of frames that masks start to cover, 0…1.</summary>
    public double MaskTimeProb { get; init; } = 0.05;

    /// <summary>Frames of a mask.</summary>
    public int MaskTimeLength { get; init; } = 10;

    /// <summary>Least number of masks over time.</summary>
    public int MaskTimeMinMasks { get; init; } = 2;

    /// <summary>Share of mel bins that masks start to cover, 0…1.</summary>
    public double MaskFeatureProb { get; init; }

    /// <summary>Mel bins of a mask.</summary>
    public int MaskFeatureLength { get; init; } = 10;

    /// <summary>Least number of masks over mel bins.</summary>
    public int MaskFeatureMinMasks { get; init; }

    /// <summary>Id of the token that decoding starts with, where the file says it.</summary>
    public int? DecoderStartTokenId { get; init; }

    /// <summary>Id of the end token, where the file says it.</summary>
    public int? EosTokenId { get; init; }

    /// <summary>Id of the padding token, where the file says it.</summary>
    public int? PadTokenId { get; init; }

    /// <summary>Id of the beginning token, where the file says it.</summary>
    public int? BosTokenId { get; init; }

    /// <summary>Tokens never to generate, as old checkpoints say here; newer ones in <see cref="GenerationConfig"/>.</summary>
    public IReadOnlyList<int>? SuppressTokens { get; init; }

    /// <summary>Tokens never to begin with, as old checkpoints say here.</summary>
    public IReadOnlyList<int>? BeginSuppressTokens { get; init; }

    /// <summary>Position and token of a forced beginning, as old checkpoints say here; a null token is left to detection.</summary>
    public IReadOnlyList<(int Position, int? Token)>? ForcedDecoderIds { get; init; }

    /// <summary>The file's own text, so that it can be written again unchanged.</summary>
    public required string Json { get; init; }

    /// <summary>Mel frames of a full window: two for each encoder position.</summary>
    public int MaxFrames => 2 * MaxSourcePositions;

    /// <summary>Reads <c>config.json</c> of a folder.</summary>
    /// <exception cref="AsrException">The file is missing, or a key is missing, malformed or contradicts another.</exception>
    public static WhisperConfig Load(string directory)
    {
        var file = ConfigFile.TryOpen(directory, FileName)
            ?? throw new AsrException($"{Path.Combine(directory, FileName)} is missing: expected the folder of a Hugging Face Whisper checkpoint.");
        return Read(file);
    }

    /// <summary>Reads the text of a <c>config.json</c>.</summary>
    /// <param name="json">The text.</param>
    /// <param name="name">What to call it in errors.</param>
    /// <exception cref="AsrException">A key is missing, malformed or contradicts another.</exception>
    public static WhisperConfig Parse(string json, string name = FileName) => Read(ConfigFile.Parse(name, Encoding.UTF8.GetBytes(json)));

    private static WhisperConfig Read(ConfigFile file)
    {
        if (file.OptionalText("model_type") is { } type && type != "whisper")
        {
            throw file.Wrong("model_type", $"\"{type}\"", "\"whisper\"");
        }

        if (!file.Bool("is_encoder_decoder", true))
        {
            throw file.Wrong("is_encoder_decoder", "false", "true");
        }

        // Whisper's is exact (erf); its tanh approximation and others would need their own code in every backend.
        if (file.OptionalText("activation_function") is { } activation && activation != "gelu")
        {
            throw file.Wrong("activation_function", $"\"{activation}\"", "\"gelu\"");
        }

        var config = new WhisperConfig
        {
            DModel = file.RequiredInt("d_model", 2, MaxWidth),
            EncoderLayers = file.RequiredInt("encoder_layers", 1, MaxLayers),
            EncoderAttentionHeads = file.RequiredInt("encoder_attention_heads", 1, MaxWidth),
            EncoderFfnDim = file.RequiredInt("encoder_ffn_dim", 1, 4 * MaxWidth),
            DecoderLayers = file.RequiredInt("decoder_layers", 1, MaxLayers),
            DecoderAttentionHeads = file.RequiredInt("decoder_attention_heads", 1, MaxWidth),
            DecoderFfnDim = file.RequiredInt("decoder_ffn_dim", 1, 4 * MaxWidth),
            VocabSize = file.RequiredInt("vocab_size", 2, MaxVocabulary),
            NumMelBins = file.RequiredInt("num_mel_bins", 1, Features.MelFilterBank.MaxBins),
            MaxSourcePositions = file.RequiredInt("max_source_positions", 1, MaxPositions),
            MaxTargetPositions = file.RequiredInt("max_target_positions", 1, MaxPositions),
            ScaleEmbedding = file.Bool("scale_embedding", false),
            TieWordEmbeddings = file.Bool("tie_word_embeddings", true),
            MedianFilterWidth = file.OptionalInt("median_filter_width", 1, 1001) ?? 7,
            Dropout = file.Number("dropout", 0, 0, 1),
            AttentionDropout = file.Number("attention_dropout", 0, 0, 1),
            ActivationDropout = file.Number("activation_dropout", 0, 0, 1),
            EncoderLayerdrop = file.Number("encoder_layerdrop", 0, 0, 1),
            DecoderLayerdrop = file.Number("decoder_layerdrop", 0, 0, 1),
            InitStd = file.Number("init_std", 0.02, 0, 100),
            ApplySpecAugment = file.Bool("apply_spec_augment", false),
            MaskTimeProb = file.Number("mask_time_prob", 0.05, 0, 1),
            MaskTimeLength = file.OptionalInt("mask_time_length", 1) ?? 10,
            MaskTimeMinMasks = file.OptionalInt("mask_time_min_masks", 0) ?? 2,
            MaskFeatureProb = file.Number("mask_feature_prob", 0, 0, 1),
            MaskFeatureLength = file.OptionalInt("mask_feature_length", 1) ?? 10,
            MaskFeatureMinMasks = file.OptionalInt("mask_feature_min_masks", 0) ?? 0,
            DecoderStartTokenId = file.OptionalId("decoder_start_token_id"),
            EosTokenId = file.OptionalId("eos_token_id"),
            PadTokenId = file.OptionalId("pad_token_id"),
            BosTokenId = file.OptionalId("bos_token_id"),
            SuppressTokens = file.OptionalIds("suppress_tokens"),
            BeginSuppressTokens = file.OptionalIds("begin_suppress_tokens"),
            ForcedDecoderIds = file.OptionalPairs("forced_decoder_ids"),
            Json = file.Text,
        };
        config.CheckAgainstItself(file);
        return config;
    }

    private void CheckAgainstItself(ConfigFile file)
    {
        if (DModel % 2 != 0)
        {
            throw file.Wrong("d_model", $"{DModel}", "an even number, because positions are pairs of sine and cosine");
        }

        if (DModel % EncoderAttentionHeads != 0)
        {
            throw file.Wrong("encoder_attention_heads", $"{EncoderAttentionHeads}", $"a divisor of d_model ({DModel})");
        }

        if (DModel % DecoderAttentionHeads != 0)
        {
            throw file.Wrong("decoder_attention_heads", $"{DecoderAttentionHeads}", $"a divisor of d_model ({DModel})");
        }

        if (MedianFilterWidth % 2 == 0)
        {
            throw file.Wrong("median_filter_width", $"{MedianFilterWidth}", "an odd number");
        }

        foreach (var (key, id) in new[]
        {
            ("decoder_start_token_id", DecoderStartTokenId),
            ("eos_token_id", EosTokenId),
            ("pad_token_id", PadTokenId),
            ("bos_token_id", BosTokenId),
        })
        {
            if (id >= VocabSize)
            {
                throw file.Wrong(key, $"{id}", $"less than vocab_size ({VocabSize})");
            }
        }
    }

    /// <summary>What a model of this configuration is, without the abilities that depend on the engine that runs it.</summary>
    /// <param name="backend">The backend's name.</param>
    /// <param name="device">Where it computes, such as <c>cpu</c> or <c>cuda:0</c>.</param>
    public Seq2SeqModelInfo Describe(string backend, string device) => new()
    {
        Backend = backend,
        Device = device,
        FeatureSize = NumMelBins,
        Width = DModel,
        VocabularySize = VocabSize,
        MaxSourcePositions = MaxSourcePositions,
        MaxTargetPositions = MaxTargetPositions,
        EncoderLayers = EncoderLayers,
        DecoderLayers = DecoderLayers,
        DecoderHeads = DecoderAttentionHeads,
        Parameters = WhisperTensors.Of(this).Sum(tensor => tensor.Shape.Aggregate(1L, (product, size) => product * size)),
    };
}
