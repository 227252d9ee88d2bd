using AsrPlatform.Host.Tests.Data;
using AsrPlatform.Host.Tests.Learning.Registry;

/// <summary>The runtime calls this before the program (DOTNET_STARTUP_HOOKS): the test program becomes the host that a test kills.</summary>
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
        }
    }
}
