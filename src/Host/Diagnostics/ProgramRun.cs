using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Host.Diagnostics;

/// <summary>What a program left behind when it ended.</summary>
/// <param name="ExitCode">0 by custom when it did what it should.</param>
/// <param name="Output">Its standard output.</param>
/// <param name="Errors">Its standard error.</param>
internal sealed record ProgramResult(int ExitCode, string Output, string Errors);

/// <summary>Runs other programs.</summary>
internal static class ProgramRun
{
    /// <summary>How a program is started: its three streams are ours, text is UTF-8.</summary>
    public static ProcessStartInfo StartInfo(string program, IEnumerable<string> arguments) => new(program, arguments)
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
        StandardInputEncoding = new UTF8Encoding(false),
        StandardOutputEncoding = Encoding.UTF8,
    };

    /// <summary>Runs a program to its end, however it ends.</summary>
    /// <param name="program">Its name or path.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="input">Its standard input; null for none.</param>
    /// <param name="limit">How long it may take before it is killed; null for any time.</param>
    /// <param name="cancellationToken">Kills it.</param>
    /// <exception cref="AsrException">It cannot be started, or does not take its input.</exception>
    public static ProgramResult Run(string program, IEnumerable<string> arguments, string? input, TimeSpan? limit, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            using var process = Process.Start(StartInfo(program, arguments))!;
            using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            end.CancelAfter(limit ?? Timeout.InfiniteTimeSpan);
            using var kill = end.Token.Register(() => Kill(process));
            var errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
            var output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
            if (input is not null)
            {
                process.StandardInput.Write(input);
            }

            process.StandardInput.Close();
            process.WaitForExit();
            cancellationToken.ThrowIfCancellationRequested();
            return new ProgramResult(process.ExitCode, output.GetAwaiter().GetResult(), errors.GetAwaiter().GetResult());
        }
        catch (Exception error) when (error is Win32Exception or IOException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw new AsrException($"{program} cannot be run: {error.Message}", error);
        }
    }

    /// <summary>Ends a process with its children, if it has not ended.</summary>
    public static void Kill(Process process)
    {
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (InvalidOperationException)
        {
            // It has ended.
        }
    }
}
