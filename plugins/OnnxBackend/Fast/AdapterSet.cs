using AsrPlatform.Abstractions.Adapters;

namespace AsrPlatform.OnnxBackend.Fast;

/// <summary>The adapters of a model, and which of them the next rows of the encoder have.</summary>
/// <remarks>Belongs to the model's thread.</remarks>
internal sealed class AdapterSet : IDisposable
{
    private readonly Dictionary<int, AdapterFactors> _adapters = [];
    private int _next;
    private int _active = IMultiAdapterModel.NoAdapter;

    /// <summary>The adapter of rows for which none is chosen.</summary>
    /// <exception cref="ArgumentException">There is no such adapter.</exception>
    public int Active
    {
        get => _active;
        set
        {
            Find(value);
            _active = value;
        }
    }

    /// <summary>The adapters of the rows that the encoder gets next; null: <see cref="Active"/> for all.</summary>
    public int[]? Chosen { get; set; }

    public int Add()
    {
        _adapters.Add(_next, new AdapterFactors());
        return _next++;
    }

    /// <exception cref="ArgumentException">There is no such adapter.</exception>
    public void Remove(int adapter)
    {
        if (!_adapters.Remove(adapter, out var factors))
        {
            throw NoSuch(adapter);
        }

        factors.Remove();
        if (_active == adapter)
        {
            _active = IMultiAdapterModel.NoAdapter;
        }
    }

    /// <summary>The factors of an adapter; null for none.</summary>
    /// <exception cref="ArgumentException">There is no such adapter.</exception>
    public AdapterFactors? Find(int adapter) =>
        adapter == IMultiAdapterModel.NoAdapter ? null
        : _adapters.TryGetValue(adapter, out var factors) ? factors
        : throw NoSuch(adapter);

    /// <summary>The factors of the rows that the encoder gets now.</summary>
    public AdapterFactors?[] Rows(int batch)
    {
        var rows = new AdapterFactors?[batch];
        for (var row = 0; row < batch; row++)
        {
            rows[row] = Find(Chosen?[row] ?? _active);
        }

        return rows;
    }

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var factors in _adapters.Values)
        {
            factors.Remove();
        }

        _adapters.Clear();
    }

    private static ArgumentException NoSuch(int adapter) => new($"There is no adapter {adapter}.", nameof(adapter));
}
