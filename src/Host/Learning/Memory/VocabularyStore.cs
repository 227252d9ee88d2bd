using AsrPlatform.Abstractions;
using AsrPlatform.Host.Data;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Learning.Memory;

/// <summary>A phrase that corrections taught.</summary>
/// <param name="Text">As it is to be written.</param>
/// <param name="Score">How much it counts: 1 for a correction just made, half after each half-life, summed up.</param>
internal readonly record struct RememberedPhrase(string Text, double Score);

/// <summary>The words that stored corrections teach, by session and tenant.</summary>
/// <remarks>
/// Nothing is stored twice: words are derived from the corrections in the database whenever these change, here or in another process. A
/// correction counts for its own session and for all of its tenant (of none: for all of none), an imported one for everybody; one that is
/// held or refused for nobody, and none for captions made with an adapter that was trained on it. Only when a word was last heard is kept
/// in memory alone. Safe for concurrent calls.
/// </remarks>
internal sealed class VocabularyStore : IDisposable
{
    /// <summary>The newest corrections that are looked at.</summary>
    private const int MostCorrections = 2000;

    private readonly DataFolder _folder;
    private readonly MemoryOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<VocabularyStore> _logger;
    private readonly DatabaseChanges? _changes;
    private readonly Lock _gate = new();
    private readonly List<SessionMemory> _sessions = [];
    private readonly Dictionary<string, DateTimeOffset> _heard = new(StringComparer.Ordinal); // by phrase
    private readonly Dictionary<long, IReadOnlyList<string>> _phrases = []; // of corrections: the comparison of two texts is made once

    public VocabularyStore(DataFolder folder, IOptions<MemoryOptions> options, TimeProvider time, ILogger<VocabularyStore> logger, DatabaseChanges? changes = null)
    {
        _folder = folder;
        _options = options.Value;
        _time = time;
        _logger = logger;
        _changes = changes;
        if (changes is not null)
        {
            changes.Changed += Refresh;
        }
    }

    /// <summary>Starts to keep a session's words up to date.</summary>
    /// <param name="record">The session.</param>
    /// <param name="adapterVersion">What its captions are made with.</param>
    /// <returns>Its memory, which the session disposes.</returns>
    public SessionMemory Open(SessionRecord record, string adapterVersion)
    {
        var memory = new SessionMemory(this, record, adapterVersion);
        lock (_gate)
        {
            _sessions.Add(memory);
        }

        Refresh(memory);
        return memory;
    }

    /// <summary>Lets go of a session.</summary>
    public void Close(SessionMemory memory)
    {
        lock (_gate)
        {
            _sessions.Remove(memory);
        }
    }

    /// <summary>Reads corrections again: what has changed counts for the next decoding of every session when this returns.</summary>
    public void Refresh()
    {
        lock (_gate)
        {
            Refresh([.. _sessions]);
        }
    }

    /// <summary>As <see cref="Refresh()"/>, for one session.</summary>
    public void Refresh(SessionMemory memory)
    {
        lock (_gate)
        {
            Refresh([memory]);
        }
    }

    /// <summary>Notes which of a session's words were heard: they stay longer.</summary>
    public void Use(SessionMemory memory, string text)
    {
        if (memory.Current is not { } bias)
        {
            return;
        }

        var words = $" {string.Join(' ', text.Split(' ').Select(CorrectedPhrases.Plain))} ";
        lock (_gate)
        {
            foreach (var phrase in bias.Phrases)
            {
                if (words.Contains($" {string.Join(' ', phrase.Split(' ').Select(CorrectedPhrases.Plain))} ", StringComparison.Ordinal))
                {
                    _heard[phrase] = _time.GetUtcNow();
                }
            }
        }
    }

    /// <summary>What corrections teach a session, what counts most first; capped by <see cref="MemoryOptions.MaximumPhrases"/>.</summary>
    /// <param name="session">Number of the session.</param>
    /// <param name="adapterVersion">What its captions are made with.</param>
    /// <exception cref="AsrException">The database cannot be read.</exception>
    public IReadOnlyList<RememberedPhrase> PhrasesOf(long session, string adapterVersion)
    {
        lock (_gate)
        {
            return [.. Rank(Read(), session, adapterVersion).Take(_options.MaximumPhrases)];
        }
    }

    public void Dispose()
    {
        if (_changes is not null)
        {
            _changes.Changed -= Refresh;
        }
    }

    private void Refresh(IReadOnlyList<SessionMemory> memories)
    {
        if (memories.Count == 0)
        {
            return;
        }

        try
        {
            var rows = _options.Enabled && memories.Any(memory => memory.UsesCorrections) ? Read() : [];
            foreach (var memory in memories)
            {
                var remembered = memory.UsesCorrections ? Rank(rows, memory.Session, memory.AdapterVersion) : [];
                string[] phrases = [.. memory.Hotwords.Concat(remembered.Select(phrase => phrase.Text)).Distinct(StringComparer.Ordinal).Take(Math.Max(memory.Hotwords.Count, _options.MaximumPhrases))];
                memory.Set(phrases, _options.Weight);
            }
        }
        catch (AsrException error)
        {
            // What is preferred already stays; captions go on.
            _logger.LogWarning("Words of corrections cannot be read: {Reason}", error.Message);
            foreach (var memory in memories.Where(memory => memory.Current is null))
            {
                memory.Set(memory.Hotwords, _options.Weight);
            }
        }
    }

    private List<Row> Read()
    {
        var rows = _folder.Database.Read(connection => connection.Query(
            """
            SELECT correction.number, correction.session, json_extract(session.settings, '$.tenant'), correction.hypothesis, correction.text, correction.created_at,
                (SELECT group_concat(adapter.id, char(10)) FROM adapter_correction JOIN adapter ON adapter.number = adapter_correction.adapter
                 WHERE adapter_correction.correction = correction.number)
            FROM correction LEFT JOIN session ON session.number = correction.session
            WHERE correction.state IN ('stored', 'ready')
            ORDER BY correction.number DESC LIMIT $limit
            """,
            reader => new Row(
                reader.GetInt64(0),
                reader.IsDBNull(1) ? null : reader.GetInt64(1),
                reader.Text(2),
                reader.GetString(3),
                reader.GetString(4),
                DateTimeOffset.FromUnixTimeMilliseconds(reader.GetInt64(5)),
                reader.Text(6)?.Split('\n') ?? []),
            ("$limit", MostCorrections)));
        foreach (var gone in _phrases.Keys.Except(rows.Select(row => row.Number)).ToList())
        {
            _phrases.Remove(gone);
        }

        return rows;
    }

    private List<RememberedPhrase> Rank(List<Row> rows, long session, string adapterVersion)
    {
        var now = _time.GetUtcNow();
        var tenant = _folder.Database.Read(connection =>
            connection.Scalar("SELECT json_extract(settings, '$.tenant') FROM session WHERE number = $session", ("$session", session)) as string);

        // What the recogniser writes by itself is not new, wherever it missed it once.
        var known = rows.SelectMany(row => row.Hypothesis.Split(' ')).Select(CorrectedPhrases.Plain).ToHashSet(StringComparer.Ordinal);
        var scores = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (var row in rows.Where(row => row.IsFor(session, tenant) && !row.Adapters.Contains(adapterVersion, StringComparer.Ordinal)))
        {
            if (!_phrases.TryGetValue(row.Number, out var phrases))
            {
                _phrases[row.Number] = phrases = CorrectedPhrases.Of(row.Hypothesis, row.Text);
            }

            foreach (var phrase in phrases.Where(phrase => !phrase.Split(' ').Select(CorrectedPhrases.Plain).All(known.Contains)))
            {
                var last = _heard.TryGetValue(phrase, out var heard) && heard > row.CreatedAt ? heard : row.CreatedAt;
                var age = now - last;
                if (age <= _options.MaximumAge)
                {
                    scores[phrase] = scores.GetValueOrDefault(phrase) + Math.Pow(2, -Math.Max(0, age / _options.HalfLife));
                }
            }
        }

        return [.. scores.Select(pair => new RememberedPhrase(pair.Key, pair.Value)).OrderByDescending(phrase => phrase.Score).ThenBy(phrase => phrase.Text, StringComparer.Ordinal)];
    }

    /// <summary>A correction and the adapters that were trained on it.</summary>
    private sealed record Row(long Number, long? Session, string? Tenant, string Hypothesis, string Text, DateTimeOffset CreatedAt, IReadOnlyList<string> Adapters)
    {
        public bool IsFor(long session, string? tenant) => Session is null || Session == session || Tenant == tenant;
    }
}
