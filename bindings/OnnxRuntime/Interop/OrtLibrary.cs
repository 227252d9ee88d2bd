using System.Runtime.InteropServices;

namespace AsrPlatform.OnnxRuntime.Interop;

/// <summary>Finds ONNX Runtime's library at the first call into it and asks it for the table of its C API.</summary>
/// <remarks>
/// The library is the one that <c>ASR_ONNXRUNTIME_DIR</c> names (a folder or a file), else the one in <c>native/</c> beside this
/// assembly, beside it, or in <c>runtimes/RID/native/</c>. It is loaded by its full path, so that no other copy on the machine can take its place.
/// </remarks>
internal static unsafe class OrtLibrary
{
    /// <summary>The lowest version of the C API whose table holds every position that this binding reads. The table only ever grows at its end.</summary>
    public const uint ApiVersion = 22;

    private const string Remedy = "eng/onnxruntime.sh puts it there (needs npm); or point ASR_ONNXRUNTIME_DIR at the folder that holds it.";

    private static readonly Lock Gate = new();
    private static volatile nint _table;
    private static DllNotFoundException? _failure;

    /// <summary>The file that was loaded; null before the first call.</summary>
    public static string? Path { get; private set; }

    /// <summary>The version that the library gives itself; null before the first call.</summary>
    public static string? Version { get; private set; }

    /// <summary>The function pointers of <c>OrtApi</c>, by position.</summary>
    /// <exception cref="DllNotFoundException">The library is missing or too old; the message says what to do.</exception>
    public static nint* Table
    {
        get
        {
            var table = _table;
            return (nint*)(table != 0 ? table : Load());
        }
    }

    private static string FileName =>
        OperatingSystem.IsWindows() ? "onnxruntime.dll" : OperatingSystem.IsMacOS() ? "libonnxruntime.1.dylib" : "libonnxruntime.so.1";

    /// <summary>The unversioned names under which other distributions of the library come.</summary>
    private static IEnumerable<string> FileNames =>
        OperatingSystem.IsWindows() ? [FileName] : OperatingSystem.IsMacOS() ? [FileName, "libonnxruntime.dylib"] : [FileName, "libonnxruntime.so"];

    private static nint Load()
    {
        lock (Gate)
        {
            if (_failure is not null)
            {
                throw new DllNotFoundException(_failure.Message, _failure);
            }
            if (_table == 0)
            {
                try
                {
                    _table = Open();
                }
                catch (DllNotFoundException failure)
                {
                    _failure = failure;
                    throw;
                }
            }
            return _table;
        }
    }

    private static nint Open()
    {
        var candidates = Candidates().ToList();
        var path = candidates.Find(File.Exists) ?? throw new DllNotFoundException(
            $"ONNX Runtime's library {FileName} was not found in {string.Join(", ", candidates.Select(c => System.IO.Path.GetDirectoryName(c)).Distinct())}: {Remedy}");
        nint library;
        nint getApiBase;
        try
        {
            library = NativeLibrary.Load(path);
            getApiBase = NativeLibrary.GetExport(library, "OrtGetApiBase");
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException or EntryPointNotFoundException)
        {
            throw new DllNotFoundException($"{path} does not load as ONNX Runtime: {e.Message.Split('\n', 2)[0].Trim()} Remove it: {Remedy}", e);
        }
        // OrtApiBase: GetApi, GetVersionString.
        var api = ((delegate* unmanaged<nint*>)getApiBase)();
        var version = Marshal.PtrToStringUTF8(((delegate* unmanaged<nint>)api[1])()) ?? "?";
        // Of an unknown version the library says so on stderr and returns null.
        var table = ((delegate* unmanaged<uint, nint>)api[0])(ApiVersion);
        if (table == 0)
        {
            NativeLibrary.Free(library);
            throw new DllNotFoundException($"{path} is ONNX Runtime {version}, version 1.{ApiVersion} or newer is needed: {Remedy}");
        }
        Path = path;
        Version = version;
        return table;
    }

    private static IEnumerable<string> Candidates()
    {
        if (Environment.GetEnvironmentVariable("ASR_ONNXRUNTIME_DIR") is { Length: > 0 } given)
        {
            foreach (var name in File.Exists(given) ? [""] : FileNames)
            {
                yield return System.IO.Path.GetFullPath(System.IO.Path.Combine(given, name));
            }
            yield break;
        }
        var beside = System.IO.Path.GetDirectoryName(typeof(OrtLibrary).Assembly.Location);
        var folder = string.IsNullOrEmpty(beside) ? AppContext.BaseDirectory : beside;
        yield return System.IO.Path.Combine(folder, "native", FileName);
        yield return System.IO.Path.Combine(folder, FileName);
        yield return System.IO.Path.Combine(folder, "runtimes", RuntimeInformation.RuntimeIdentifier, "native", FileName);
    }
}
