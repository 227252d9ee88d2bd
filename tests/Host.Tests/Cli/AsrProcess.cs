using System.Diagnostics;
using AsrPlatform.Tests;

namespace AsrPlatform.Host.Tests.Cli;

/// <summary>Runs the built command line (artifacts/app) as a user would, in a process of its own.</summary>
internal static class AsrProcess
{
    /// <summary>Where programs under test keep what they can make again: not in the user's own folder.</summary>
    public static string CacheFolder { get; } = Path.Combine(Fixtures.RepositoryRoot, "artifacts", "test-cache");

    public static Result Run(params string[] arguments) => Run(stdin: null, arguments);

    public static Result Run(Stream? stdin, params string[] arguments)
    {
        using var process = Start(redirectInput: true, arguments);
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        stdin?.CopyTo(process.StandardInput.BaseStream);
        process.StandardInput.Close();
        if (!process.WaitForExit(TimeSpan.FromMinutes(5)))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"asr {string.Join(' ', arguments)} did not end within five minutes");
        }

        return new Result(process.ExitCode, output.GetAwaiter().GetResult(), error.GetAwaiter().GetResult());
    }

    public static Process Start(bool redirectInput, params string[] arguments) => Start(redirectInput, [], arguments);

    /// <summary>With variables in its environment.</summary>
    public static Process Start(bool redirectInput, IReadOnlyCollection<(string Name, string Value)> environment, params string[] arguments)
    {
        var program = Path.Combine(Fixtures.RepositoryRoot, "artifacts", "app", "asr.dll");
        Assert.True(File.Exists(program), $"{program} is not built: run eng/build.sh");
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = redirectInput };
        start.ArgumentList.Add(program);
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment["OMP_WAIT_POLICY"] = "PASSIVE";
        start.Environment["XDG_CACHE_HOME"] = CacheFolder;
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    public sealed record Result(int ExitCode, string Output, string Error)
    {
        /// <summary>Asserts one clear line on stderr, exit code 1, nothing on stdout.</summary>
        public void ShouldFailWith(string fragment)
        {
            Assert.Contains(fragment, Error, StringComparison.OrdinalIgnoreCase);
            Assert.Equal(1, ExitCode);
            Assert.StartsWith("asr: ", Error, StringComparison.Ordinal);
            Assert.Single(Error.TrimEnd('\n').Split('\n'));
            Assert.DoesNotContain("   at ", Error, StringComparison.Ordinal);
            Assert.Equal("", Output);
        }

        public string ShouldSucceed()
        {
            Assert.True(ExitCode == 0, $"exit code {ExitCode}: {Error}");
            return Output;
        }
    }
}
