using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Data;

namespace AsrPlatform.Host.Learning.Memory;

/// <summary>The words that one live session prefers: the user's own, and those of corrections.</summary>
/// <remarks>Safe for concurrent calls; <see cref="Current"/> never waits. Dispose it when the session is over.</remarks>
internal sealed class SessionMemory : IDisposable
{
    private readonly VocabularyStore _store;
    private volatile PhraseBias? _current;
    private volatile string _adapterVersion;

    /// <param name="store">Keeps it up to date.</param>
    /// <param name="record">The session.</param>
    /// <param name="adapterVersion">What its captions are made with.</param>
    public SessionMemory(VocabularyStore store, SessionRecord record, string adapterVersion)
    {
        _store = store;
        Session = record.Number;
        Tenant = record.Settings.Tenant;
        Hotwords = record.Settings.Hotwords ?? [];
        UsesCorrections = record.Settings.Memory;
        _adapterVersion = adapterVersion;
    }

    /// <summary>Number of the session.</summary>
    public long Session { get; }

    /// <summary>Whose session it is; null when that is not said.</summary>
    public string? Tenant { get; }

    /// <summary>The user's words.</summary>
    public IReadOnlyList<string> Hotwords { get; }

    /// <summary>Whether it uses words of corrections.</summary>
    public bool UsesCorrections { get; }

    /// <summary>The adapter that the session's captions are made with: what that has learned needs no help.</summary>
    public string AdapterVersion => _adapterVersion;

    /// <summary>What the next decoding prefers; null for nothing. The same object until something changes.</summary>
    public PhraseBias? Current => _current;

    /// <summary>Tells what a decoding was made with, and what became final by it. Reads nothing.</summary>
    /// <param name="adapterVersion">The adapter.</param>
    /// <param name="text">The final text; empty for none.</param>
    public void Heard(string adapterVersion, string text)
    {
        if (text.Length > 0)
        {
            _store.Use(this, text);
        }

        if (adapterVersion != _adapterVersion)
        {
            _adapterVersion = adapterVersion;
            _store.Choose(this);
        }
    }

    /// <summary>Takes over what is preferred from now on.</summary>
    public void Set(IReadOnlyList<string> phrases, double weight)
    {
        if (!phrases.SequenceEqual(_current?.Phrases ?? [], StringComparer.Ordinal))
        {
            _current = phrases.Count == 0 ? null : new PhraseBias(phrases, weight);
        }
    }

    public void Dispose() => _store.Close(this);
}
