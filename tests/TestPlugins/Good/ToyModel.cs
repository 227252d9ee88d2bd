using System.Runtime.InteropServices;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Models;

namespace AsrPlatform.TestPlugins.Good;

/// <summary>Makes <see cref="ToyModel"/>s out of any folder that has a <c>config.json</c>.</summary>
public sealed class ToyBackend(Defect defect) : ISeq2SeqBackend
{
    public string Name => "toy";

    public IReadOnlyList<BackendDevice> Devices { get; } = [new("cpu", "plain C#")];

    public bool CanLoad(string modelDirectory, out string? reason)
    {
        reason = File.Exists(Path.Combine(modelDirectory, "config.json")) ? null : $"{modelDirectory} has no config.json";
        return reason is null;
    }

    public ISeq2SeqModel Load(ModelLoadOptions options, CancellationToken cancellationToken = default) =>
        CanLoad(options.ModelDirectory ?? "", out var reason) ? new ToyModel(defect) : throw new AsrException(reason!);

    public ISeq2SeqModel CreateRandom(string configJson, ModelLoadOptions options) => new ToyModel(defect);
}

/// <summary>
/// An encoder-decoder of one layer with fixed pseudo-random weights, and every obligation of <see cref="ISeq2SeqModel"/>. It keeps
/// the tokens as its cache and computes attention anew, which is slow and hard to get wrong.
/// </summary>
public sealed class ToyModel(Defect defect) : ISeq2SeqModel
{
    private const int Features = 4;
    private const int Width = 8;
    private const int Heads = 2;
    private const int Vocabulary = 32;
    private const int MaxSource = 16;
    private const int MaxTarget = 64;

    private readonly float[] _inputWeights = Weights(Features * Width, 1);
    private readonly float[] _embeddings = Weights(Vocabulary * Width, 2);
    private readonly float[] _positions = Weights(Math.Max(MaxSource, MaxTarget) * Width, 3);
    private readonly Random _noise = new();
    private bool _broken;

    public Seq2SeqModelInfo Info { get; } = new()
    {
        Backend = "toy",
        Device = "cpu",
        FeatureSize = Features,
        Width = Width,
        VocabularySize = Vocabulary,
        MaxSourcePositions = MaxSource,
        MaxTargetPositions = MaxTarget,
        EncoderLayers = 1,
        DecoderLayers = 1,
        DecoderHeads = Heads,
        Parameters = (Features + Vocabulary) * Width,
    };

    public IEncoderStates Encode(ReadOnlySpan<float> features, int batch, int frames)
    {
        Require(batch > 0 && frames is >= 2 and <= 2 * MaxSource && frames % 2 == 0, nameof(frames));
        Require(features.Length == batch * Features * frames, nameof(features));
        var positions = frames / 2;
        var states = new float[batch * positions * Width]; // [batch, position, width]
        for (var row = 0; row < batch; row++)
        {
            for (var position = 0; position < positions; position++)
            {
                for (var unit = 0; unit < Width; unit++)
                {
                    var sum = _positions[(position * Width) + unit];
                    for (var feature = 0; feature < Features; feature++)
                    {
                        var at = (((row * Features) + feature) * frames) + (2 * position);
                        sum += (features[at] + features[at + 1]) * _inputWeights[(feature * Width) + unit];
                    }

                    states[(((row * positions) + position) * Width) + unit] = sum;
                }
            }
        }

        return new States(states, batch, positions);
    }

    public IDecoderCache CreateCache(IEncoderStates states, ReadOnlySpan<int> sourceRows, DecoderCacheOptions options)
    {
        Require(sourceRows.Length > 0, nameof(sourceRows));
        foreach (var row in sourceRows)
        {
            Require(row >= 0 && row < states.Batch, nameof(sourceRows));
        }

        Require(options.Capacity is >= 0 and <= MaxTarget, nameof(options));
        foreach (var head in options.AlignmentHeads)
        {
            Require(head.Layer == 0 && head.Head is >= 0 and < Heads, nameof(options));
        }

        return new Cache((States)states, sourceRows.ToArray(), options, defect);
    }

    public void Decode(
        IDecoderCache cache,
        ReadOnlySpan<int> tokens,
        ReadOnlySpan<int> counts,
        LogitPositions positions,
        Span<float> logits,
        Span<float> alignment)
    {
        var state = (Cache)cache;
        var rows = state.Rows;
        Require(tokens.Length > 0 && tokens.Length % rows == 0, nameof(tokens));
        var width = tokens.Length / rows;
        Require(counts.IsEmpty || counts.Length == rows, nameof(counts));
        foreach (var token in tokens)
        {
            Require(token is >= 0 and < Vocabulary, nameof(tokens));
        }

        for (var row = 0; row < rows; row++)
        {
            var count = counts.IsEmpty ? width : counts[row];
            Require(count >= 1 && count <= width && state.Length(row) + count <= state.Capacity, nameof(counts));
        }

        var wanted = positions switch { LogitPositions.All => rows * width * Vocabulary, LogitPositions.Last => rows * Vocabulary, _ => 0 };
        Require(logits.Length >= wanted, nameof(logits));
        var heads = state.AlignmentHeads;
        Require(alignment.IsEmpty || alignment.Length >= rows * heads.Count * width * state.Positions, nameof(alignment));
        if (defect == Defect.Leaks)
        {
            // A megabyte that is really used, as a forgotten tensor is.
            unsafe
            {
                NativeMemory.Fill(NativeMemory.Alloc(1 << 20), 1 << 20, 1);
            }
        }

        Span<float> output = stackalloc float[Vocabulary];
        for (var row = 0; row < rows; row++)
        {
            var count = counts.IsEmpty || defect == Defect.CountsIgnored ? width : counts[row];
            for (var index = 0; index < count; index++)
            {
                state.Tokens[row].Add(tokens[(row * width) + index]);
                Step(state, row, output, alignment.IsEmpty ? default : alignment, index, width);
                if (positions == LogitPositions.All)
                {
                    output.CopyTo(logits[(((row * width) + index) * Vocabulary)..]);
                }
                else if (positions == LogitPositions.Last && index == count - 1)
                {
                    output.CopyTo(logits[(row * Vocabulary)..]);
                }
            }
        }
    }

    public void Dispose()
    {
    }

    private static float[] Weights(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() - 0.5f)];
    }

    private static void Softmax(Span<float> scores)
    {
        var sum = 0f;
        foreach (ref var score in scores)
        {
            score = MathF.Exp(score);
            sum += score;
        }

        foreach (ref var score in scores)
        {
            score /= sum;
        }
    }

    private void Require(bool condition, string parameter)
    {
        if (condition || defect == Defect.BadInputAccepted)
        {
            return;
        }

        _broken |= defect == Defect.BrokenByBadInput;
        throw defect == Defect.WrongException
            ? new InvalidOperationException(parameter)
            : new ArgumentException("It does not fit the model.", parameter);
    }

    /// <summary>One position of one row: self-attention, cross-attention, tied projection.</summary>
    private void Step(Cache state, int row, Span<float> output, Span<float> alignment, int index, int width)
    {
        var tokens = state.Tokens[row];
        var first = defect == Defect.CacheIgnored && width == 1 ? tokens.Count - 1 : 0;
        Span<float> hidden = stackalloc float[Width];
        Span<float> query = stackalloc float[Width];
        Span<float> key = stackalloc float[Width];
        Embed(tokens, tokens.Count - 1, query);
        query.CopyTo(hidden);
        Span<float> scores = stackalloc float[Math.Max(MaxSource, MaxTarget)];
        scores = scores[..(tokens.Count - first)];
        for (var i = 0; i < scores.Length; i++)
        {
            Embed(tokens, first + i, key);
            scores[i] = Dot(query, key);
        }

        Softmax(scores);
        for (var i = 0; i < scores.Length; i++)
        {
            Embed(tokens, first + i, key);
            Add(hidden, key, scores[i]);
        }

        const int headWidth = Width / Heads;
        var source = state.Source(row);
        Span<float> weights = stackalloc float[MaxSource];
        weights = weights[..state.Positions];
        hidden.CopyTo(query);
        for (var head = 0; head < Heads; head++)
        {
            var slice = new Range(head * headWidth, (head + 1) * headWidth);
            for (var position = 0; position < weights.Length; position++)
            {
                weights[position] = 4 * Dot(query[slice], source.Slice(position * Width, Width)[slice]);
            }

            Softmax(weights);
            for (var position = 0; position < weights.Length; position++)
            {
                Add(hidden[slice], source.Slice(position * Width, Width)[slice], weights[position]);
            }

            for (var wanted = 0; wanted < state.AlignmentHeads.Count && !alignment.IsEmpty; wanted++)
            {
                if (state.AlignmentHeads[wanted].Head == head)
                {
                    var rowOfHead = alignment.Slice(((((row * state.AlignmentHeads.Count) + wanted) * width) + index) * state.Positions, state.Positions);
                    weights.CopyTo(rowOfHead);
                    if (defect == Defect.AlignmentNotNormalised)
                    {
                        rowOfHead[0] += 0.5f;
                    }
                }
            }
        }

        var extra = (defect == Defect.BatchDependent ? 0.1f * state.Rows : 0)
            + (defect == Defect.Random ? _noise.NextSingle() : 0)
            + (_broken ? 1 : 0);
        for (var token = 0; token < Vocabulary; token++)
        {
            output[token] = Dot(hidden, _embeddings.AsSpan(token * Width, Width)) + extra;
        }
    }

    private void Embed(List<int> tokens, int position, Span<float> destination)
    {
        // Clamped for the defect that lets bad input in.
        var token = Math.Clamp(tokens[position], 0, Vocabulary - 1);
        for (var unit = 0; unit < Width; unit++)
        {
            destination[unit] = _embeddings[(token * Width) + unit] + _positions[(Math.Min(position, MaxTarget - 1) * Width) + unit];
        }
    }

    private static float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        var sum = 0f;
        for (var i = 0; i < a.Length; i++)
        {
            sum += a[i] * b[i];
        }

        return sum;
    }

    private static void Add(Span<float> sum, ReadOnlySpan<float> values, float factor)
    {
        for (var i = 0; i < sum.Length; i++)
        {
            sum[i] += values[i] * factor;
        }
    }

    private sealed class States(float[] values, int batch, int positions) : IEncoderStates
    {
        public int Batch => batch;

        public int Positions => positions;

        public ReadOnlySpan<float> Row(int row) => values.AsSpan(row * positions * Width, positions * Width);

        public void CopyTo(Span<float> destination) => values.CopyTo(destination);

        public void Dispose()
        {
        }
    }

    private sealed class Cache(States states, int[] sourceRows, DecoderCacheOptions options, Defect defect) : IDecoderCache
    {
        private readonly int _maxRows = options.MaxRows == 0 ? sourceRows.Length : options.MaxRows;
        private int[] _sourceRows = sourceRows;

        public List<int>[] Tokens { get; private set; } = [.. sourceRows.Select(_ => new List<int>())];

        public IReadOnlyList<AttentionHead> AlignmentHeads => options.AlignmentHeads;

        public int Positions => states.Positions;

        public int Rows => Tokens.Length;

        public int Capacity => options.Capacity == 0 ? MaxTarget : options.Capacity;

        public int Length(int row) => Tokens[row].Count;

        public ReadOnlySpan<float> Source(int row) => states.Row(_sourceRows[row]);

        public void Reorder(ReadOnlySpan<int> rows)
        {
            foreach (var row in rows)
            {
                if ((row < 0 || row >= Rows || rows.Length > _maxRows) && defect != Defect.BadInputAccepted)
                {
                    throw new ArgumentException("There is no such row.", nameof(rows));
                }
            }

            var order = rows.ToArray();
            if (defect == Defect.ReorderIgnored && order.Length == Rows)
            {
                return;
            }

            // Clamped for the defect that lets bad input in.
            Tokens = [.. order.Select(row => new List<int>(Tokens[Math.Clamp(row, 0, Rows - 1)]))];
            _sourceRows = [.. order.Select(row => _sourceRows[Math.Clamp(row, 0, _sourceRows.Length - 1)])];
        }

        public void Truncate(int length)
        {
            foreach (var tokens in Tokens)
            {
                if (tokens.Count > length && defect != Defect.TruncateIgnored)
                {
                    tokens.RemoveRange(length, tokens.Count - length);
                }
            }
        }

        public void Dispose()
        {
        }
    }
}
