using System.Diagnostics;
using AsrPlatform.Host.Tests.Data;
using AsrPlatform.Host.Tests.Learning.Registry;
using AsrPlatform.Host.Tests.Live;

/// <summary>The runtime calls this before the program (DOTNET_STARTUP_HOOKS): the test program becomes a host that a test kills or watches.</summary>
#pragma warning disable CA1050 // The runtime looks for this name in no namespace.
internal static class StartupHook
#pragma warning restore CA1050
{
    /// <summary>How this program is started again, to be something else; what it says can be read.</summary>
    /// <param name="variable">Says in the environment what it is to be.</param>
    /// <param name="argument">The variable's value.</param>
    /// <param name="wrapper">A program that runs it, with its arguments.</param>
    public static ProcessStartInfo Start(string variable, string argument, params string[] wrapper)
    {
        var assembly = typeof(StartupHook).Assembly.Location;
        string[] program = Path.GetFileNameWithoutExtension(Environment.ProcessPath!) == "dotnet" ? [Environment.ProcessPath!, assembly] : [Environment.ProcessPath!];
        string[] all = [.. wrapper, .. program];
        var start = new ProcessStartInfo(all[0], all[1..]) { RedirectStandardOutput = true };
        start.Environment["DOTNET_STARTUP_HOOKS"] = assembly;
        start.Environment["DOTNET_TieredPGO"] = "0";
        start.Environment[variable] = argument;
        return start;
    }

    public static void Initialize()
    {
        if (Environment.GetEnvironmentVariable(KilledHost.Variable) is { } arguments)
        {
            KilledHost.RunAsync(arguments).GetAwaiter().GetResult();
            Environment.Exit(0);
        }

        if (Environment.GetEnvironmentVariable(AdapterKillTests.Variable) is { } folder)
        {
            AdapterKillTests.RunAsync(folder).GetAwaiter().GetResult();
            Environment.Exit(0);
        }

        if (Environment.GetEnvironmentVariable(ViewedHost.Variable) is not null)
        {
            ViewedHost.RunAsync().GetAwaiter().GetResult();
            Environment.Exit(0);
        }
    }
}
