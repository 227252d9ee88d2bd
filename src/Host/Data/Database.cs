using System.Threading.Channels;
using AsrPlatform.Abstractions;
using Microsoft.Data.Sqlite;

namespace AsrPlatform.Host.Data;

/// <summary>The SQLite database of a data folder: one thread that writes, any number that read.</summary>
/// <remarks>
/// WAL mode: readers and the writer do not wait for each other. Writes are queued, and those that wait together are one transaction, so
/// that callers never wait for the disk and the disk is asked seldom. A transaction outlives the process as soon as it is committed; the
/// last ones may be lost with the power (synchronous=NORMAL), never the database. Deleted content is overwritten with zeros. Safe for
/// concurrent calls.
/// </remarks>
internal sealed class Database : IDisposable
{
    /// <summary>How long a write waits for another process that holds the database, in seconds: nobody should for long.</summary>
    private const int BusySeconds = 5;

    /// <summary>Writes in one transaction at most, so that the first one is not kept waiting by those that follow.</summary>
    private const int MostTogether = 64;

    private readonly string _file;
    private readonly string _readers;
    private readonly SqliteConnection _connection;
    private readonly Channel<Request> _queue = Channel.CreateUnbounded<Request>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Thread _writer;

    private Database(string file, SqliteConnection connection)
    {
        _file = file;
        _connection = connection;
        _readers = ConnectionString(file, SqliteOpenMode.ReadOnly, pooling: true);
        _writer = new Thread(Write) { IsBackground = true, Name = "database" };
        _writer.Start();
    }

    /// <summary>Opens a database, makes it when missing, and brings it to the newest version.</summary>
    /// <exception cref="AsrException">It cannot be opened, is damaged, or is of a newer version than this program knows.</exception>
    public static Database Open(string file)
    {
        SqliteConnection? connection = null;
        try
        {
            connection = new SqliteConnection(ConnectionString(file, SqliteOpenMode.ReadWriteCreate, pooling: false));
            connection.Open();
            connection.Execute($"PRAGMA busy_timeout={1000 * BusySeconds}");
            connection.Execute("PRAGMA journal_mode=WAL");
            connection.Execute("PRAGMA synchronous=NORMAL");
            connection.Execute("PRAGMA secure_delete=ON");
            Migrations.Apply(connection, file);
            return new Database(file, connection);
        }
        catch (SqliteException error)
        {
            connection?.Dispose();
            throw Explain(error, file);
        }
        catch
        {
            connection?.Dispose();
            throw;
        }
    }

    /// <summary>Queues a write. Writes happen in the order of their calls, each whole or not at all.</summary>
    /// <param name="write">Does it; may be called again when what it shared a transaction with fails, so it must touch nothing but the connection.</param>
    /// <returns>Ends when the write outlives the process; fails with <see cref="AsrException"/>, or with what <paramref name="write"/> throws.</returns>
    public Task<T> WriteAsync<T>(Func<SqliteConnection, T> write)
    {
        var request = new Request<T>(write);
        if (!_queue.Writer.TryWrite(request))
        {
            request.Fail(new AsrException("the host is shutting down: nothing more is kept"));
        }

        return request.Task;
    }

    /// <summary>A number that is another one after another process has written; what this one writes does not change it.</summary>
    /// <exception cref="AsrException">The database cannot be read, or is being closed.</exception>
    public Task<long> VersionOfOthersAsync()
    {
        // On the writer's connection: it is the one whose own writes do not count.
        var request = new Request<long>(static connection => (long)connection.Scalar("PRAGMA data_version")!) { Writes = false };
        if (!_queue.Writer.TryWrite(request))
        {
            request.Fail(new AsrException("the host is shutting down: nothing more is kept"));
        }

        return request.Task;
    }

    /// <summary>Hands what was written so far to the disk itself, so that it outlasts a loss of power.</summary>
    /// <exception cref="AsrException">The disk refuses.</exception>
    public Task FlushAsync() => Task.Run(() => Checkpoint("PASSIVE"));

    /// <summary>Reads, on the caller's thread and in its own snapshot.</summary>
    /// <exception cref="AsrException">The database cannot be read.</exception>
    public T Read<T>(Func<SqliteConnection, T> read)
    {
        try
        {
            using var connection = new SqliteConnection(_readers);
            connection.Open();
            using var snapshot = connection.BeginTransaction(deferred: true);
            return read(connection);
        }
        catch (SqliteException error)
        {
            throw Explain(error, _file);
        }
    }

    /// <summary>Bytes that the database and its log take.</summary>
    public long Bytes => Length(_file) + Length(_file + "-wal");

    /// <summary>Brings the log's content into the database and empties the log, so that what was deleted before is in neither.</summary>
    /// <returns>False when somebody reads what the log holds: try again later.</returns>
    /// <exception cref="AsrException">The disk refuses.</exception>
    public Task<bool> TruncateLogAsync() => Task.Run(() => Checkpoint("TRUNCATE"));

    /// <summary>Finishes what is queued, then closes.</summary>
    public void Dispose()
    {
        _queue.Writer.TryComplete();
        _writer.Join();
        using (var pool = new SqliteConnection(_readers))
        {
            SqliteConnection.ClearPool(pool);
        }

        _connection.Dispose();
    }

    /// <summary>Brings the log's content into the database; the log is flushed before. False when not all of it could be.</summary>
    private bool Checkpoint(string mode)
    {
        try
        {
            using var connection = new SqliteConnection(ConnectionString(_file, SqliteOpenMode.ReadWrite, pooling: false));
            connection.Open();
            connection.Execute($"PRAGMA busy_timeout={1000 * BusySeconds}");
            return (long)connection.Scalar($"PRAGMA wal_checkpoint({mode})")! == 0;
        }
        catch (SqliteException error)
        {
            throw Explain(error, _file);
        }
    }

    private static long Length(string file) => new FileInfo(file) is { Exists: true } info ? info.Length : 0;

    private static string ConnectionString(string file, SqliteOpenMode mode, bool pooling) => new SqliteConnectionStringBuilder
    {
        DataSource = file,
        Mode = mode,
        ForeignKeys = mode != SqliteOpenMode.ReadOnly,
        Pooling = pooling,
        DefaultTimeout = BusySeconds,
    }.ToString();

    /// <summary>One sentence for the user, without the machine's paths: it may go to a client. The cause is in the exception within.</summary>
    private static AsrException Explain(SqliteException error, string file)
    {
        var name = Path.GetFileName(file);
        return new AsrException(
            error.SqliteErrorCode switch
            {
                SQLitePCL.raw.SQLITE_FULL => "nothing more can be kept: the disk of the data folder is full",
                SQLitePCL.raw.SQLITE_READONLY or SQLitePCL.raw.SQLITE_CANTOPEN or SQLitePCL.raw.SQLITE_PERM => $"the data folder cannot be written: {name} ({error.Message})",
                SQLitePCL.raw.SQLITE_CORRUPT or SQLitePCL.raw.SQLITE_NOTADB => $"the data folder's {name} is damaged or no database: restore a copy, or choose another folder with --data-dir",
                SQLitePCL.raw.SQLITE_BUSY or SQLitePCL.raw.SQLITE_LOCKED => $"the data folder's {name} is held by another program",
                _ => $"the data folder's {name} cannot be used: {error.Message}",
            },
            error);
    }

    private void Write()
    {
        List<Request> together = [];
        var reader = _queue.Reader;
#pragma warning disable CA2012 // A thread of its own may wait.
        while (reader.WaitToReadAsync().AsTask().GetAwaiter().GetResult())
#pragma warning restore CA2012
        {
            together.Clear();
            while (together.Count < MostTogether && reader.TryRead(out var request))
            {
                if (request.Writes)
                {
                    together.Add(request);
                }
                else
                {
                    ReadAlone(request);
                }
            }

            if (together.Count > 0 && (together.Count == 1 || !TryWrite(together)))
            {
                foreach (var request in together)
                {
                    WriteAlone(request);
                }
            }
        }
    }

    /// <summary>All in one transaction; false when any of them fails, with nothing written.</summary>
    private bool TryWrite(List<Request> together)
    {
        try
        {
            using var transaction = _connection.BeginTransaction();
            together.ForEach(request => request.Run(_connection));
            transaction.Commit();
        }
        catch (Exception)
        {
            // Told to whom it concerns when each is tried alone.
            return false;
        }

        together.ForEach(request => request.Succeed());
        return true;
    }

    private void WriteAlone(Request request)
    {
        try
        {
            using (var transaction = _connection.BeginTransaction())
            {
                request.Run(_connection);
                transaction.Commit();
            }

            request.Succeed();
        }
        catch (SqliteException error)
        {
            request.Fail(Explain(error, _file));
        }
        catch (Exception error)
        {
            request.Fail(error);
        }
    }

    private void ReadAlone(Request request)
    {
        try
        {
            request.Run(_connection);
            request.Succeed();
        }
        catch (SqliteException error)
        {
            request.Fail(Explain(error, _file));
        }
    }

    private abstract class Request
    {
        /// <summary>Whether it needs a transaction.</summary>
        public bool Writes { get; init; } = true;

        public abstract void Run(SqliteConnection connection);

        public abstract void Succeed();

        public abstract void Fail(Exception error);
    }

    private sealed class Request<T>(Func<SqliteConnection, T> write) : Request
    {
        private readonly TaskCompletionSource<T> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private T _result = default!;

        public Task<T> Task => _done.Task;

        public override void Run(SqliteConnection connection) => _result = write(connection);

        public override void Succeed() => _done.SetResult(_result);

        public override void Fail(Exception error) => _done.SetException(error);
    }
}
