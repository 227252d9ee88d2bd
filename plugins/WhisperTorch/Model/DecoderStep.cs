namespace AsrPlatform.WhisperTorch.Model;

/// <summary>One call of the decoder on a cache: where its tokens go and what each may see.</summary>
/// <remarks>Made in the call's dispose scope and gone with it.</remarks>
internal sealed class DecoderStep : IDecoderContext
{
    private readonly DecoderCache _cache;
    private readonly int _rows;
    private readonly int _width;
    private readonly int[] _counts;
    private readonly int _heads;
    private readonly long _headWidth;
    private readonly Scalar _scale;
    private readonly Tensor? _slots; // [layer, key or value, row, head, token, head width] where all rows stand alike
    private readonly Tensor[]? _rowSlots; // by row: [layer, key or value, head, token, head width] where they do not
    private readonly Tensor[] _keys;
    private readonly Tensor[] _values;
    private readonly Tensor? _mask; // [row or 1, 1, token, seen]: 0 or −∞
    private readonly bool _wantsAlignment;

    /// <param name="cache">The cache.</param>
    /// <param name="model">Its model.</param>
    /// <param name="width">Tokens of each row, padding included.</param>
    /// <param name="counts">Tokens of each row that count; empty for all.</param>
    /// <param name="wantsAlignment">Whether <see cref="Alignment"/> is to be kept.</param>
    public DecoderStep(DecoderCache cache, WhisperModel model, int width, ReadOnlySpan<int> counts, bool wantsAlignment)
    {
        _cache = cache;
        _rows = cache.Rows;
        _width = width;
        _heads = model.Info.DecoderHeads;
        _headWidth = model.Info.Width / _heads;
        _scale = model.QueryScale;
        _wantsAlignment = wantsAlignment;
        _counts = new int[_rows];
        var seen = 0;
        var alike = true;
        for (var row = 0; row < _rows; row++)
        {
            _counts[row] = counts.IsEmpty ? width : counts[row];
            seen = Math.Max(seen, cache.Length(row) + _counts[row]);
            alike &= _counts[row] == width && cache.Length(row) == cache.Length(0);
        }

        for (var row = 0; row < _rows; row++)
        {
            cache.Touch(row, cache.Length(row) + _counts[row], seen);
        }

        if (alike)
        {
            _slots = cache.Slots(cache.Length(0), width);
        }
        else
        {
            _rowSlots = [.. Enumerable.Range(0, _rows).Select(row => cache.Slots(row, cache.Length(row), _counts[row]))];
        }

        (_keys, _values) = cache.Seen(seen);
        _mask = alike && width == 1 ? null : Mask(alike ? 1 : _rows, seen).to(model.Type, model.TorchDevice);
    }

    // One token of one row: the same memory is every shape, and nothing need be permuted.
    private bool IsSingle => _rows == 1 && _width == 1;

    /// <summary>Cross-attention weights of the alignment heads: the head's place in the list, the first row, and <c>[row, token, position]</c>.</summary>
    public List<(int Place, int FirstRow, Tensor Weights)> Alignment { get; } = [];

    public int Count(int row) => _counts[row];

    /// <inheritdoc />
    public Tensor OverTarget(int layer, Tensor projected)
    {
        var width = _heads * _headWidth;
        var fresh = projected.narrow(-1, width, 2 * width);
        if (IsSingle)
        {
            _slots!.select(0, layer).copy_(fresh.view(2, 1, _heads, 1, _headWidth));
            var query = projected.narrow(-1, 0, width).mul_(_scale).view(_heads, 1, _headWidth);
            return query.bmm(_keys[layer]).softmax(-1).bmm(_values[layer]).view(1, width);
        }

        fresh = fresh.view(_rows, _width, 2, _heads, _headWidth).permute(2, 0, 3, 1, 4); // [key or value, row, head, token, head width]
        if (_slots is not null)
        {
            _slots.select(0, layer).copy_(fresh);
        }
        else
        {
            for (var row = 0; row < _rows; row++)
            {
                _rowSlots![row].select(0, layer).copy_(fresh.select(1, row).narrow(2, 0, _counts[row]));
            }
        }

        var queries = projected.narrow(-1, 0, width).mul_(_scale).view(_rows, _width, _heads, _headWidth).transpose(1, 2).reshape(_rows * _heads, _width, _headWidth);
        var scores = queries.bmm(_keys[layer]); // [row·head, token, seen]
        if (_mask is not null)
        {
            scores.view(_rows, _heads, _width, -1).add_(_mask);
        }

        return scores.softmax(-1).bmm(_values[layer])
            .view(_rows, _heads, _width, _headWidth).transpose(1, 2).reshape(_rows * _width, width);
    }

    /// <inheritdoc />
    public Tensor OverSource(int layer, Tensor queries)
    {
        queries.mul_(_scale);
        var runs = _cache.Runs;
        if (runs.Count == 1)
        {
            return OverSource(layer, 0, runs[0], queries);
        }

        var parts = new Tensor[runs.Count];
        for (var i = 0; i < parts.Length; i++)
        {
            parts[i] = OverSource(layer, i, runs[i], queries.narrow(0, runs[i].FirstRow * _width, runs[i].Rows * _width));
        }

        return cat(parts, 0);
    }

    private Tensor OverSource(int layer, int index, SourceRun run, Tensor queries)
    {
        // Rows of one source are further queries of its heads.
        var perSource = run.RowsPerSource * _width;
        var byHead = run.Sources == 1
            ? queries.view(perSource, _heads, _headWidth).transpose(0, 1)
            : queries.view(run.Sources, perSource, _heads, _headWidth).transpose(1, 2).reshape(run.Sources * _heads, perSource, _headWidth);
        var weights = byHead.bmm(_cache.SourceKeys(index, layer)).softmax(-1); // [source·head, query, position]
        if (_wantsAlignment)
        {
            KeepAlignment(layer, run, weights);
        }

        var output = weights.bmm(_cache.SourceValues(index, layer)); // [source·head, query, head width]
        var width = _heads * _headWidth;
        if (IsSingle)
        {
            return output.view(1, width);
        }

        return output.view(run.Sources, _heads, perSource, _headWidth).transpose(1, 2).reshape(run.Rows * _width, width);
    }

    private void KeepAlignment(int layer, SourceRun run, Tensor weights)
    {
        var heads = _cache.AlignmentHeads;
        for (var place = 0; place < heads.Length; place++)
        {
            if (heads[place].Layer == layer)
            {
                var chosen = weights.view(run.Sources, _heads, run.RowsPerSource * _width, -1).select(1, heads[place].Head);
                Alignment.Add((place, run.FirstRow, chosen.reshape(run.Rows, _width, -1).clone().MoveToOuterDisposeScope()));
            }
        }
    }

    // Token t of a row that held n sees the first n + t + 1 tokens; padding sees what its row's last token sees.
    private Tensor Mask(int rows, int seen)
    {
        var values = new float[rows * _width * seen];
        for (var row = 0; row < rows; row++)
        {
            for (var token = 0; token < _width; token++)
            {
                var visible = _cache.Length(row) + Math.Min(token + 1, _counts[row]);
                values.AsSpan((((row * _width) + token) * seen) + visible, seen - visible).Fill(float.NegativeInfinity);
            }
        }

        return tensor(values, [rows, 1, _width, seen]);
    }
}
