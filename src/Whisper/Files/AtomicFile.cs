using AsrPlatform.Abstractions;

namespace AsrPlatform.Whisper.Files;

/// <summary>Writes files that are either whole or not there: a temporary file beside the target, flushed to disk, then renamed; the name is flushed too.</summary>
public static class AtomicFile
{
    /// <summary>Writes a file, replacing one of the same name. When <paramref name="write"/> throws, nothing is left behind.</summary>
    /// <param name="path">The file; its folder must exist.</param>
    /// <param name="write">Writes the whole content to the stream that it is given; must not keep or dispose it.</param>
    /// <exception cref="AsrException">The file cannot be written.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(write);
        if (Directory.Exists(path))
        {
            throw new AsrException($"{path} is a folder: give the name of a file to write.");
        }

        var temporary = $"{path}.{Environment.ProcessId:x}-{Guid.NewGuid():n}.tmp";
        try
        {
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 16))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
            Durable.FlushFolder(Path.GetDirectoryName(Path.GetFullPath(path))!);
        }
        catch (Exception error)
        {
            TryDelete(temporary);
            if (error is IOException or UnauthorizedAccessException)
            {
                throw new AsrException($"{path} cannot be written: {error.Message}", error);
            }

            throw;
        }
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The first error is the one to report.
        }
    }
}
