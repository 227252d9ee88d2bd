using System.Globalization;
using AsrPlatform.Abstractions;
using AsrPlatform.Whisper.Files;
using Microsoft.Win32.SafeHandles;

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

    private readonly SafeFileHandle? _lock; // null: beside the host
    private readonly bool _isTemporary;

    private DataFolder(string directory, SafeFileHandle? held, TimeProvider time, bool isTemporary)
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
        SafeFileHandle? held = null;
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

    /// <summary>The operating system lets go of the lock when the process dies, however it does.</summary>
    private static SafeFileHandle Lock(string directory, TimeProvider time)
    {
        var owner = Path.Combine(directory, "lock.owner");
        SafeFileHandle held;
        try
        {
            held = File.OpenHandle(Path.Combine(directory, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException error) when (IsHeld(error))
        {
            throw new AsrException($"the data folder {directory} is in use by {OwnerOf(owner)}: stop that one, or choose another folder with --data-dir", error);
        }

        try
        {
            AtomicFile.Write(owner, stream => stream.Write(System.Text.Encoding.UTF8.GetBytes(
                string.Create(CultureInfo.InvariantCulture, $"process {Environment.ProcessId} on {Environment.MachineName}, since {time.GetUtcNow():yyyy-MM-dd HH:mm:ss} UTC\n"))));
            return held;
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    private static string OwnerOf(string file)
    {
        try
        {
            return File.ReadAllText(file).Trim() is { Length: > 0 } owner ? owner : "another process";
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return "another process";
        }
    }

    /// <summary>EWOULDBLOCK (11 on Linux, 35 on macOS) or ERROR_SHARING_VIOLATION; anything else is not a lock.</summary>
    private static bool IsHeld(IOException error) => OperatingSystem.IsWindows()
        ? (error.HResult & 0xFFFF) == 32
        : error.GetType() == typeof(IOException) && (error.HResult is 11 or 35 || (error.HResult & 0xFFFF) == 32);
}
