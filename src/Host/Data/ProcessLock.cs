using System.Globalization;
using System.Text;
using AsrPlatform.Whisper.Files;
using Microsoft.Win32.SafeHandles;

namespace AsrPlatform.Host.Data;

/// <summary>A file that one process holds at a time; the operating system lets go of it when the process dies, however it does.</summary>
internal sealed class ProcessLock : IDisposable
{
    private readonly SafeFileHandle _held;

    private ProcessLock(SafeFileHandle held)
    {
        _held = held;
    }

    /// <summary>Takes a lock, and writes beside it who has it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="time">The clock.</param>
    /// <param name="owner">Who holds it, when somebody else does.</param>
    /// <returns>Null when another process holds it.</returns>
    /// <exception cref="IOException">The file cannot be made.</exception>
    public static ProcessLock? TryTake(string path, TimeProvider time, out string owner)
    {
        owner = "";
        SafeFileHandle held;
        try
        {
            held = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException error) when (IsHeld(error))
        {
            owner = ReadOwner(path);
            return null;
        }

        try
        {
            AtomicFile.Write(OwnerFile(path), stream => stream.Write(Encoding.UTF8.GetBytes(
                string.Create(CultureInfo.InvariantCulture, $"process {Environment.ProcessId} on {Environment.MachineName}, since {time.GetUtcNow():yyyy-MM-dd HH:mm:ss} UTC\n"))));
            return new ProcessLock(held);
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    /// <summary>The process that an owner's description names; null when it names none.</summary>
    public static int? ProcessIn(string owner) =>
        owner.Split(' ') is ["process", var id, ..] && int.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    public void Dispose() => _held.Dispose();

    private static string OwnerFile(string path) => path + ".owner";

    private static string ReadOwner(string path)
    {
        try
        {
            return File.ReadAllText(OwnerFile(path)).Trim() is { Length: > 0 } owner ? owner : "another process";
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
