using AsrPlatform.Abstractions;

namespace AsrPlatform.Whisper.Files;

/// <summary>Writes folders that are either whole or not there: a folder beside the target, flushed to disk, then renamed.</summary>
public static class AtomicFolder
{
    /// <summary>Writes a new folder. When <paramref name="write"/> throws, nothing is left behind.</summary>
    /// <param name="target">The folder; it must be missing or empty.</param>
    /// <param name="write">Fills the folder whose path it is given.</param>
    /// <exception cref="AsrException">The target is in use or cannot be written.</exception>
    public static void Write(string target, Action<string> write)
    {
        ArgumentException.ThrowIfNullOrEmpty(target);
        ArgumentNullException.ThrowIfNull(write);
        target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(target));
        if (File.Exists(target) || (Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any()))
        {
            throw new AsrException($"{target} is not empty: give a new folder.");
        }

        var aside = $"{target}.{Environment.ProcessId:x}-{Guid.NewGuid():n}.tmp";
        try
        {
            Directory.CreateDirectory(aside);
            write(aside);
            Durable.FlushTree(aside);
            if (Directory.Exists(target))
            {
                Directory.Delete(target);
            }

            Directory.Move(aside, target);
            Durable.FlushFolder(Path.GetDirectoryName(target)!);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"{target} cannot be written: {error.Message}", error);
        }
        finally
        {
            DeleteLeftover(aside);
        }
    }

    private static void DeleteLeftover(string directory)
    {
        try
        {
            if (Directory.Exists(directory))
            {
                Directory.Delete(directory, recursive: true);
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The first error is the one to report.
        }
    }
}
