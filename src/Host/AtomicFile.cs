using System.Text;

namespace AsrPlatform.Host;

/// <summary>Writes a file whole or not at all: aside, flushed to the disk, renamed.</summary>
internal static class AtomicFile
{
    public static void WriteAllText(string path, string text) => Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));

    /// <summary>Lets <paramref name="write"/> fill a file beside the target and renames it when that succeeded.</summary>
    public static void Write(string path, Action<Stream> write)
    {
        var aside = $"{path}.{Environment.ProcessId}.tmp";
        try
        {
            using (var stream = new FileStream(aside, FileMode.Create, FileAccess.Write))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(aside, path, overwrite: true);
        }
        catch
        {
            File.Delete(aside);
            throw;
        }
    }
}
