using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace AsrPlatform.LibTorch.Interop;

/// <summary>
/// Finds and loads the shim at the first call into it, after setting what LibTorch's own libraries read while they load.
/// </summary>
/// <remarks>
/// The shim is <c>ASR_LIBTORCH_SHIM</c> (a file or a folder), else in <c>native/</c> beside this assembly, beside it, or in
/// <c>runtimes/RID/native/</c>. LibTorch itself is the one that the shim was built against, or the one in the folder
/// <c>ASR_LIBTORCH_DIR</c>, whose libraries are then loaded by full path first.
/// </remarks>
internal static partial class ShimLoader
{
    private const int SupportedAbi = 1;
    private static readonly Lock Gate = new();
    private static nint _shim;
    private static DllNotFoundException? _failure;

    /// <summary>The file that was loaded, or null before the first call.</summary>
    public static string? ShimPath { get; private set; }

    /// <summary>What was set in the environment of the native libraries because the user had not set it.</summary>
    public static IReadOnlyList<string> EnvironmentSet { get; private set; } = [];

    [SuppressMessage("Usage", "CA2255:The 'ModuleInitializer' attribute should not be used in libraries",
        Justification = "The resolver must stand before the first P/Invoke of any member; it loads nothing by itself.")]
    [ModuleInitializer]
    internal static void Register() => NativeLibrary.SetDllImportResolver(typeof(ShimLoader).Assembly, Resolve);

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? searchPath) =>
        name == NativeMethods.Library ? Load() : 0;

    /// <exception cref="DllNotFoundException">The shim or LibTorch is missing; the message says what to do.</exception>
    public static nint Load()
    {
        lock (Gate)
        {
            if (_failure is not null)
            {
                throw new DllNotFoundException(_failure.Message, _failure);
            }
            if (_shim == 0)
            {
                try
                {
                    PrepareEnvironment();
                    LoadLibTorch();
                    _shim = LoadShim();
                }
                catch (DllNotFoundException failure)
                {
                    _failure = failure;
                    throw;
                }
            }
            return _shim;
        }
    }

    private static unsafe nint LoadShim()
    {
        var candidates = Candidates().ToList();
        var path = candidates.Find(File.Exists) ?? throw new DllNotFoundException(
            $"LibTorch's shim {FileName} was not found in {string.Join(", ", candidates.Select(c => Path.GetDirectoryName(c)).Distinct())}. " +
            "Build it with eng/build-native.sh (needs cmake, g++ and LibTorch; on Debian: apt-get install cmake ninja-build g++ libtorch-dev), " +
            "or point ASR_LIBTORCH_SHIM at it.");
        nint shim;
        try
        {
            shim = NativeLibrary.Load(path);
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            throw new DllNotFoundException(
                $"LibTorch's shim {path} does not load: {FirstLine(e.Message)} " +
                "Install the LibTorch it was built against (on Debian: apt-get install libtorch-dev libopenblas0-openmp) " +
                "or point ASR_LIBTORCH_DIR at the folder that holds libtorch.", e);
        }
        var abi = ((delegate* unmanaged<int>)NativeLibrary.GetExport(shim, "asrt_abi"))();
        if (abi != SupportedAbi)
        {
            throw new DllNotFoundException($"LibTorch's shim {path} has ABI {abi}, this build needs {SupportedAbi}: run eng/build-native.sh.");
        }
        var trusted = ((delegate* unmanaged<int>)NativeLibrary.GetExport(shim, "asrt_onednn_trusted"))() != 0;
        var oneDnn = Environment.GetEnvironmentVariable("ASR_LIBTORCH_ONEDNN") switch
        {
            "1" => true,
            "0" => false,
            _ => trusted,
        };
        if (!oneDnn)
        {
            ((delegate* unmanaged<int, void>)NativeLibrary.GetExport(shim, "asrt_onednn_enable"))(0);
        }
        // malloc would give the pages of large tensors back to the system and fault them in again for the next ones.
        var limit = long.TryParse(Environment.GetEnvironmentVariable("ASR_LIBTORCH_CACHE_MB"), NumberStyles.None, CultureInfo.InvariantCulture, out var megabytes)
            ? megabytes << 20
            : GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 8;
        if (limit > 0 && !OperatingSystem.IsWindows())
        {
            _ = ((delegate* unmanaged<long, int>)NativeLibrary.GetExport(shim, "asrt_cpu_memory_enable"))(limit);
        }
        ShimPath = path;
        return shim;
    }

    private static string FileName =>
        OperatingSystem.IsWindows() ? "asrtorch.dll" : OperatingSystem.IsMacOS() ? "libasrtorch.dylib" : "libasrtorch.so";

    private static IEnumerable<string> Candidates()
    {
        if (Environment.GetEnvironmentVariable("ASR_LIBTORCH_SHIM") is { Length: > 0 } given)
        {
            yield return Directory.Exists(given) ? Path.Combine(given, FileName) : given;
            yield break;
        }
        var beside = Path.GetDirectoryName(typeof(ShimLoader).Assembly.Location);
        var folder = string.IsNullOrEmpty(beside) ? AppContext.BaseDirectory : beside;
        yield return Path.Combine(folder, "native", FileName);
        yield return Path.Combine(folder, FileName);
        yield return Path.Combine(folder, "runtimes", RuntimeInformation.RuntimeIdentifier, "native", FileName);
    }

    /// <summary>
    /// The dynamic linker takes a library that is already loaded under the name it looks for, so that loading these by full
    /// path first decides which LibTorch the shim gets.
    /// </summary>
    private static void LoadLibTorch()
    {
        if (Environment.GetEnvironmentVariable("ASR_LIBTORCH_DIR") is not { Length: > 0 } folder)
        {
            return;
        }
        if (!Directory.Exists(folder))
        {
            throw new DllNotFoundException($"ASR_LIBTORCH_DIR names {folder}, which is no folder. Point it at the folder that holds libtorch_cpu.");
        }
        var found = false;
        foreach (var library in (string[])["c10", "torch_cpu", "c10_cuda", "torch_cuda", "torch"])
        {
            var name = OperatingSystem.IsWindows() ? $"{library}.dll" : OperatingSystem.IsMacOS() ? $"lib{library}.dylib" : $"lib{library}.so";
            var path = Path.Combine(folder, name);
            if (!File.Exists(path))
            {
                continue;
            }
            found = true;
            try
            {
                NativeLibrary.Load(path);
            }
            catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
            {
                throw new DllNotFoundException($"{path} (ASR_LIBTORCH_DIR) does not load: {FirstLine(e.Message)}", e);
            }
        }
        if (!found)
        {
            throw new DllNotFoundException($"ASR_LIBTORCH_DIR names {folder}, which holds no libtorch_cpu.");
        }
    }

    private static string FirstLine(string text) => text.Split('\n', 2)[0].Trim();

    /// <summary>
    /// Threads that spin while they wait made a training step 12 times slower on two cores; OpenMP and OpenBLAS read these
    /// once, while they load. .NET's own environment is a copy that native code does not see, hence setenv.
    /// </summary>
    private static void PrepareEnvironment()
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }
        // Cores that this process may use: OpenMP counts those of the machine or the affinity, not of the container.
        var cores = Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture);
        List<(string Name, string Value)> wanted =
        [
            ("OMP_WAIT_POLICY", "PASSIVE"),
            ("GOMP_SPINCOUNT", "0"),
            ("OMP_NUM_THREADS", cores),
        ];
        var set = new List<string>();
        foreach (var (name, value) in wanted)
        {
            if (Environment.GetEnvironmentVariable(name) is null && SetEnvironment(name, value, 0) == 0)
            {
                set.Add($"{name}={value}");
            }
        }
        EnvironmentSet = set;
    }

    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);
}
