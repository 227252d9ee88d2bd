using AsrPlatform.Host.Tests.Cli;

namespace AsrPlatform.Host.Tests.Diagnostics;

/// <summary>The program reports to nobody: no library in its process does, either.</summary>
public sealed class SilenceTests
{
    /// <summary>The packages of ONNX Runtime keep a device's id and a queue of what they report in the user's cache, unless they are told not to.</summary>
    [Fact]
    public async Task OnnxRuntimeKeepsNoDeviceId()
    {
        var home = Directory.CreateTempSubdirectory("asr-silence-");
        try
        {
            // As on a user's machine: it would not report on a build server, and these tests are started with the variable set.
            (string, string)[] environment =
            [
                ("CI", ""), ("TF_BUILD", ""), ("GITHUB_ACTIONS", ""), ("ORT_DISABLE_TELEMETRY", "0"),
                ("HOME", home.FullName), ("XDG_CACHE_HOME", Path.Combine(home.FullName, ".cache")),
            ];
            using var process = AsrProcess.Start(redirectInput: false, environment, "doctor");
            var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);

            Assert.Contains("ONNX Runtime: ", output, StringComparison.Ordinal);
            Assert.DoesNotContain(
                home.EnumerateFileSystemInfos("*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0 }),
                file => file.FullName.Contains("onnxruntime", StringComparison.OrdinalIgnoreCase));
        }
        finally
        {
            home.Delete(recursive: true);
        }
    }
}
