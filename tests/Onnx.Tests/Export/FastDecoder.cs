namespace AsrPlatform.Onnx.Tests.Export;

/// <summary>A decoder of the fast layout over the small model's dimensions, its cache bound in place.</summary>
internal sealed class FastDecoder : IDisposable
{
    public const int Capacity = 16;

    private readonly Graph _graph;
    private readonly OrtIoBinding _binding;
    private readonly RunOptions _run = new();
    private readonly int _rows;
    private readonly int _positions;
    private readonly int[] _lengths;
    private readonly int _sources;

    /// <param name="directory">The export.</param>
    /// <param name="memory">The encoder's <c>cross</c> outputs.</param>
    /// <param name="sourceLengths">Positions of each source that count.</param>
    /// <param name="rows">Decoder rows: a multiple of the sources.</param>
    public FastDecoder(string directory, Dictionary<string, (float[] Values, long[] Shape)> memory, long[] sourceLengths, int rows)
    {
        _graph = new Graph(Path.Combine(directory, FastLayout.DecoderFile));
        _binding = _graph.Session.CreateIoBinding();
        _rows = rows;
        _positions = (int)memory["cross.0.value"].Shape[2];
        _lengths = new int[rows];
        _sources = sourceLengths.Length;
        foreach (var name in _graph.Session.InputNames)
        {
            if (name.StartsWith("cross", StringComparison.Ordinal))
            {
                using var value = _graph.InputOf(name, memory[name]);
                _binding.BindInput(name, value);
            }
            else if (name.StartsWith("past.", StringComparison.Ordinal))
            {
                // What no token has written yet must not matter.
                var garbage = new float[rows * SmallModel.Heads * Capacity * SmallModel.HeadWidth];
                Array.Fill(garbage, 1000f);
                using var value = Graph.Value(garbage, rows, SmallModel.Heads, Capacity, SmallModel.HeadWidth);
                _binding.BindInput(name, value);
                _binding.BindOutput(name.Replace("past", "present", StringComparison.Ordinal), value);
            }
        }

        using var lengths = Graph.Value(sourceLengths, sourceLengths.Length);
        _binding.BindInput("source_lengths", lengths);
    }

    /// <summary>Feeds tokens <c>[row, width]</c>, of which the first of each row count.</summary>
    /// <returns>Logits <c>[row, width, vocabulary]</c> and of each layer the cross-attention <c>[row, head, width, position]</c>; what does not count is undefined.</returns>
    /// <remarks>GroupQueryAttention takes several tokens behind a cache of one row only: for more rows they are fed one by one, as a backend must.</remarks>
    public (float[] Logits, float[][] Attention) Feed(long[] tokens, int[] counts)
    {
        var width = tokens.Length / _rows;
        return width == 1 || _rows == 1 || _lengths.Max() == 0 ? Run(tokens, counts) : OneByOne(tokens, counts, width);
    }

    private (float[] Logits, float[][] Attention) OneByOne(long[] tokens, int[] counts, int width)
    {
        var logits = new float[tokens.Length * SmallModel.Vocabulary];
        var attention = Enumerable.Range(0, SmallModel.Layers).Select(_ => new float[tokens.Length * SmallModel.Heads * _positions]).ToArray();
        for (var token = 0; token < width; token++)
        {
            // A row that has no more tokens writes behind its end, where its next token will.
            var step = Run([.. Enumerable.Range(0, _rows).Select(row => tokens[(row * width) + token])], Array.ConvertAll(counts, count => token < count ? 1 : 0));
            for (var row = 0; row < _rows; row++)
            {
                step.Logits.AsSpan(row * SmallModel.Vocabulary, SmallModel.Vocabulary).CopyTo(logits.AsSpan(((row * width) + token) * SmallModel.Vocabulary));
                for (var head = 0; head < SmallModel.Layers * SmallModel.Heads; head++)
                {
                    var place = (row * SmallModel.Heads) + (head % SmallModel.Heads);
                    step.Attention[head / SmallModel.Heads].AsSpan(place * _positions, _positions)
                        .CopyTo(attention[head / SmallModel.Heads].AsSpan(((place * width) + token) * _positions));
                }
            }
        }

        return (logits, attention);
    }

    private (float[] Logits, float[][] Attention) Run(long[] tokens, int[] counts)
    {
        var width = tokens.Length / _rows;
        var logits = new float[tokens.Length * SmallModel.Vocabulary];
        var raw = Enumerable.Range(0, SmallModel.Layers).Select(_ => new float[_rows * SmallModel.Heads * width * _positions]).ToArray();
        using var ids = Graph.Value(tokens, _rows, width);
        using var past = Graph.Value((int[])_lengths.Clone(), _rows);
        using var wanted = Graph.Value([.. Enumerable.Range(0, tokens.Length).Select(i => (long)i)], tokens.Length);
        using var logitsValue = Graph.Value(logits, tokens.Length, SmallModel.Vocabulary);
        _binding.BindInput("input_ids", ids);
        _binding.BindInput("past_lengths", past);
        _binding.BindInput("logit_positions", wanted);
        _binding.BindOutput("logits", logitsValue);
        for (var layer = 0; layer < raw.Length; layer++)
        {
            using var value = Graph.Value(raw[layer], _sources, SmallModel.Heads, _rows / _sources * width, _positions);
            _binding.BindOutput($"attention.{layer}", value);
        }

        _graph.Session.RunWithBinding(_run, _binding);
        for (var row = 0; row < _rows; row++)
        {
            _lengths[row] += counts[row];
        }

        return (logits, Array.ConvertAll(raw, layer => Apart(layer, width)));
    }

    // [source, head, row of source · token, position] → [row, head, token, position].
    private float[] Apart(float[] together, int width)
    {
        var apart = new float[together.Length];
        var (each, length) = (_rows / _sources, width * _positions);
        for (var line = 0; line < _rows * SmallModel.Heads; line++)
        {
            var (row, head) = (line / SmallModel.Heads, line % SmallModel.Heads);
            together.AsSpan(((((row / each * SmallModel.Heads) + head) * each) + (row % each)) * length, length).CopyTo(apart.AsSpan(line * length));
        }

        return apart;
    }

    public void Dispose()
    {
        _binding.Dispose();
        _run.Dispose();
        _graph.Dispose();
    }
}
