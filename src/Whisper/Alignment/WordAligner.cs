using System.Numerics.Tensors;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Whisper.Decoding.Rules;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Whisper.Alignment;

/// <summary>Finds when words were spoken: forces the text through the decoder and follows its cross-attention (OpenAI's <c>find_alignment</c>).</summary>
/// <remarks>Keeps its buffers from call to call; belongs to the model's thread.</remarks>
public sealed class WordAligner
{
    // Tokens per decoder call: bounds the logits held at once to a few MiB.
    private const int TokensPerCall = 32;

    private readonly ISeq2SeqModel _model;
    private readonly WhisperTokenizer _tokenizer;
    private readonly AttentionHead[] _heads;
    private readonly double _positionsPerSecond;
    private readonly int _medianFilterWidth;
    private float[] _weights = [];
    private float[] _logits = [];
    private float[] _attention = [];
    private double[] _cost = [];

    /// <summary>Creates an aligner.</summary>
    /// <param name="model">A model that returns alignment; owned by the caller.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="heads">Heads that follow the audio; empty takes all heads of the decoder's upper half.</param>
    /// <param name="positionsPerSecond">Encoder positions per second of audio (50 in Whisper).</param>
    /// <param name="medianFilterWidth">Positions over which weights are smoothed; odd (7 in Whisper).</param>
    public WordAligner(
        ISeq2SeqModel model, WhisperTokenizer tokenizer, IReadOnlyList<AttentionHead> heads, double positionsPerSecond, int medianFilterWidth)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(heads);
        _model = model;
        _tokenizer = tokenizer;
        _heads = heads.Count > 0 ? [.. heads] : UpperHalf(model.Info);
        _positionsPerSecond = positionsPerSecond;
        _medianFilterWidth = medianFilterWidth;
    }

    /// <summary>Attention weights held at once, in values (64 MiB); more heads than fit are followed in several passes.</summary>
    internal int MaxHeldWeights { get; init; } = 1 << 24;

    /// <summary>All heads of the upper half of the decoder's layers, where the heads that follow the audio are not known.</summary>
    public static AttentionHead[] UpperHalf(Seq2SeqModelInfo info)
    {
        ArgumentNullException.ThrowIfNull(info);
        var first = info.DecoderLayers / 2;
        return [.. from layer in Enumerable.Range(first, info.DecoderLayers - first)
            from head in Enumerable.Range(0, info.DecoderHeads)
            select new AttentionHead(layer, head)];
    }

    /// <summary>Times the words of a text.</summary>
    /// <param name="states">Encoder states of the window, one row.</param>
    /// <param name="startSequence">Start of transcript, language and task, without the token for no timestamps.</param>
    /// <param name="text">Text tokens, neither timestamps nor end; with the start sequence and two more at most the decoder's positions.</param>
    /// <param name="frames">Feature frames of the window that hold audio.</param>
    /// <param name="language">Code of the language, which says how words are divided.</param>
    /// <param name="cancellationToken">Stops between two decoder calls.</param>
    /// <returns>The words in order; none where the text gives none. Times count from the start of the window, in steps of 20 ms.</returns>
    public IReadOnlyList<WordTiming> Align(
        IEncoderStates states,
        ReadOnlySpan<int> startSequence,
        ReadOnlySpan<int> text,
        int frames,
        string? language,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(states);
        if (text.IsEmpty)
        {
            return [];
        }

        int[] tokens = [.. startSequence, _tokenizer.NoTimestamps, .. text, _tokenizer.EndOfText];
        var columns = Math.Clamp(frames / 2, 1, states.Positions);

        // Row i of the cost, at position startSequence.Length + i, is the attention while text token i was predicted (the last: the end).
        var rows = text.Length + 1;
        var cost = Buffer(ref _cost, rows * columns);
        cost.Clear();
        var probabilities = new double[text.Length];
        var headsAtOnce = Math.Clamp(MaxHeldWeights / (tokens.Length * columns), 1, _heads.Length);
        for (var first = 0; first < _heads.Length; first += headsAtOnce)
        {
            var heads = _heads[first..Math.Min(first + headsAtOnce, _heads.Length)];
            var weights = Buffer(ref _weights, heads.Length * tokens.Length * columns);
            Force(states, tokens, heads, columns, weights, startSequence.Length, first == 0 ? probabilities : [], cancellationToken);
            for (var head = 0; head < heads.Length; head++)
            {
                AttentionPath.AddToCost(
                    weights.Slice(head * tokens.Length * columns, tokens.Length * columns), columns, startSequence.Length, _medianFilterWidth, cost);
            }
        }

        // Strong attention is cheap.
        TensorPrimitives.Multiply(cost, -1.0 / _heads.Length, cost);
        var path = DynamicTimeWarping.FindPath(cost, rows, columns);
        return AttentionPath.Words(_tokenizer, text, language, path, probabilities, _positionsPerSecond);
    }

    // Runs all tokens through the decoder; fills weights [head, token, column] and the probability of each text token among text tokens.
    private void Force(
        IEncoderStates states,
        ReadOnlySpan<int> tokens,
        AttentionHead[] heads,
        int columns,
        Span<float> weights,
        int startLength,
        Span<double> probabilities,
        CancellationToken cancellationToken)
    {
        var vocabulary = _model.Info.VocabularySize;
        using var cache = _model.CreateCache(states, [0], new DecoderCacheOptions { Capacity = tokens.Length, AlignmentHeads = heads });
        for (var start = 0; start < tokens.Length; start += TokensPerCall)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var width = Math.Min(TokensPerCall, tokens.Length - start);
            var logits = probabilities.IsEmpty ? [] : Buffer(ref _logits, width * vocabulary);
            var attention = Buffer(ref _attention, heads.Length * width * states.Positions);
            _model.Decode(
                cache, tokens.Slice(start, width), [], probabilities.IsEmpty ? LogitPositions.None : LogitPositions.All, logits, attention);

            for (var i = 0; i < width; i++)
            {
                var token = start + i;
                for (var head = 0; head < heads.Length; head++)
                {
                    attention.Slice((head * width + i) * states.Positions, columns)
                        .CopyTo(weights.Slice((head * tokens.Length + token) * columns, columns));
                }

                var predicted = token - startLength;
                if (predicted >= 0 && predicted < probabilities.Length)
                {
                    var row = logits.Slice(i * vocabulary, _tokenizer.EndOfText);
                    probabilities[predicted] = Math.Exp(LogProbabilities.OfToken(row, tokens[token + 1]));
                }
            }
        }
    }

    private static Span<T> Buffer<T>(ref T[] buffer, int length)
    {
        if (buffer.Length < length)
        {
            buffer = new T[length];
        }

        return buffer.AsSpan(0, length);
    }
}
