using System.Runtime.InteropServices;

namespace AsrPlatform.Host.Plugins;

/// <summary>The environment as native libraries see it.</summary>
/// <remarks>
/// On Unix the runtime keeps its own copy of the environment: <see cref="Environment.SetEnvironmentVariable(string, string?)"/> reaches no
/// native library, so that this goes through the C library. Libraries read their variables when they are loaded: set them before.
/// </remarks>
internal static partial class NativeEnvironment
{
    private static readonly Lock Gate = new();

    /// <summary>Sets what every native library should find.</summary>
    /// <remarks>
    /// Waiting OpenMP threads that spin cost a training step of 0.4 s another 5 s on two processors, so they wait passively unless somebody
    /// has said otherwise. ONNX Runtime's packages report to their maker since 1.29, and keep a device's id, unless they are told not to before
    /// they are loaded; this program reports to nobody, so that they are told whatever was set.
    /// </remarks>
    public static void SetDefaults()
    {
        Set("OMP_WAIT_POLICY", "PASSIVE", overwrite: false);
        Set("ORT_DISABLE_TELEMETRY", "1", overwrite: true);
    }

    /// <summary>The value that a native library would see, or null.</summary>
    public static string? Get(string name) =>
        OperatingSystem.IsWindows() ? Environment.GetEnvironmentVariable(name) : Marshal.PtrToStringUTF8(GetUnix(name));

    private static void Set(string name, string value, bool overwrite)
    {
        lock (Gate)
        {
            if (OperatingSystem.IsWindows())
            {
                if (overwrite || Environment.GetEnvironmentVariable(name) is null)
                {
                    Environment.SetEnvironmentVariable(name, value);
                }
            }
            else
            {
                _ = SetUnix(name, value, overwrite ? 1 : 0);
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
