using System.Diagnostics;
using System.Runtime.InteropServices;

namespace AsrPlatform.Host.Learning.Rounds;

/// <summary>What .NET has no call for: asking a process to end, to stand still, and to go on.</summary>
internal static partial class ProcessSignals
{
    private const int Terminate = 15;

    private static int Stop => OperatingSystem.IsMacOS() ? 17 : 19;

    private static int Continue => OperatingSystem.IsMacOS() ? 19 : 18;

    /// <summary>Whether processes can be paused here.</summary>
    public static bool CanPause => !OperatingSystem.IsWindows();

    /// <summary>Makes a process stand still.</summary>
    public static void Pause(int process) => Send(process, Stop);

    /// <summary>Lets a process go on.</summary>
    public static void Resume(int process) => Send(process, Continue);

    /// <summary>Asks a process to save and end, one that stands still included; on Windows it is ended, and goes on from its checkpoint.</summary>
    public static void Ask(Process process)
    {
        if (OperatingSystem.IsWindows())
        {
            process.Kill(entireProcessTree: true);
        }
        else
        {
            Send(process.Id, Terminate);
            Resume(process.Id);
        }
    }

    /// <summary>A process that is gone needs no signal.</summary>
    private static void Send(int process, int signal)
    {
        if (!OperatingSystem.IsWindows())
        {
            _ = Kill(process, signal);
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);
}
