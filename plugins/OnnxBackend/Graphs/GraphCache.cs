namespace AsrPlatform.OnnxBackend.Graphs;

/// <summary>The graphs that are loaded: models of the same file share one session, and so its weights, read and packed once.</summary>
/// <remarks>Safe for concurrent calls.</remarks>
internal sealed class GraphCache
{
    private readonly Lock _gate = new();
    private readonly Dictionary<Key, Entry> _entries = [];

    /// <summary>Graphs that are loaded now.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _entries.Count;
            }
        }
    }

    /// <summary>The graph of a file, loaded where it is not.</summary>
    /// <returns>A lease; when the last one of a graph is disposed, the graph is.</returns>
    /// <exception cref="Abstractions.AsrException">As <see cref="Graph.Open"/>.</exception>
    public Lease Open(string path, int threads, bool fixedShapes, bool ownAttention = false)
    {
        // A file that was replaced is another graph.
        var file = new FileInfo(path);
        var key = new Key(file.FullName, file.Exists ? file.LastWriteTimeUtc : default, threads, ownAttention);
        Entry? entry;
        lock (_gate)
        {
            if (!_entries.TryGetValue(key, out entry))
            {
                _entries.Add(key, entry = new Entry(new Lazy<Graph>(() => Graph.Open(path, threads, fixedShapes, ownAttention))));
            }

            entry.Leases++;
        }

        var lease = new Lease(this, key, entry);
        try
        {
            _ = lease.Graph;
            return lease;
        }
        catch
        {
            lease.Dispose();
            throw;
        }
    }

    private void Release(Key key, Entry entry)
    {
        lock (_gate)
        {
            if (--entry.Leases > 0)
            {
                return;
            }

            _entries.Remove(key);
        }

        if (entry.Graph.IsValueCreated)
        {
            entry.Graph.Value.Dispose();
        }
    }

    /// <summary>The right to use a graph.</summary>
    public sealed class Lease : IDisposable
    {
        private readonly GraphCache _cache;
        private readonly Key _key;
        private readonly Entry _entry;
        private bool _disposed;

        internal Lease(GraphCache cache, Key key, Entry entry) => (_cache, _key, _entry) = (cache, key, entry);

        /// <summary>The graph.</summary>
        public Graph Graph => _entry.Graph.Value;

        /// <inheritdoc />
        public void Dispose()
        {
            if (!_disposed)
            {
                _disposed = true;
                _cache.Release(_key, _entry);
            }
        }
    }

    internal readonly record struct Key(string Path, DateTime Written, int Threads, bool OwnAttention);

    internal sealed class Entry(Lazy<Graph> graph)
    {
        public Lazy<Graph> Graph => graph;

        public int Leases { get; set; }
    }
}
