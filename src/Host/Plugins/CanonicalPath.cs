namespace AsrPlatform.Host.Plugins;

/// <summary>Paths without links, so that a link cannot lead out of a folder unnoticed.</summary>
internal static class CanonicalPath
{
    /// <summary>As many links as Linux follows before it reports a loop.</summary>
    private const int MaxLinks = 40;

    private static readonly StringComparison Comparison =
        OperatingSystem.IsLinux() ? StringComparison.Ordinal : StringComparison.OrdinalIgnoreCase;

    /// <summary>The absolute path with every link in it resolved. Parts that do not exist stay as they are.</summary>
    /// <exception cref="IOException">The links form a loop.</exception>
    public static string Of(string path)
    {
        var links = 0;
        return Resolve(Path.GetFullPath(path), ref links);
    }

    /// <summary>Whether a canonical path lies below a canonical folder.</summary>
    public static bool IsInside(string path, string folder) =>
        path.StartsWith(Path.TrimEndingDirectorySeparator(folder) + Path.DirectorySeparatorChar, Comparison);

    private static string Resolve(string path, ref int links)
    {
        var current = Path.GetPathRoot(path)!;
        foreach (var part in path[current.Length..].Split(Path.DirectorySeparatorChar, StringSplitOptions.RemoveEmptyEntries))
        {
            var parent = current;
            current = Path.Combine(current, part);
            FileSystemInfo info = Directory.Exists(current) ? new DirectoryInfo(current) : new FileInfo(current);
            if (info.LinkTarget is { } target)
            {
                if (++links > MaxLinks)
                {
                    throw new IOException($"{path} goes through a loop of links");
                }

                current = Resolve(Path.GetFullPath(target, parent), ref links);
            }
        }

        return current;
    }
}
