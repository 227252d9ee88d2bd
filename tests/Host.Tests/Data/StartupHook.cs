using AsrPlatform.Host.Tests.Data;
using AsrPlatform.Host.Tests.Learning.Registry;
using AsrPlatform.Host.Tests.Live;

/// <summary>The runtime calls this before the program (DOTNET_STARTUP_HOOKS): the test program becomes a host that a test kills or watches.</summary>
#pragma warning disable CA1050 // The runtime looks for this name in no namespace.
internal static class StartupHook
#pragma warning restore CA1050
{
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
