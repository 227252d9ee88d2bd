using AsrPlatform.Abstractions.Adapters;

namespace AsrPlatform.WhisperTorch.Model;

/// <summary>Batch rows side by side that use the same adapter.</summary>
/// <param name="Adapter">Its number, or <see cref="IMultiAdapterModel.NoAdapter"/>.</param>
/// <param name="FirstRow">The first of the rows.</param>
/// <param name="Rows">How many.</param>
internal readonly record struct AdapterRun(int Adapter, int FirstRow, int Rows)
{
    /// <summary>Splits the rows of a batch into as few runs as their order allows.</summary>
    /// <param name="adapters">The adapter of each row.</param>
    public static AdapterRun[] Of(ReadOnlySpan<int> adapters)
    {
        var runs = new List<AdapterRun>();
        for (var row = 0; row < adapters.Length;)
        {
            var different = adapters[row..].IndexOfAnyExcept(adapters[row]);
            var count = different < 0 ? adapters.Length - row : different;
            runs.Add(new AdapterRun(adapters[row], row, count));
            row += count;
        }

        return [.. runs];
    }
}

/// <summary>Which adapters a model holds, and which of them the rows of the computation under way use.</summary>
/// <remarks>Shared by a model and its layers.</remarks>
internal sealed class AdapterRows
{
    private readonly HashSet<int> _adapters = [];
    private int _next;
    private int _active = IMultiAdapterModel.NoAdapter;
    private AdapterRun[]? _chosen;

    /// <summary>The adapter of rows for which none is chosen.</summary>
    /// <exception cref="ArgumentException">There is no such adapter.</exception>
    public int Active
    {
        get => _active;
        set => _active = Check(value);
    }

    /// <summary>The adapter that all rows use, or null where they differ.</summary>
    public int? Common => _chosen is null ? _active : _chosen.Length == 1 ? _chosen[0].Adapter : null;

    /// <summary>The rows by adapter, where they differ.</summary>
    public ReadOnlySpan<AdapterRun> Runs => _chosen;

    public int Add()
    {
        _adapters.Add(_next);
        return _next++;
    }

    /// <exception cref="ArgumentException">There is no such adapter.</exception>
    public void Remove(int adapter)
    {
        if (!_adapters.Remove(adapter))
        {
            throw NoSuch(adapter);
        }

        if (_active == adapter)
        {
            _active = IMultiAdapterModel.NoAdapter;
        }
    }

    /// <summary>Returns an adapter's number if there is such an adapter.</summary>
    /// <exception cref="ArgumentException">There is not.</exception>
    public int Check(int adapter) => adapter == IMultiAdapterModel.NoAdapter || _adapters.Contains(adapter) ? adapter : throw NoSuch(adapter);

    /// <summary>Lets the computation until the end of the returned scope use these adapters.</summary>
    public Choice Choose(AdapterRun[] runs)
    {
        _chosen = runs;
        return new Choice(this);
    }

    private static ArgumentException NoSuch(int adapter) => new($"There is no adapter {adapter}.", nameof(adapter));

    /// <summary>Ends a choice.</summary>
    public readonly ref struct Choice(AdapterRows rows)
    {
        public void Dispose() => rows._chosen = null;
    }
}
