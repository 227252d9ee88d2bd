using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Data;
using AsrPlatform.Host.Learning.Gate;
using Microsoft.Data.Sqlite;

namespace AsrPlatform.Host.Learning.Registry;

/// <summary>Versions of adapters in a data folder: what each is, where it comes from, and which is active for whom.</summary>
/// <remarks>
/// Nothing is held in memory, and every change is one transaction: several processes may have a registry over one folder, and a process
/// that is killed leaves the old state or the new one. An adapter's folder is whole on the disk before the database knows of it. Safe for
/// concurrent calls.
/// </remarks>
internal sealed class AdapterRegistry(DataFolder folder)
{
    /// <summary>As people name the base model where an adapter is expected.</summary>
    public const string Base = "base";

    /// <summary>A folder that is being written is left alone for so long after its start.</summary>
    private static readonly TimeSpan LongestWrite = TimeSpan.FromHours(1);

    /// <summary>How often a lock that another process holds is tried for, and how long at most.</summary>
    private static readonly TimeSpan LockRetry = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestLock = TimeSpan.FromSeconds(10);

    private const string Columns =
        "number, id, parent, base, state, reason, tainted, card, created_at, decided_at, "
        + "(SELECT count(*) FROM adapter_correction WHERE adapter_correction.adapter = adapter.number)";

    private const string ActivationColumns =
        "number, scope, adapter, (SELECT earlier.adapter FROM activation AS earlier WHERE earlier.scope = activation.scope AND earlier.number < activation.number "
        + "ORDER BY earlier.number DESC LIMIT 1), reason, at, "
        + "coalesce((SELECT state = 'provisional' FROM adapter WHERE id = activation.adapter), 0)";

    private readonly string _adapters = DataDirectory.Adapters(folder.Directory);

    /// <summary>Raised after this registry has changed what is active; of other processes see <see cref="DatabaseChanges"/>.</summary>
    public event Action? Changed;

    /// <summary>Copies a PEFT folder into the registry. Nothing is active by that: see <see cref="PromoteAsync"/>.</summary>
    /// <param name="peftFolder">What was trained; stays the caller's.</param>
    /// <param name="adapter">Where it comes from.</param>
    /// <param name="cancellationToken">Stops; then nothing is kept.</param>
    /// <returns>Its card, once it outlives the process and the power.</returns>
    /// <exception cref="AsrException">The folder is no PEFT folder, the parent is unknown or of another base, or nothing can be written.</exception>
    public async Task<AdapterCard> AddAsync(string peftFolder, NewAdapter adapter, CancellationToken cancellationToken = default)
    {
        if (adapter.Parent is { } parent)
        {
            RequireBase(Get(parent), adapter.Base);
        }

        var createdAt = Now();
        var (card, json) = await AdapterFolder.WriteAsync(
            peftFolder,
            _adapters,
            files => new AdapterCard
            {
                Id = NewId(createdAt, adapter, files),
                Parent = adapter.Parent,
                Base = adapter.Base,
                Corrections = [.. adapter.Corrections.Distinct().Order()],
                Dataset = adapter.Dataset,
                Config = adapter.Config?.DeepClone(),
                Metrics = adapter.Metrics?.DeepClone(),
                Verdict = adapter.Verdict,
                Reason = adapter.Reason,
                CreatedAt = createdAt,
                Files = files,
            },
            cancellationToken);
        await folder.Database.WriteAsync(connection =>
        {
            var number = (long)connection.Scalar(
                """
                INSERT INTO adapter (id, parent, base, state, reason, card, created_at, decided_at)
                VALUES ($id, $parent, $base, $state, $reason, $card, $created, $created) RETURNING number
                """,
                ("$id", card.Id),
                ("$parent", card.Parent),
                ("$base", card.Base),
                ("$state", NameOf(card.Verdict == GateVerdict.Rejected ? AdapterState.Rejected : AdapterState.Candidate)),
                ("$reason", card.Reason),
                ("$card", json),
                ("$created", createdAt.ToUnixTimeMilliseconds()))!;
            connection.Execute(
                """
                INSERT INTO adapter_correction (adapter, correction)
                    SELECT $number, value FROM json_each($corrections)
                    UNION SELECT $number, correction FROM adapter_correction WHERE adapter = (SELECT number FROM adapter WHERE id = $parent)
                """,
                ("$number", number),
                ("$corrections", System.Text.Json.JsonSerializer.Serialize(card.Corrections)),
                ("$parent", card.Parent));

            // What has been deleted while it was being trained is in it all the same, and what its parent was trained on too.
            return connection.Execute(
                """
                UPDATE adapter SET tainted = coalesce(
                    (SELECT tainted FROM adapter AS parent WHERE parent.id = $parent),
                    (SELECT 'correction ' || correction || ' has been deleted' FROM adapter_correction
                        WHERE adapter = $number AND correction NOT IN (SELECT number FROM correction) LIMIT 1))
                WHERE number = $number
                """,
                ("$number", number),
                ("$parent", card.Parent));
        });
        await folder.Database.FlushAsync();
        return card;
    }

    /// <summary>Every adapter, the newest first.</summary>
    public IReadOnlyList<StoredAdapter> List() =>
        folder.Database.Read(connection => connection.Query($"SELECT {Columns} FROM adapter ORDER BY number DESC", ToAdapter));

    /// <summary>The adapter of an id; null when there is none.</summary>
    public StoredAdapter? Find(string id) => folder.Database.Read(connection => Find(connection, id));

    /// <summary>The adapter of an id.</summary>
    /// <exception cref="AsrException">There is none.</exception>
    public StoredAdapter Get(string id) => Find(id) ?? throw Missing(id);

    /// <summary>Numbers of the corrections that an adapter and its parents were trained on; of those, too, that are deleted.</summary>
    public IReadOnlyList<long> CorrectionsOf(string id) => folder.Database.Read(connection => connection.Query(
        "SELECT correction FROM adapter_correction WHERE adapter = (SELECT number FROM adapter WHERE id = $id) ORDER BY correction",
        static reader => reader.GetInt64(0),
        ("$id", id)));

    /// <summary>The folder of an adapter, after a look at every byte of it.</summary>
    /// <param name="id">The adapter.</param>
    /// <param name="baseHash">The base model that it is to be used with; null when that is not known.</param>
    /// <param name="cancellationToken">Stops.</param>
    /// <exception cref="AsrException">There is none, it is of another base, or its folder is missing or damaged.</exception>
    public async Task<string> OpenAsync(string id, string? baseHash, CancellationToken cancellationToken = default)
    {
        var adapter = Get(id);
        if (baseHash is not null)
        {
            RequireBase(adapter, baseHash);
        }

        var directory = Path.Combine(_adapters, adapter.Id);
        await AdapterFolder.VerifyAsync(directory, adapter.Card, adapter.CardText, cancellationToken);
        return directory;
    }

    /// <summary>The adapter that is active in a scope; null: the base model, or in a scope of its own what is active for all.</summary>
    public string? ActiveId(string scope = AdapterScope.All) => folder.Database.Read(connection => Newest(connection, scope)?.Adapter);

    /// <summary>What is active by scope; scopes without an adapter of their own are left out.</summary>
    public IReadOnlyDictionary<string, Activation> Active() => folder.Database.Read(connection => connection.Query(
            $"SELECT {ActivationColumns} FROM activation WHERE adapter IS NOT NULL AND number IN (SELECT max(number) FROM activation GROUP BY scope)", ToActivation))
        .ToDictionary(activation => activation.Scope);

    /// <summary>What was made active, the oldest first.</summary>
    /// <param name="after">Only what came after this number.</param>
    public IReadOnlyList<Activation> Activations(long after = 0) => folder.Database.Read(connection => connection.Query(
        $"SELECT {ActivationColumns} FROM activation WHERE number > $after ORDER BY number", ToActivation, ("$after", after)));

    /// <summary>Makes an adapter active, from then on and for good: a process that is killed leaves the one before or this one.</summary>
    /// <param name="id">The adapter; <see cref="Base"/> for the base model.</param>
    /// <param name="scope">For whom: <see cref="AdapterScope"/>.</param>
    /// <param name="reason">Why, in a sentence for people.</param>
    /// <param name="provisional">Whether it is to be watched.</param>
    /// <param name="baseHash">The base model that captions are made with; null when that is not known: whoever loads it checks.</param>
    /// <param name="cancellationToken">Stops before anything is changed.</param>
    /// <returns>What is active now, and was before.</returns>
    /// <exception cref="AsrException">There is none, it is of another base, damaged, or was trained on what has been deleted since.</exception>
    public async Task<Activation> PromoteAsync(
        string id, string scope, string reason, bool provisional = false, string? baseHash = null, CancellationToken cancellationToken = default)
    {
        var adapter = id == Base ? null : id;
        if (adapter is not null)
        {
            await OpenAsync(adapter, baseHash, cancellationToken);
        }

        return await ChangeAsync(connection =>
        {
            if (adapter is not null)
            {
                // Another process may have changed it since.
                var stored = Find(connection, adapter) ?? throw Missing(adapter);
                if (stored.Tainted is { } tainted)
                {
                    throw new AsrException($"the adapter {adapter} was trained on what is gone ({tainted}): make a clean one with 'asr adapters rebuild'");
                }

                SetState(connection, adapter, provisional ? AdapterState.Provisional : AdapterState.Promoted, reason);
            }

            return Activate(connection, scope, adapter, reason);
        });
    }

    /// <summary>Takes the active adapter of a scope back: what was active before it, and neither was taken back nor lost, is active again.</summary>
    /// <param name="scope">Where: <see cref="AdapterScope"/>.</param>
    /// <param name="reason">Why, in a sentence for people.</param>
    /// <param name="only">Only if this is the active one; else nothing happens and null is returned.</param>
    /// <returns>What is active now, and was before.</returns>
    /// <exception cref="AsrException">No adapter is active there.</exception>
    public async Task<Activation?> RollBackAsync(string scope, string reason, string? only = null) => await ChangeAsync(connection =>
    {
        if (Newest(connection, scope)?.Adapter is not { } active)
        {
            throw new AsrException($"no adapter is active for {AdapterScope.Show(scope)}: there is nothing to roll back");
        }

        if (only is not null && only != active)
        {
            return null;
        }

        // A row without an adapter stands for the base; one whose adapter is gone, taken back or to be rebuilt is passed over.
        var before = connection.Query(
            """
            SELECT activation.adapter FROM activation LEFT JOIN adapter ON adapter.id = activation.adapter
            WHERE scope = $scope AND (activation.adapter IS NULL
                OR (activation.adapter <> $active AND adapter.state IN ('promoted', 'provisional') AND adapter.tainted IS NULL))
            ORDER BY activation.number DESC LIMIT 1
            """,
            static reader => reader.Text(0),
            ("$scope", scope),
            ("$active", active)).FirstOrDefault();
        var now = Activate(connection, scope, before, reason);
        if (connection.Scalar($"SELECT 1 FROM activation WHERE adapter = $id AND {IsNewestOfItsScope}", ("$id", active)) is null)
        {
            SetState(connection, active, AdapterState.RolledBack, reason);
        }

        return now;
    });

    /// <summary>Ends the watch over a provisional adapter: it has proved itself.</summary>
    /// <returns>False when it is not provisional any more.</returns>
    public Task<bool> ConfirmAsync(string id, string reason) => folder.Database.WriteAsync(connection =>
        connection.Execute(
            "UPDATE adapter SET state = 'promoted', reason = $reason, decided_at = $at WHERE id = $id AND state = 'provisional'",
            ("$id", id),
            ("$reason", reason),
            ("$at", Now().ToUnixTimeMilliseconds())) > 0);

    /// <summary>Deletes an adapter for good: its folder and its card.</summary>
    /// <exception cref="AsrException">There is none, it is active somewhere, or it cannot be deleted.</exception>
    public async Task DeleteAsync(string id, CancellationToken cancellationToken = default)
    {
        using var held = await LockAsync(cancellationToken);
        RequireUnused(id);
        try
        {
            // Out of the way first: a kill at any point leaves a folder and a row, or none of them that counts.
            var aside = AdapterFolder.SetAside(_adapters, id);
            try
            {
                await folder.Database.WriteAsync(connection =>
                {
                    RequireUnused(connection, id);
                    return connection.Execute("DELETE FROM adapter WHERE id = $id", ("$id", id));
                });
            }
            catch when (aside is not null)
            {
                AdapterFolder.PutBack(_adapters, id);
                throw;
            }

            if (aside is not null)
            {
                AdapterFolder.TryDelete(aside);
            }

            await folder.Database.TruncateLogAsync();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"the adapter {id} cannot be deleted: {error.Message}", error);
        }
    }

    /// <summary>Finishes what a killed process left undone; to be called when a host starts.</summary>
    public async Task RecoverAsync(CancellationToken cancellationToken = default)
    {
        if (!Directory.Exists(_adapters))
        {
            return;
        }

        using var held = await LockAsync(cancellationToken);
        foreach (var (leftover, deleted) in AdapterFolder.Leftovers(_adapters))
        {
            if (deleted is not null && Find(deleted) is not null)
            {
                AdapterFolder.PutBack(_adapters, deleted);
            }
            else if (deleted is not null || folder.Time.GetUtcNow() - Directory.GetLastWriteTimeUtc(leftover) > LongestWrite)
            {
                AdapterFolder.TryDelete(leftover);
            }
        }
    }

    private const string IsNewestOfItsScope =
        "NOT EXISTS (SELECT 1 FROM activation AS later WHERE later.scope = activation.scope AND later.number > activation.number)";

    /// <summary>Changes what is active; it outlives the process and the power when the task ends.</summary>
    private async Task<T> ChangeAsync<T>(Func<SqliteConnection, T> change)
    {
        var now = await folder.Database.WriteAsync(change);
        await folder.Database.FlushAsync();
        Changed?.Invoke();
        return now;
    }

    private Activation Activate(SqliteConnection connection, string scope, string? adapter, string reason)
    {
        var newest = Newest(connection, scope);
        if (newest?.Adapter == adapter)
        {
            return newest is null ? new Activation(0, scope, null, null, reason, Now(), Provisional: false) : newest with { Previous = adapter };
        }

        var number = (long)connection.Scalar(
            "INSERT INTO activation (scope, adapter, reason, at) VALUES ($scope, $adapter, $reason, $at) RETURNING number",
            ("$scope", scope),
            ("$adapter", adapter),
            ("$reason", reason),
            ("$at", Now().ToUnixTimeMilliseconds()))!;
        return connection.Query($"SELECT {ActivationColumns} FROM activation WHERE number = $number", ToActivation, ("$number", number)).Single();
    }

    private void SetState(SqliteConnection connection, string id, AdapterState state, string reason) => connection.Execute(
        "UPDATE adapter SET state = $state, reason = $reason, decided_at = $at WHERE id = $id",
        ("$id", id),
        ("$state", NameOf(state)),
        ("$reason", reason),
        ("$at", Now().ToUnixTimeMilliseconds()));

    private void RequireUnused(string id) => folder.Database.Read(connection =>
    {
        RequireUnused(connection, id);
        return true;
    });

    private static void RequireUnused(SqliteConnection connection, string id)
    {
        if (Find(connection, id) is null)
        {
            throw Missing(id);
        }

        if (connection.Scalar($"SELECT scope FROM activation WHERE adapter = $id AND {IsNewestOfItsScope}", ("$id", id)) is string scope)
        {
            var option = scope == AdapterScope.All ? "" : $" --scope {scope}";
            throw new AsrException($"the adapter {id} is active for {AdapterScope.Show(scope)}: promote another one or 'asr adapters rollback{option}' first");
        }
    }

    private static void RequireBase(StoredAdapter adapter, string baseHash)
    {
        if (adapter.Base != baseHash)
        {
            throw new AsrException(
                $"the adapter {adapter.Id} was trained on another base model (weights {adapter.Base[..12]}…, these are {baseHash[..12]}…): use it with that one (--model), or train another");
        }
    }

    private static StoredAdapter? Find(SqliteConnection connection, string id) =>
        connection.Query($"SELECT {Columns} FROM adapter WHERE id = $id", ToAdapter, ("$id", id)).SingleOrDefault();

    private static Activation? Newest(SqliteConnection connection, string scope) => connection.Query(
        $"SELECT {ActivationColumns} FROM activation WHERE scope = $scope ORDER BY number DESC LIMIT 1", ToActivation, ("$scope", scope)).SingleOrDefault();

    /// <summary>Only one process deletes or recovers at a time. The operating system lets go of the lock when the process dies.</summary>
    private async Task<IDisposable> LockAsync(CancellationToken cancellationToken)
    {
        AdapterFolder.Make(_adapters);
        var file = Path.Combine(_adapters, ".lock");
        for (var waited = TimeSpan.Zero; ; waited += LockRetry)
        {
            try
            {
                return File.OpenHandle(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (waited < LongestLock)
            {
                await Task.Delay(LockRetry, cancellationToken);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                throw new AsrException($"the folder of adapters cannot be used, or another process deletes one for long: {error.Message}", error);
            }
        }
    }

    /// <summary>The day and what it holds: readable, in the order of time, and never given twice.</summary>
    private static string NewId(DateTimeOffset at, NewAdapter adapter, IReadOnlyDictionary<string, string> files)
    {
        var content = string.Join('\n', [at.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture), adapter.Base, adapter.Parent ?? "", adapter.Dataset ?? "", .. files.Values]);
        return string.Create(CultureInfo.InvariantCulture, $"{at:yyyyMMdd}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(content)))[..8]}");
    }

    /// <summary>To the millisecond, as the database keeps it.</summary>
    private DateTimeOffset Now() => DateTimeOffset.FromUnixTimeMilliseconds(folder.Time.GetUtcNow().ToUnixTimeMilliseconds());

    private static AsrException Missing(string id) => new($"there is no adapter '{id}': 'asr adapters list' shows them");

    private static StoredAdapter ToAdapter(SqliteDataReader reader)
    {
        var card = reader.GetString(7);
        return new StoredAdapter
        {
            Number = reader.GetInt64(0),
            Id = reader.GetString(1),
            Parent = reader.Text(2),
            Base = reader.GetString(3),
            State = reader.GetString(4) switch
            {
                "candidate" => AdapterState.Candidate,
                "provisional" => AdapterState.Provisional,
                "promoted" => AdapterState.Promoted,
                "rejected" => AdapterState.Rejected,
                _ => AdapterState.RolledBack,
            },
            Reason = reader.Text(5),
            Tainted = reader.Text(6),
            Card = AdapterCard.Parse(card),
            CardText = card,
            CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(reader.GetInt64(8)),
            DecidedAt = reader.IsDBNull(9) ? null : DateTimeOffset.FromUnixTimeMilliseconds(reader.GetInt64(9)),
            Corrections = reader.GetInt32(10),
        };
    }

    private static Activation ToActivation(SqliteDataReader reader) => new(
        reader.GetInt64(0),
        reader.GetString(1),
        reader.Text(2),
        reader.Text(3),
        reader.GetString(4),
        DateTimeOffset.FromUnixTimeMilliseconds(reader.GetInt64(5)),
        reader.GetBoolean(6));

    /// <summary>A state as the database, the API and people write it.</summary>
    public static string NameOf(AdapterState state) => state switch
    {
        AdapterState.Candidate => "candidate",
        AdapterState.Provisional => "provisional",
        AdapterState.Promoted => "promoted",
        AdapterState.Rejected => "rejected",
        _ => "rolled-back",
    };
}
