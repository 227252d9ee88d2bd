using System.Globalization;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Host.Data;

/// <summary>What is kept on disk: the database, a WAV file a session, and what learning keeps. One host, and verbs beside it or without one.</summary>
/// <remarks>
/// <code>
/// asrplatform.db    sessions, captions, corrections, adapters (SQLite, WAL mode)
/// audio/00000001.wav  PCM16 mono; named after the session's number in the database, never after anything that a client sent
/// lock, lock.owner  held while a host runs; who holds it
/// </code>
/// Several processes may have it open, only one of them as the host; what one of them writes the others see (<see cref="DatabaseChanges"/>).
/// Safe for concurrent calls.
/// </remarks>
internal sealed class DataFolder : IDisposable
{
    private const string DatabaseFile = "asrplatform.db";
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly ProcessLock? _lock; // null: beside the host
    private readonly bool _isTemporary;

    private DataFolder(string directory, ProcessLock? held, TimeProvider time, bool isTemporary)
    {
        Directory = directory;
        Time = time;
        _lock = held;
        _isTemporary = isTemporary;
        var database = Path.Combine(directory, DatabaseFile);
        if (!File.Exists(database) && !OperatingSystem.IsWindows())
        {
            // The folder may be one that others can look into; SQLite's log takes the mode of the database. Another process may make it just now.
            new FileStream(
                database,
                new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.Write, Share = FileShare.ReadWrite | FileShare.Delete, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }).Dispose();
        }

        Database = Database.Open(database);
    }

    public string Directory { get; }

    public Database Database { get; }

    /// <summary>The clock of what is written.</summary>
    public TimeProvider Time { get; }

    /// <summary>Opens a data folder, makes it when missing, and holds it against other processes until disposed.</summary>
    /// <exception cref="AsrException">It is in use by another process, cannot be written, or its database is damaged or of a newer version.</exception>
    public static DataFolder Open(string directory, TimeProvider time) => Open(Path.GetFullPath(directory), time, isHost: true);

    /// <summary>Opens a data folder beside the host that may hold it, and makes it when missing: for verbs, and rounds of learning.</summary>
    /// <remarks>Every write is a transaction, and what was read may have changed since: read again, in the transaction that builds on it.</remarks>
    /// <exception cref="AsrException">It cannot be used, or its database is damaged or of a newer version.</exception>
    public static DataFolder OpenBeside(string directory, TimeProvider time) => Open(Path.GetFullPath(directory), time, isHost: false);

    /// <summary>Whether a folder is a data folder already: opening would make one of it.</summary>
    public static bool Exists(string directory) => File.Exists(Path.Combine(directory, DatabaseFile));

    /// <summary>Opens a folder of its own, which is deleted when disposed.</summary>
    public static DataFolder OpenTemporary(TimeProvider time) =>
        Open(System.IO.Directory.CreateTempSubdirectory("asrplatform-").FullName, time, isHost: true, isTemporary: true);

    /// <summary>The file of a session's audio.</summary>
    /// <param name="number">The session's number in the database.</param>
    public string AudioFile(long number) =>
        Path.Combine(Directory, "audio", string.Create(CultureInfo.InvariantCulture, $"{number:D8}.wav"));

    public void Dispose()
    {
        Database.Dispose();
        _lock?.Dispose();
        if (_isTemporary)
        {
            System.IO.Directory.Delete(Directory, recursive: true);
        }
    }

    private static DataFolder Open(string directory, TimeProvider time, bool isHost, bool isTemporary = false)
    {
        ProcessLock? held = null;
        try
        {
            Make(directory);
            Make(Path.Combine(directory, "audio"));
            held = isHost ? Lock(directory, time) : null;
            return new DataFolder(directory, held, time, isTemporary);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            held?.Dispose();
            throw new AsrException($"the data folder {directory} cannot be used: {error.Message} Choose another with --data-dir.", error);
        }
        catch
        {
            held?.Dispose();
            throw;
        }
    }

    /// <summary>What people say is theirs: nobody else on the machine may look.</summary>
    private static void Make(string directory)
    {
        if (OperatingSystem.IsWindows())
        {
            System.IO.Directory.CreateDirectory(directory);
        }
        else
        {
            System.IO.Directory.CreateDirectory(directory, Private);
        }
    }

    private static ProcessLock Lock(string directory, TimeProvider time) =>
        ProcessLock.TryTake(Path.Combine(directory, "lock"), time, out var owner)
        ?? throw new AsrException($"the data folder {directory} is in use by {owner}: stop that one, or choose another folder with --data-dir");
}
