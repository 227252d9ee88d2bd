using System.Diagnostics;
using System.Text;
using AsrPlatform.Host.Tests.Cli;
using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Live;

/// <summary><c>asr serve</c> in a process of its own, on a free port.</summary>
internal sealed class HostProcess : IAsyncDisposable
{
    private const string Prefix = "captions at ";

    private readonly Process _process;
    private readonly StringBuilder _errors;

    private readonly string _data;

    private HostProcess(Process process, StringBuilder errors, string url, string data)
    {
        _data = data;
        _process = process;
        _errors = errors;
        Url = url;
    }

    /// <summary>The address that it printed.</summary>
    public string Url { get; }

    /// <summary>What it wrote to stderr so far.</summary>
    public string Errors
    {
        get
        {
            lock (_errors)
            {
                return _errors.ToString();
            }
        }
    }

    /// <summary>Starts it, and waits until it says where it listens. Without <c>--urls</c> among the options it takes a free port of loopback.</summary>
    public static async Task<HostProcess> StartAsync(params string[] options)
    {
        var program = Path.Combine(Fixtures.RepositoryRoot, "artifacts", "app", "asr.dll");
        var data = Directory.CreateTempSubdirectory("asr-host-").FullName;
        var start = new ProcessStartInfo("dotnet", [
            program,
            "serve",
            .. options.Contains("--urls") ? Array.Empty<string>() : ["--urls", "http://127.0.0.1:0"],
            .. options.Contains("--data-dir") ? Array.Empty<string>() : ["--data-dir", data],
            .. options])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["OMP_NUM_THREADS"] = "1";
        start.Environment["OMP_WAIT_POLICY"] = "PASSIVE";
        start.Environment["XDG_CACHE_HOME"] = AsrProcess.CacheFolder;

        // The fixtures' checkpoint knows a handful of clips by heart; cut elsewhere, it forgets the end of one.
        start.Environment["ASR_Live__HoldBack"] = "00:00:00.5";
        var process = Process.Start(start)!;
        var errors = new StringBuilder();
        process.ErrorDataReceived += (_, line) =>
        {
            lock (errors)
            {
                errors.AppendLine(line.Data);
            }
        };
        process.BeginErrorReadLine();
        var first = await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken);
        Assert.True(first?.StartsWith(Prefix, StringComparison.Ordinal), $"The host said '{first}' and {errors}");
        return new HostProcess(process, errors, AddressIn(first!), data);
    }

    /// <summary>The next address that it prints.</summary>
    public async Task<string> ReadUrlAsync() => AddressIn((await _process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken))!);

    /// <summary>Asks it to stop, as Ctrl-C does; its exit code.</summary>
    public async Task<int> StopAsync()
    {
        // .NET has no portable way to ask a process to end.
        using var kill = Process.Start("kill", ["-TERM", _process.Id.ToString()])!;
        await kill.WaitForExitAsync(TestContext.Current.CancellationToken);
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return _process.ExitCode;
    }

    private static string AddressIn(string line) => line[Prefix.Length..].Split(' ')[0];

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync(CancellationToken.None);
        }

        if (TestContext.Current.TestState?.Result == TestResult.Failed)
        {
            TestContext.Current.TestOutputHelper?.WriteLine($"The host's log:\n{_errors}");
        }

        _process.Dispose();
        Directory.Delete(_data, recursive: true);
    }
}
