using System.Runtime.InteropServices;

namespace AsrPlatform.Host.Plugins;

/// <summary>Finds native libraries as plugins may name them: <c>foo</c>, <c>libfoo.so</c>, <c>libfoo.so.1</c>, <c>foo.dll</c>.</summary>
internal static class NativeLibraries
{
    private static readonly string Suffix =
        OperatingSystem.IsWindows() ? ".dll" : OperatingSystem.IsMacOS() ? ".dylib" : ".so";

    /// <summary>As NuGet packages name their folders; <see cref="RuntimeInformation.RuntimeIdentifier"/> may be a distribution's own.</summary>
    private static readonly string PortableRuntimeIdentifier =
        (OperatingSystem.IsWindows() ? "win-" : OperatingSystem.IsMacOS() ? "osx-" : "linux-")
        + RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();

    /// <summary>The full path of a library in a folder or its <c>runtimes/&lt;rid&gt;/native</c>, or null.</summary>
    public static string? Find(string library, string directory)
    {
        string[] folders =
        [
            directory,
            Path.Combine(directory, "runtimes", PortableRuntimeIdentifier, "native"),
            Path.Combine(directory, "runtimes", RuntimeInformation.RuntimeIdentifier, "native"),
        ];
        return folders.SelectMany(folder => FileNames(library).Select(name => Path.Combine(folder, name))).FirstOrDefault(File.Exists);
    }

    /// <summary>Loads a library, to see whether it loads: from the folders in turn, else where the system's loader looks.</summary>
    /// <returns>Null, or why it does not load.</returns>
    public static string? WhyNotLoadable(string library, params ReadOnlySpan<string> directories)
    {
        foreach (var directory in directories)
        {
            if (Find(library, directory) is { } path)
            {
                return WhyNotLoadable(path);
            }
        }

        return FileNames(library).Any(name => NativeLibrary.TryLoad(name, out _))
            ? null
            : "it is neither in the plugin's folder nor where the system looks";
    }

    private static string? WhyNotLoadable(string path)
    {
        try
        {
            // Stays loaded: the plugin is about to use it.
            NativeLibrary.Load(path);
            return null;
        }
        catch (Exception error) when (error is DllNotFoundException or BadImageFormatException)
        {
            return OneLine.Of(error.Message);
        }
    }

    private static IEnumerable<string> FileNames(string library)
    {
        // A name with a suffix, or with a version behind it, is complete.
        yield return library;
        if (!library.EndsWith(Suffix, StringComparison.OrdinalIgnoreCase) && !library.Contains(Suffix + ".", StringComparison.Ordinal))
        {
            yield return $"lib{library}{Suffix}";
            yield return library + Suffix;
        }
    }
}
