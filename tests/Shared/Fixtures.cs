using System.Text.Json.Nodes;

namespace AsrPlatform.Tests;

/// <summary>The reference values in <c>../shared/fixtures</c> beside the repository.</summary>
internal static class Fixtures
{
    /// <summary>The repository's root: the folder that holds AsrPlatform.sln.</summary>
    public static string RepositoryRoot { get; } = FindRoot();

    /// <summary>The full path of a fixture; skips the test when the fixtures are not on this machine, fails it in CI.</summary>
    public static string Path(string relative)
    {
        var root = System.IO.Path.GetFullPath(System.IO.Path.Combine(RepositoryRoot, "..", "shared", "fixtures"));
        if (!Directory.Exists(root))
        {
            var reason = $"The reference values are not here: {root} is missing.";
            if (Environment.GetEnvironmentVariable("CI") == "true")
            {
                Assert.Fail(reason);
            }

            Assert.Skip(reason);
        }

        var path = System.IO.Path.Combine(root, relative);
        Assert.True(File.Exists(path) || Directory.Exists(path), $"The fixture {relative} is missing in {root}.");
        return path;
    }

    /// <summary>Reads a JSON Lines fixture, one node a line.</summary>
    public static IEnumerable<JsonNode> Lines(string relative) =>
        File.ReadLines(Path(relative)).Where(line => line.Length > 0).Select(line => JsonNode.Parse(line)!);

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "AsrPlatform.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException($"No AsrPlatform.sln above {AppContext.BaseDirectory}.");
    }
}
