using System.Diagnostics;
using AsrPlatform.Tests;

namespace AsrPlatform.OnnxBackend.Tests;

public sealed class ConformanceTests
{
    /// <summary>In a process of its own, where nothing but the host's loader brings the plugin and the binding.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Conformance_InstalledPlugin_Passes(bool fast)
    {
        using var folder = new TemporaryFolder();
        var model = fast ? OnnxModels.FastExport(folder, "micro") : OnnxModels.Micro(folder, withAttention: true);
        var plugin = Path.Combine(Fixtures.RepositoryRoot, "artifacts", "app", "plugins", OnnxBackendPlugin.Id);
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet") { RedirectStandardOutput = true };
        foreach (var argument in (string[])[Path.Combine(AppContext.BaseDirectory, "AsrPlatform.PluginConformance.dll"), plugin, "--model", model])
        {
            start.ArgumentList.Add(argument);
        }

        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.True(process.ExitCode == 0, output);
        Assert.Contains("pass  seq2seq: memory does not grow", output, StringComparison.Ordinal);
        Assert.Contains("pass  diagnostics", output, StringComparison.Ordinal);
    }
}
