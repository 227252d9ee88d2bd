using System.Runtime.InteropServices;

namespace AsrPlatform.OnnxBackend.Fast;

/// <summary>
/// The operator <see cref="Onnx.FastLayout.SelfAttention"/> (<c>native/attention.cpp</c>), for processors that multiply bytes and bfloat16 in vectors of 512 bits:
/// less than half the time of ONNX Runtime's own attention. Where it cannot be had, graphs have ONNX Runtime's.
/// </summary>
/// <remarks>Thread-safe.</remarks>
internal static unsafe class OwnAttention
{
    private const string FileName = "libasrattention.so";

    private static readonly Lazy<(string? Path, string? Why)> Found = new(Find);

    /// <summary>Why there is none; null where there is.</summary>
    public static string? Missing => Found.Value.Why;

    /// <summary>Lets sessions of these options have the operator, where there is one.</summary>
    public static void AddTo(SessionOptions options)
    {
        if (Found.Value.Path is { } path)
        {
            // The library stays loaded with the process, as sessions that use it may.
            options.RegisterCustomOpLibraryV2(path, out _);
        }
    }

    private static (string? Path, string? Why) Find()
    {
        var path = Path.Combine(Path.GetDirectoryName(typeof(OwnAttention).Assembly.Location) ?? "", "native", FileName);
        if (!File.Exists(path))
        {
            return (null, $"{path} was not built");
        }

        if (!NativeLibrary.TryLoad(path, out var library) || !NativeLibrary.TryGetExport(library, "asr_attention_supported", out var isSupported))
        {
            return (null, $"{path} does not load");
        }

        return ((delegate* unmanaged<int>)isSupported)() != 0 ? (path, null) : (null, "the processor has no AVX-512 with VNNI and BF16");
    }
}
