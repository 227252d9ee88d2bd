using System.Numerics.Tensors;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.Tests;

/// <summary>
/// Whisper's forward pass in plain C#, float32: the engine-independent oracle behind <see cref="ISeq2SeqModel"/>. Written for clarity
/// and for models of test size; every intermediate of the encoder can be looked at.
/// </summary>
internal sealed class ReferenceModel : ISeq2SeqModel
{
    private const float LayerNormEpsilon = 1e-5f;

    private readonly int _encoderHeads;
    private readonly int _decoderHeads;
    private readonly float _embeddingScale;
    private readonly Linear _conv1;
    private readonly Linear _conv2;
    private readonly float[] _encoderPositions; // [position, width]
    private readonly Layer[] _encoderLayers;
    private readonly Norm _encoderNorm;
    private readonly float[] _tokenEmbeddings; // [vocabulary, width]
    private readonly float[] _tokenPositions; // [position, width]
    private readonly Layer[] _decoderLayers;
    private readonly Norm _decoderNorm;
    private readonly float[] _projection; // [vocabulary, width]

    private ReferenceModel(WhisperCheckpoint checkpoint)
    {
        var config = checkpoint.Config;
        var weights = checkpoint.Weights;
        _encoderHeads = config.EncoderAttentionHeads;
        _decoderHeads = config.DecoderAttentionHeads;
        _embeddingScale = config.ScaleEmbedding ? MathF.Sqrt(config.DModel) : 1f;

        Linear ReadLinear(string key) =>
            new(weights[key + ".weight"].ToSingle(), weights.TryGet(key + ".bias", out var bias) ? bias.ToSingle() : null);
        Norm ReadNorm(string key) => new(weights[key + ".weight"].ToSingle(), weights[key + ".bias"].ToSingle());
        Attention ReadAttention(string key) =>
            new(ReadLinear(key + ".q_proj"), ReadLinear(key + ".k_proj"), ReadLinear(key + ".v_proj"), ReadLinear(key + ".out_proj"));
        Layer ReadLayer(string key, bool cross) => new(
            ReadNorm(key + ".self_attn_layer_norm"),
            ReadAttention(key + ".self_attn"),
            cross ? ReadNorm(key + ".encoder_attn_layer_norm") : null,
            cross ? ReadAttention(key + ".encoder_attn") : null,
            ReadNorm(key + ".final_layer_norm"),
            ReadLinear(key + ".fc1"),
            ReadLinear(key + ".fc2"));

        _conv1 = ReadLinear("model.encoder.conv1");
        _conv2 = ReadLinear("model.encoder.conv2");
        _encoderPositions = weights["model.encoder.embed_positions.weight"].ToSingle();
        _encoderLayers = [.. Enumerable.Range(0, config.EncoderLayers).Select(i => ReadLayer($"model.encoder.layers.{i}", false))];
        _encoderNorm = ReadNorm("model.encoder.layer_norm");
        _tokenEmbeddings = weights[WhisperTensors.TokenEmbedding].ToSingle();
        _tokenPositions = weights["model.decoder.embed_positions.weight"].ToSingle();
        _decoderLayers = [.. Enumerable.Range(0, config.DecoderLayers).Select(i => ReadLayer($"model.decoder.layers.{i}", true))];
        _decoderNorm = ReadNorm("model.decoder.layer_norm");
        _projection = config.TieWordEmbeddings ? _tokenEmbeddings : weights[WhisperTensors.OutputProjection].ToSingle();

        Info = config.Describe("reference", "cpu") with { Parameters = checkpoint.ParameterCount };
    }

    public Seq2SeqModelInfo Info { get; }

    /// <summary>Steps that <see cref="Decode"/> was called for, for tests that count work.</summary>
    public int DecodeCalls { get; private set; }

    /// <summary>Loads a checkpoint folder.</summary>
    public static ReferenceModel Load(string directory)
    {
        using var checkpoint = WhisperCheckpoint.Open(directory);
        return new ReferenceModel(checkpoint);
    }

    /// <summary>Runs the encoder and hands out its states: <paramref name="visit"/> gets layer 0 (the input of the first layer), 1, …</summary>
    public IEncoderStates Encode(ReadOnlySpan<float> features, int batch, int frames, Action<int, int, float[]>? visit)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batch, 1);
        if (frames < 2 || frames % 2 != 0 || frames > 2 * Info.MaxSourcePositions || features.Length != batch * Info.FeatureSize * frames)
        {
            throw new ArgumentException($"Features of {features.Length} values are not [{batch}, {Info.FeatureSize}, {frames}].", nameof(features));
        }

        var positions = frames / 2;
        var states = new float[batch * positions * Info.Width];
        for (var row = 0; row < batch; row++)
        {
            EncodeRow(features.Slice(row * Info.FeatureSize * frames, Info.FeatureSize * frames), frames, row, visit)
                .CopyTo(states.AsSpan(row * positions * Info.Width));
        }

        return new States(states, batch, positions, Info.Width, _decoderLayers.Length);
    }

    public IEncoderStates Encode(ReadOnlySpan<float> features, int batch, int frames) => Encode(features, batch, frames, null);

    public IDecoderCache CreateCache(IEncoderStates states, ReadOnlySpan<int> sourceRows, DecoderCacheOptions options) =>
        new Cache(this, (States)states, sourceRows, options);

    public void Decode(
        IDecoderCache cache,
        ReadOnlySpan<int> tokens,
        ReadOnlySpan<int> counts,
        LogitPositions positions,
        Span<float> logits,
        Span<float> alignment)
    {
        DecodeCalls++;
        var rows = (Cache)cache;
        ObjectDisposedException.ThrowIf(rows.Disposed, rows);
        if (tokens.IsEmpty || tokens.Length % rows.Rows != 0 || (!counts.IsEmpty && counts.Length != rows.Rows))
        {
            throw new ArgumentException($"{tokens.Length} tokens and {counts.Length} counts do not fit {rows.Rows} rows.", nameof(tokens));
        }

        var width = tokens.Length / rows.Rows;
        var heads = rows.AlignmentHeads.Count;
        for (var row = 0; row < rows.Rows; row++)
        {
            var count = counts.IsEmpty ? width : counts[row];
            if (count < 1 || count > width || rows.Length(row) + count > rows.Capacity)
            {
                throw new ArgumentException(
                    $"Row {row} holds {rows.Length(row)} of {rows.Capacity} tokens and cannot take {count} of {width}.", nameof(counts));
            }

            for (var i = 0; i < count; i++)
            {
                var token = tokens[(row * width) + i];
                if ((uint)token >= (uint)Info.VocabularySize)
                {
                    throw new ArgumentException($"Token {token} is outside the vocabulary of {Info.VocabularySize}.", nameof(tokens));
                }

                var state = DecodeToken(rows, row, token, i, width, alignment.IsEmpty ? default : alignment.Slice(
                    row * heads * width * rows.States.Positions, heads * width * rows.States.Positions));
                var place = positions switch
                {
                    LogitPositions.All => (row * width) + i,
                    LogitPositions.Last when i == count - 1 => row,
                    _ => -1,
                };
                if (place >= 0)
                {
                    Multiply(state, 1, _projection, null, logits.Slice(place * Info.VocabularySize, Info.VocabularySize));
                }
            }
        }
    }

    public void Dispose()
    {
    }

    private static float[] Multiply(float[] input, int rows, Linear linear)
    {
        var output = new float[rows * (linear.Weight.Length / (input.Length / rows))];
        Multiply(input, rows, linear.Weight, linear.Bias, output);
        return output;
    }

    // input [row, in] × weight [out, in] transposed + bias [out]
    private static void Multiply(ReadOnlySpan<float> input, int rows, float[] weight, float[]? bias, Span<float> output)
    {
        var inputs = input.Length / rows;
        var outputs = weight.Length / inputs;
        for (var row = 0; row < rows; row++)
        {
            var values = input.Slice(row * inputs, inputs);
            for (var i = 0; i < outputs; i++)
            {
                output[(row * outputs) + i] = TensorPrimitives.Dot(values, weight.AsSpan(i * inputs, inputs)) + (bias is null ? 0f : bias[i]);
            }
        }
    }

    private static float[] Normalize(ReadOnlySpan<float> input, Norm norm)
    {
        var width = norm.Weight.Length;
        var output = new float[input.Length];
        for (var start = 0; start < input.Length; start += width)
        {
            var values = output.AsSpan(start, width);
            TensorPrimitives.Subtract(input.Slice(start, width), TensorPrimitives.Sum(input.Slice(start, width)) / width, values);
            var scale = 1f / MathF.Sqrt((TensorPrimitives.SumOfSquares<float>(values) / width) + LayerNormEpsilon);
            TensorPrimitives.Multiply(values, scale, values);
            TensorPrimitives.MultiplyAdd(values, norm.Weight, norm.Bias, values);
        }

        return output;
    }

    private static void Gelu(Span<float> values)
    {
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = (float)(0.5 * values[i] * (1.0 + ErrorFunction(values[i] / Math.Sqrt(2))));
        }
    }

    // erf(x) = 2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (2n+1)!!, a sum of terms of one sign; beyond 6 it is 1 in double precision.
    private static double ErrorFunction(double x)
    {
        if (Math.Abs(x) > 6)
        {
            return Math.Sign(x);
        }

        var term = x;
        var sum = x;
        for (var n = 1; Math.Abs(term) > 1e-17 * Math.Abs(sum); n++)
        {
            term *= 2 * x * x / ((2 * n) + 1);
            sum += term;
        }

        return 2 / Math.Sqrt(Math.PI) * Math.Exp(-x * x) * sum;
    }

    // input [channel, frame] → [frame out, width]: kernel 3, padding 1, GELU.
    private static float[] Convolve(ReadOnlySpan<float> input, int channels, int stride, Linear conv)
    {
        var frames = input.Length / channels;
        var taps = new float[channels * 3];
        var width = conv.Weight.Length / taps.Length;
        var output = new float[frames / stride * width];
        for (var frame = 0; frame < frames / stride; frame++)
        {
            for (var channel = 0; channel < channels; channel++)
            {
                for (var tap = 0; tap < 3; tap++)
                {
                    var source = (frame * stride) + tap - 1;
                    taps[(channel * 3) + tap] = source < 0 || source >= frames ? 0f : input[(channel * frames) + source];
                }
            }

            Multiply(taps, 1, conv.Weight, conv.Bias, output.AsSpan(frame * width, width));
        }

        Gelu(output);
        return output;
    }

    private static float[] Transpose(ReadOnlySpan<float> input, int rows)
    {
        var columns = input.Length / rows;
        var output = new float[input.Length];
        for (var row = 0; row < rows; row++)
        {
            for (var column = 0; column < columns; column++)
            {
                output[(column * rows) + row] = input[(row * columns) + column];
            }
        }

        return output;
    }

    // The attention of one head and one query over the first `length` of keys and values, both [width of head, stride].
    private static void Attend(
        ReadOnlySpan<float> query, ReadOnlySpan<float> keys, ReadOnlySpan<float> values, int stride, Span<float> weights, Span<float> output)
    {
        weights.Clear();
        for (var i = 0; i < query.Length; i++)
        {
            TensorPrimitives.MultiplyAdd(keys.Slice(i * stride, weights.Length), query[i], weights, weights);
        }

        TensorPrimitives.SoftMax(weights, weights);
        for (var i = 0; i < query.Length; i++)
        {
            output[i] = TensorPrimitives.Dot(weights, values.Slice(i * stride, weights.Length));
        }
    }

    private float[] EncodeRow(ReadOnlySpan<float> features, int frames, int row, Action<int, int, float[]>? visit)
    {
        var width = Info.Width;
        var positions = frames / 2;
        var hidden = Convolve(Transpose(Convolve(features, Info.FeatureSize, 1, _conv1), frames), width, 2, _conv2); // [position, width]
        TensorPrimitives.Add(hidden, _encoderPositions.AsSpan(0, hidden.Length), hidden);
        visit?.Invoke(row, 0, hidden);

        var headWidth = width / _encoderHeads;
        var scale = 1f / MathF.Sqrt(headWidth);
        var weights = new float[positions];
        for (var index = 0; index < _encoderLayers.Length; index++)
        {
            var layer = _encoderLayers[index];
            var normalized = Normalize(hidden, layer.SelfNorm);
            var queries = Multiply(normalized, positions, layer.Self.Query);
            TensorPrimitives.Multiply(queries, scale, queries);
            var keys = Transpose(Multiply(normalized, positions, layer.Self.Key), positions); // [width, position]
            var values = Transpose(Multiply(normalized, positions, layer.Self.Value), positions);
            var mixed = new float[hidden.Length];
            for (var head = 0; head < _encoderHeads; head++)
            {
                var part = head * headWidth * positions;
                for (var position = 0; position < positions; position++)
                {
                    var place = (position * width) + (head * headWidth);
                    Attend(
                        queries.AsSpan(place, headWidth),
                        keys.AsSpan(part, headWidth * positions),
                        values.AsSpan(part, headWidth * positions),
                        positions,
                        weights,
                        mixed.AsSpan(place, headWidth));
                }
            }

            TensorPrimitives.Add(hidden, Multiply(mixed, positions, layer.Self.Output), hidden);
            FeedForward(hidden, positions, layer);
            visit?.Invoke(row, index + 1, hidden);
        }

        return Normalize(hidden, _encoderNorm);
    }

    private static void FeedForward(float[] hidden, int rows, Layer layer)
    {
        var inner = Multiply(Normalize(hidden, layer.FinalNorm), rows, layer.In);
        Gelu(inner);
        TensorPrimitives.Add(hidden, Multiply(inner, rows, layer.Out), hidden);
    }

    private float[] DecodeToken(Cache cache, int row, int token, int index, int tokens, Span<float> alignment)
    {
        var width = Info.Width;
        var headWidth = width / _decoderHeads;
        var scale = 1f / MathF.Sqrt(headWidth);
        var position = cache.Length(row);
        var hidden = new float[width];
        TensorPrimitives.Multiply(_tokenEmbeddings.AsSpan(token * width, width), _embeddingScale, hidden);
        TensorPrimitives.Add(hidden, _tokenPositions.AsSpan(position * width, width), hidden);

        var mixed = new float[width];
        for (var index2 = 0; index2 < _decoderLayers.Length; index2++)
        {
            var layer = _decoderLayers[index2];
            var normalized = Normalize(hidden, layer.SelfNorm);
            var queries = Multiply(normalized, 1, layer.Self.Query);
            TensorPrimitives.Multiply(queries, scale, queries);
            var (keys, values) = cache.SelfOf(row, index2); // [width, capacity]
            var key = Multiply(normalized, 1, layer.Self.Key);
            var value = Multiply(normalized, 1, layer.Self.Value);
            for (var i = 0; i < width; i++)
            {
                keys[(i * cache.Capacity) + position] = key[i];
                values[(i * cache.Capacity) + position] = value[i];
            }

            var weights = cache.Weights.AsSpan(0, position + 1);
            for (var head = 0; head < _decoderHeads; head++)
            {
                Attend(
                    queries.AsSpan(head * headWidth, headWidth),
                    keys.AsSpan(head * headWidth * cache.Capacity, headWidth * cache.Capacity),
                    values.AsSpan(head * headWidth * cache.Capacity, headWidth * cache.Capacity),
                    cache.Capacity,
                    weights,
                    mixed.AsSpan(head * headWidth, headWidth));
            }

            TensorPrimitives.Add(hidden, Multiply(mixed, 1, layer.Self.Output), hidden);

            normalized = Normalize(hidden, layer.CrossNorm!);
            queries = Multiply(normalized, 1, layer.Cross!.Query);
            TensorPrimitives.Multiply(queries, scale, queries);
            var positions = cache.States.Positions;
            (keys, values) = cache.CrossOf(row, index2); // [width, position]
            weights = cache.Weights.AsSpan(0, positions);
            for (var head = 0; head < _decoderHeads; head++)
            {
                Attend(
                    queries.AsSpan(head * headWidth, headWidth),
                    keys.AsSpan(head * headWidth * positions, headWidth * positions),
                    values.AsSpan(head * headWidth * positions, headWidth * positions),
                    positions,
                    weights,
                    mixed.AsSpan(head * headWidth, headWidth));
                for (var chosen = 0; chosen < cache.AlignmentHeads.Count && !alignment.IsEmpty; chosen++)
                {
                    if (cache.AlignmentHeads[chosen] == new AttentionHead(index2, head))
                    {
                        weights.CopyTo(alignment[(((chosen * tokens) + index) * positions)..]);
                    }
                }
            }

            TensorPrimitives.Add(hidden, Multiply(mixed, 1, layer.Cross.Output), hidden);
            FeedForward(hidden, 1, layer);
        }

        cache.Append(row);
        return Normalize(hidden, _decoderNorm);
    }

    private sealed record Linear(float[] Weight, float[]? Bias);

    private sealed record Norm(float[] Weight, float[] Bias);

    private sealed record Attention(Linear Query, Linear Key, Linear Value, Linear Output);

    private sealed record Layer(Norm SelfNorm, Attention Self, Norm? CrossNorm, Attention? Cross, Norm FinalNorm, Linear In, Linear Out);

    private sealed class States(float[] values, int batch, int positions, int width, int layers) : IEncoderStates
    {
        private readonly (float[] Keys, float[] Values)?[] _cross = new (float[] Keys, float[] Values)?[batch * layers];

        public int Batch => batch;

        public int Positions => positions;

        public void CopyTo(Span<float> destination) => values.CopyTo(destination);

        // [width, position] each; computed once for all caches of these states.
        public (float[] Keys, float[] Values) Cross(int row, int index, Layer layer)
        {
            ref var entry = ref _cross[(row * layers) + index];
            if (entry is null)
            {
                var rowValues = values.AsSpan(row * positions * width, positions * width).ToArray();
                entry = (
                    Transpose(Multiply(rowValues, positions, layer.Cross!.Key), positions),
                    Transpose(Multiply(rowValues, positions, layer.Cross.Value), positions));
            }

            return entry.Value;
        }

        public void Dispose()
        {
        }
    }

    private sealed class Cache : IDecoderCache
    {
        private readonly ReferenceModel _model;
        private readonly List<Row> _rows = [];
        private readonly int _maxRows;

        public Cache(ReferenceModel model, States states, ReadOnlySpan<int> sourceRows, DecoderCacheOptions options)
        {
            _model = model;
            States = states;
            Capacity = options.Capacity == 0 ? model.Info.MaxTargetPositions : options.Capacity;
            ArgumentOutOfRangeException.ThrowIfGreaterThan(Capacity, model.Info.MaxTargetPositions, nameof(options));
            AlignmentHeads = options.AlignmentHeads;
            Weights = new float[Math.Max(Capacity, states.Positions)];
            foreach (var source in sourceRows)
            {
                ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)source, (uint)states.Batch, nameof(sourceRows));
                _rows.Add(new Row(source, 0, [.. model._decoderLayers.Select(_ => Empty())]));
            }

            _maxRows = Math.Max(options.MaxRows, _rows.Count);
        }

        public States States { get; }

        public IReadOnlyList<AttentionHead> AlignmentHeads { get; }

        public float[] Weights { get; }

        public bool Disposed { get; private set; }

        public int Rows => _rows.Count;

        public int Capacity { get; }

        public int Length(int row) => _rows[row].Length;

        public void Append(int row) => _rows[row].Length++;

        public (float[] Keys, float[] Values) SelfOf(int row, int layer) => _rows[row].Self[layer];

        public (float[] Keys, float[] Values) CrossOf(int row, int layer) => States.Cross(_rows[row].Source, layer, _model._decoderLayers[layer]);

        public void Reorder(ReadOnlySpan<int> rows)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(rows.Length, _maxRows, nameof(rows));
            var old = _rows.ToArray();
            var taken = new bool[old.Length];
            _rows.Clear();
            foreach (var index in rows)
            {
                var row = old[index];
                _rows.Add(taken[index] ? new Row(row.Source, row.Length, [.. row.Self.Select(pair => ((float[])pair.Keys.Clone(), (float[])pair.Values.Clone()))]) : row);
                taken[index] = true;
            }
        }

        public void Truncate(int length)
        {
            foreach (var row in _rows)
            {
                row.Length = Math.Min(row.Length, length);
            }
        }

        public void Dispose() => Disposed = true;

        private (float[] Keys, float[] Values) Empty() => (new float[_model.Info.Width * Capacity], new float[_model.Info.Width * Capacity]);

        private sealed class Row(int source, int length, (float[] Keys, float[] Values)[] self)
        {
            public int Source => source;

            public int Length { get; set; } = length;

            public (float[] Keys, float[] Values)[] Self => self;
        }
    }
}
