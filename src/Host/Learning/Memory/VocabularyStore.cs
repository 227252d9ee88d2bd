using AsrPlatform.Abstractions;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Corrections;
using AsrPlatform.Host.Learning.Registry;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Learning.Memory;

/// <summary>A phrase that corrections taught.</summary>
/// <param name="Text">As it is to be written.</param>
/// <param name="Score">How much it counts: 1 for a correction just made, half after each half-life, summed up.</param>
internal readonly record struct RememberedPhrase(string Text, double Score);

/// <summary>The words that stored corrections teach, by session and tenant.</summary>
/// <remarks>
/// Nothing is stored twice: words are derived from the corrections in the database, which is read when a session begins and whenever
/// corrections or adapters change, here or in another process, and never for a caption. A correction counts for its own session and for
/// all of its tenant (of none: for all of none), an imported one for everybody; one that is held or refused for nobody, and none for
/// captions made with an adapter that was trained on it. Only when a word was last heard is kept in memory alone. Safe for concurrent calls.
/// </remarks>
internal sealed class VocabularyStore : IDisposable
{
    /// <summary>The newest corrections that are looked at.</summary>
    private const int MostCorrections = 2000;

    private readonly DataFolder _folder;
    private readonly CorrectionStore _corrections;
    private readonly AdapterRegistry _adapters;
    private readonly DatabaseChanges _changes;
    private readonly MemoryOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<VocabularyStore> _logger;

    // Apart from the other lock, on which captions wait: one reads at a time, so that what is newer stays.
    private readonly Lock _reading = new();
    private readonly Dictionary<(string Hypothesis, string Text), IReadOnlyList<string>> _phrases = []; // two texts are compared once

    private readonly Lock _gate = new();
    private readonly List<SessionMemory> _sessions = [];
    private readonly Dictionary<string, DateTimeOffset> _heard = new(StringComparer.Ordinal); // by phrase
    private List<Lesson> _lessons = [];

    /// <param name="folder">Holds the corrections.</param>
    /// <param name="corrections">Tells when they change.</param>
    /// <param name="adapters">Tells when there are adapters that were trained on more of them.</param>
    /// <param name="changes">Tells when another process has changed something.</param>
    /// <param name="options">How long words count, and how many.</param>
    /// <param name="time">Ages them.</param>
    /// <param name="logger">Gets what cannot be read.</param>
    public VocabularyStore(
        DataFolder folder, CorrectionStore corrections, AdapterRegistry adapters, DatabaseChanges changes, IOptions<MemoryOptions> options, TimeProvider time, ILogger<VocabularyStore> logger)
    {
        _folder = folder;
        _corrections = corrections;
        _adapters = adapters;
        _changes = changes;
        _options = options.Value;
        _time = time;
        _logger = logger;
        corrections.Changed += Refresh;
        adapters.Changed += Refresh;
        changes.Changed += Refresh;
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

        Refresh([memory]);
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
        SessionMemory[] sessions;
        lock (_gate)
        {
            sessions = [.. _sessions];
        }

        Refresh(sessions);
    }

    /// <summary>Chooses a session's words anew, out of what was read.</summary>
    public void Choose(SessionMemory memory)
    {
        lock (_gate)
        {
            string[] phrases =
            [
                .. memory.Hotwords.Concat(PhrasesOf(memory).Select(phrase => phrase.Text))
                    .Distinct(StringComparer.Ordinal)
                    .Take(Math.Max(memory.Hotwords.Count, _options.MaximumPhrases)),
            ];
            memory.Set(phrases, _options.Weight);
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

    /// <summary>What corrections teach a session by now, what counts most first; capped by <see cref="MemoryOptions.MaximumPhrases"/>.</summary>
    public IReadOnlyList<RememberedPhrase> PhrasesOf(SessionMemory memory)
    {
        if (!memory.UsesCorrections)
        {
            return [];
        }

        lock (_gate)
        {
            var now = _time.GetUtcNow();
            var scores = new Dictionary<string, double>(StringComparer.Ordinal);
            foreach (var lesson in _lessons.Where(lesson => lesson.IsFor(memory)))
            {
                foreach (var phrase in lesson.Phrases)
                {
                    var last = _heard.TryGetValue(phrase, out var heard) && heard > lesson.CreatedAt ? heard : lesson.CreatedAt;
                    var age = now - last;
                    if (age <= _options.MaximumAge)
                    {
                        scores[phrase] = scores.GetValueOrDefault(phrase) + Math.Pow(2, -Math.Max(0, age / _options.HalfLife));
                    }
                }
            }

            return
            [
                .. scores.Select(pair => new RememberedPhrase(pair.Key, pair.Value))
                    .OrderByDescending(phrase => phrase.Score)
                    .ThenBy(phrase => phrase.Text, StringComparer.Ordinal)
                    .Take(_options.MaximumPhrases),
            ];
        }
    }

    public void Dispose()
    {
        _corrections.Changed -= Refresh;
        _adapters.Changed -= Refresh;
        _changes.Changed -= Refresh;
    }

    private void Refresh(SessionMemory[] memories)
    {
        if (_options.Enabled && memories.Any(memory => memory.UsesCorrections))
        {
            lock (_reading)
            {
                try
                {
                    var lessons = Read();
                    lock (_gate)
                    {
                        _lessons = lessons;
                    }
                }
                catch (AsrException error)
                {
                    // What was read before counts on; captions go on.
                    _logger.LogWarning("Words of corrections cannot be read: {Reason}", error.Message);
                }
            }
        }

        foreach (var memory in memories)
        {
            Choose(memory);
        }
    }

    private List<Lesson> Read()
    {
        var rows = _folder.Database.Read(connection => connection.Query(
            """
            SELECT correction.session, json_extract(session.settings, '$.tenant'), correction.hypothesis, correction.text, correction.created_at,
                (SELECT group_concat(adapter.id, char(10)) FROM adapter_correction JOIN adapter ON adapter.number = adapter_correction.adapter
                 WHERE adapter_correction.correction = correction.number)
            FROM correction LEFT JOIN session ON session.number = correction.session
            WHERE correction.state IN ('stored', 'ready')
            ORDER BY correction.number DESC LIMIT $limit
            """,
            reader => (
                Session: reader.IsDBNull(0) ? null : (long?)reader.GetInt64(0),
                Tenant: reader.Text(1),
                Hypothesis: reader.GetString(2),
                Text: reader.GetString(3),
                CreatedAt: DateTimeOffset.FromUnixTimeMilliseconds(reader.GetInt64(4)),
                Adapters: reader.Text(5)?.Split('\n') ?? []),
            ("$limit", MostCorrections)));
        foreach (var gone in _phrases.Keys.Except(rows.Select(row => (row.Hypothesis, row.Text))).ToList())
        {
            _phrases.Remove(gone);
        }

        // What the recogniser writes by itself is not new, wherever it missed it once.
        var known = rows.SelectMany(row => row.Hypothesis.Split(' ')).Select(CorrectedPhrases.Plain).ToHashSet(StringComparer.Ordinal);
        return
        [
            .. rows.Select(row =>
            {
                if (!_phrases.TryGetValue((row.Hypothesis, row.Text), out var phrases))
                {
                    _phrases[(row.Hypothesis, row.Text)] = phrases = CorrectedPhrases.Of(row.Hypothesis, row.Text);
                }

                return new Lesson(
                    row.Session,
                    row.Tenant,
                    row.CreatedAt,
                    row.Adapters,
                    [.. phrases.Where(phrase => !phrase.Split(' ').Select(CorrectedPhrases.Plain).All(known.Contains))]);
            }),
        ];
    }

    /// <summary>What a correction teaches, whom, and the adapters that have learned it.</summary>
    private sealed record Lesson(long? Session, string? Tenant, DateTimeOffset CreatedAt, IReadOnlyList<string> Adapters, IReadOnlyList<string> Phrases)
    {
        public bool IsFor(SessionMemory memory) =>
            (Session is null || Session == memory.Session || Tenant == memory.Tenant) && !Adapters.Contains(memory.AdapterVersion, StringComparer.Ordinal);
    }
}
