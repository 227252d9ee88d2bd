namespace AsrPlatform.Tests;

/// <summary>A folder of its own for one test, deleted afterwards.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Root { get; } = Directory.CreateTempSubdirectory("asr-test-").FullName;

    /// <summary>The full path of a file in the folder.</summary>
    public string File(string name) => Path.Combine(Root, name);

    /// <summary>Writes a file into the folder and returns its path.</summary>
    public string Write(string name, string text)
    {
        System.IO.File.WriteAllText(File(name), text);
        return File(name);
    }

    /// <summary>Copies a fixture folder's files, links resolved, writable.</summary>
    public TemporaryFolder CopyOf(string folder)
    {
        foreach (var path in Directory.EnumerateFiles(folder))
        {
            var copy = File(Path.GetFileName(path));
            System.IO.File.Copy(path, copy);
            System.IO.File.SetAttributes(copy, FileAttributes.Normal);
        }

        return this;
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
