using AsrPlatform.OnnxBackend.Memory;
using AsrPlatform.OnnxBackend.Model;

namespace AsrPlatform.OnnxBackend.Optimum;

/// <summary>Rows of a cache that hold equally many tokens, and so are one batch for the decoder.</summary>
/// <remarks>
/// A graph reads the past and writes it with the new tokens into other memory: a block has two buffers that change places. Each holds,
/// for keys and values of each layer in turn, <c>[row, head, token, head width]</c> without gaps at the beginning of its part.
/// </remarks>
internal sealed class RowBlock : IDisposable
{
    private readonly StoreShape _shape;
    private readonly BufferPool _pool;
    private readonly int _mostRows;
    private readonly int _capacity;
    private NativeBuffer _current;
    private NativeBuffer _other;
    private OrtValue[]? _past;
    private OrtValue[]? _source;
    private SourceMemory? _gathered;
    private int[] _sourceRows = [];

    /// <param name="shape">What a row is made of.</param>
    /// <param name="pool">Where memory comes from.</param>
    /// <param name="rows">The rows of the cache that it holds.</param>
    /// <param name="length">Tokens of each.</param>
    /// <param name="mostRows">Rows that it has room for.</param>
    /// <param name="capacity">Tokens that a row has room for.</param>
    public RowBlock(StoreShape shape, BufferPool pool, int[] rows, int length, int mostRows, int capacity)
    {
        _shape = shape;
        _pool = pool;
        _mostRows = mostRows;
        _capacity = capacity;
        Rows = rows;
        Length = length;
        var bytes = checked(shape.Tensors * PartBytes);
        _current = pool.Rent(bytes);
        _other = pool.Rent(bytes);
    }

    /// <summary>The rows of the cache, in its order.</summary>
    public int[] Rows { get; private set; }

    /// <summary>Tokens of each row.</summary>
    public int Length { get; private set; }

    /// <summary>The past as tensors; owned by this object.</summary>
    public OrtValue[] Past => _past ??= TensorsOver(_current, Length);

    private long PartBytes => _shape.TokenBytes * _mostRows * _capacity;

    private long RowBytes => _shape.TokenBytes * Length;

    /// <summary>Where a run writes the past with new tokens; <see cref="Take"/> or dispose them.</summary>
    public OrtValue[] Present(int count) => TensorsOver(_other, Length + count);

    /// <summary>Makes what was written the past.</summary>
    public void Take(OrtValue[] present, int count)
    {
        Swap();
        _past = present;
        Length += count;
    }

    /// <summary>Keys and values of the encoder for its rows; owned by this object and the same array until sources change.</summary>
    /// <param name="memory">Those of all encoder rows.</param>
    /// <param name="sources">The encoder row of each row.</param>
    /// <param name="sharesOne">Whether the graph reads one encoder row for all its rows.</param>
    public OrtValue[] Source(SourceMemory memory, ReadOnlySpan<int> sources, bool sharesOne)
    {
        if (_source is not null && sources.SequenceEqual(_sourceRows))
        {
            return _source;
        }

        DropSource();
        _sourceRows = sources.ToArray();
        if (IsRun(sources))
        {
            _source = memory.View(sources[0], sources.Length);
        }
        else if (sharesOne && sources.IndexOfAnyExcept(sources[0]) < 0)
        {
            _source = memory.View(sources[0], 1);
        }
        else
        {
            _gathered = memory.Gather(sources);
            _source = _gathered.Tensors;
        }

        return _source;
    }

    /// <summary>Whether rows can be rearranged within the memory that it has.</summary>
    public bool HasRoomFor(int rows) => rows <= _mostRows;

    /// <summary>Rearranges its rows: new row i is the one at place places[i].</summary>
    /// <param name="places">Places in this block.</param>
    /// <param name="rows">The rows of the cache that they are now.</param>
    public void Rearrange(ReadOnlySpan<int> places, int[] rows)
    {
        if (Length > 0)
        {
            for (var row = 0; row < places.Length; row++)
            {
                CopyRow(this, places[row], _other, row);
            }

            Swap();
        }

        DropPast();
        Rows = rows;
    }

    /// <summary>Copies a row of another block of the same length.</summary>
    public void Copy(RowBlock source, int place, int row) => source.CopyRow(source, place, _current, row, PartBytes);

    /// <summary>Drops tokens from an index on.</summary>
    public void Cut(int length)
    {
        if (length >= Length)
        {
            return;
        }

        var kept = _shape.HeadBytes * length;
        var held = _shape.HeadBytes * Length;
        for (var tensor = 0; tensor < _shape.Tensors && length > 0; tensor++)
        {
            for (var head = 0; head < Rows.Length * _shape.Heads; head++)
            {
                NativeBuffer.Copy(_current, (tensor * PartBytes) + (head * held), _other, (tensor * PartBytes) + (head * kept), kept);
            }
        }

        Swap();
        DropPast();
        Length = length;
    }

    /// <inheritdoc />
    public void Dispose()
    {
        DropPast();
        DropSource();
        _pool.Return(_current);
        _pool.Return(_other);
    }

    private static bool IsRun(ReadOnlySpan<int> sources)
    {
        for (var i = 1; i < sources.Length; i++)
        {
            if (sources[i] != sources[0] + i)
            {
                return false;
            }
        }

        return true;
    }

    private void CopyRow(RowBlock source, int place, NativeBuffer destination, int row) => CopyRow(source, place, destination, row, PartBytes);

    private void CopyRow(RowBlock source, int place, NativeBuffer destination, int row, long destinationPart)
    {
        for (var tensor = 0; tensor < _shape.Tensors && RowBytes > 0; tensor++)
        {
            NativeBuffer.Copy(source._current, (tensor * source.PartBytes) + (place * RowBytes), destination, (tensor * destinationPart) + (row * RowBytes), RowBytes);
        }
    }

    private OrtValue[] TensorsOver(NativeBuffer buffer, int length)
    {
        var tensors = new OrtValue[_shape.Tensors];
        for (var i = 0; i < tensors.Length; i++)
        {
            tensors[i] = TensorMemory.Tensor(buffer, i * PartBytes, _shape.Type, Rows.Length, _shape.Heads, length, _shape.HeadWidth);
        }

        return tensors;
    }

    private void Swap()
    {
        (_current, _other) = (_other, _current);
        DropPast();
    }

    private void DropPast()
    {
        _past?.DisposeAll();
        _past = null;
    }

    private void DropSource()
    {
        if (_gathered is null)
        {
            _source?.DisposeAll();
        }

        _gathered?.Dispose();
        _gathered = null;
        _source = null;
    }
}
