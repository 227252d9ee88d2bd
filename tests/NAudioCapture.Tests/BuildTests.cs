using System.Diagnostics;
using AsrPlatform.Tests;
using NAudio.Wave;

namespace AsrPlatform.NAudioCapture.Tests;

/// <summary>The plugin's project, with and without NAudio.</summary>
public sealed class BuildTests
{
    [Fact]
    public async Task Build_WithTheAssemblyNamed_InstallsThePlugin()
    {
        using var folder = new TemporaryFolder();
        await BuildAsync($"-p:NAudioAssembly={typeof(IWaveIn).Assembly.Location}", $"-p:PluginsDir={folder.Root}/");
        var installed = Directory.GetFiles(folder.File("naudio-capture")).Select(Path.GetFileName).ToHashSet();
        Assert.Superset(new HashSet<string?> { "plugin.json", "AsrPlatform.NAudioCapture.dll", "NAudio.Wasapi.dll" }, installed);
        Assert.DoesNotContain("AsrPlatform.Abstractions.dll", installed);
    }

    [Fact]
    public async Task Build_WithoutNAudio_SaysSoAndGoesOn()
    {
        using var folder = new TemporaryFolder();
        var said = await BuildAsync("-p:HasNAudio=false", $"-p:PluginsDir={folder.Root}/");
        Assert.Contains("NAudioCapture: skipped", said, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder.File("naudio-capture")));
    }

    private static async Task<string> BuildAsync(params string[] properties)
    {
        var start = new ProcessStartInfo("dotnet", ["build", Path.Combine(Fixtures.RepositoryRoot, "plugins", "NAudioCapture"), "-nologo", "-v", "minimal", "-p:RunAnalyzersDuringBuild=false", .. properties])
        {
            RedirectStandardOutput = true,
        };

        // Of the build that runs these tests.
        foreach (var name in new[] { "MSBuildSDKsPath", "MSBUILD_EXE_PATH", "MSBuildExtensionsPath", "DOTNET_STARTUP_HOOKS" })
        {
            start.Environment.Remove(name);
        }

        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0, output);
        return output;
    }
}
