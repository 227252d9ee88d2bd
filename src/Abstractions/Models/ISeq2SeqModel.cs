namespace AsrPlatform.Abstractions.Models;

/// <summary>An encoder-decoder speech model that a backend holds on one device.</summary>
/// <remarks>
/// Not safe for concurrent calls: the host drives a model from one dedicated thread per device. Calls block. Weights are read-only,
/// so that several models may share one mapped file.
/// </remarks>
public interface ISeq2SeqModel : IDisposable
{
    /// <summary>Dimensions and origin.</summary>
    Seq2SeqModelInfo Info { get; }

    /// <summary>Runs the encoder.</summary>
    /// <param name="features"><c>[batch, feature, frame]</c>, C order.</param>
    /// <param name="batch">Rows.</param>
    /// <param name="frames">
    /// Frames of each row: even, from 2 to twice <see cref="Seq2SeqModelInfo.MaxSourcePositions"/>. Fewer than the maximum encode a
    /// shorter context, which only a model trained for it handles well, and which is refused without
    /// <see cref="Seq2SeqModelInfo.SupportsShortContext"/>.
    /// </param>
    /// <returns>Encoder states <c>[batch, position, width]</c> with two frames a position. The caller disposes them.</returns>
    /// <exception cref="ArgumentException">The shape does not fit the model.</exception>
    IEncoderStates Encode(ReadOnlySpan<float> features, int batch, int frames);

    /// <summary>Starts decoding: an empty cache whose row <c>i</c> attends to encoder row <c>sourceRows[i]</c>.</summary>
    /// <param name="states">Encoder states; must outlive the cache.</param>
    /// <param name="sourceRows">One encoder row per decoder row; several decoder rows (beams, samples) may share one.</param>
    /// <param name="options">Capacity and outputs.</param>
    /// <returns>The cache. The caller disposes it.</returns>
    IDecoderCache CreateCache(IEncoderStates states, ReadOnlySpan<int> sourceRows, DecoderCacheOptions options);

    /// <summary>Feeds tokens to the decoder and appends them to the cache.</summary>
    /// <param name="cache">A cache of this model.</param>
    /// <param name="tokens"><c>[row, width]</c> token ids, C order, where width = tokens.Length / rows ≥ 1.</param>
    /// <param name="counts">
    /// Tokens of each row that count (1…width): the rest of the row is padding that neither enters the cache nor is attended to.
    /// Empty: every row uses its whole width. Rows may so stand at different positions (continuous batching).
    /// </param>
    /// <param name="positions">Which positions to give logits for.</param>
    /// <param name="logits">
    /// Receives <c>[row, vocabulary]</c> for <see cref="LogitPositions.Last"/> (of each row's last counted token) or
    /// <c>[row, width, vocabulary]</c> for <see cref="LogitPositions.All"/>; values at padding are undefined. May be longer than needed;
    /// empty with <see cref="LogitPositions.None"/>.
    /// </param>
    /// <param name="alignment">
    /// Receives the cross-attention weights (after softmax over all source positions) of the cache's alignment heads,
    /// <c>[row, head, width, position]</c>. Empty when the cache was created without alignment heads or the caller does not want them.
    /// </param>
    /// <exception cref="ArgumentException">The shapes do not fit, an id is outside the vocabulary, or the cache is full.</exception>
    void Decode(
        IDecoderCache cache,
        ReadOnlySpan<int> tokens,
        ReadOnlySpan<int> counts,
        LogitPositions positions,
        Span<float> logits,
        Span<float> alignment);
}

/// <summary>Encoder output on the model's device: <c>[batch, position, width]</c>. Belongs to the model's thread.</summary>
public interface IEncoderStates : IDisposable
{
    /// <summary>Rows.</summary>
    int Batch { get; }

    /// <summary>Positions of each row (half the frames).</summary>
    int Positions { get; }

    /// <summary>Copies the states to host memory: <c>[batch, position, width]</c>, float32, C order.</summary>
    void CopyTo(Span<float> destination);
}

/// <summary>The keys and values that a decoder has seen, a row per hypothesis. Belongs to the model's thread.</summary>
public interface IDecoderCache : IDisposable
{
    /// <summary>Current rows.</summary>
    int Rows { get; }

    /// <summary>Largest number of tokens that a row can hold.</summary>
    int Capacity { get; }

    /// <summary>Tokens that row <paramref name="row"/> holds.</summary>
    int Length(int row);

    /// <summary>
    /// Rearranges the rows: new row <c>i</c> continues old row <c>rows[i]</c>. The number of rows may shrink, or grow up to
    /// <see cref="DecoderCacheOptions.MaxRows"/>; rows may repeat (beams) or be left out (finished).
    /// </summary>
    void Reorder(ReadOnlySpan<int> rows);

    /// <summary>Drops the newest tokens of every row that is longer than <paramref name="length"/>.</summary>
    void Truncate(int length);
}

/// <summary>Which logits a decoder call returns.</summary>
public enum LogitPositions
{
    /// <summary>None: the tokens are only appended.</summary>
    None,

    /// <summary>Of each row's last counted token.</summary>
    Last,

    /// <summary>Of every token.</summary>
    All,
}

/// <summary>One attention head of the decoder.</summary>
/// <param name="Layer">Decoder layer, from 0.</param>
/// <param name="Head">Head in that layer, from 0.</param>
public readonly record struct AttentionHead(int Layer, int Head);

/// <summary>How a decoder cache is made.</summary>
public sealed record DecoderCacheOptions
{
    /// <summary>Largest number of tokens per row; at most <see cref="Seq2SeqModelInfo.MaxTargetPositions"/>, which is the default (0).</summary>
    public int Capacity { get; init; }

    /// <summary>Largest number of rows after <see cref="IDecoderCache.Reorder"/>; the initial rows by default (0).</summary>
    public int MaxRows { get; init; }

    /// <summary>Heads whose cross-attention the decoder returns; none by default.</summary>
    public IReadOnlyList<AttentionHead> AlignmentHeads { get; init; } = [];
}

/// <summary>Dimensions and origin of a loaded model.</summary>
public sealed record Seq2SeqModelInfo
{
    /// <summary>Name of the backend that holds it.</summary>
    public required string Backend { get; init; }

    /// <summary>The device, such as <c>cpu</c> or <c>cuda:0</c>.</summary>
    public required string Device { get; init; }

    /// <summary>Features per frame (mel bins).</summary>
    public required int FeatureSize { get; init; }

    /// <summary>Width of the states (d_model).</summary>
    public required int Width { get; init; }

    /// <summary>Number of token ids.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Largest number of encoder positions (1500 for Whisper: 30 s).</summary>
    public required int MaxSourcePositions { get; init; }

    /// <summary>Largest number of decoder positions (448 for Whisper).</summary>
    public required int MaxTargetPositions { get; init; }

    /// <summary>Encoder layers.</summary>
    public required int EncoderLayers { get; init; }

    /// <summary>Decoder layers.</summary>
    public required int DecoderLayers { get; init; }

    /// <summary>Attention heads of each decoder layer.</summary>
    public required int DecoderHeads { get; init; }

    /// <summary>Number of parameters, the tied output projection counted once.</summary>
    public required long Parameters { get; init; }

    /// <summary>Whether cross-attention can be returned (word times and AlignAtt need it).</summary>
    public bool SupportsAlignment { get; init; } = true;

    /// <summary>Whether <see cref="ISeq2SeqModel.Encode"/> takes fewer frames than the whole context; false for a graph of fixed size.</summary>
    public bool SupportsShortContext { get; init; } = true;
}
