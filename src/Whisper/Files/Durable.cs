using System.Runtime.InteropServices;
using AsrPlatform.Abstractions;
using Microsoft.Win32.SafeHandles;

namespace AsrPlatform.Whisper.Files;

/// <summary>Makes written files and folder entries outlast a loss of power.</summary>
public static partial class Durable
{
    /// <summary>Flushes every file below a folder, and the folders themselves, to disk.</summary>
    /// <exception cref="AsrException">The disk reports an error.</exception>
    public static void FlushTree(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        try
        {
            foreach (var file in Directory.EnumerateFiles(directory))
            {
                using var handle = File.OpenHandle(file, FileMode.Open, OperatingSystem.IsWindows() ? FileAccess.ReadWrite : FileAccess.Read);
                RandomAccess.FlushToDisk(handle);
            }

            foreach (var folder in Directory.EnumerateDirectories(directory))
            {
                FlushTree(folder);
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"{directory} cannot be flushed to disk: {error.Message}", error);
        }

        FlushFolder(directory);
    }

    /// <summary>Flushes a folder's entries: names made, changed and deleted in it. Nothing on Windows, whose file system does so by itself.</summary>
    /// <exception cref="AsrException">The disk reports an error.</exception>
    public static void FlushFolder(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        // .NET does not open folders. O_RDONLY is 0 everywhere.
        using var handle = Open(directory, 0);
        if (handle.IsInvalid)
        {
            throw Failed(directory);
        }

        // EINVAL: a file system that cannot flush folders (some network and FUSE ones).
        if (Fsync(handle) != 0 && Marshal.GetLastPInvokeError() != InvalidArgument)
        {
            throw Failed(directory);
        }
    }

    private const int InvalidArgument = 22;

    private static AsrException Failed(string directory) =>
        new($"{directory} cannot be flushed to disk: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Fsync(SafeFileHandle handle);
}
