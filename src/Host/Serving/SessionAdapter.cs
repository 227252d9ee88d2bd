namespace AsrPlatform.Host.Serving;

/// <summary>The adapter of one session: what is promoted takes effect where its next window begins, never within one.</summary>
/// <remarks>Safe for concurrent calls. Its lease keeps the adapter on the recogniser.</remarks>
internal sealed class SessionAdapter : IDisposable
{
    private readonly Lock _gate = new();
    private AdapterLease _current;
    private AdapterLease? _next;
    private bool _isDisposed;

    /// <param name="lease">What it begins with; the session's from now on.</param>
    public SessionAdapter(AdapterLease lease) => _current = lease;

    /// <summary>Raised when it is disposed.</summary>
    public event Action? Disposed;

    /// <summary>The adapter of the window at hand, as a request names it; null: the recogniser's own choice.</summary>
    public string? Current
    {
        get
        {
            lock (_gate)
            {
                return _current.Adapter;
            }
        }
    }

    /// <summary>Says what the next window is decoded with; the newest one counts.</summary>
    /// <param name="lease">Its lease; the session's from now on.</param>
    public void Prepare(AdapterLease lease)
    {
        AdapterLease? unused;
        lock (_gate)
        {
            (unused, _next) = _isDisposed ? (lease, null) : (_next, lease);
        }

        unused?.Dispose();
    }

    /// <summary>A window begins: from here on it is what was prepared last. Quick.</summary>
    public void Advance()
    {
        AdapterLease? old = null;
        lock (_gate)
        {
            if (_next is not null)
            {
                (old, _current, _next) = (_current, _next, null);
            }
        }

        old?.Dispose();
    }

    public void Dispose()
    {
        AdapterLease? next;
        lock (_gate)
        {
            if (_isDisposed)
            {
                return;
            }

            _isDisposed = true;
            (next, _next) = (_next, null);
        }

        next?.Dispose();
        _current.Dispose();
        Disposed?.Invoke();
    }
}
