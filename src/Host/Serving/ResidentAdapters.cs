using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Decoding;

namespace AsrPlatform.Host.Serving;

/// <summary>The adapters on the host's recogniser: each is there while somebody leases it, and is taken off with the last lease.</summary>
/// <remarks>
/// Loading and unloading are errands on the recogniser's thread, between two batches; what can be done elsewhere (finding the folder,
/// reading every byte to check it) is done before. Safe for concurrent calls.
/// </remarks>
internal sealed class ResidentAdapters
{
    private readonly RecognitionScheduler _scheduler;
    private readonly IAdapterSlots? _slots;
    private readonly Action<RecognizerInfo> _changed;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private AdapterLease _default;

    /// <param name="scheduler">The recogniser's thread.</param>
    /// <param name="slots">Puts adapters onto it; null where it takes none.</param>
    /// <param name="info">The recogniser as it was loaded: adapters that it has then stay.</param>
    /// <param name="changed">Told, on the recogniser's thread, what the recogniser is after each change.</param>
    public ResidentAdapters(RecognitionScheduler scheduler, IAdapterSlots? slots, RecognizerInfo info, Action<RecognizerInfo> changed)
    {
        _scheduler = scheduler;
        _slots = slots;
        _changed = changed;
        foreach (var name in info.Adapters)
        {
            _entries.Add(name, new Entry(name) { Leases = 1, IsLoaded = true });
        }

        // Without slots the choice stays the recogniser's own.
        _default = slots is null ? new AdapterLease(this, entry: null, adapter: null)
            : _entries.TryGetValue(info.AdapterVersion, out var loaded) ? new AdapterLease(this, loaded, loaded.Name)
            : AdapterLease.None;
    }

    /// <summary>Whether the recogniser takes adapters.</summary>
    public bool AreTaken => _slots is not null;

    /// <summary>Leases an adapter, which is loaded where it is not there.</summary>
    /// <param name="name">Its name: what captions tell.</param>
    /// <param name="open">Gives its folder, once that was checked; not called where it is there. Runs on the thread pool.</param>
    /// <param name="cancellationToken">Stops the waiting.</param>
    /// <exception cref="AsrException">The recogniser takes no adapters, or this one cannot be read or does not fit.</exception>
    public async Task<AdapterLease> LeaseAsync(string name, Func<Task<string>> open, CancellationToken cancellationToken)
    {
        if (_slots is null)
        {
            throw new AsrException($"there is no adapter '{name}': the recogniser takes none");
        }

        Entry? entry;
        lock (_gate)
        {
            if (!_entries.TryGetValue(name, out entry))
            {
                _entries.Add(name, entry = new Entry(name));
                var made = entry;
                entry.Loading = Task.Run(() => LoadAsync(made, open), CancellationToken.None);
            }

            entry.Leases++;
        }

        var lease = new AdapterLease(this, entry, name);
        try
        {
            await entry.Loading.WaitAsync(cancellationToken);
            return lease;
        }
        catch
        {
            lease.Dispose();
            throw;
        }
    }

    /// <summary>Leases an adapter that is there; null when it is not.</summary>
    public AdapterLease? TryLease(string name)
    {
        lock (_gate)
        {
            return _entries.TryGetValue(name, out var entry) && entry.IsLoaded ? Share(entry) : null;
        }
    }

    /// <summary>Leases what requests use that choose none.</summary>
    public AdapterLease LeaseDefault()
    {
        lock (_gate)
        {
            return _default.Entry is { } entry ? Share(entry) : _default;
        }
    }

    /// <summary>Makes an adapter the one of requests that choose none.</summary>
    /// <param name="lease">A lease of it, taken over; <see cref="AdapterLease.None"/> for the base model.</param>
    public async Task UseAsync(AdapterLease lease)
    {
        var before = await _scheduler.RunSoonAsync(recognizer =>
        {
            _slots!.Use(recognizer, lease.Entry?.Name);
            _changed(recognizer.Info);
            lock (_gate)
            {
                var old = _default;
                _default = lease;
                return old;
            }
        });
        before.Dispose();
    }

    /// <summary>Gives a lease back; with the last one the adapter goes when the batch under way is done.</summary>
    public void Release(Entry entry)
    {
        lock (_gate)
        {
            if (--entry.Leases > 0)
            {
                return;
            }
        }

        try
        {
            _ = _scheduler.RunSoonAsync(recognizer => Unload(recognizer, entry));
        }
        catch (OperationCanceledException)
        {
            // The recogniser is being stopped, and its adapters go with it.
        }
    }

    private AdapterLease Share(Entry entry)
    {
        entry.Leases++;
        return new AdapterLease(this, entry, entry.Name);
    }

    private async Task LoadAsync(Entry entry, Func<Task<string>> open)
    {
        try
        {
            var directory = await open();
            await _scheduler.RunSoonAsync(recognizer =>
            {
                lock (_gate)
                {
                    // Whoever wanted it may be gone.
                    if (entry.Leases == 0)
                    {
                        _entries.Remove(entry.Name);
                        throw new OperationCanceledException();
                    }
                }

                _slots!.Add(recognizer, entry.Name, directory);
                lock (_gate)
                {
                    entry.IsLoaded = true;
                }

                _changed(recognizer.Info);
                return true;
            });
        }
        catch
        {
            lock (_gate)
            {
                // The next one tries again.
                if (_entries.GetValueOrDefault(entry.Name) == entry)
                {
                    _entries.Remove(entry.Name);
                }
            }

            throw;
        }
    }

    private bool Unload(ISpeechRecognizer recognizer, Entry entry)
    {
        lock (_gate)
        {
            if (entry.Leases > 0 || !entry.IsLoaded)
            {
                return false;
            }

            _entries.Remove(entry.Name);
            entry.IsLoaded = false;
        }

        _slots!.Remove(recognizer, entry.Name);
        _changed(recognizer.Info);
        return true;
    }

    /// <summary>An adapter that is there or on its way; its state belongs to the gate.</summary>
    internal sealed class Entry(string name)
    {
        public string Name => name;

        public int Leases { get; set; }

        public bool IsLoaded { get; set; }

        public Task Loading { get; set; } = Task.CompletedTask;
    }
}

/// <summary>Keeps an adapter on the recogniser until it is disposed.</summary>
/// <remarks>Immutable: what it stands for never changes. Disposing twice is disposing once.</remarks>
internal sealed class AdapterLease(ResidentAdapters owner, ResidentAdapters.Entry? entry, string? adapter) : IDisposable
{
    private int _isReturned;

    /// <summary>The base model, which needs no lease.</summary>
    public static AdapterLease None { get; } = new(null!, entry: null, "none");

    /// <summary>What a request names to be decoded with it; null: the recogniser's own choice.</summary>
    public string? Adapter => adapter;

    /// <summary>What it keeps; null for nothing.</summary>
    public ResidentAdapters.Entry? Entry => entry;

    public void Dispose()
    {
        if (entry is not null && Interlocked.Exchange(ref _isReturned, 1) == 0)
        {
            owner.Release(entry);
        }
    }
}
