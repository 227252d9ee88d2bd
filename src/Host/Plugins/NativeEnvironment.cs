using System.Runtime.InteropServices;

namespace AsrPlatform.Host.Plugins;

/// <summary>The environment as native libraries see it.</summary>
/// <remarks>
/// On Unix the runtime keeps its own copy of the environment: <see cref="Environment.SetEnvironmentVariable(string, string?)"/> reaches no
/// native library, so that this goes through the C library. Variables are read by OpenMP and BLAS when they are loaded: set them before.
/// </remarks>
internal static partial class NativeEnvironment
{
    private static readonly Lock Gate = new();

    /// <summary>Sets what every native library should find, unless somebody has set it already.</summary>
    /// <remarks>
    /// Waiting OpenMP threads that spin cost a training step of 0.4 s another 5 s on two processors, so they wait passively.
    /// </remarks>
    public static void SetDefaults() => SetDefault("OMP_WAIT_POLICY", "PASSIVE");

    /// <summary>The value that a native library would see, or null.</summary>
    public static string? Get(string name) =>
        OperatingSystem.IsWindows() ? Environment.GetEnvironmentVariable(name) : Marshal.PtrToStringUTF8(GetUnix(name));

    private static void SetDefault(string name, string value)
    {
        lock (Gate)
        {
            if (OperatingSystem.IsWindows())
            {
                if (Environment.GetEnvironmentVariable(name) is null)
                {
                    Environment.SetEnvironmentVariable(name, value);
                }
            }
            else
            {
                _ = SetUnix(name, value, overwrite: 0);
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "getenv", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint GetUnix(string name);

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SetUnix(string name, string value, int overwrite);
}
