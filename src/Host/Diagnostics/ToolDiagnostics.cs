using System.ComponentModel;
using System.Diagnostics;
using AsrPlatform.Abstractions.Plugins;

namespace AsrPlatform.Host.Diagnostics;

/// <summary>The programs that the host calls.</summary>
internal static class ToolDiagnostics
{
    /// <summary>Says which are there.</summary>
    public static async Task<DiagnosticItem> FfmpegAsync(CancellationToken cancellationToken)
    {
        const string program = "ffmpeg";
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, "-version") { RedirectStandardOutput = true, RedirectStandardError = true })!;
            var errors = process.StandardError.ReadToEndAsync(cancellationToken);
            var output = await process.StandardOutput.ReadToEndAsync(cancellationToken);
            await errors;
            await process.WaitForExitAsync(cancellationToken);
            if (process.ExitCode == 0)
            {
                return new DiagnosticItem(program, output.Split('\n', 2)[0].Trim());
            }
        }
        catch (Win32Exception)
        {
            // Not found, or not executable.
        }

        return new DiagnosticItem(
            program,
            "missing: only WAV files can be read",
            DiagnosticLevel.Warning,
            OperatingSystem.IsWindows() ? "winget install Gyan.FFmpeg" : OperatingSystem.IsMacOS() ? "brew install ffmpeg" : "sudo apt-get install ffmpeg");
    }
}
